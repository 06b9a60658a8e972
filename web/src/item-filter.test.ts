import { expect, test } from 'vitest';
import { comparesCurrencies, ITEM_FILTERS, itemFilter, priceFilterProblem, withFilters } from './item-filter';
import { sift } from './url-filter';

const filter = (query: string) => itemFilter(new URLSearchParams(query));

test('what can be bought is shown, but where the URL says otherwise', () => {
  expect(filter('')).toMatchObject({ status: 'available', page: 1 });
  expect(filter('status=sold').status).toBe('sold');
  expect(filter('status=any').status).toBeUndefined();
});

test('every filter of the API is read from the URL', () => {
  const sellerId = '5e9b3c1a-7d55-4c6b-9a1a-2f0f7b0a8f11';
  const query = `category=asset&currency=BTC&minPrice=0.50&maxPrice=5000&sellerId=${sellerId}&isPremium=true&tag=gold&sort=-price&page=3`;
  expect(filter(query)).toMatchObject({
    category: 'asset',
    currency: 'BTC',
    minPrice: '0.50',
    maxPrice: '5000',
    sellerId,
    isPremium: true,
    tag: 'gold',
    sort: '-price',
    page: 3,
  });
});

test('what is not understood is left out, not sent', () => {
  const odd = filter(
    'category=cars&currency=DM&minPrice=cheap&sellerId=ada&isPremium=maybe&sort=random&page=-1&status=x',
  );
  expect(odd).toMatchObject({ status: 'available', page: 1 });
  for (const name of ['category', 'currency', 'minPrice', 'sellerId', 'isPremium', 'sort'] as const) {
    expect(odd[name]).toBeUndefined();
  }
});

test('a price has the places of its currency, where there is one', () => {
  expect(filter('minPrice=1.005').minPrice).toBe('1.005');
  expect(filter('minPrice=1.005&currency=USD').minPrice).toBeUndefined();
  expect(filter('minPrice=999999999999999&currency=BTC').minPrice).toBeUndefined();
  expect(priceFilterProblem('007', null)).toBe('Such as 12.50');
  expect(priceFilterProblem('1.005', 'EUR')).toMatch(/2 decimal places/);
});

test('what is dropped is said, and the rest stays as it was', () => {
  const odd = 'category=cars&tag=gold&sort=random&colour=red&status=any&page=0&isPremium=false&minPrice=&constructor=1';
  const { known, unknown } = sift(new URLSearchParams(odd), ITEM_FILTERS);
  expect(known.toString()).toBe('tag=gold&status=any');
  expect(unknown).toEqual(['category=cars', 'sort=random', 'colour=red', 'page=0', 'isPremium=false', 'constructor=1']);
});

test('prices of several currencies are compared where neither filter nor order is of one', () => {
  const compares = (query: string) => comparesCurrencies(filter(query));
  expect(['sort=price', 'sort=-price', 'minPrice=1', 'maxPrice=1'].map(compares)).toEqual([true, true, true, true]);
  expect(['', 'sort=oldest', 'sort=price&currency=EUR', 'minPrice=x'].map(compares)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('a changed filter leads back to the first page', () => {
  const next = withFilters(new URLSearchParams('page=4&tag=gold&category=asset'), { tag: null, currency: 'USD' });
  expect(next.toString()).toBe('category=asset&currency=USD');
});
