import { expect, test } from 'vitest';
import type { Activity, ActivityList } from '../api/queries';
import { needsReading, withNews } from './news';

const activity = (number: number, type = 'post.created') => ({ number, type, id: `${number}` }) as Activity;

function list(newest: number, count: number, total = count): ActivityList {
  return {
    activities: Array.from({ length: count }, (_, older) => activity(newest - older)),
    pagination: { page: 1, limit: 3, pages: Math.ceil(total / 3), total },
    view: { lastEventId: `e:${newest}`, position: newest, sequences: {}, asOf: null },
  };
}

const numbers = ({ activities }: ActivityList) => activities.map(({ number }) => number);

test('what happened comes on top, and the page keeps its length', () => {
  const next = withNews(list(7, 3), activity(8), {});
  expect(numbers(next)).toEqual([8, 7, 6]);
  expect(next.pagination).toMatchObject({ total: 4, pages: 2 });
});

test('what the list has already does not come twice', () => {
  const before = list(7, 2);
  expect(withNews(before, activity(7), {})).toBe(before);
  const next = withNews(before, activity(8), {});
  expect(withNews(next, activity(8), {})).toBe(next);
});

test('of another type than the list is nothing comes in, even where the list is empty', () => {
  const empty = list(7, 0);
  expect(withNews(empty, activity(8, 'item.sold'), { type: 'post.created' })).toBe(empty);
  expect(numbers(withNews(empty, activity(8), { type: 'post.created' }))).toEqual([8]);
});

test('a full list forgets its oldest', () => {
  expect(withNews(list(5000, 3, 999), activity(5001), {}).pagination).toMatchObject({ total: 1000, pages: 334 });
  expect(withNews(list(5000, 3, 1000), activity(5001), {}).pagination).toMatchObject({ total: 1000, pages: 334 });
});

test('later pages, and what takes others from the list, are read anew', () => {
  expect(needsReading(activity(8), {})).toBe(false);
  expect(needsReading(activity(8), { page: 1 })).toBe(false);
  expect(needsReading(activity(8), { page: 2 })).toBe(true);
  for (const type of ['item.withdrawn', 'post.deleted', 'channel.deleted', 'product.deleted']) {
    expect(needsReading(activity(8, type), {})).toBe(true);
  }
});
