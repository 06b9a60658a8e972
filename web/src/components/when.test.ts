import { expect, test } from 'vitest';
import { ago } from './when';

const now = Date.parse('2026-06-15T12:00:00Z');

test.each([
  ['2026-06-15T11:59:30Z', 'just now'],
  ['2026-06-15T12:00:20Z', 'just now'],
  ['2026-06-15T11:58:00Z', '2 minutes ago'],
  ['2026-06-15T09:10:00Z', '2 hours ago'],
  ['2026-06-14T11:00:00Z', 'yesterday'],
  ['2026-03-01T00:00:00Z', '3 months ago'],
  ['2024-01-01T00:00:00Z', '2 years ago'],
])('%s is %s', (time, words) => {
  expect(ago(time, now)).toBe(words);
});
