import { browserOf, expect, person, test } from './fixtures';
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

test('when the gateway is away the page says so, and goes on when it is back', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  await page.route('**/marketplace/list*', (route) => route.abort());
  await page.goto('/marketplace');
  await expect(page.getByRole('alert')).toContainText('The gateway does not answer');
  await page.unroute('**/marketplace/list*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a service without a live replica is said to be down, by the dashboard, too', async ({ browser }) => {
  const ada = await person('ada');
  const page = await browserOf(browser, ada);
  const answer = await fetch(`${process.env.GATEWAY_URL}/status`);
  const status = await answer.json();
  status.status = 'unhealthy';
  status.unavailable = ['users'];
  status.services.discourse.status = 'unhealthy';
  for (const replica of status.services.discourse.replicas) replica.up = false;
  await page.route('**/status', (route) =>
    route.fulfill({ status: 503, json: status, headers: { 'access-control-allow-origin': '*' } }),
  );
  await page.goto('/dashboard');
  await expect(page.getByText('No replica is left of: discourse')).toBeVisible();
  await expect(page.getByTestId('service-discourse')).toContainText('0 of 3 replicas up');

  status.services.discourse.status = 'healthy';
  await expect(page.getByText('Out of reach: what keeps users')).toBeVisible();
});

test('a page whose code is slow shows that it is on its way', async ({ browser }) => {
  const page = await browserOf(browser, await person('ada'));
  await page.goto('/marketplace');
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  await page.route('**/assets/dashboard-*.js', async (route) => {
    await arrived;
    await route.continue();
  });
  await page.getByRole('link', { name: 'Dashboard' }).first().click();
  await expect(page.getByRole('main')).toHaveAttribute('aria-busy', 'true');
  await expect(page.getByRole('heading', { name: 'Marketplace' })).toBeVisible();
  arrive();
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('main')).toHaveAttribute('aria-busy', 'false');
});
