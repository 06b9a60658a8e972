// Money is counted in whole minor units, as the services count it: a price never becomes a float.
import type { components } from './api/schema';

export type Currency = components['schemas']['Currency'];

/** Decimal places of each currency. */
export const PLACES: Record<Currency, number> = { USD: 2, EUR: 2, BTC: 8, GOLD: 4 };

export const CURRENCIES = Object.keys(PLACES) as readonly Currency[];

/** Names as a person says them. */
export const CURRENCY_NAMES: Record<Currency, string> = {
  USD: 'US dollar',
  EUR: 'Euro',
  BTC: 'Bitcoin',
  GOLD: 'Gold (oz)',
};

/** The largest amount that a service can hold, in minor units. */
const MAX_MINOR_UNITS = 2n ** 63n - 1n;

/** Minor units of decimal text: "12.5" USD is 1250n. Throws on what is no amount of that currency. */
export function minorUnits(amount: string, currency: Currency): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  const places = PLACES[currency];
  if (whole === undefined || /[1-9]/.test(fraction.slice(places))) {
    throw new RangeError(`${amount} is no amount of ${currency}`);
  }
  const units = BigInt(whole + fraction.slice(0, places).padEnd(places, '0'));
  return sign ? -units : units;
}

/** Every digit that counts, in groups of three: 1,250.50. Zeros beyond the second place are left out. */
export function format(units: bigint, currency: Currency): string {
  const places = PLACES[currency];
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, -places).replace(/\B(?=(\d{3})+$)/g, ',');
  const fraction = digits.slice(-places).replace(/(\d{2}\d*?)0+$/, '$1');
  return `${units < 0n ? '−' : ''}${whole}.${fraction}`;
}

/** The longest amount that a narrow place has room for, in characters. */
const SHORT = 14;
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2, roundingMode: 'trunc' });

/** As `format`, but what is too long for a narrow place is cut, then rounded down: 92,233.72T. Never more than it is. */
export function formatShort(units: bigint, currency: Currency): string {
  const exact = format(units, currency);
  const cut = exact.replace(/(\.\d{2})\d+$/, '$1');
  if (exact.length <= SHORT) return exact;
  return cut.length <= SHORT ? cut : compact.format(units / 10n ** BigInt(PLACES[currency]));
}

/** An amount that somebody typed, as the API takes it: no spaces around it, no zeros before it. */
export function typedAmount(text: string): string {
  return text.trim().replace(/^0+(?=\d)/, '');
}

/** What is wrong with a price that somebody typed, or null. */
export function priceProblem(text: string, currency: Currency): string | null {
  const typed = text.trim();
  const places = PLACES[currency];
  if (typed === '') return 'Give a price; 0 is a gift';
  if (typed.startsWith('-')) return 'A price cannot be negative';
  const [, fraction = ''] = /^\d+(?:\.(\d+))?$/.exec(typed) ?? ['', null];
  if (fraction === null) return 'Use digits and a decimal point, such as 1250.50';
  if (fraction.length > places) return `${currency} has ${places} decimal places at most`;
  if (minorUnits(typed, currency) > MAX_MINOR_UNITS) return 'That is more than there can be';
  return null;
}
