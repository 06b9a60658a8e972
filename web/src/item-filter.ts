// The marketplace's filters as they stand in the URL. What is not understood is left out.
import type { ItemFilter } from './api/queries';
import { CATEGORY_WORDS, ITEM_STATUS_WORDS } from './components/words';
import { CURRENCIES } from './money';
import { pageNumber } from './page-number';

/** Cards a page: whole rows of 2, 3 and 4. */
export const PER_PAGE = 24;

export const SORTS = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  price: 'Cheapest first',
  '-price': 'Dearest first',
};

/** Everything that narrows the list, in the URL's words. */
export const NARROWING = ['category', 'currency', 'minPrice', 'maxPrice', 'sellerId', 'isPremium', 'tag'] as const;

function oneOf<T extends string>(words: Iterable<T>, word: string | null): T | undefined {
  return [...words].find((known) => known === word);
}

/** The API's filter. Only what can be bought is shown, but where `status` says otherwise (`any` is everything). */
export function itemFilter(url: URLSearchParams): ItemFilter {
  const text = (name: string) => url.get(name)?.trim() || undefined;
  const price = (name: string) => (/^\d{1,15}(\.\d{1,8})?$/.test(text(name) ?? '') ? text(name) : undefined);
  const status = url.get('status');
  return {
    category: oneOf(Object.keys(CATEGORY_WORDS) as (keyof typeof CATEGORY_WORDS)[], url.get('category')),
    status:
      status === 'any'
        ? undefined
        : (oneOf(Object.keys(ITEM_STATUS_WORDS) as (keyof typeof ITEM_STATUS_WORDS)[], status) ?? 'available'),
    currency: oneOf(CURRENCIES, url.get('currency')),
    minPrice: price('minPrice'),
    maxPrice: price('maxPrice'),
    sellerId: /^[0-9a-f-]{36}$/i.test(text('sellerId') ?? '') ? text('sellerId') : undefined,
    isPremium: url.get('isPremium') === 'true' ? true : undefined,
    tag: text('tag'),
    sort: oneOf(Object.keys(SORTS) as (keyof typeof SORTS)[], url.get('sort')),
    page: pageNumber(url.get('page')),
    limit: PER_PAGE,
  };
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
