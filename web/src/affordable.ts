// What a purchase does to a wallet, in exact money.
import type { Balance, Item } from './api/queries';
import { type Currency, minorUnits } from './money';

export interface Effect {
  currency: Currency;
  before: bigint;
  price: bigint;
  /** Below zero where the money does not suffice. */
  after: bigint;
}

/** The wallet's balance in the item's currency, before and after. */
export function effectOf(item: Pick<Item, 'price' | 'currency'>, balances: readonly Balance[]): Effect {
  const { currency } = item;
  const balance = balances.find((balance) => balance.currency === currency)?.balance ?? '0';
  const before = minorUnits(balance, currency);
  const price = minorUnits(item.price, currency);
  return { currency, before, price, after: before - price };
}
