import { expect, test } from 'vitest';
import { duration, hitRatio, requestRates, shares } from './rates';

const sample = (at: number, requests: number) => ({ at, requests, hits: 0, misses: 0 });

test('rates are of the time between two samples', () => {
  expect(requestRates([])).toEqual([]);
  expect(requestRates([sample(0, 5)])).toEqual([]);
  expect(requestRates([sample(0, 5), sample(2000, 25), sample(3000, 25)])).toEqual([
    { at: 2000, rate: 10 },
    { at: 3000, rate: 0 },
  ]);
});

test('ratios of nothing are no numbers', () => {
  expect(hitRatio({ hits: 0, misses: 0 })).toBeNull();
  expect(hitRatio({ hits: 3, misses: 1 })).toBe(0.75);
  const replica = (calls: number) => ({ address: 'a:1', up: true, degraded: false, calls });
  expect(shares([replica(0), replica(0)])).toEqual([0, 0]);
  expect(shares([replica(100), replica(100), replica(200)])).toEqual([0.25, 0.25, 0.5]);
});

test.each([
  [5, '5 s'],
  [65, '1 min 5 s'],
  [3600, '1 h 0 s'],
  [90_061, '1 d 1 h'],
])('%d seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});
