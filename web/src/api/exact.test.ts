import { expect, test } from 'vitest';
import { parseExact } from './exact';

test('amounts keep every digit, other numbers are numbers', () => {
  const text = '{"items":[{"price":92233720368547758.07,"id":7}],"balances":[{"balance":1000000.00000000}],"total":12}';
  expect(parseExact(text)).toEqual({
    items: [{ price: '92233720368547758.07', id: 7 }],
    balances: [{ balance: '1000000.00000000' }],
    total: 12,
  });
});
