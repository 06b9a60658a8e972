import { expect, test } from 'vitest';
import { backoff } from './backoff';

test('waits double up to a cap, and never end', () => {
  const waits = [0, 1, 2, 3, 4, 5, 1000, 5000].map((failures) => backoff(failures, 0.5));
  expect(waits).toEqual([300, 600, 1200, 2400, 4800, 5000, 5000, 5000]);
});

test('chance spreads them by a quarter', () => {
  expect([backoff(9, 0), backoff(9, 1)]).toEqual([3750, 6250]);
});
