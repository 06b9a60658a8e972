import { browserOf, expect, person, test, unique } from './fixtures';

test('one opens a channel and posts in it; another one answers', async ({ browser }) => {
  const [ada, bob, name] = [await person('ada'), await person('bob'), unique('Gold bugs')];
  const page = await browserOf(browser, ada);
  await page.goto('/discourse');
  await page.getByRole('button', { name: 'Open a channel' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(dialog.getByText('This is needed')).toBeVisible();
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Description').fill('All that glitters');
  await dialog.getByLabel('Zone').fill('austrian');
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expect(page.getByText('Silence, so far')).toBeVisible();

  await page.getByLabel('Your post').fill('The market sets the price of money.');
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  const posts = page.getByRole('article');
  await expect(posts).toHaveCount(1);
  // It was categorised by its words.
  await expect(posts.first()).toContainText('Economic');
  await expect(page.getByLabel('Your post')).toHaveValue('');
  await page.getByLabel('Your post').fill('Be kind.');
  await page.getByRole('switch', { name: 'Pin it' }).click();
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  await expect(posts).toHaveCount(2);

  const other = await browserOf(browser, bob);
  await other.goto(page.url());
  await other.getByLabel('Your post').fill('So I hear.');
  await other.getByRole('combobox', { name: 'Topic of the post' }).click();
  await other.getByRole('option', { name: 'Philosophical' }).click();
  await other.getByLabel('Title').fill('On value');
  await expect(other.getByRole('switch', { name: 'Pin it' })).toHaveCount(0);
  await other.getByRole('button', { name: 'Post', exact: true }).click();
  await expect(other.getByRole('article')).toHaveCount(3);
  // Pinned first, then the newest.
  await expect(other.getByRole('article').nth(0)).toContainText('Be kind.');
  await expect(other.getByRole('article').nth(1)).toContainText('On value');
  await other.getByText('Economic', { exact: true }).first().click();
  await expect(other.getByRole('article')).toHaveCount(1);
  await expect(other).toHaveURL(/topic=economic/);
});

test('a private channel is unseen by others, a sovereign one unwritten', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const [secret, crown, zone] = [unique('Secret'), unique('Crown'), unique('zone')];
  const { id } = await ada.call('POST', '/discourse/channel', { name: secret, type: 'private', zone });
  await ada.call('POST', '/discourse/channel', { name: crown, type: 'sovereign', zone });

  const mine = await browserOf(browser, ada);
  await mine.goto(`/discourse?zone=${zone}`);
  await mine.getByRole('link', { name: new RegExp(secret) }).click();
  await mine.getByLabel('Your post').fill('For my eyes.');
  await mine.getByRole('button', { name: 'Post', exact: true }).click();
  await expect(mine.getByRole('article')).toContainText('For my eyes.');

  const others = await browserOf(browser, bob);
  await others.goto(`/discourse?zone=${zone}`);
  await others.getByRole('link', { name: new RegExp(crown) }).click();
  await expect(others.getByText('only its owner posts')).toBeVisible();
  await expect(others.getByLabel('Your post')).toHaveCount(0);
  await expect(others.getByText(secret)).toHaveCount(0);
  await others.goto(`/discourse/${id}`);
  await expect(others.getByRole('heading', { name: 'This channel is private' })).toBeVisible();
  await expect(others.getByText(secret)).toHaveCount(0);
});

test('a channel that is not there leads to those that are, with their filters', async ({ browser }) => {
  const ada = await person('ada');
  const page = await browserOf(browser, ada);
  for (const id of ['999999999', '0', 'gold']) {
    await page.goto(`/discourse/${id}?type=public&topic=economic`);
    await expect(page.getByRole('heading', { name: 'There is no such channel' })).toBeVisible();
    await page.getByRole('link', { name: 'All channels' }).click();
    await expect(page).toHaveURL('/discourse?type=public');
    await expect(page.getByRole('heading', { name: 'Discourse' })).toBeVisible();
  }
});

test('the way back from a channel on a phone keeps the filters and the page of the list', async ({ browser }) => {
  const [ada, zone] = [await person('ada'), unique('zone')];
  for (let number = 1; number <= 21; number += 1) {
    await ada.call('POST', '/discourse/channel', { name: `Channel ${number}`, zone });
  }
  const page = await browserOf(browser, ada, { viewport: { width: 360, height: 740 } });
  await page.goto(`/discourse?zone=${zone}&mine=true&page=2`);
  await page.getByRole('listitem').getByRole('link').click();
  await expect(page.getByLabel('Your post')).toBeVisible();
  await page.getByText('Economic', { exact: true }).first().click();
  await expect(page).toHaveURL(/topic=economic/);
  await page.getByRole('link', { name: 'All channels' }).click();
  await expect(page).toHaveURL(`/discourse?zone=${zone}&mine=true&page=2`);
  await expect(page.getByRole('listitem')).toHaveCount(1);
});

test('words of the URL that mean nothing leave it, and are told', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  await page.goto('/discourse?type=secret&mine=true&colour=red');
  const notice = page.getByRole('status').filter({ hasText: 'Not understood' });
  await expect(notice).toContainText('type=secret, colour=red');
  await expect(page).toHaveURL('/discourse?mine=true');
});

test('those who sell nothing have names, too, and all of a page come by one call', async ({ browser }) => {
  const ada = await person('ada');
  const { id } = await ada.call('POST', '/discourse/channel', { name: unique('Gold bugs') });
  const authors = await Promise.all(['bob', 'cleo', 'dan', 'eve', 'fay'].map((name) => person(name)));
  for (const author of authors) await author.call('POST', '/discourse/post', { channelId: id, content: 'So I hear.' });

  const page = await browserOf(browser, await person('reader'));
  const calls: string[] = [];
  page.on('request', (request) => {
    const { origin, pathname } = new URL(request.url());
    // These stand above every page, and behind it.
    const isOfAll = /^\/(marketplace\/wallet|notifications|activity(\/live)?)$/.test(pathname);
    const isOfPage = origin === process.env.GATEWAY_URL && !isOfAll;
    if (isOfPage && request.method() === 'GET') calls.push(pathname);
  });
  await page.goto(`/discourse/${id}`);
  for (const { username } of [ada, ...authors]) await expect(page.getByText(username, { exact: true })).toBeVisible();
  expect(calls.sort()).toEqual([`/discourse/channel/${id}`, '/discourse/channels', '/users']);
});
