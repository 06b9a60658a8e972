import { expect, test } from 'vitest';
import { effectOf } from './affordable';

test('a wallet before and after, to the last digit', () => {
  const balances = [
    { currency: 'USD' as const, balance: '1000000.00' },
    { currency: 'BTC' as const, balance: '0.10000000' },
  ];
  expect(effectOf({ price: '0.01', currency: 'USD' }, balances)).toMatchObject({ after: 99999999n });
  // 0.1 - 0.3 is no -0.2 in floats.
  expect(effectOf({ price: '0.30000000', currency: 'BTC' }, balances)).toMatchObject({ after: -20000000n });
  expect(effectOf({ price: '1.00', currency: 'EUR' }, balances)).toMatchObject({ before: 0n, after: -100n });
});
