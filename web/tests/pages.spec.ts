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
  await me.call('PUT', '/profile', { firstName: 'Ada', email: `${me.username}@example.org` });
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
    { name: 'several currencies', path: `/marketplace?tag=${tag}&sort=price`, sign: 'There is no exchange rate' },
    { name: 'odd words', path: `/marketplace?tag=${tag}&colour=red`, sign: 'Not understood' },
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
    { name: 'no channel', path: '/discourse/999999999', sign: 'There is no such channel' },
    {
      name: 'draft of a channel',
      path: '/discourse?open=channel',
      sign: 'Who may do what',
      open: async (page) => {
        await page.getByRole('dialog').getByLabel('Name').fill('Gold bugs');
        await page.reload();
        await expect(page.getByText('Your draft from before')).toBeVisible();
      },
    },
    { name: 'dashboard', path: '/dashboard', sign: 'All replicas are up' },
    {
      name: 'wallet',
      path: '/dashboard',
      sign: 'All replicas are up',
      open: (page) => page.getByRole('button', { name: 'Wallet' }).click(),
    },
    { name: 'activity', path: '/activity', sign: 'opened an account' },
    { name: 'activity of one type', path: '/activity?type=stock.out', sign: 'Nothing of this kind' },
    {
      name: 'notifications',
      path: '/activity',
      sign: 'opened an account',
      open: async (page) => {
        await page.getByRole('button', { name: 'Notifications, 1 unread' }).click();
        await expect(page.getByRole('dialog').getByText('A pin')).toBeVisible();
      },
    },
    { name: 'account', path: '/profile', sign: 'here since' },
    {
      name: 'erasure',
      path: '/profile',
      sign: 'here since',
      open: (page) => page.getByRole('button', { name: 'Erase all' }).click(),
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
    test.setTimeout(300_000);
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
    await page.goto('/activity');
    await expect(page.getByText('to see it live')).toBeVisible();
    await expect(page.getByText('opened an account').first()).toBeVisible();
    await check(page, 'activity, for who is not logged in');
  });
}

const WORD = 'Ww'.repeat(25);
/** As long as the API lets it be, without a place to break. */
const LONG = (most: number) => WORD.repeat(most).slice(0, most);

for (const [where, viewport] of [
  ['on a desktop', { width: 1280, height: 800 }],
  ['on a phone', { width: 360, height: 740 }],
] as const) {
  test(`long words cover nothing and stay inside, ${where}`, async ({ browser }) => {
    const ada = await person(LONG(50));
    const tag = LONG(50);
    const price = { price: '92233720368.54775807', currency: 'BTC' };
    const id = await ada.lists({ name: LONG(200), description: LONG(900), tags: [tag, unique('t')], ...price });
    const zone = unique(LONG(40));
    const channel = await ada.call('POST', '/discourse/channel', { name: LONG(255), description: LONG(900), zone });
    await ada.call('POST', '/discourse/channel', { name: 'A name of some words', zone });
    await ada.call('POST', '/discourse/post', { channelId: channel.id, title: LONG(500), content: LONG(2000) });
    const page = await browserOf(browser, ada, { viewport });

    await page.goto(`/discourse?zone=${zone}`);
    const lines = page.getByRole('listitem').getByRole('link');
    await expect(lines).toHaveCount(2);
    for (const line of await lines.all()) {
      // One is beside the other, and there is enough of both to tell what they are.
      const [name, beside] = await Promise.all([
        line
          .getByText(/^(Ww|A name)/)
          .first()
          .boundingBox(),
        line.getByText(zone).boundingBox(),
      ]);
      if (!name || !beside) throw new Error('name and zone are there');
      expect(name.x + name.width).toBeLessThanOrEqual(beside.x);
      expect(name.width).toBeGreaterThan(100);
      expect(beside.width).toBeGreaterThan(50);
      const whole = await line.boundingBox();
      expect(beside.x + beside.width).toBeLessThanOrEqual((whole?.x ?? 0) + (whole?.width ?? 0));
    }

    for (const [path, sign] of [
      [`/marketplace?tag=${tag}&sort=price`, 'There is no exchange rate'],
      [`/marketplace/item/${id}`, 'It has not changed hands yet.'],
      [`/discourse/${channel.id}`, 'General'],
      [`/discourse?zone=${zone}`, 'Opened by me'],
      ['/dashboard', 'Listings (1)'],
      ['/activity?type=item.listed', WORD],
      [`/marketplace?colour=${WORD}`, 'Not understood'],
    ] as const) {
      await page.goto(path);
      await expect(page.getByText(sign).filter({ visible: true }).first()).toBeVisible();
      await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
      await page.getByRole('button', { name: /Account of/ }).click();
      await expect(page.getByRole('menuitem', { name: 'Log out' })).toBeVisible();
      await noWiderThanTheWindow(page, path);
      expect(await page.evaluate(sticksOut), `${path}: nothing sticks out of what it is in`).toEqual([]);
    }
  });
}

/** Text that leaves the frame it is in, to the right; not what scrolls or is cut there. */
function sticksOut(): string[] {
  const frames = [...document.querySelectorAll('main .surface, main .sunk, header')];
  return frames.flatMap((frame) => {
    const edge = frame.getBoundingClientRect().right + 1;
    const texts = [...frame.querySelectorAll('*')].filter((element) => {
      if (element.getBoundingClientRect().right <= edge) return false;
      for (let around = element.parentElement; around && around !== frame; around = around.parentElement) {
        if (getComputedStyle(around).overflowX !== 'visible') return false;
      }
      return true;
    });
    return texts.map((element) => `${element.className}: ${element.textContent?.slice(0, 40)}`);
  });
}

test('what people write runs in its own direction, wherever it stands', async ({ browser }) => {
  const [ada, text] = [await person('ada'), 'سوق الذهب'];
  const zone = `${text} ${unique('')}`;
  const id = await ada.lists({ name: text, description: text, tags: [zone] });
  const channel = await ada.call('POST', '/discourse/channel', { name: text, description: text, zone });
  await ada.call('POST', '/discourse/post', { channelId: channel.id, title: text, content: text });
  const page = await browserOf(browser, ada);
  for (const [path, count] of [
    [`/marketplace?tag=${encodeURIComponent(zone)}`, 3],
    [`/marketplace/item/${id}`, 3],
    [`/discourse?zone=${encodeURIComponent(zone)}`, 3],
    [`/discourse/${channel.id}`, 5],
    ['/dashboard', 1],
    ['/activity', 2],
  ] as const) {
    await page.goto(path);
    const texts = page.getByRole('main').getByText(text);
    await expect.poll(() => texts.count(), path).toBeGreaterThanOrEqual(count);
    for (const one of await texts.all()) await expect(one, path).toHaveCSS('direction', 'rtl');
  }
  await page.goto('/marketplace/new');
  for (const field of ['Name', 'Description', 'Tags']) {
    const input = page.getByRole('textbox', { name: field }).or(page.getByRole('combobox', { name: field }));
    await input.fill(text);
    await expect(input).toHaveCSS('direction', 'rtl');
    if (field !== 'Tags') continue;
    await input.press('Enter');
    await expect(page.getByText(text, { exact: true }).last()).toHaveCSS('direction', 'rtl');
  }
  await page.goto(`/discourse/${channel.id}?open=channel`);
  for (const field of ['Name', 'Description', 'Zone']) {
    const input = page.getByRole('dialog').getByLabel(field);
    await input.fill(text);
    await expect(input).toHaveCSS('direction', 'rtl');
  }
  await page.getByRole('button', { name: 'Cancel' }).click();
  for (const field of ['Your post', 'Title']) {
    await page.getByLabel(field).fill(text);
    await expect(page.getByLabel(field)).toHaveCSS('direction', 'rtl');
  }
});

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
