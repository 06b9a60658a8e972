// Every page: axe has nothing serious to say, in light and dark, and nothing scrolls sideways on a phone.
import AxeBuilder from '@axe-core/playwright';
import type { BrowserContextOptions, Page } from '@playwright/test';
import { browserOf, expect, type Person, person, test, unique } from './fixtures';

interface Place {
  name: string;
  path: string;
  /** Shows when the page is complete. */
  sign: string;
  open?: (page: Page) => Promise<void>;
}

/** All pages with something on them. */
async function places(me: Person): Promise<Place[]> {
  const seller = await person('seller');
  const tag = unique('essay');
  const id = await seller.lists({ name: 'Wealth of Nations', isPremium: true, tags: [tag] });
  const sold = await me.lists({ name: 'A pin' });
  await seller.call('POST', '/marketplace/purchase', { itemId: sold });
  await me.lists({ name: 'Another pin' });
  const channel = await me.call('POST', '/discourse/channel', { name: 'Gold bugs', zone: 'austrian' });
  await me.call('POST', '/discourse/post', {
    channelId: channel.id,
    content: 'Be kind.',
    title: 'Rules',
    isPinned: true,
  });
  return [
    { name: 'marketplace', path: `/marketplace?tag=${tag}`, sign: 'Wealth of Nations' },
    {
      name: 'filters',
      path: `/marketplace?minPrice=1&isPremium=true&tag=${tag}`,
      sign: 'Wealth of Nations',
      open: (page) => page.getByRole('button', { name: /Filters/ }).click(),
    },
    { name: 'nothing found', path: '/marketplace?tag=none', sign: 'Nothing matches' },
    { name: 'listing', path: `/marketplace/item/${id}`, sign: 'It has not changed hands yet.' },
    { name: 'sold listing', path: `/marketplace/item/${sold}`, sign: 'Sold for' },
    {
      name: 'purchase',
      path: `/marketplace/item/${id}`,
      sign: 'Wealth of Nations',
      open: (page) => page.getByRole('button', { name: 'Buy' }).click(),
    },
    {
      name: 'new listing, with errors',
      path: '/marketplace/new',
      sign: 'List something',
      open: (page) => page.getByRole('button', { name: 'Put up for sale' }).click(),
    },
    { name: 'discourse', path: '/discourse', sign: 'Where the market argues' },
    {
      name: 'new channel',
      path: '/discourse',
      sign: 'Where the market argues',
      open: (page) => page.getByRole('button', { name: 'Open a channel' }).first().click(),
    },
    { name: 'channel', path: `/discourse/${channel.id}`, sign: 'Be kind.' },
    { name: 'dashboard', path: '/dashboard', sign: 'All replicas are up' },
    {
      name: 'wallet',
      path: '/dashboard',
      sign: 'All replicas are up',
      open: (page) => page.getByRole('button', { name: 'Wallet' }).click(),
    },
    { name: 'not found', path: '/nowhere', sign: 'There is nothing here' },
  ];
}

/** Nothing serious to say; `rules` narrows what is asked. */
async function axe(page: Page, name: string, rules: string[] = []) {
  const builder = new AxeBuilder({ page });
  const { violations } = await (rules.length ? builder.withRules(rules) : builder).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(serious.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${name}: ${id}: ${html}`))).toEqual([]);
}

async function noWiderThanTheWindow(page: Page, name: string) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow, `${name} is no wider than the window`).toBeLessThanOrEqual(0);
}

const LOOKS: { look: string; options: BrowserContextOptions; check: (page: Page, name: string) => Promise<void> }[] = [
  { look: 'in light', options: { colorScheme: 'light' }, check: axe },
  // The same elements in other colours.
  { look: 'in the dark', options: { colorScheme: 'dark' }, check: (page, name) => axe(page, name, ['color-contrast']) },
  { look: 'on a phone', options: { viewport: { width: 360, height: 740 } }, check: noWiderThanTheWindow },
];

for (const { look, options, check } of LOOKS) {
  test(`every page ${look}`, async ({ browser }) => {
    test.setTimeout(120_000);
    const me = await person('ada');
    const page = await browserOf(browser, me, options);
    for (const { name, path, sign, open } of await places(me)) {
      await page.goto(path);
      await expect(page.getByText(sign).filter({ visible: true }).first()).toBeVisible();
      await open?.(page);
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await check(page, name);
    }
    await page.evaluate(() => localStorage.clear());
    for (const path of ['/login', '/register']) {
      await page.goto(path);
      await page.getByRole('button', { name: /^(Log in|Register)$/ }).click();
      await check(page, path);
    }
  });
}

test('the pages are served compressed and cached, and say what they may do', async ({ request }) => {
  const web = process.env.WEB_URL ?? '';
  const page = await request.get(`${web}/marketplace/item/42`);
  expect(page.status()).toBe(200);
  expect(page.headers()['cache-control']).toBe('no-cache');
  expect(page.headers()['content-security-policy']).toContain("script-src 'self'");
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
  const asset = await request.get(`${web}${script}`);
  expect(asset.headers()['content-encoding']).toBe('br');
  expect(asset.headers()['cache-control']).toContain('immutable');
  expect((await request.get(`${web}/assets/none.js`)).status()).toBe(404);
});
