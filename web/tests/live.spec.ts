// Two browsers: one acts, and the other one sees it without doing anything.
import type { Page } from '@playwright/test';
import { browserOf, expect, logIn, person, test, unique } from './fixtures';
import { startProxy } from './proxy';

/** Milliseconds in which others' acts are seen: it takes a tenth of a second, but other tests run, too. */
const SOON = { timeout: 5_000 };

/** Opens a page, and waits until it is live. */
async function watch(page: Page, path: string) {
  const stream = page.waitForResponse(/\/activity\/live/);
  await page.goto(path);
  await stream;
}

const happened = (page: Page) => page.getByRole('list', { name: 'What happened' }).getByRole('listitem');

test('others list, buy and post, and the market, a listing, the wallet and the activity show it', async ({
  browser,
}) => {
  const [ada, bob, tag] = [await person('ada'), await person('bob'), unique('loom')];
  const loom = await ada.lists({ name: 'A loom', price: '30', tags: [tag] });
  const activity = await browserOf(browser, ada);
  await watch(activity, '/activity');
  await expect(activity.getByText('Live', { exact: true })).toBeVisible();
  const market = await activity.context().newPage();
  await watch(market, `/marketplace?tag=${tag}&sort=price`);
  await expect(market.getByTestId('item-card')).toHaveCount(1);
  const listing = await activity.context().newPage();
  await watch(listing, `/marketplace/item/${loom}`);
  await expect(listing.getByText('Others can buy it.')).toBeVisible();

  const name = unique('Spindle');
  await bob.lists({ name, price: '3', tags: [tag] });
  await expect(market.getByTestId('item-card')).toHaveCount(2, SOON);
  await expect(market.getByTestId('item-card').first()).toContainText(name);
  await expect(market).toHaveURL(`/marketplace?tag=${tag}&sort=price`);
  await expect(happened(activity).filter({ hasText: name })).toContainText(`${bob.username} listed`, SOON);

  await bob.call('POST', '/marketplace/purchase', { itemId: loom });
  await expect(listing.getByText('Sold for')).toBeVisible(SOON);
  await expect(listing.getByRole('button', { name: 'Wallet' })).toContainText('1,000,030', SOON);
  await expect(market.getByTestId('item-card')).toHaveCount(1, SOON);
  await expect(happened(activity).filter({ hasText: `${bob.username} bought` })).toContainText('30.00', SOON);
});

test('others post while one writes: it shows, and neither the draft nor the place is lost', async ({ browser }) => {
  const [ada, bob, zone] = [await person('ada'), await person('bob'), unique('zone')];
  const channel = await ada.call('POST', '/discourse/channel', { name: 'Gold bugs', zone });
  const post = (content: string) => bob.call('POST', '/discourse/post', { channelId: channel.id, content });
  for (let number = 1; number <= 12; number += 1) await post(`Thought ${number}.`);
  const page = await browserOf(browser, ada);
  await watch(page, `/discourse/${channel.id}?zone=${zone}`);
  await expect(page.getByRole('article')).toHaveCount(12);
  await page.getByLabel('Your post').fill('Half a thou');
  const old = page.getByRole('article').filter({ hasText: 'Thought 3.' });
  await old.scrollIntoViewIfNeeded();
  const before = await old.boundingBox();

  await post('So I hear.');
  await expect(page.getByRole('article').first()).toContainText('So I hear.', SOON);
  const moved = ((await old.boundingBox())?.y ?? 0) - (before?.y ?? 0);
  expect(Math.abs(moved), 'what is read stays where it is').toBeLessThan(3);
  await expect(page.getByLabel('Your post')).toHaveValue('Half a thou');
  await expect(page.getByLabel('Your post')).toBeFocused();
  await page.keyboard.type('ght');
  await expect(page.getByLabel('Your post')).toHaveValue('Half a thought');

  // And the list of channels beside it.
  const name = unique('Silver');
  await bob.call('POST', '/discourse/channel', { name, zone });
  await expect(page.getByRole('link', { name: new RegExp(name) })).toBeVisible(SOON);
});

test('the count of notifications rises when something is sold, until one has read them', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const [loom, spindle] = [await ada.lists({ name: 'A loom' }), await ada.lists({ name: 'A spindle' })];
  const { id } = await ada.call('POST', '/discourse/channel', { name: 'Gold bugs' });
  const page = await browserOf(browser, ada);
  await watch(page, '/marketplace');
  await expect(page.getByRole('button', { name: 'Notifications', exact: true })).toBeVisible();
  await bob.call('POST', '/marketplace/purchase', { itemId: loom });
  await expect(page.getByRole('button', { name: 'Notifications, 1 unread' })).toBeVisible(SOON);
  await bob.call('POST', '/discourse/post', { channelId: id, content: 'So I hear.' });
  await expect(page.getByRole('button', { name: 'Notifications, 2 unread' })).toBeVisible(SOON);

  await page.getByRole('button', { name: /Notifications/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Notifications' });
  await expect(dialog.getByRole('listitem')).toContainText([/posted So I hear/, /bought A loom/]);
  await expect(dialog.getByRole('img', { name: 'unread' })).toHaveCount(2);
  // What comes while it is open, one sees too.
  await bob.call('POST', '/marketplace/purchase', { itemId: spindle });
  await expect(dialog.getByRole('listitem').first()).toContainText('bought A spindle', SOON);
  await dialog.getByRole('button', { name: 'Mark all as read' }).click();
  await expect(page.getByRole('button', { name: 'Notifications', exact: true })).toBeVisible();
  await expect(dialog.getByRole('img', { name: 'unread' })).toHaveCount(0);
  await dialog.getByRole('link', { name: 'A loom' }).click();
  await expect(page).toHaveURL(`/marketplace/item/${loom}`);
  await expect(dialog).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Notifications', exact: true })).toBeVisible();
});

test('one type alone can be watched', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const { id } = await bob.call('POST', '/discourse/channel', { name: 'Gold bugs' });
  const page = await browserOf(browser, ada);
  await watch(page, '/activity');
  await page.getByRole('combobox', { name: 'What happened' }).click();
  await page.getByRole('option', { name: 'Post', exact: true }).click();
  await expect(page).toHaveURL('/activity?type=post.created');
  const name = unique('Spindle');
  await bob.lists({ name });
  const content = unique('So I hear');
  await bob.call('POST', '/discourse/post', { channelId: id, content });
  const posted = happened(page).filter({ hasText: content });
  await expect(posted).toBeVisible(SOON);
  await expect(page.getByText(name)).toHaveCount(0);
  await posted.getByRole('link').click();
  await expect(page.getByRole('article')).toContainText(content);
});

test('a stream that is cut is said to be, and goes on where it was when it can', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const { id } = await ada.call('POST', '/discourse/channel', { name: 'Gold bugs' });
  const post = (content: string) => bob.call('POST', '/discourse/post', { channelId: id, content });
  const proxy = await startProxy(process.env.GATEWAY_URL ?? '');
  try {
    const activity = await browserOf(browser, ada, { bypassCSP: true });
    await activity.context().route('**/config.json', (route) => route.fulfill({ json: { apiBase: proxy.url } }));
    await watch(activity, '/activity');
    await expect(activity.getByText('Live', { exact: true })).toBeVisible();
    const channel = await activity.context().newPage();
    await watch(channel, `/discourse/${id}`);
    const before = unique('before');
    await post(before);
    await expect(channel.getByRole('article')).toHaveCount(1, SOON);

    proxy.cut();
    await expect(activity.getByText('Not live')).toBeVisible();
    const [one, other] = [unique('meanwhile'), unique('meanwhile')];
    await post(one);
    await post(other);
    proxy.mend();
    await expect(activity.getByText('Live', { exact: true })).toBeVisible();
    // The channel is read by nothing but what the stream tells.
    await expect(channel.getByRole('article')).toHaveCount(3);
    for (const content of [before, one, other]) await expect(happened(activity).getByText(content)).toHaveCount(1);
    await post(unique('after'));
    await expect(channel.getByRole('article')).toHaveCount(4, SOON);
    await activity.context().close();
  } finally {
    proxy.stop();
  }
});

test('a tab that nobody sees has no stream, and shows what it missed when somebody looks', async ({ browser }) => {
  const [ada, bob] = [await person('ada'), await person('bob')];
  const { id } = await ada.call('POST', '/discourse/channel', { name: 'Gold bugs' });
  const page = await browserOf(browser, ada);
  await watch(page, `/discourse/${id}`);
  const show = (visibility: string) =>
    page.evaluate((visibility) => {
      Object.defineProperty(document, 'visibilityState', { value: visibility, configurable: true });
      dispatchEvent(new Event('visibilitychange'));
      document.dispatchEvent(new Event('visibilitychange'));
    }, visibility);
  const closed = page.waitForEvent('requestfailed', (request) => request.url().includes('/activity/live'));
  await show('hidden');
  await closed;
  await bob.call('POST', '/discourse/post', { channelId: id, content: 'So I hear.' });
  const opened = page.waitForRequest(/\/activity\/live/);
  await show('visible');
  expect(new URL((await opened).url()).searchParams.get('lastEventId')).toMatch(/^[\w-]+:\d+$/);
  await expect(page.getByRole('article')).toHaveCount(1, SOON);
});

test('who is not logged in reads what happens, too, and gets back there by the login', async ({ anybody }) => {
  const [ada, name] = [await person('ada'), unique('Spindle')];
  await ada.lists({ name });
  await anybody.goto('/activity?type=item.listed');
  await expect(happened(anybody).filter({ hasText: name })).toContainText(`${ada.username} listed`);
  await expect(anybody.getByText('to see it live')).toBeVisible();
  const next = unique('Spindle');
  await ada.lists({ name: next });
  await expect(happened(anybody).filter({ hasText: next })).toBeVisible();
  await anybody.getByRole('link', { name: 'Log in' }).first().click();
  await logIn(anybody, ada);
  await expect(anybody).toHaveURL('/activity?type=item.listed');
  await expect(anybody.getByText('Live', { exact: true })).toBeVisible();
});
