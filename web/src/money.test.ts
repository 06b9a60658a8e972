import { describe, expect, test } from 'vitest';
import { type Currency, format, formatAmount, minorUnits, priceProblem } from './money';

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

  test('carries its currency', () => {
    expect(formatAmount('250.50', 'EUR')).toBe('250.50 EUR');
  });
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
