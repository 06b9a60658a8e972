// The marketplace's filters as they stand in the URL.
import type { ItemFilter } from './api/queries';
import { CATEGORY_WORDS, ITEM_STATUS_WORDS, keysOf } from './components/words';
import { CURRENCIES, priceProblem } from './money';
import { oneOf, pageNumber, type Readers, read, textUpTo } from './url-filter';

/** Cards a page: whole rows of 2, 3 and 4. */
export const PER_PAGE = 24;

export const SORTS: Record<NonNullable<ItemFilter['sort']>, string> = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  price: 'Cheapest first',
  '-price': 'Dearest first',
};

/** Everything that narrows the list, in the URL's words. */
export const NARROWING = ['category', 'currency', 'minPrice', 'maxPrice', 'sellerId', 'isPremium', 'tag'] as const;

/** What is wrong with a price to filter by, or null: of one currency, or of any of them. */
export function priceFilterProblem(text: string, currency: string | null): string | null {
  if (!/^(0|[1-9]\d{0,14})(\.\d{1,8})?$/.test(text)) return 'Such as 12.50';
  const known = CURRENCIES.find((known) => known === currency);
  return known ? priceProblem(text, known) : null;
}

const price = (word: string, url: URLSearchParams) =>
  priceFilterProblem(word, url.get('currency')) === null ? word : undefined;

/** The longest tag, in characters. */
export const LONGEST_TAG = 50;

export const ITEM_FILTERS = {
  category: oneOf(keysOf(CATEGORY_WORDS)),
  // `any` is everything.
  status: oneOf([...keysOf(ITEM_STATUS_WORDS), 'any' as const]),
  currency: oneOf(CURRENCIES),
  minPrice: price,
  maxPrice: price,
  sellerId: (word: string) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(word) ? word : undefined),
  isPremium: (word: string) => word === 'true' || undefined,
  tag: textUpTo(LONGEST_TAG),
  sort: oneOf(keysOf(SORTS)),
  page: pageNumber,
} satisfies Readers;

/** The API's filter. Only what can be bought is shown, but where `status` says otherwise. */
export function itemFilter(url: URLSearchParams): ItemFilter {
  const { status = 'available', page = 1, ...rest } = read(url, ITEM_FILTERS);
  return { ...rest, status: status === 'any' ? undefined : status, page, limit: PER_PAGE };
}

/** Whether prices are compared that are not of one currency: by whole units, for there is no exchange rate. */
export function comparesCurrencies({ sort, minPrice, maxPrice, currency }: ItemFilter): boolean {
  const isByPrice = sort === 'price' || sort === '-price' || minPrice !== undefined || maxPrice !== undefined;
  return isByPrice && currency === undefined;
}

/** The URL with some filters changed: without those that are empty, and back on the first page. */
export function withFilters(url: URLSearchParams, changes: Record<string, string | null>): URLSearchParams {
  const next = new URLSearchParams(url);
  next.delete('page');
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  return next;
}
