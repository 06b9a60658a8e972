// What was typed and not sent outlives what may come between.
import type { Page } from '@playwright/test';
import { browserOf, expect, logIn, person, test, unique } from './fixtures';

/** From now on the gateway does not know this session any more, as far as writes to `path` go. */
async function endSessionAt(page: Page, path: string) {
  await page.route(`${process.env.GATEWAY_URL}${path}`, (route) =>
    route.fulfill({
      status: 401,
      json: { status: 401, code: 'token_expired', detail: 'the token has expired' },
      headers: { 'access-control-allow-origin': '*' },
    }),
  );
}

test('a listing outlives the end of the session, and is gone when it is for sale', async ({ browser }) => {
  const [ada, name, tag] = [await person('ada'), unique('Loom'), unique('t')];
  const page = await browserOf(browser, ada);
  await page.goto('/marketplace/new');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Description').fill('Repaired, in use until last week');
  await page.getByRole('combobox', { name: 'Category' }).click();
  await page.getByRole('option', { name: 'Service' }).click();
  await page.getByLabel('Price').fill('0012.50');
  await page.getByRole('combobox', { name: 'Tags' }).fill(tag);
  await page.getByRole('combobox', { name: 'Tags' }).press('Enter');
  await endSessionAt(page, '/marketplace/item');
  await page.getByRole('button', { name: 'Put up for sale' }).click();
  await expect(page.getByText('Your session has ended')).toBeVisible();
  await page.unrouteAll();
  await logIn(page, ada);
  await expect(page).toHaveURL('/marketplace/new');
  await expect(page.getByText('Your draft from before is still here')).toBeVisible();
  await expect(page.getByLabel('Name')).toHaveValue(name);
  await expect(page.getByRole('combobox', { name: 'Category' })).toHaveValue('Service');
  await page.getByRole('button', { name: 'Put up for sale' }).click();
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expect(page.getByRole('link', { name: tag })).toBeVisible();
  await expect(page.getByText('12.50 USD')).toBeVisible();

  await page.getByRole('link', { name: 'Marketplace' }).first().click();
  await page.getByRole('link', { name: 'List something' }).first().click();
  await expect(page.getByLabel('Name')).toHaveValue('');
  await expect(page.getByText('Your draft from before')).toHaveCount(0);
  // Who discards a draft, or cancels, has none.
  for (const button of ['Discard it', 'Cancel']) {
    await page.getByLabel('Name').fill('Second thoughts');
    await page.reload();
    await page.getByRole('button', { name: button }).click();
    await page.goto('/marketplace/new');
    await expect(page.getByLabel('Name')).toHaveValue('');
  }
});

test('a post outlives every way through the pages, a channel of its own, and is of one user', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const [one, other] = [unique('One'), unique('Other')];
  const { id } = await ada.call('POST', '/discourse/channel', { name: one });
  const second = await ada.call('POST', '/discourse/channel', { name: other });
  const page = await browserOf(browser, ada);
  await page.goto(`/discourse/${id}`);
  await page.getByLabel('Your post').fill('The market sets');
  await page.getByLabel('Title').fill('On prices');
  await page.getByRole('link', { name: 'Marketplace' }).first().click();
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
  await page.goto(`/discourse/${second.id}`);
  await expect(page.getByLabel('Your post')).toHaveValue('');

  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await logIn(page, bob);
  await page.goto(`/discourse/${id}`);
  await expect(page.getByLabel('Your post')).toHaveValue('');
  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await logIn(page, ada);
  await page.goto(`/discourse/${id}`);
  await expect(page.getByLabel('Your post')).toHaveValue('The market sets');
  await expect(page.getByLabel('Title')).toHaveValue('On prices');

  // The answer comes when one has left already: sent is sent.
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route('**/discourse/post', async (route) => {
    const response = await route.fetch();
    await answered;
    return route.fulfill({ response });
  });
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  await page.getByRole('link', { name: 'Marketplace' }).first().click();
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
  answer();
  await expect
    .poll(() => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.includes('draft'))))
    .toEqual([]);
  await page.goto(`/discourse/${id}`);
  await expect(page.getByRole('article')).toHaveCount(1);
  await expect(page.getByLabel('Your post')).toHaveValue('');
});

test('a channel to be outlives the end of the session: its dialog is open again', async ({ browser }) => {
  const [ada, name] = [await person('ada'), unique('Gold bugs')];
  const page = await browserOf(browser, ada);
  await page.goto('/discourse');
  await page.getByRole('button', { name: 'Open a channel' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByRole('radio', { name: 'Sovereign' }).click();
  await endSessionAt(page, '/discourse/channel');
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(page.getByText('Your session has ended')).toBeVisible();
  await page.unrouteAll();
  await logIn(page, ada);
  await expect(dialog.getByLabel('Name')).toHaveValue(name);
  await expect(dialog.getByRole('radio', { name: 'Sovereign' })).toBeChecked();
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expect(dialog).toHaveCount(0);
  await page.getByRole('button', { name: 'Open a channel' }).first().click();
  await expect(dialog.getByLabel('Name')).toHaveValue('');
});
