// What is mine, and what the system does.
import {
  Box,
  Button,
  Grid,
  Group,
  Paper,
  Progress,
  SimpleGrid,
  Skeleton,
  Stack,
  Tabs,
  Text,
  Title,
} from '@mantine/core';
import { IconReceipt, IconTagStarred, IconTrendingUp } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, type ReactNode, Suspense } from 'react';
import { Link } from 'react-router';
import { ApiError } from '../api/problem';
import { type Item, items, type Schemas, type Status, status, wallet } from '../api/queries';
import { type Read, useRead } from '../api/reading';
import { arrive, preload } from '../arrival';
import { CurrencyMark, Money } from '../components/money';
import { PageHead } from '../components/page';
import { Empty, Failure, Lines } from '../components/states';
import { When } from '../components/when';
import { CURRENCIES, CURRENCY_NAMES, format, minorUnits } from '../money';
import { duration, hitRatio, type Point, requestRates, shares } from '../rates';
import { useMe } from '../session';

// The charts' library weighs as much as half the app: the page comes first.
const chart = () => import('../components/request-rate').then(({ RequestRate }) => ({ default: RequestRate }));
const RequestRate = lazy(() => arrive(chart).catch(() => ({ default: NoChart })));
preload([chart]);

function NoChart(_: { rates: Point[] }) {
  return (
    <Text fz="sm" c="dimmed">
      The chart did not arrive. Reload the page to see it.
    </Text>
  );
}

export function DashboardPage() {
  return (
    <>
      <PageHead title="Dashboard">What is yours, and what the system does for it</PageHead>
      <Stack gap={40}>
        <section aria-labelledby="mine">
          <Title order={2} id="mine" fz={22} mb="md">
            Yours
          </Title>
          <Balances />
          <Belongings />
        </section>
        <section aria-labelledby="system">
          <SystemView />
        </section>
      </Stack>
    </>
  );
}

function Balances() {
  const { data, failure, tryAgain } = useRead(wallet());
  if (failure) return <Failure error={failure} retry={tryAgain} />;
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md" mb="md">
      {CURRENCIES.map((currency) => {
        const balance = data?.find((balance) => balance.currency === currency)?.balance;
        return (
          <Paper key={currency} className="surface" p="md">
            <Group justify="space-between" gap={4} mb={6} wrap="nowrap">
              <Text fz="sm" c="dimmed" truncate>
                {CURRENCY_NAMES[currency]}
              </Text>
              <CurrencyMark currency={currency} />
            </Group>
            {balance === undefined ? (
              <Skeleton h={24} />
            ) : (
              <Text className="money" fz={{ base: 17, sm: 22 }} fw={600} data-testid={`balance-${currency}`}>
                {format(minorUnits(balance, currency), currency)}
              </Text>
            )}
          </Paper>
        );
      })}
    </SimpleGrid>
  );
}

function Belongings() {
  const me = useMe();
  const listings = useRead(items({ sellerId: me.userId, status: 'available', limit: 100 }));
  const sales = useRead(items({ sellerId: me.userId, status: 'sold', limit: 100 }));
  const purchases = useRead(items({ buyerId: me.userId, limit: 100 }));
  const count = (number: number | undefined) => (number === undefined ? '' : ` (${number.toLocaleString('en')})`);
  return (
    <Paper className="surface" p={{ base: 'sm', sm: 'md' }}>
      <Tabs defaultValue="listings">
        <Tabs.List mb="sm">
          <Tabs.Tab value="listings">Listings{count(listings.data?.pagination.total)}</Tabs.Tab>
          <Tabs.Tab value="sales">Sales{count(sales.data?.pagination.total)}</Tabs.Tab>
          <Tabs.Tab value="purchases">Purchases{count(purchases.data?.pagination.total)}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="listings">
          <Listings
            query={listings}
            time="Listed"
            timeOf={(item) => item.createdAt}
            empty={
              <Empty
                icon={IconTagStarred}
                title="You sell nothing"
                action={
                  <Button component={Link} to="/marketplace/new" mt="xs">
                    List something
                  </Button>
                }
              >
                What you put up for sale stands here until somebody buys it.
              </Empty>
            }
          />
        </Tabs.Panel>
        <Tabs.Panel value="sales">
          <Listings
            query={sales}
            time="Sold"
            timeOf={(item) => item.updatedAt}
            empty={
              <Empty icon={IconTrendingUp} title="Nothing sold yet">
                When somebody buys what you list, the money is in your wallet and the sale stands here.
              </Empty>
            }
          />
        </Tabs.Panel>
        <Tabs.Panel value="purchases">
          <Listings
            query={purchases}
            time="Bought"
            timeOf={(item) => item.updatedAt}
            empty={
              <Empty
                icon={IconReceipt}
                title="Nothing bought yet"
                action={
                  <Button component={Link} to="/marketplace" mt="xs">
                    Look around
                  </Button>
                }
              >
                Your wallet is full. See what there is.
              </Empty>
            }
          />
        </Tabs.Panel>
      </Tabs>
    </Paper>
  );
}

function Listings({
  query: { data, failure, tryAgain },
  time,
  timeOf,
  empty,
}: {
  query: Read<Schemas['ItemList']>;
  time: string;
  timeOf: (item: Item) => string;
  empty: ReactNode;
}) {
  if (failure) return <Failure error={failure} retry={tryAgain} />;
  if (!data) return <Lines count={4} />;
  if (data.items.length === 0) return empty;
  // The API knows when it was listed, and no order by the time of the sale.
  const rows = data.items.toSorted((one, other) => Date.parse(timeOf(other)) - Date.parse(timeOf(one)));
  return (
    <>
      <Rows
        head={['What', time, 'Price']}
        rows={rows.map((item) => ({
          key: item._id,
          cells: [
            <ItemLink key="what" id={item._id} name={item.name} />,
            <When key="when" time={timeOf(item)} />,
            <Money key="price" amount={item.price} currency={item.currency} />,
          ],
        }))}
      />
      {data.pagination.total > data.items.length && (
        <Text fz="sm" c="dimmed" p="xs">
          The newest {data.items.length} of {data.pagination.total.toLocaleString('en')}.
        </Text>
      )}
    </>
  );
}

function ItemLink({ id, name }: { id: string; name: string }) {
  return (
    <Link to={`/marketplace/item/${id}`} className="link clamp" dir="auto">
      {name}
    </Link>
  );
}

/** A table whose last column is an amount; cards on a phone. */
function Rows({ head, rows }: { head: string[]; rows: { key: string; cells: ReactNode[] }[] }) {
  const right = (column: number) => (column === head.length - 1 ? 'right' : undefined);
  return (
    <table className="table">
      <thead>
        <tr>
          {head.map((label, column) => (
            <th key={label} scope="col" className={right(column)}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, cells }) => (
          <tr key={key}>
            {cells.map((cell, column) => (
              <td key={head[column]} data-label={head[column]} className={right(column)}>
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const UNAVAILABLE: Record<string, string> = {
  redis: 'Redis is out of reach: answers come uncached',
  ended_tokens: 'The accounts are out of reach: who logs out may still be let in',
};

/** How it is, in a sentence. */
function healthOf({ services, unavailable }: Status): string {
  const names = Object.keys(services);
  const without = names.filter((name) => services[name]?.status === 'unhealthy');
  if (without.length > 0) return `No replica is left of: ${without.join(', ')}`;
  if (unavailable.length > 0) return unavailable.map((name) => UNAVAILABLE[name] ?? `Out of reach: ${name}`).join('. ');
  const isShort = names.some((name) => services[name]?.status !== 'healthy');
  return isShort ? 'Some replicas are down; the others serve all calls' : 'All replicas are up';
}

/** What keeps the state of each part. */
function storesOf({ backends, services }: Status): Record<string, string> {
  const kept = Object.entries(services).map(([name, { replicas }]) => [
    name,
    replicas.find((one) => one.backend)?.backend,
  ]);
  return { ...backends, ...Object.fromEntries(kept.filter(([, store]) => store)) };
}

function SystemView() {
  // Here the first failure counts: this is where one looks how the system is.
  const { data, failureReason: failure } = useQuery(status(useQueryClient()));
  const head = (
    <Group justify="space-between" gap="xs" mb="md">
      <Title order={2} id="system" fz={22}>
        The system
      </Title>
      {data && !failure && (
        <Group gap={8} role="status">
          <span className="dot" data-up={data.now.status === 'healthy'} />
          <Text fz="sm">{healthOf(data.now)}</Text>
        </Group>
      )}
    </Group>
  );
  if (failure) {
    const isUnreachable = failure instanceof ApiError && failure.status === 0;
    return (
      <>
        {head}
        <Failure
          message={`The gateway does not ${isUnreachable ? 'answer' : 'tell how it is'}. This page keeps trying.`}
        />
      </>
    );
  }
  if (!data) {
    return (
      <>
        {head}
        <Skeleton h={260} radius="lg" />
      </>
    );
  }
  const { now, samples } = data;
  const rates = requestRates(samples);
  const ratio = hitRatio(now.cache);
  const stores = storesOf(now);
  return (
    <>
      {head}
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Paper className="surface" p="md" h="100%">
            <Group justify="space-between" align="baseline" mb="xs">
              <Title order={3} fz={17}>
                Requests a second
              </Title>
              <Text className="money" fz={22} fw={600}>
                {(rates.at(-1)?.rate ?? 0).toFixed(1)}
              </Text>
            </Group>
            <Suspense fallback={<Skeleton h={220} />}>
              <RequestRate rates={rates} />
            </Suspense>
          </Paper>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <SimpleGrid cols={2} spacing="md" h="100%">
            <Figure
              label="Cache hit ratio"
              value={ratio === null ? 'no reads yet' : `${(ratio * 100).toFixed(1)} %`}
              about={`${now.cache.hits.toLocaleString('en')} hits, ${now.cache.misses.toLocaleString('en')} misses`}
            />
            <Figure label="Requests" value={now.requests.toLocaleString('en')} about="since the gateway started" />
            <Figure
              label="Up for"
              value={duration(now.uptimeSeconds)}
              about={`${now.instance}, version ${now.version}`}
            />
            <Figure
              label="Stores"
              value={[...new Set(Object.values(stores))].join(', ')}
              about={Object.entries(stores)
                .map(([what, where]) => `${what}: ${where}`)
                .join(', ')}
            />
          </SimpleGrid>
        </Grid.Col>
        {Object.entries(now.services)
          .sort(([one], [other]) => other.localeCompare(one))
          .map(([name, service]) => (
            <Grid.Col key={name} span={{ base: 12, md: 6, lg: 4 }}>
              <Service name={name} service={service} />
            </Grid.Col>
          ))}
      </Grid>
    </>
  );
}

function Figure({ label, value, about }: { label: string; value: string; about: string }) {
  return (
    <Paper className="surface" p="md">
      <Text fz="sm" c="dimmed">
        {label}
      </Text>
      <Text className="clamp" fz={20} fw={600} style={{ fontVariantNumeric: 'tabular-nums' }}>
        {value}
      </Text>
      <Text fz="xs" c="dimmed">
        {about}
      </Text>
    </Paper>
  );
}

/** The replicas of a service, and how its calls spread over them. */
function Service({ name, service }: { name: string; service: Schemas['ServiceStatus'] }) {
  const parts = shares(service.replicas);
  const up = service.replicas.filter((replica) => replica.up).length;
  return (
    <Paper className="surface" p="md" data-testid={`service-${name}`}>
      <Group justify="space-between" mb="sm">
        <Title order={3} fz={17} tt="capitalize">
          {name}
        </Title>
        <Text fz="sm" c="dimmed">
          {up} of {service.replicas.length} replicas up
        </Text>
      </Group>
      <Stack gap="sm">
        {service.replicas.map((replica, index) => {
          const percent = (parts[index] ?? 0) * 100;
          return (
            <Box key={replica.address} data-testid="replica" data-up={replica.up}>
              <Group justify="space-between" gap="xs" mb={4} wrap="nowrap">
                <Group gap={8} wrap="nowrap" miw={0}>
                  <span className="dot" data-up={replica.up} />
                  <Text fz="sm" flex="none">
                    {name}-{index + 1}
                  </Text>
                  <Text fz="xs" c="dimmed" truncate visibleFrom="xs">
                    {replica.address}
                    {replica.backend && `, ${replica.backend}`}
                  </Text>
                  <Text fz="xs" fw={600} c={replica.up ? 'var(--accent)' : 'var(--mantine-color-error)'}>
                    {replica.up ? (replica.degraded ? 'reads only' : 'up') : 'down'}
                  </Text>
                </Group>
                <Text fz="sm" className="money">
                  {replica.calls.toLocaleString('en')} calls
                </Text>
              </Group>
              <Progress
                value={percent}
                color={replica.up ? 'pine' : 'gray'}
                size="sm"
                aria-label={`${percent.toFixed(0)} % of the calls of ${name} went to replica ${index + 1}`}
              />
            </Box>
          );
        })}
      </Stack>
    </Paper>
  );
}
