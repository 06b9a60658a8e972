import { expect, test } from 'vitest';
import { pageNumber, textUpTo } from './url-filter';

test('a page is a whole number from 1 up to what the API can count', () => {
  expect(['1', '3', '2147483647'].map(pageNumber)).toEqual([1, 3, 2147483647]);
  for (const odd of ['', '0', '-1', '1.5', '1e3', 'x', '2147483648', '99999999999']) {
    expect(pageNumber(odd)).toBeUndefined();
  }
});

test('text is counted in characters, without the spaces around it', () => {
  const text = textUpTo(3);
  const none = new URLSearchParams();
  expect(text('  abc ', none)).toBe('abc');
  expect(text('😀😀😀', none)).toBe('😀😀😀');
  expect(text('abcd', none)).toBeUndefined();
});
