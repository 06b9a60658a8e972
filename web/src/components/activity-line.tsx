// What happened, as a sentence.
import { Box, Group, Text } from '@mantine/core';
import { IconBolt } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Activity } from '../api/queries';
import type { Currency } from '../money';
import { Money } from './money';
import { Person } from './person';
import { When } from './when';
import { ACTIVITY_WORDS, type Word } from './words';

/** Characters of a name, or of a post, that a line shows. */
const LONGEST = 90;

/** What the UI reads of an activity's data: `docs/events.md` says which type has what. What is empty is left out there. */
interface Told {
  userId?: string;
  itemId?: string;
  sellerId?: string;
  buyerId?: string;
  channelId?: string;
  createdBy?: string;
  updatedBy?: string;
  deletedBy?: string;
  authorId?: string;
  name?: string;
  title?: string;
  excerpt?: string;
  stock?: number;
  revision?: number;
  status?: string;
  price?: { currency: Currency; amount: string };
}

/** One line of a list of them. `mark` stands beside its time. */
export function ActivityLine({ activity, mark }: { activity: Activity; mark?: ReactNode }) {
  const { icon: Sign = IconBolt, tone, label } = wordOf(activity.type);
  return (
    <Group gap="sm" wrap="nowrap" align="flex-start">
      <span className="mark sign" data-tone={tone} title={label}>
        <Sign size={17} stroke={1.8} aria-hidden />
      </span>
      <Box flex={1} miw={0} fz="sm" lh={1.6} className="clamp">
        <Sentence activity={activity} />
      </Box>
      <Group gap={8} wrap="nowrap" flex="none" fz="xs" mt={3}>
        <When time={activity.time} />
        {mark}
      </Group>
    </Group>
  );
}

/** A type that only a later version knows is its own word. */
function wordOf(type: string): Word {
  return (ACTIVITY_WORDS as Record<string, Word>)[type] ?? { label: type, tone: 'grey' };
}

function Sentence({ activity: { type, subject, data } }: { activity: Activity }) {
  const told = data as Told;
  const name = <Name>{told.name}</Name>;
  const item = <Name to={`/marketplace/item/${told.itemId}`}>{told.name}</Name>;
  const channel = <Name to={`/discourse/${told.channelId}`}>{told.name}</Name>;
  const price = told.price && <Money amount={told.price.amount} currency={told.price.currency} fz="inherit" />;
  switch (type) {
    case 'user.created':
      return (
        <>
          <Who id={told.userId} /> opened an account
        </>
      );
    case 'user.updated':
      return (
        <>
          <Who id={told.userId} /> has a new profile
        </>
      );
    case 'item.listed':
      return (
        <>
          <Who id={told.sellerId} /> listed {item} for {price}
        </>
      );
    case 'item.updated':
      return (
        <>
          <Who id={told.sellerId} /> changed {item}, now for {price}
        </>
      );
    case 'item.withdrawn':
      return (
        <>
          <Who id={told.sellerId} /> took {name} back
        </>
      );
    case 'item.sold':
      return (
        <>
          <Who id={told.buyerId} /> bought {item} from <Who id={told.sellerId} /> for {price}
        </>
      );
    case 'item.resold':
      return (
        <>
          <Who id={told.sellerId} /> offers {item} again, for {price}
        </>
      );
    case 'product.created':
      return (
        <>
          {name} came into the catalogue, for {price}
        </>
      );
    case 'product.updated':
      return <>{name} was changed</>;
    case 'product.deleted':
      return <>{name} left the catalogue</>;
    case 'stock.changed':
      return <>Of a product there are {told.stock ?? 0} now</>;
    case 'stock.low':
      return (
        <>
          Of {name} only {told.stock ?? 0} are left
        </>
      );
    case 'stock.out':
      return <>{name} is out of stock</>;
    case 'channel.created':
      return (
        <>
          <Who id={told.createdBy} /> opened {channel}
        </>
      );
    case 'channel.updated':
      return (
        <>
          <Who id={told.updatedBy} /> changed {channel}
        </>
      );
    case 'channel.deleted':
      return (
        <>
          <Who id={told.deletedBy} /> closed {name}
        </>
      );
    case 'post.created':
    case 'post.updated':
      return (
        <>
          <Who id={told.authorId} /> {type === 'post.created' ? 'posted' : 'edited'}{' '}
          <Name to={`/discourse/${told.channelId}`}>{told.title || told.excerpt}</Name>
        </>
      );
    case 'post.deleted':
      return (
        <>
          <Who id={told.deletedBy} /> deleted a post
        </>
      );
    case 'order.updated':
      return <>Your order is {told.status}</>;
    case 'order.cancelled':
      return <>Your order is cancelled, and its money is back</>;
    default:
      return (
        <>
          {type} of {subject}
        </>
      );
  }
}

function Who({ id }: { id: string | undefined }) {
  return <span className="who">{id ? <Person id={id} /> : 'Somebody'}</span>;
}

/** What people named, and where it is. */
function Name({ to, children }: { to?: string; children: string | undefined }) {
  const letters = [...(children || 'without a name')];
  const name = letters.length > LONGEST ? `${letters.slice(0, LONGEST).join('')}…` : letters.join('');
  return (
    <bdi>
      {to ? (
        <Link to={to} className="link">
          {name}
        </Link>
      ) : (
        <Text component="span" fz="inherit" fw={550}>
          {name}
        </Text>
      )}
    </bdi>
  );
}
