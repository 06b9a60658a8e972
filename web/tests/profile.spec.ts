import { browserOf, expect, logIn, person, test } from './fixtures';

test('one fills in the account: others see names and bio, and nothing else', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const address = `${ada.username}@example.org`;
  const page = await browserOf(browser, ada);
  await page.goto('/marketplace');
  await page.getByRole('button', { name: /Account of/ }).click();
  await page.getByRole('menuitem', { name: 'Your account' }).click();
  await expect(page.getByRole('button', { name: 'Save' })).toBeDisabled();
  await page.getByLabel('First name').fill('Ada');
  await page.getByLabel('Bio').fill('Trades in engines.');
  await page.getByLabel('E-mail').fill('ada');
  await page.getByLabel('Phone').fill('+44 20 7946 0000');
  await page.getByLabel('Address').fill("12 St James's Square\nLondon");
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('E-mail')).toHaveAccessibleDescription(/An address such as/);
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await page.getByLabel('E-mail').fill(address);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved')).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('E-mail')).toHaveValue(address);
  await expect(page.getByLabel('Address')).toHaveValue("12 St James's Square\nLondon");
  await expect(page.getByText('Your draft from before')).toHaveCount(0);

  const seen = await bob.call('GET', `/users/${ada.userId}`);
  expect(seen).toMatchObject({ username: ada.username, firstName: 'Ada', bio: 'Trades in engines.' });
  expect(Object.keys(seen).filter((name) => ['email', 'phone', 'address'].includes(name))).toEqual([]);

  await page.getByRole('button', { name: 'Erase all' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Erase' }).click();
  await expect(page.getByLabel('E-mail')).toHaveValue('');
  expect(await ada.call('GET', '/profile')).not.toHaveProperty('email');
});

test('an address that another account has is said at its field', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  await ada.call('PUT', '/profile', { email: `${ada.username}@example.org` });
  const page = await browserOf(browser, bob);
  await page.goto('/profile');
  await page.getByLabel('E-mail').fill(`${ada.username}@example.org`);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('E-mail')).toHaveAccessibleDescription(/Another account has this address/);
});

test('a new password ends all sessions but this one', async ({ browser }) => {
  const ada = await person('ada');
  const [page, elsewhere] = [await browserOf(browser, ada), await browserOf(browser, ada)];
  await elsewhere.goto('/discourse');
  await expect(elsewhere.getByRole('heading', { name: 'Discourse' })).toBeVisible();
  await page.goto('/profile');
  await page.getByLabel('Present password', { exact: true }).fill('wrong horse');
  await page.getByLabel('New password', { exact: true }).fill('battery staple');
  await page.getByRole('button', { name: 'Change it' }).click();
  // A wrong one ends nothing.
  await expect(page.getByLabel('Present password', { exact: true })).toHaveAccessibleDescription(
    /This is not your password/,
  );
  await page.getByLabel('Present password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Change it' }).click();
  await expect(page.getByText('Your password is changed')).toBeVisible();
  await page.reload();
  await expect(page.getByText('here since')).toBeVisible();

  await expect(() => expect(ada.call('GET', '/marketplace/wallet')).rejects.toThrow('token_expired')).toPass();
  // The live stream ends with the token, and with it the session.
  await expect(elsewhere.getByText('Your session has ended')).toBeVisible();
  await logIn(elsewhere, ada, { password: 'battery staple' });
});
