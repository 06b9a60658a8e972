import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ACTIVITY_WORDS, keysOf } from './words';

test('there are words for all that is told to all', () => {
  const catalogue = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  const rows = [...catalogue.matchAll(/^\| `(\w+\.\w+)` \| \w+ \| \w+ \| ([^|]+) \|/gm)];
  const toAll = rows.filter(([, , whom]) => whom?.split(', ').includes('all')).map(([, type]) => type);
  expect(toAll.length).toBeGreaterThan(0);
  expect([...keysOf(ACTIVITY_WORDS)].sort()).toEqual(toAll.sort());
});
