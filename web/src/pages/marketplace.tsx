import {
  Box,
  Button,
  CloseButton,
  Collapse,
  Group,
  Paper,
  SegmentedControl,
  Select,
  SimpleGrid,
  Skeleton,
  Switch,
  Text,
  TextInput,
  VisuallyHidden,
} from '@mantine/core';
import { useDebouncedCallback, useDisclosure } from '@mantine/hooks';
import { IconAdjustments, IconPlus, IconSearchOff } from '@tabler/icons-react';
import { keepPreviousData } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link, Navigate } from 'react-router';
import { items } from '../api/queries';
import { useRead } from '../api/reading';
import { ItemCard } from '../components/item-card';
import { Dropped } from '../components/notices';
import { PageHead } from '../components/page';
import { Paging } from '../components/paging';
import { usePersonName } from '../components/person';
import { Empty, Failure } from '../components/states';
import { CATEGORY_WORDS, ITEM_STATUS_WORDS, keysOf } from '../components/words';
import {
  comparesCurrencies,
  ITEM_FILTERS,
  itemFilter,
  LONGEST_TAG,
  NARROWING,
  PER_PAGE,
  priceFilterProblem,
  SORTS,
  withFilters,
} from '../item-filter';
import { CURRENCIES, CURRENCY_NAMES, typedAmount } from '../money';
import { useFilters } from '../url-filter';

/** Milliseconds after the last key before what was typed counts. */
const TYPING = 350;

export function MarketplacePage() {
  const { url, setUrl, dropped, forget } = useFilters(ITEM_FILTERS);
  const [isOpen, { toggle }] = useDisclosure(false);
  const filter = itemFilter(url);
  const { data, isPlaceholderData, failure, tryAgain } = useRead({
    ...items(filter),
    placeholderData: keepPreviousData,
  });
  const set = (changes: Record<string, string | null>) => setUrl(withFilters(url, changes), { replace: true });
  const onPage = (page: number): URLSearchParams => {
    const next = new URLSearchParams(url);
    next.set('page', String(page));
    return next;
  };
  const narrowed = NARROWING.filter((name) => url.has(name));
  const isNarrowed = narrowed.length > 0 || url.has('status');
  const clear = () => set(Object.fromEntries([...NARROWING, 'status'].map((name) => [name, null])));

  // The last listing of the last page was bought meanwhile.
  const lastPage = data?.pagination.pages ?? 0;
  if (!isPlaceholderData && data?.items.length === 0 && lastPage > 0) {
    return <Navigate to={`?${onPage(lastPage)}`} replace />;
  }

  return (
    <>
      <PageHead
        title="Marketplace"
        action={
          <Button component={Link} to="/marketplace/new" leftSection={<IconPlus size={17} aria-hidden />}>
            List something
          </Button>
        }
      >
        Assets, innovations, services and knowledge, at exact prices
      </PageHead>

      <Paper className="surface" p="sm" mb="lg" component="search">
        <Group justify="space-between" gap="sm">
          <Box maw="100%" style={{ overflowX: 'auto' }}>
            <SegmentedControl
              aria-label="Category"
              value={filter.category ?? ''}
              onChange={(category) => set({ category })}
              data={[
                { value: '', label: 'All' },
                ...keysOf(CATEGORY_WORDS).map((value) => ({ value, label: CATEGORY_WORDS[value].plural })),
              ]}
            />
          </Box>
          <Group gap="sm">
            <Button
              variant={narrowed.length ? 'light' : 'default'}
              onClick={toggle}
              aria-expanded={isOpen}
              leftSection={<IconAdjustments size={17} aria-hidden />}
            >
              Filters{narrowed.length ? ` (${narrowed.length})` : ''}
            </Button>
            <Select
              aria-label="Order"
              w={165}
              allowDeselect={false}
              value={filter.sort ?? 'newest'}
              onChange={(sort) => set({ sort: sort === 'newest' ? null : sort })}
              data={keysOf(SORTS).map((value) => ({ value, label: SORTS[value] }))}
            />
          </Group>
        </Group>
        <Collapse expanded={isOpen}>
          <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" mt="sm">
            <Select
              label="Currency"
              clearable
              placeholder="Any"
              value={filter.currency ?? null}
              onChange={(currency) => set({ currency })}
              data={CURRENCIES.map((value) => ({ value, label: CURRENCY_NAMES[value] }))}
            />
            <TypedFilter label="Lowest price" name="minPrice" url={url} set={set} />
            <TypedFilter label="Highest price" name="maxPrice" url={url} set={set} />
            <TypedFilter label="Tag" name="tag" url={url} set={set} />
            <Select
              label="Status"
              allowDeselect={false}
              value={filter.status ?? 'any'}
              onChange={(status) => set({ status: status === 'available' ? null : status })}
              data={[
                ...keysOf(ITEM_STATUS_WORDS).map((value) => ({ value, label: ITEM_STATUS_WORDS[value].label })),
                { value: 'any', label: 'Any' },
              ]}
            />
            <Switch
              label="Premium only"
              mt={30}
              checked={filter.isPremium ?? false}
              onChange={(event) => set({ isPremium: event.currentTarget.checked ? 'true' : null })}
            />
          </SimpleGrid>
        </Collapse>
        {narrowed.length > 0 && (
          <Group gap="xs" mt="sm" aria-label="Filters that apply" role="group">
            {narrowed.map((name) => (
              <AppliedFilter
                key={name}
                name={name}
                value={url.get(name) ?? ''}
                onRemove={() => set({ [name]: null })}
              />
            ))}
            <Button variant="subtle" size="compact-sm" onClick={clear}>
              Clear all
            </Button>
          </Group>
        )}
      </Paper>

      <Dropped words={dropped} onClose={forget} />
      {comparesCurrencies(filter) && (
        <Group className="sunk" gap="xs" px="md" py={6} mb="md" role="note">
          <Text fz="sm" flex="1 1 20rem">
            There is no exchange rate: prices are compared by their numbers alone, so 2 BTC count less than 10 USD.
          </Text>
          <Group gap={6} wrap="nowrap">
            <Text fz="sm">Only</Text>
            {CURRENCIES.map((currency) => (
              <Button
                key={currency}
                size="compact-sm"
                variant="default"
                aria-label={`Only prices in ${currency}`}
                onClick={() => set({ currency })}
              >
                {currency}
              </Button>
            ))}
          </Group>
        </Group>
      )}
      <VisuallyHidden component="h2">Listings</VisuallyHidden>
      {failure ? (
        <Failure error={failure} retry={tryAgain} />
      ) : data?.items.length === 0 ? (
        <Empty
          icon={IconSearchOff}
          title={isNarrowed ? 'Nothing matches' : 'Nothing is for sale'}
          action={
            isNarrowed ? (
              <Button variant="default" onClick={clear} mt="xs">
                Clear the filters
              </Button>
            ) : (
              <Button component={Link} to="/marketplace/new" mt="xs">
                List something
              </Button>
            )
          }
        >
          {isNarrowed
            ? 'No listing meets all of these filters. Try with fewer.'
            : 'Be the first: list an asset, an innovation, a service or something you know. Or run capsim seed for a filled market.'}
        </Empty>
      ) : (
        <>
          <SimpleGrid
            cols={{ base: 1, xs: 2, md: 3, lg: 4 }}
            spacing="md"
            aria-busy={!data || isPlaceholderData}
            opacity={isPlaceholderData ? 0.6 : 1}
          >
            {data
              ? data.items.map((item) => <ItemCard key={item._id} item={item} />)
              : Array.from({ length: PER_PAGE / 2 }, (_, card) => <Skeleton key={card} h={196} radius="lg" />)}
          </SimpleGrid>
          {data && (
            <Paging of={data.pagination} what={['listing', 'listings']} onPage={(page) => setUrl(onPage(page))} />
          )}
        </>
      )}
    </>
  );
}

/** A filter that is typed: it counts when the typing pauses. */
function TypedFilter({
  label,
  name,
  url,
  set,
}: {
  label: string;
  name: 'minPrice' | 'maxPrice' | 'tag';
  url: URLSearchParams;
  set: (changes: Record<string, string | null>) => void;
}) {
  const applied = url.get(name) ?? '';
  const [typed, setTyped] = useState(applied);
  useEffect(() => setTyped(applied), [applied]);
  const isPrice = name !== 'tag';
  const wordOf = (text: string) => (isPrice ? typedAmount(text) : text.trim());
  const problemOf = (word: string) => (isPrice && word ? priceFilterProblem(word, url.get('currency')) : null);
  const apply = useDebouncedCallback((word: string) => {
    if (problemOf(word) === null) set({ [name]: word });
  }, TYPING);
  return (
    <TextInput
      label={label}
      placeholder="Any"
      inputMode={isPrice ? 'decimal' : 'text'}
      maxLength={isPrice ? undefined : LONGEST_TAG}
      value={typed}
      error={problemOf(wordOf(typed))}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        apply(wordOf(event.currentTarget.value));
      }}
    />
  );
}

function AppliedFilter({
  name,
  value,
  onRemove,
}: {
  name: (typeof NARROWING)[number];
  value: string;
  onRemove: () => void;
}) {
  const words: Record<(typeof NARROWING)[number], string> = {
    category: value,
    currency: value,
    minPrice: `from ${value}`,
    maxPrice: `up to ${value}`,
    sellerId: 'one seller',
    isPremium: 'premium',
    tag: `#${value}`,
  };
  return (
    <Group gap={2} className="sunk" pl="sm" pr={4} py={2} wrap="nowrap">
      <Text fz="sm" className="clamp" dir="auto">
        {name === 'sellerId' ? <SellerName id={value} /> : words[name]}
      </Text>
      <CloseButton size="sm" aria-label={`Remove the filter ${words[name]}`} onClick={onRemove} />
    </Group>
  );
}

function SellerName({ id }: { id: string }) {
  return <>sold by {usePersonName(id) ?? '…'}</>;
}
