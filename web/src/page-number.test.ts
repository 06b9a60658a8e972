import { expect, test } from 'vitest';
import { pageNumber } from './page-number';

test.each([
  [null, 1],
  ['3', 3],
  ['0', 1],
  ['-2', 1],
  ['1.5', 1],
  ['x', 1],
  ['', 1],
  ['99999999999', 1],
])('page %j is %d', (text, page) => {
  expect(pageNumber(text)).toBe(page);
});
