import { browserOf, expect, expiredToken, logIn, PASSWORD, person, test } from './fixtures';

test('an expired token leads to the login, and back to where one was', async ({ browser }) => {
  const ada = await person('ada');
  const page = await browserOf(browser, { ...ada, token: expiredToken(ada) });
  await page.goto('/marketplace?category=asset&status=any');
  await expect(page.getByText('Your session has ended')).toBeVisible();
  await expect(page).toHaveURL('/login');
  await page.getByLabel('Username').fill(ada.username);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page).toHaveURL('/marketplace?category=asset&status=any');
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
});

test('a session ends in all tabs at once', async ({ browser }) => {
  const first = await browserOf(browser, await person('ada'));
  await first.goto('/dashboard');
  const second = await first.context().newPage();
  await second.goto('/discourse');
  await expect(second.getByRole('heading', { name: 'Discourse' })).toBeVisible();
  await first.getByRole('button', { name: /Account of/ }).click();
  await first.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(second).toHaveURL('/login');
});

test('who logs out ends the token, not only the session of this browser', async ({ browser }) => {
  const ada = await person('ada');
  const page = await browserOf(browser, ada);
  const elsewhere = await browserOf(browser, ada);
  await elsewhere.goto('/discourse');
  await page.goto('/dashboard');
  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page).toHaveURL('/login');
  await expect(page.getByText('Your session has ended')).toHaveCount(0);
  await expect(() => expect(ada.call('GET', '/profile')).rejects.toThrow('token_expired')).toPass();
  // Another browser with the same token hears of it at its next call.
  await elsewhere.getByRole('link', { name: 'Marketplace' }).first().click();
  await expect(elsewhere.getByText('Your session has ended')).toBeVisible();
});

test('who logs out while the gateway is away is out, and is told what that leaves', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  await page.goto('/dashboard');
  await page.route('**/auth/logout', (route) => route.abort());
  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page).toHaveURL('/login');
  await expect(page.getByText('The gateway did not hear of it')).toBeVisible();
});

test('one logs in by e-mail address, too', async ({ anybody }) => {
  const ada = await person('ada');
  await ada.call('PUT', '/profile', { email: `${ada.username}@example.org` });
  await anybody.goto('/login');
  await logIn(anybody, ada, { name: `${ada.username}@EXAMPLE.org` });
});

test('a name that is taken is said at its field', async ({ anybody }) => {
  const { username } = await person('ada');
  await anybody.goto('/register');
  await anybody.getByLabel('Username').fill(username.toUpperCase());
  await anybody.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await anybody.getByRole('button', { name: 'Register' }).click();
  await expect(anybody.getByLabel('Username')).toHaveAccessibleDescription(/Somebody has this name already/);
});

test('what one user read, the next one does not see', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  await bob.call('POST', '/marketplace/purchase', { itemId: await ada.lists({ price: '7' }) });
  const page = await browserOf(browser, ada);
  await page.goto('/dashboard');
  await expect(page.getByTestId('balance-USD')).toHaveText('1,000,007.00');
  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  // Nothing of ada's may flash up: the answer about bob's wallet never comes.
  await page.route('**/marketplace/wallet', () => {});
  await page.getByLabel('Username').fill(bob.username);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('button', { name: `Account of ${bob.username}` })).toBeVisible();
  await expect(page.getByTestId('balance-USD')).toHaveCount(0);
  await expect(page.getByText('1,000,007.00')).toHaveCount(0);
});
