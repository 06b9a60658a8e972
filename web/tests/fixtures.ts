// People of a test, each with a browser of their own, and what they have before it begins.
import { randomUUID, sign } from 'node:crypto';
import { type Browser, type BrowserContextOptions, test as base, expect, type Page } from '@playwright/test';
import { KEY_ID, SIGNING_KEY } from './system';

export const PASSWORD = 'correct horse';

/** A name that no other test has. */
export const unique = (name: string) => `${name}-${randomUUID().slice(0, 8)}`;

export interface Person {
  username: string;
  userId: string;
  token: string;
  /** Calls the API in this person's name; fails where the API refuses. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the path answers
  call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<any>;
  /** Puts something up for sale, and says its id. */
  lists(item?: object): Promise<string>;
  /** The balance in a currency, as text of two places or more. */
  balance(currency: string): Promise<string>;
}

async function call(gateway: string, method: string, path: string, token?: string, body?: object) {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(gateway + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  // Amounts as text; nothing where there is none.
  return JSON.parse(((await answer.text()) || 'null').replace(/"(price|balance)":([\d.]+)/g, '"$1":"$2"'));
}

/** Registers somebody. */
export async function person(name: string, gateway = process.env.GATEWAY_URL ?? ''): Promise<Person> {
  const username = unique(name);
  await call(gateway, 'POST', '/auth/register', undefined, { username, password: PASSWORD });
  const login = await call(gateway, 'POST', '/auth/login', undefined, { username, password: PASSWORD });
  const me: Person = {
    username,
    userId: login.user_id,
    token: login.token,
    call: (method, path, body) => call(gateway, method, path, login.token, body),
    async lists(item = {}) {
      const defaults = { name: 'Gold bar', description: '1 kg, 999.9 fine', category: 'asset', price: '250.50' };
      return (await me.call('POST', '/marketplace/item', { ...defaults, ...item }))._id;
    },
    async balance(currency) {
      const { balances } = await me.call('GET', '/marketplace/wallet');
      return balances.find((balance: { currency: string }) => balance.currency === currency).balance;
    },
  };
  return me;
}

/** A token of `person` that was valid until a minute ago. */
export function expiredToken({ userId, username }: Person): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: userId, username, roles: [], jti: randomUUID(), gen: 1, iat: now - 3660, exp: now - 60 };
  const signed = `${part({ alg: 'EdDSA', typ: 'JWT', kid: KEY_ID })}.${part(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), SIGNING_KEY).toString('base64url')}`;
}

/** Opens a browser in which `person` is logged in. */
export async function browserOf(browser: Browser, person: Person, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: process.env.WEB_URL, reducedMotion: 'reduce', ...options });
  const page = watched(await context.newPage());
  await enter(page, person);
  return page;
}

/** Logs `person` in. */
export async function enter(page: Page, person: Person) {
  // A page without code, to have the origin whose storage it is.
  await page.goto('/icon.svg');
  await page.evaluate((session) => localStorage.setItem('capsim.session', JSON.stringify(session)), {
    token: person.token,
    userId: person.userId,
    username: person.username,
    expiresAt: Date.now() + 3_600_000,
  });
}

/** Fills in the login that stands there, until one is inside. */
export async function logIn(page: Page, { username }: Person, { name = username, password = PASSWORD } = {}) {
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('button', { name: `Account of ${username}` })).toBeVisible();
}

const complaints: string[] = [];

/** Remembers what the console says that it should not: exceptions, violations of the CSP, React's warnings. */
export function watched(page: Page): Page {
  page.on('pageerror', (error) => complaints.push(`${error}`));
  page.on('console', (message) => {
    // The browser's own line for an answer of 400 or above.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  return page;
}

export const test = base.extend<{ anybody: Page }>({
  /** A browser in which nobody is logged in. */
  anybody: async ({ browser }, use) => {
    const context = await browser.newContext({ baseURL: process.env.WEB_URL, reducedMotion: 'reduce' });
    await use(watched(await context.newPage()));
    await context.close();
  },
});

test.afterEach(() => {
  expect(complaints.splice(0), 'the browser has nothing to complain of').toEqual([]);
});

export { expect };
