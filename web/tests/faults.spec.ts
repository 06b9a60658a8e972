import type { Page } from '@playwright/test';
import { browserOf, enter, expect, person, test } from './fixtures';
import { startProcesses } from './system';

test('a replica is killed while one browses: nothing breaks, and the dashboard shows it', async ({ browser }) => {
  const system = await startProcesses();
  try {
    const [ada, bob] = [await person('ada', system.gateway), await person('bob', system.gateway)];
    const ids: string[] = [];
    for (let number = 0; number < 6; number += 1) ids.push(await ada.lists({ name: `Loom ${number}`, price: '5' }));

    // The page of the suite's capsim, with another gateway: its CSP would not let it there.
    const page = await browserOf(browser, bob, { bypassCSP: true });
    await page.route('**/config.json', (route) => route.fulfill({ json: { apiBase: system.gateway } }));
    await page.goto('/dashboard');
    const replicas = page.getByTestId('service-marketplace').getByTestId('replica');
    await expect(replicas).toHaveCount(3);
    await expect(page.getByText('All replicas are up')).toBeVisible();

    system.marketplace[1]?.kill('SIGKILL');
    for (const [number, id] of ids.entries()) {
      await page.getByRole('link', { name: 'Marketplace' }).first().click();
      await page.getByRole('link', { name: new RegExp(`Loom ${number}`) }).click();
      await page.getByRole('button', { name: 'Buy' }).click();
      await page.getByRole('button', { name: 'Confirm' }).click();
      await expect(page.getByText('It is yours')).toBeVisible();
      await expect(page.getByRole('alert')).toHaveCount(0);
      await page.getByRole('button', { name: 'Done' }).click();
      await expect(page.getByText('It has found its buyer.')).toBeVisible();
      expect(id).toBe(page.url().split('/').at(-1));
    }
    expect(await bob.balance('USD')).toBe('999970.00');

    await page.getByRole('link', { name: 'Dashboard' }).first().click();
    await expect(page.getByText('Some replicas are down; the others serve all calls')).toBeVisible();
    await expect(replicas.nth(1)).toHaveAttribute('data-up', 'false');
    await expect(replicas.nth(1)).toContainText('down');
    await expect(replicas.nth(0)).toContainText('up');
    await page.context().close();
  } finally {
    await system.stop();
  }
});

/** Lets nothing of `url` through any more; counts what was tried. */
async function cut(page: Page, url: string) {
  const tries = { count: 0 };
  await page.route(url, (route) => {
    tries.count += 1;
    return route.abort();
  });
  return { tries, mend: () => page.unroute(url) };
}

test('while the gateway is away the page says so, and goes on by itself when it is back', async ({ browser }) => {
  const ada = await person('ada');
  await ada.lists();
  const page = await browserOf(browser, ada);
  const { tries, mend } = await cut(page, '**/marketplace/list*');
  await page.goto('/marketplace');
  await expect(page.getByRole('alert')).toContainText('The gateway does not answer');
  await expect(page.getByRole('alert')).toContainText('This page keeps trying');
  await expect.poll(() => tries.count).toBeGreaterThan(5);
  await mend();
  await expect(page.getByTestId('item-card').first()).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

for (const [what, wake] of [
  ['the network is back', (page: Page) => page.evaluate(() => dispatchEvent(new Event('online')))],
  ['somebody looks again', (page: Page) => page.evaluate(() => dispatchEvent(new Event('visibilitychange')))],
  ['somebody asks for it', (page: Page) => page.getByRole('button', { name: 'Try again' }).click()],
] as const) {
  test(`a read does not wait for its turn when ${what}`, async ({ browser }) => {
    const ada = await person('ada');
    await ada.lists();
    const page = await browserOf(browser, ada);
    await page.clock.install();
    const { tries, mend } = await cut(page, '**/marketplace/list*');
    await page.goto('/marketplace');
    await expect(page.getByRole('alert')).toBeVisible();
    await expect.poll(() => tries.count).toBeGreaterThan(5);
    // From here on time does not pass by itself: nobody's turn comes.
    await page.clock.pauseAt(Date.now() + 60_000);
    // What was on its way has failed when this has, which comes after it.
    await page.evaluate((url) => fetch(url).catch(() => {}), `${process.env.GATEWAY_URL}/marketplace/list?last`);
    const before = tries.count;
    await wake(page);
    await expect.poll(() => tries.count).toBeGreaterThan(before);
    await mend();
    await page.clock.resume();
    await expect(page.getByTestId('item-card').first()).toBeVisible();
  });
}

test('what was read before stays in sight while nobody answers, and is said to be old', async ({ browser }) => {
  const ada = await person('ada');
  await ada.lists();
  const page = await browserOf(browser, ada);
  await page.goto('/marketplace');
  await expect(page.getByTestId('item-card').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Wallet' })).toContainText('USD');
  const { mend } = await cut(page, `${process.env.GATEWAY_URL}/**`);
  await expect(page.getByText('what you see may be old')).toBeVisible({ timeout: 30_000 });
  await expect(page.getByTestId('item-card').first()).toBeVisible();
  await mend();
  await expect(page.getByText('what you see may be old')).toHaveCount(0);
});

test('a click while everything is away opens the page, which then keeps trying', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  await page.goto('/marketplace');
  // The code of all pages comes in idle time; the chart's is the last.
  const arrived = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .join(),
    );
  await expect.poll(arrived).toContain('/assets/request-rate-');
  await expect.poll(arrived).toContain('/assets/not-found-');
  const { mend } = await cut(page, '**/*');
  await page.getByRole('link', { name: 'Dashboard' }).first().click();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'keeps trying' }).first()).toBeVisible();
  await mend();
  await expect(page.getByText('All replicas are up')).toBeVisible();
  await expect(page.getByRole('tab', { name: 'Listings (0)' })).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a page whose code is not there yet waits for the server, and opens by itself', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  const code = await cut(page, '**/assets/dashboard-*.js');
  await page.goto('/marketplace');
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
  const server = await cut(page, '**/config.json');
  await page.getByRole('link', { name: 'Dashboard' }).first().click();
  await expect(page.getByText('The page you asked for opens as soon as it does')).toBeVisible();
  await expect.poll(() => server.tries.count).toBeGreaterThan(3);
  await expect(page.getByText('This page broke')).toHaveCount(0);
  await code.mend();
  await server.mend();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expect(page.getByText('The page you asked for')).toHaveCount(0);
});

test('where the UI was updated meanwhile, a click leads into the new one', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  let isNew = false;
  await page.route('**/dashboard', (route) => {
    isNew = true;
    return route.continue();
  });
  await page.route('**/assets/dashboard-*.js', (route) => (isNew ? route.continue() : route.fulfill({ status: 404 })));
  await page.goto('/marketplace');
  await page.getByRole('link', { name: 'Dashboard' }).first().click();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  expect(isNew).toBe(true);
});

test('a page that breaks leaves the others in reach, and can be tried again', async ({ browser }) => {
  const ada = await person('ada');
  const id = await ada.lists({ name: 'Loom' });
  const context = await browser.newContext({ baseURL: process.env.WEB_URL, reducedMotion: 'reduce' });
  // It is not watched: React is right to complain here.
  const page = await context.newPage();
  await enter(page, ada);
  await page.route(`**/marketplace/item/${id}`, (route) =>
    route.request().resourceType() === 'document'
      ? route.continue()
      : route.fulfill({ json: { _id: id }, headers: { 'access-control-allow-origin': '*' } }),
  );
  await page.goto(`/marketplace/item/${id}`);
  await expect(page.getByRole('heading', { name: 'This page broke' })).toBeVisible();
  await page.getByRole('link', { name: 'Discourse' }).first().click();
  await expect(page.getByRole('heading', { name: 'Discourse' })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { name: 'This page broke' })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { name: 'Loom' })).toBeVisible();
  await context.close();
});

test('a UI that does not reach its server at the start waits for it', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  const { tries, mend } = await cut(page, '**/config.json');
  await page.goto('/dashboard');
  await expect(page.getByText('It keeps trying')).toBeVisible();
  await expect.poll(() => tries.count).toBeGreaterThan(4);
  await mend();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
});

test('a service without a live replica is said to be down, by the dashboard, too', async ({ browser }) => {
  const ada = await person('ada');
  const page = await browserOf(browser, ada);
  const answer = await fetch(`${process.env.GATEWAY_URL}/status`);
  const status = await answer.json();
  status.status = 'unhealthy';
  status.unavailable = ['redis'];
  status.services.discourse.status = 'unhealthy';
  for (const replica of status.services.discourse.replicas) replica.up = false;
  await page.route('**/status', (route) =>
    route.fulfill({ status: 503, json: status, headers: { 'access-control-allow-origin': '*' } }),
  );
  await page.goto('/dashboard');
  await expect(page.getByText('No replica is left of: discourse')).toBeVisible();
  await expect(page.getByTestId('service-discourse')).toContainText('0 of 3 replicas up');

  status.services.discourse.status = 'healthy';
  await expect(page.getByText('Redis is out of reach')).toBeVisible();
});

test('a page whose code is slow shows that it is on its way', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  await page.route('**/assets/dashboard-*.js', async (route) => {
    await arrived;
    await route.continue();
  });
  await page.goto('/marketplace');
  await page.getByRole('link', { name: 'Dashboard' }).first().click();
  await expect(page.getByRole('main')).toHaveAttribute('aria-busy', 'true');
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
  arrive();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('main')).toHaveAttribute('aria-busy', 'false');
});
