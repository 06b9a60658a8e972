import { expect, test } from 'vitest';
import { ApiError } from './problem';
import { retryDelay, retryRead, retryWrite } from './reading';

const away = new ApiError(0, {});
const missing = new ApiError(404, { code: 'item_not_found' });

test('reads are tried for as long as it may help, writes a few times', () => {
  expect([0, 3, 10_000].map((failures) => retryRead(failures, away))).toEqual([true, true, true]);
  expect([0, 2, 3].map((failures) => retryWrite(failures, away))).toEqual([true, true, false]);
  for (const hopeless of [missing, new TypeError('x is undefined')]) {
    expect(retryRead(0, hopeless)).toBe(false);
    expect(retryWrite(0, hopeless)).toBe(false);
  }
});

test('an answer says when to come again, up to ten seconds', () => {
  const busy = (seconds: number) => retryDelay(0, new ApiError(503, {}, seconds));
  expect([busy(2), busy(10), busy(11)]).toEqual([2000, 10_000, 10_000]);
  expect(retryDelay(1000, away)).toBeLessThanOrEqual(6250);
});
