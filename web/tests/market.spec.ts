import { browserOf, expect, logIn, PASSWORD, person, test, unique } from './fixtures';

test('one registers, logs in, lists; another one buys; the money moves once', async ({ anybody: ada, browser }) => {
  const [name, title, tag] = [unique('ada'), unique('Loom'), unique('t')];
  await ada.goto('/');
  await ada.getByRole('link', { name: 'Register' }).click();
  await ada.getByLabel('Username').fill('a!');
  await ada.getByLabel('Password', { exact: true }).fill('short');
  await ada.getByRole('button', { name: 'Register' }).click();
  await expect(ada.getByText('At least 3 characters')).toBeVisible();
  await expect(ada.getByText('At least 6 characters')).toBeVisible();
  await expect(ada.getByLabel('Username')).toBeFocused();
  await ada.getByLabel('Username').fill(name);
  await ada.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await ada.getByRole('button', { name: 'Register' }).click();
  await expect(ada.getByRole('heading', { name: 'Marketplace' })).toBeVisible();

  await ada.getByRole('button', { name: /Account of/ }).click();
  await ada.getByRole('menuitem', { name: 'Log out' }).click();
  await ada.getByLabel('Username').fill(name);
  await ada.getByLabel('Password', { exact: true }).fill('a wrong one');
  await ada.getByRole('button', { name: 'Log in' }).click();
  await expect(ada.getByRole('alert')).toContainText('do not belong together');
  await ada.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await ada.getByRole('button', { name: 'Log in' }).click();

  await ada.getByRole('link', { name: 'List something' }).first().click();
  await ada.getByLabel('Name').fill(title);
  await ada.getByLabel('Description').fill('Repaired, in use until last week');
  await ada.getByRole('combobox', { name: 'Category' }).click();
  await ada.getByRole('option', { name: 'Asset' }).click();
  await ada.getByLabel('Price').fill('1250.505');
  await ada.getByRole('button', { name: 'Put up for sale' }).click();
  await expect(ada.getByText('USD has 2 decimal places at most')).toBeVisible();
  await ada.getByLabel('Price').fill('1250.50');
  await ada.getByRole('combobox', { name: 'Tags' }).fill(tag);
  await ada.getByRole('combobox', { name: 'Tags' }).press('Enter');
  await ada.getByRole('switch', { name: 'Premium' }).click();
  await ada.getByRole('button', { name: 'Put up for sale' }).click();
  await expect(ada.getByRole('heading', { name: title })).toBeVisible();
  await expect(ada.getByText('This is your listing.')).toBeVisible();
  await expect(ada.getByRole('button', { name: 'Buy' })).toHaveCount(0);

  const buyer = await person('bob');
  const bob = await browserOf(browser, buyer);
  await bob.goto(`/marketplace?tag=${tag}`);
  await bob.getByRole('link', { name: new RegExp(title) }).click();
  await expect(bob.getByText(name)).toHaveCount(2);
  await bob.getByRole('button', { name: 'Buy' }).click();
  const dialog = bob.getByRole('dialog');
  await expect(dialog).toContainText('In your wallet1,000,000.00 USD');
  await expect(dialog).toContainText('Price−1,250.50 USD');
  await expect(dialog).toContainText('Afterwards998,749.50 USD');
  await dialog.getByRole('button', { name: 'Confirm' }).dblclick();
  await expect(dialog).toContainText('It is yours');
  await expect(dialog).toContainText('998,749.50 USD left');
  await dialog.getByRole('button', { name: 'Done' }).click();
  // The view is fresh: status, history, wallet.
  await expect(bob.getByText('Sold', { exact: true })).toBeVisible();
  await expect(bob.getByRole('row', { name: new RegExp(`${buyer.username}.*Purchase.*1,250.50 USD`) })).toBeVisible();
  await expect(bob.getByRole('button', { name: 'Wallet' })).toContainText('998,749.50 USD');
  expect(await buyer.balance('USD')).toBe('998749.50');

  await bob.getByRole('link', { name: 'Dashboard' }).click();
  // The system knows what is whose, not the browser: another one shows the same.
  const elsewhere = await browserOf(browser, buyer);
  await elsewhere.goto('/dashboard');
  for (const page of [bob, elsewhere]) {
    await page.getByRole('tab', { name: 'Purchases (1)' }).click();
    await expect(page.getByRole('row', { name: new RegExp(`${title}.*1,250.50 USD`) })).toBeVisible();
  }

  await ada.getByRole('link', { name: 'Dashboard' }).click();
  await expect(ada.getByTestId('balance-USD')).toHaveText('1,001,250.50');
  await ada.getByRole('tab', { name: 'Sales (1)' }).click();
  await expect(ada.getByRole('row', { name: new RegExp(`${title}.*1,250.50 USD`) })).toBeVisible();
  await expect(ada.getByRole('tab', { name: 'Purchases (0)' })).toBeVisible();
});

test('an answer that is lost on its way does not buy twice', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const page = await browserOf(browser, bob);
  await page.goto(`/marketplace/item/${await ada.lists({ price: '10' })}`);
  const keys: (string | undefined)[] = [];
  await page.route('**/marketplace/purchase', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await page.getByRole('button', { name: 'Buy' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect(page.getByText('It is yours')).toBeVisible();
  expect(keys).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys[0]]);
  expect(await bob.balance('USD')).toBe('999990.00');
});

test('who is too late is told so, and sees that it is sold', async ({ browser }) => {
  const [ada, bob, eve] = [await person('ada'), await person('bob'), await person('eve')];
  const page = await browserOf(browser, bob);
  const id = await ada.lists();
  await page.goto(`/marketplace/item/${id}`);
  await page.getByRole('button', { name: 'Buy' }).click();
  await expect(page.getByRole('button', { name: 'Confirm' })).toBeEnabled();
  await eve.call('POST', '/marketplace/purchase', { itemId: id });
  await page.getByRole('button', { name: 'Confirm' }).click();
  await expect(page.getByRole('alert')).toContainText('Somebody was faster');
  await page.getByRole('button', { name: 'Close' }).last().click();
  await expect(page.getByText('It has found its buyer.')).toBeVisible();
  expect(await bob.balance('USD')).toBe('1000000.00');
});

test('what one cannot afford says how much is missing', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const page = await browserOf(browser, bob);
  await page.goto(`/marketplace/item/${await ada.lists({ price: '20.00000001', currency: 'BTC' })}`);
  await page.getByRole('button', { name: 'Buy' }).click();
  await expect(page.getByRole('alert')).toContainText('You are 0.00000001 BTC short.');
  await expect(page.getByRole('button', { name: 'Confirm' })).toBeDisabled();
});

test('by keyboard alone', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const page = await browserOf(browser, bob);
  await page.goto(`/marketplace/item/${await ada.lists({ price: '1' })}`);
  await expect(page.getByRole('button', { name: 'Buy' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  for (let step = 0; step < 10 && !(await page.getByRole('button', { name: 'Buy' }).evaluate(isFocused)); step += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Confirm' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByText('It is yours')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

const isFocused = (element: Element) => element === document.activeElement;

test('filters, order and page are in the URL and outlive a reload', async ({ browser }) => {
  const [ada, tag] = [await person('ada'), unique('t')];
  for (let number = 1; number <= 26; number += 1) {
    const isPremium = number % 13 === 0;
    await ada.lists({ name: `Thing ${number}`, price: `${number}.00`, currency: 'EUR', tags: [tag], isPremium });
  }
  const page = await browserOf(browser, ada);
  const cards = page.getByTestId('item-card');
  await page.goto(`/marketplace?tag=${tag}`);
  await expect(cards).toHaveCount(24);
  await expect(page.getByText('26 listings, page 1 of 2')).toBeVisible();
  await page.getByRole('button', { name: 'Page 2' }).click();
  await expect(cards).toHaveCount(2);
  await page.reload();
  await expect(cards).toHaveCount(2);
  // A page that is not there any more leads to the last one.
  await page.goto(`/marketplace?tag=${tag}&page=9`);
  await expect(cards).toHaveCount(2);
  await expect(page).toHaveURL(/page=2/);

  await page.getByRole('combobox', { name: 'Order' }).click();
  await page.getByRole('option', { name: 'Dearest first' }).click();
  await expect(cards.first()).toContainText('Thing 26');
  await page.getByRole('button', { name: /Filters/ }).click();
  await page.getByLabel('Highest price').fill('20.5');
  await expect(cards.first()).toContainText('Thing 20');
  await page.getByRole('switch', { name: 'Premium only' }).click();
  await expect(cards).toHaveCount(1);
  await expect(cards.first()).toContainText('Premium');
  await expect(page).toHaveURL(new RegExp(`tag=${tag}&sort=-price&maxPrice=20.5&isPremium=true`));
  await page.reload();
  await expect(cards).toHaveCount(1);
  await page.getByRole('button', { name: 'Remove the filter premium' }).click();
  await expect(cards).toHaveCount(20);
  await page.getByText('Services', { exact: true }).click();
  await expect(page.getByText('Nothing matches')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page).toHaveURL(/\/marketplace\?sort=-price$/);
});

test('prices of several currencies in one order are said to be so, and one click is enough for one currency', async ({
  browser,
}) => {
  const [ada, tag] = [await person('ada'), unique('t')];
  await ada.lists({ name: 'Ten dollars', price: '10', tags: [tag] });
  await ada.lists({ name: 'Two bitcoins', price: '2', currency: 'BTC', tags: [tag] });
  const page = await browserOf(browser, ada);
  const cards = page.getByTestId('item-card');
  const note = page.getByRole('note');
  await page.goto(`/marketplace?tag=${tag}`);
  await expect(cards).toHaveCount(2);
  await expect(note).toHaveCount(0);
  await page.getByRole('combobox', { name: 'Order' }).click();
  await page.getByRole('option', { name: 'Cheapest first' }).click();
  await expect(note).toContainText('There is no exchange rate');
  await note.getByRole('button', { name: 'Only prices in BTC' }).click();
  await expect(cards).toHaveCount(1);
  await expect(cards).toContainText('Two bitcoins');
  await expect(note).toHaveCount(0);
  await expect(page).toHaveURL(new RegExp(`tag=${tag}&sort=price&currency=BTC$`));
  // So is a price to begin with.
  await page.goto(`/marketplace?tag=${tag}&minPrice=3`);
  await expect(note).toContainText('There is no exchange rate');
});

for (const [where, viewport] of [
  ['on a desktop', { width: 1280, height: 800 }],
  ['on a phone', { width: 360, height: 740 }],
] as const) {
  test(`the head shows what one pays with, ${where}`, async ({ browser }) => {
    const [ada, bob] = [await person('ada'), await person('bob')];
    await bob.call('POST', '/marketplace/purchase', { itemId: await ada.lists({ price: '7.25', currency: 'EUR' }) });
    const [euros, gold] = [await ada.lists({ currency: 'EUR' }), await ada.lists({ currency: 'GOLD' })];
    const page = await browserOf(browser, bob, { viewport });
    const purse = page.getByRole('button', { name: 'Wallet' });
    const isSeen = async (text: string) => {
      await expect(purse.getByText(text)).toBeVisible();
      await expect(purse.getByText(text)).toBeInViewport({ ratio: 1 });
    };
    await page.goto('/marketplace');
    await isSeen('1,000,000.00 USD');
    await page.goto(`/marketplace/item/${euros}`);
    await isSeen('999,992.75 EUR');
    await page.goto(`/marketplace/item/${gold}`);
    await isSeen('1,000.00 GOLD');
    await page.goto('/marketplace?currency=BTC');
    await isSeen('20.00 BTC');
    // It leads to all of them.
    await purse.click();
    await expect(page.getByRole('dialog', { name: 'Wallet' })).toContainText('Euro999,992.75 EUR');
  });
}

test('words of the URL that mean nothing leave it, and are told', async ({ browser }) => {
  const [ada, tag] = [await person('ada'), unique('t')];
  await ada.lists({ tags: [tag] });
  const page = await browserOf(browser, ada);
  await page.goto(`/marketplace?category=cars&tag=${tag}&colour=red&minPrice=cheap&page=0`);
  const notice = page.getByRole('status').filter({ hasText: 'Not understood' });
  for (const word of ['category=cars', 'colour=red', 'minPrice=cheap', 'page=0'])
    await expect(notice).toContainText(word);
  await expect(notice).not.toContainText(tag);
  await expect(page).toHaveURL(`/marketplace?tag=${tag}`);
  await expect(page.getByTestId('item-card')).toHaveCount(1);
  await expect(page.getByRole('group', { name: 'Filters that apply' })).not.toContainText('cars');
  await notice.getByRole('button', { name: 'Close this notice' }).click();
  await expect(notice).toHaveCount(0);
});

test('a price to filter by is not applied before it is one', async ({ browser }) => {
  const [ada, tag] = [await person('ada'), unique('t')];
  await ada.lists({ price: '5', tags: [tag] });
  const page = await browserOf(browser, ada);
  await page.goto(`/marketplace?tag=${tag}&currency=USD`);
  await page.getByRole('button', { name: /Filters/ }).click();
  await page.getByLabel('Lowest price').fill('1.005');
  await expect(page.getByLabel('Lowest price')).toHaveAccessibleDescription('USD has 2 decimal places at most');
  await page.getByLabel('Highest price').fill('004');
  await expect(page.getByText('Nothing matches')).toBeVisible();
  await expect(page).toHaveURL(`/marketplace?tag=${tag}&currency=USD&maxPrice=4`);
});

test('the way back from a listing leads to the list as it was, also past a login', async ({ browser }) => {
  const [ada, tag] = [await person('ada'), unique('t')];
  for (let number = 1; number <= 25; number += 1) await ada.lists({ name: `Thing ${number}`, tags: [tag] });
  const page = await browserOf(browser, ada);
  await page.goto(`/marketplace?tag=${tag}&sort=oldest&page=2`);
  await page.getByRole('link', { name: /Thing 25/ }).click();
  await expect(page.getByRole('heading', { name: 'Thing 25' })).toBeVisible();
  await page.reload();
  await page.getByRole('main').getByRole('link', { name: 'Marketplace' }).click();
  await expect(page).toHaveURL(`/marketplace?tag=${tag}&sort=oldest&page=2`);
  await page.getByRole('link', { name: /Thing 25/ }).click();
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await logIn(page, ada);
  await page.getByRole('main').getByRole('link', { name: 'Marketplace' }).click();
  await expect(page).toHaveURL(`/marketplace?tag=${tag}&sort=oldest&page=2`);
});
