import { expect, PASSWORD, test } from './fixtures';
import { seed } from './system';

test('capsim seed fills the market, and a second time changes nothing', async ({ anybody: ada }) => {
  const gateway = process.env.GATEWAY_URL ?? '';
  await seed(gateway);
  await ada.goto('/login');
  await ada.getByLabel('Username').fill('ada');
  await ada.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await ada.getByRole('button', { name: 'Log in' }).click();
  await ada.getByRole('link', { name: 'Dashboard' }).click();
  // The market shows her listing, too: not before this page is there is it the dashboard's.
  await expect(ada.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expect(ada.getByRole('link', { name: 'Analytical engine, blueprints' })).toBeVisible();
  const counts = async () => {
    await ada.reload();
    await expect(ada.getByRole('tab', { name: /Sales \(\d+\)/ })).toBeVisible();
    await expect(ada.getByRole('tab', { name: /Listings \(\d+\)/ })).toBeVisible();
    await expect(ada.getByRole('tab', { name: /Purchases \(\d+\)/ })).toBeVisible();
    const tabs = await ada.getByRole('tab').allTextContents();
    return [...tabs, await ada.getByTestId('balance-EUR').textContent()];
  };
  const first = await counts();
  expect(first).toEqual(['Listings (3)', 'Sales (1)', 'Purchases (1)', '999,962.00']);
  await seed(gateway);
  expect(await counts()).toEqual(first);

  await ada.getByRole('link', { name: 'Discourse' }).first().click();
  await ada.getByRole('link', { name: /Trading floor/ }).click();
  await expect(ada.getByRole('article')).toHaveCount(5);
  // Names of those who sell something are known.
  await expect(ada.getByRole('article').filter({ hasText: 'When to list premium' })).toContainText('keynes');
});
