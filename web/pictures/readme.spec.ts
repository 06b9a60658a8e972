// The README's pictures, of a running system that `capsim seed` has filled.
import { join, resolve } from 'node:path';
import { type Browser, expect, type Page, test } from '@playwright/test';
import { seed } from '../tests/system';

const directory = resolve(import.meta.dirname, '../../docs/pictures');

test.beforeAll(() => seed(process.env.GATEWAY_URL ?? ''));

interface Look {
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
}

async function logIn(browser: Browser, { scheme = 'light', width = 1280, height = 800 }: Look = {}): Promise<Page> {
  const context = await browser.newContext({
    baseURL: process.env.WEB_URL,
    colorScheme: scheme,
    viewport: { width, height },
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto('/login');
  await page.getByLabel('Username').fill('ada');
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByTestId('item-card').first()).toBeVisible();
  return page;
}

async function picture(page: Page, name: string) {
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => document.fonts.ready);
  // Nothing is pointed at.
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(directory, `${name}.png`) });
}

/** Something to see in the charts. */
async function trade(page: Page) {
  for (let round = 0; round < 16; round += 1) {
    await page.evaluate(async (base) => {
      const session = JSON.parse(localStorage.getItem('capsim.session') ?? '{}');
      const headers = { authorization: `Bearer ${session.token}` };
      for (let call = 0; call < 20 + Math.random() * 40; call += 1) {
        await fetch(`${base}/marketplace/list?page=${1 + (call % 9)}`, { headers });
        if (call % 4 === 0) await fetch(`${base}/discourse/channels?page=${1 + call}`, { headers });
      }
    }, process.env.GATEWAY_URL);
    await page.waitForTimeout(2_000);
  }
}

test('marketplace', async ({ browser }) => {
  const page = await logIn(browser);
  await picture(page, 'marketplace');
});

test('item, and its purchase', async ({ browser }) => {
  const page = await logIn(browser);
  await page.getByRole('link', { name: /Wealth of Nations/ }).click();
  await page.getByRole('button', { name: 'Buy' }).click();
  await expect(page.getByText('Afterwards')).toBeVisible();
  await picture(page, 'item');
});

test('discourse', async ({ browser }) => {
  const page = await logIn(browser);
  await page.goto('/discourse');
  await page.getByRole('link', { name: /Trading floor/ }).click();
  await expect(page.getByText('House rules')).toBeVisible();
  await expect(page.getByText('keynes').first()).toBeVisible();
  await picture(page, 'discourse');
});

test('activity, with what concerns oneself', async ({ browser }) => {
  const page = await logIn(browser);
  await page.goto('/activity');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: /Notifications, / }).click();
  await expect(page.getByRole('dialog').getByRole('listitem').first()).toBeVisible();
  await picture(page, 'activity');
});

test('dashboard, in the dark', async ({ browser }) => {
  const page = await logIn(browser, { scheme: 'dark', height: 1220 });
  await page.goto('/dashboard');
  await trade(page);
  await picture(page, 'dashboard-dark');
});

test('phone', async ({ browser }) => {
  const page = await logIn(browser, { width: 390, height: 844 });
  await picture(page, 'phone');
});
