// What was bought in this browser: the API has no list of purchases, only the newest sales of each item.

import type { components } from './api/schema';
import * as session from './session';

type Transaction = components['schemas']['Transaction'];

export interface PurchaseRecord extends Transaction {
  itemName: string;
}

/** The newest so many are kept. */
const KEPT = 200;

const keyOf = (userId: string) => `capsim.purchases.${userId}`;

/** The purchases of a user in this browser, newest first. */
export function purchasesOf(userId: string): PurchaseRecord[] {
  try {
    return JSON.parse(localStorage.getItem(keyOf(userId)) ?? '[]');
  } catch {
    return [];
  }
}

/** Keeps a purchase of whoever is logged in. A retried one is kept once. */
export function remember(transaction: Transaction, itemName: string) {
  const userId = session.current()?.userId;
  if (userId !== transaction.buyerId) return;
  const others = purchasesOf(userId).filter(({ _id }) => _id !== transaction._id);
  localStorage.setItem(keyOf(userId), JSON.stringify([{ ...transaction, itemName }, ...others].slice(0, KEPT)));
}
