import { describe, expect, test } from 'vitest';
import { type Currency, format, formatShort, minorUnits, priceProblem, typedAmount } from './money';

describe('minorUnits', () => {
  test.each<[string, Currency, bigint]>([
    ['12.5', 'USD', 1250n],
    ['12.50', 'EUR', 1250n],
    ['0', 'USD', 0n],
    ['0.00000001', 'BTC', 1n],
    ['-3.2151', 'GOLD', -32151n],
    ['1.5000', 'USD', 150n],
    // Floats would lose the last digits of these.
    ['92233720368547758.07', 'USD', 9223372036854775807n],
    ['90071992.54740993', 'BTC', 9007199254740993n],
  ])('%s %s', (amount, currency, units) => {
    expect(minorUnits(amount, currency)).toBe(units);
  });

  test.each(['', '1e3', '1,5', '.5', '5.', 'NaN', '0x10', ' 1', '1.005'])('refuses %j', (amount) => {
    expect(() => minorUnits(amount, 'USD')).toThrow(RangeError);
  });
});

describe('format', () => {
  test.each<[bigint, Currency, string]>([
    [0n, 'USD', '0.00'],
    [5n, 'USD', '0.05'],
    [100000000n, 'USD', '1,000,000.00'],
    [-123456n, 'EUR', '−1,234.56'],
    [1n, 'BTC', '0.00000001'],
    [1250000n, 'BTC', '0.0125'],
    [100000000n, 'BTC', '1.00'],
    [32151n, 'GOLD', '3.2151'],
    [32500n, 'GOLD', '3.25'],
    [9223372036854775807n, 'USD', '92,233,720,368,547,758.07'],
  ])('%d %s is %s', (units, currency, text) => {
    expect(format(units, currency)).toBe(text);
  });

  test('is exact: what is shown reads back as what it was', () => {
    for (const currency of ['USD', 'EUR', 'BTC', 'GOLD'] as const) {
      for (let units = 1n; units < 2n ** 63n; units = units * 7n + 3n) {
        expect(minorUnits(format(units, currency).replaceAll(',', ''), currency)).toBe(units);
      }
    }
  });
});

test.each<[bigint, Currency, string]>([
  [100000000n, 'USD', '1,000,000.00'],
  [99999999999n, 'USD', '999,999,999.99'],
  [100000000000n, 'USD', '1B'],
  [9223372036854775807n, 'USD', '92,233.72T'],
  [99999999999999n, 'BTC', '999,999.99'],
  [1n, 'BTC', '0.00000001'],
  [9999999999999n, 'GOLD', '999,999,999.99'],
])('%d %s is %s where there is little room', (units, currency, text) => {
  expect(formatShort(units, currency)).toBe(text);
});

test('what is typed as an amount is understood as a person means it', () => {
  expect(['007.5', ' 12 ', '0.50', '0', '000', ''].map(typedAmount)).toEqual(['7.5', '12', '0.50', '0', '0', '']);
});

describe('priceProblem', () => {
  test.each<[string, Currency]>([
    ['0', 'USD'],
    ['12.50', 'USD'],
    [' 7 ', 'EUR'],
    ['0.00000001', 'BTC'],
    ['92233720368547758.07', 'USD'],
  ])('%j %s is fine', (text, currency) => {
    expect(priceProblem(text, currency)).toBeNull();
  });

  test.each<[string, Currency, RegExp]>([
    ['', 'USD', /Give a price/],
    ['-1', 'USD', /negative/],
    ['12,50', 'EUR', /decimal point/],
    ['abc', 'EUR', /decimal point/],
    ['1.005', 'USD', /2 decimal places/],
    ['1.00000', 'GOLD', /4 decimal places/],
    ['92233720368547758.08', 'USD', /more than there can be/],
  ])('%j %s is not', (text, currency, problem) => {
    expect(priceProblem(text, currency)).toMatch(problem);
  });
});
