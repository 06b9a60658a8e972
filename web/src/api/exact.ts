// JSON whose amounts stay the text that was sent: no float between the ledger and the eye.
import { isLosslessNumber, parse } from 'lossless-json';

const AMOUNTS = new Set(['price', 'balance']);

/** As `JSON.parse`, but prices and balances are strings, digit for digit. */
export function parseExact(text: string): unknown {
  return parse(text, (key, value) => {
    if (!isLosslessNumber(value)) return value;
    return AMOUNTS.has(key) ? value.toString() : Number(value.toString());
  });
}
