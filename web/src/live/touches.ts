// What an activity makes old of what was read.
import type { QueryKey } from '@tanstack/react-query';
import type { Activity, ItemPage } from '../api/queries';

/** Whether what was read as `data` under a key is not so any more, for who is `me`. */
export function touches({ type, subject, data }: Activity, [what, id]: QueryKey, shown: unknown, me: string): boolean {
  const [thing] = type.split('.');
  const told = data as Partial<Record<string, string>>;
  switch (what) {
    case 'items':
      return thing === 'item';
    case 'item':
      // Its page counts the listings and sales of its seller, too.
      return thing === 'item' && (id === subject || (shown as ItemPage | undefined)?.seller.id === told.sellerId);
    case 'channels':
      return thing === 'channel';
    case 'channel':
      return (thing === 'channel' || thing === 'post') && id === Number(told.channelId);
    case 'wallet':
      return type === 'item.sold' && (told.sellerId === me || told.buyerId === me);
    case 'notifications':
      // Whose channel it is, only the feed knows.
      return (type === 'item.sold' && told.sellerId === me) || (type === 'post.created' && told.authorId !== me);
    default:
      return false;
  }
}

/** All that `touches` knows: what is to be read anew where it is not known what happened. */
export const FOLLOWED: readonly unknown[] = [
  'activity',
  'items',
  'item',
  'channels',
  'channel',
  'wallet',
  'notifications',
];
