import { Anchor, Box, Button, Grid, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArrowLeft, IconShoppingCart, IconTag } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link, useLocation, useParams } from 'react-router';
import { ApiError } from '../api/problem';
import { type ItemPage as ItemData, item, username } from '../api/queries';
import { useRead } from '../api/reading';
import { Money } from '../components/money';
import { Person } from '../components/person';
import { PurchaseDialog } from '../components/purchase-dialog';
import { Failure, Lines } from '../components/states';
import { When } from '../components/when';
import { CATEGORY_WORDS, ITEM_STATUS_WORDS, Mark, PremiumMark, TRANSACTION_TYPE_WORDS } from '../components/words';
import { useMe } from '../session';
import { NotFoundPage } from './not-found';

export function ItemPage() {
  const { id = '' } = useParams();
  const { data, failure, tryAgain } = useRead(item(id));
  const client = useQueryClient();
  // The filters and the page of the list that one came from.
  const from: unknown = useLocation().state?.list;
  const list = typeof from === 'string' ? from : '';
  useEffect(() => {
    if (data) client.setQueryData(username(data.seller.id).queryKey, data.seller.username);
  }, [client, data]);

  if (failure instanceof ApiError && [400, 404].includes(failure.status)) return <NotFoundPage />;
  return (
    <>
      <Anchor
        component={Link}
        to={{ pathname: '/marketplace', search: list }}
        c="dimmed"
        fz="sm"
        mb="md"
        display="inline-block"
      >
        <Group gap={6} component="span">
          <IconArrowLeft size={16} aria-hidden /> Marketplace
        </Group>
      </Anchor>
      {data ? <Listing data={data} /> : failure ? <Failure error={failure} retry={tryAgain} /> : <Loading />}
    </>
  );
}

function Listing({ data }: { data: ItemData }) {
  const me = useMe();
  const [isBuying, dialog] = useDisclosure(false);
  const isMine = data.sellerId === me.userId;
  return (
    <div className="listing">
      <title>{`${data.name} · capsim`}</title>
      <Paper className="surface card" p={{ base: 'md', sm: 'xl' }} data-premium={data.isPremium}>
        <Group gap={6} mb="sm">
          <Mark word={CATEGORY_WORDS[data.category]} />
          {data.isPremium && <PremiumMark />}
          <Mark word={ITEM_STATUS_WORDS[data.status]} />
        </Group>
        <Title order={1} fz={{ base: 26, sm: 32 }} lh={1.2} className="clamp" dir="auto">
          {data.name}
        </Title>
        <Text fz="sm" mt={6} c="dimmed">
          Listed <When time={data.createdAt} />
        </Text>
        <Text className="prose" mt="lg" lh={1.65} dir="auto">
          {data.description}
        </Text>
        {data.tags.length > 0 && (
          <Group gap={6} mt="lg" aria-label="Tags" role="group">
            {data.tags.map((tag) => (
              <Link key={tag} to={`/marketplace?tag=${encodeURIComponent(tag)}`} className="mark">
                <IconTag size={12} aria-hidden />
                <span dir="auto">{tag}</span>
              </Link>
            ))}
          </Group>
        )}
      </Paper>
      <Stack gap="md" className="listing-side">
        <Paper className="surface" p="lg">
          <Text fz="sm" c="dimmed">
            {data.status === 'sold' ? 'Sold for' : 'Price'}
          </Text>
          <Money amount={data.price} currency={data.currency} fz={28} isLong />
          {isMine ? (
            <Text mt="md" fz="sm" c="dimmed">
              This is your listing. {data.status === 'available' ? 'Others can buy it.' : ''}
            </Text>
          ) : data.status === 'available' ? (
            <Button
              fullWidth
              size="md"
              mt="md"
              onClick={dialog.open}
              leftSection={<IconShoppingCart size={18} aria-hidden />}
            >
              Buy
            </Button>
          ) : (
            <Text mt="md" fz="sm" c="dimmed">
              {data.status === 'sold' ? 'It has found its buyer.' : 'Its seller holds it back.'}
            </Text>
          )}
        </Paper>
        <Seller data={data} />
      </Stack>
      <History data={data} />
      <PurchaseDialog item={data} isOpen={isBuying} onClose={dialog.close} />
    </div>
  );
}

function Seller({ data: { seller } }: { data: ItemData }) {
  const facts = [
    ['For sale now', seller.activeListings],
    ['Sold so far', seller.completedSales],
  ] as const;
  return (
    <Paper className="surface" p="lg">
      <Title order={2} fz="sm" c="dimmed" ff="text" fw={400} mb="sm">
        Seller
      </Title>
      <Person id={seller.id} />
      <Group grow mt="md" gap="sm">
        {facts.map(([what, count]) => (
          <Box key={what} className="sunk" p="sm">
            <Text fz={20} fw={600} className="money">
              {count.toLocaleString('en')}
            </Text>
            <Text fz="xs" c="dimmed">
              {what}
            </Text>
          </Box>
        ))}
      </Group>
      <Text
        component={Link}
        to={`/marketplace?sellerId=${seller.id}&status=any`}
        className="link clamp"
        fz="sm"
        mt="md"
        display="inline-block"
      >
        All of {seller.username}
      </Text>
    </Paper>
  );
}

function History({ data: { transactionHistory } }: { data: ItemData }) {
  return (
    <Paper className="surface" p={{ base: 'md', sm: 'xl' }}>
      <Title order={2} fz={20} mb="sm">
        History
      </Title>
      {transactionHistory.length === 0 ? (
        <Text c="dimmed" fz="sm">
          It has not changed hands yet.
        </Text>
      ) : (
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Buyer</th>
              <th scope="col">As</th>
              <th scope="col">When</th>
              <th scope="col" className="right">
                Price
              </th>
            </tr>
          </thead>
          <tbody>
            {transactionHistory.map((sale) => (
              <tr key={sale._id}>
                <td data-label="Buyer">
                  <Person id={sale.buyerId} />
                </td>
                <td data-label="As">{TRANSACTION_TYPE_WORDS[sale.type].label}</td>
                <td data-label="When">
                  <When time={sale.createdAt} />
                </td>
                <td data-label="Price" className="right">
                  <Money amount={sale.price} currency={sale.currency} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Paper>
  );
}

function Loading() {
  return (
    <Grid gap={{ base: 'md', md: 'xl' }}>
      <Grid.Col span={{ base: 12, md: 8 }}>
        <Paper className="surface" p="xl">
          <Skeleton h={30} w="60%" mb="xl" />
          <Lines count={4} />
        </Paper>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 4 }}>
        <Skeleton h={150} radius="lg" />
      </Grid.Col>
    </Grid>
  );
}
