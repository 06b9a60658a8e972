import { expect, test } from 'vitest';
import { itemFilter, withFilters } from './item-filter';

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

test('a changed filter leads back to the first page', () => {
  const next = withFilters(new URLSearchParams('page=4&tag=gold&category=asset'), { tag: null, currency: 'USD' });
  expect(next.toString()).toBe('category=asset&currency=USD');
});
