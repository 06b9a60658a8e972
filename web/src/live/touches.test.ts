import { expect, test } from 'vitest';
import type { Activity } from '../api/queries';
import { FOLLOWED, touches } from './touches';

const told = (type: string, subject: string, data: Record<string, string> = {}) =>
  ({ type, subject, data }) as Activity;

/** What of all that may be shown is old with it. */
function touched(activity: Activity, me = 'ada'): string[] {
  const shown: [what: string, id?: unknown, data?: unknown][] = [
    ['items', {}],
    ['item', 'bar', { seller: { id: 'ada' } }],
    ['item', 'pin', { seller: { id: 'bob' } }],
    ['item', 'new'],
    ['channels', {}],
    ['channel', 7],
    ['channel', 8],
    ['wallet'],
    ['notifications'],
    ['profile'],
    ['username', 'ada'],
    ['status'],
  ];
  const old = shown.filter(([what, id, data]) => touches(activity, [what, id], data, me));
  return old.map(([what, id]) => (typeof id === 'object' || id === undefined ? what : `${what} ${id}`));
}

test('a listing makes the market old, and what else its seller has', () => {
  expect(touched(told('item.listed', 'new', { sellerId: 'bob' }))).toEqual(['items', 'item pin', 'item new']);
});

test('a sale makes the wallets of two old, and notifies one', () => {
  const sold = told('item.sold', 'bar', { sellerId: 'ada', buyerId: 'bob' });
  expect(touched(sold)).toEqual(['items', 'item bar', 'wallet', 'notifications']);
  expect(touched(sold, 'bob')).toEqual(['items', 'item bar', 'wallet']);
  expect(touched(sold, 'cleo')).toEqual(['items', 'item bar']);
});

test('a post makes its channel old, and may notify everybody but its author', () => {
  for (const type of ['post.updated', 'post.deleted']) {
    expect(touched(told(type, '42', { channelId: '7', authorId: 'bob' }))).toEqual(['channel 7']);
  }
  const posted = told('post.created', '42', { channelId: '7', authorId: 'bob' });
  expect(touched(posted)).toEqual(['channel 7', 'notifications']);
  expect(touched(posted, 'bob')).toEqual(['channel 7']);
});

test('a channel makes the list of channels old', () => {
  expect(touched(told('channel.updated', '8', { channelId: '8' }))).toEqual(['channels', 'channel 8']);
});

test('newcomers change nothing that is shown', () => {
  expect(touched(told('user.created', 'ada', { userId: 'ada' }))).toEqual([]);
});

test('all that events make old is read anew where it is not known which there were', () => {
  for (const what of ['items', 'item', 'channels', 'channel', 'wallet', 'notifications', 'activity']) {
    expect(FOLLOWED).toContain(what);
  }
});
