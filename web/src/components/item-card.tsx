import { Box, Group, Text, Title } from '@mantine/core';
import { Link, useLocation } from 'react-router';
import type { Item } from '../api/queries';
import { Money } from './money';
import { When } from './when';
import { CATEGORY_WORDS, ITEM_STATUS_WORDS, Mark, PremiumMark } from './words';

/** A listing, as it stands in the market. Its page leads back to the list as it is here. */
export function ItemCard({ item }: { item: Item }) {
  const { search } = useLocation();
  return (
    <Box
      component={Link}
      to={`/marketplace/item/${item._id}`}
      state={{ list: search }}
      className="surface card"
      p="md"
      data-premium={item.isPremium}
      data-testid="item-card"
    >
      <ItemFace item={item} />
    </Box>
  );
}

/** What a card shows, without the link. */
export function ItemFace({ item }: { item: Item }) {
  return (
    <>
      <Group gap={6} mb={10}>
        <Mark word={CATEGORY_WORDS[item.category]} />
        {item.isPremium && <PremiumMark />}
        {item.status !== 'available' && <Mark word={ITEM_STATUS_WORDS[item.status]} />}
      </Group>
      <Title order={3} fz={18} lh={1.3} lineClamp={2} className="clamp" dir="auto">
        {item.name}
      </Title>
      <Text c="dimmed" fz="sm" mt={6} lineClamp={2} className="clamp" mb="md" dir="auto">
        {item.description}
      </Text>
      <Group justify="space-between" mt="auto" gap={4} align="baseline">
        <Money amount={item.price} currency={item.currency} fz={17} />
        <Text component="span" fz="xs">
          <When time={item.createdAt} />
        </Text>
      </Group>
    </>
  );
}
