import { type Query, QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRenewal } from './renewal';

/** Milliseconds that an answer takes. */
const SLOW = 2_000;
let version = 0;
const read = vi.fn(async () => {
  const now = version;
  await new Promise((answer) => setTimeout(answer, SLOW));
  return now;
});
let client: QueryClient;
let renew: (query: Query) => Promise<void>;
let leave: () => void;

const shown = () => client.getQueryData(['items']);
/** Something happens. */
function happens() {
  version += 1;
  void renew(client.getQueryCache().find({ queryKey: ['items'] }) as Query);
}

beforeEach(() => {
  vi.useFakeTimers();
  version = 0;
  read.mockClear();
  client = new QueryClient({ defaultOptions: { queries: { networkMode: 'always' } } });
  renew = createRenewal(client);
  leave = new QueryObserver(client, { queryKey: ['items'], queryFn: read }).subscribe(() => {});
});

afterEach(() => {
  leave();
  client.clear();
  vi.useRealTimers();
});

test('what happens is read at once', async () => {
  await vi.advanceTimersByTimeAsync(SLOW);
  happens();
  await vi.advanceTimersByTimeAsync(SLOW);
  expect(shown()).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(read).toHaveBeenCalledTimes(2);
});

test('an answer that was on its way is from before: it is shown, and read again', async () => {
  await vi.advanceTimersByTimeAsync(SLOW / 2);
  happens();
  await vi.advanceTimersByTimeAsync(SLOW / 2);
  expect(shown()).toBe(0);
  await vi.advanceTimersByTimeAsync(SLOW + 1_000);
  expect(shown()).toBe(1);
});

test('who has a slow connection sees something, however much happens', async () => {
  await vi.advanceTimersByTimeAsync(SLOW);
  for (let ms = 0; ms < 20_000; ms += 20) {
    happens();
    await vi.advanceTimersByTimeAsync(20);
  }
  expect(shown()).toBeGreaterThan(700);
  // One after the other, with a pause in between.
  expect(read.mock.calls.length).toBeLessThanOrEqual(10);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(shown()).toBe(1_000);
});

test('what nobody looks at is not read, but is known to be old', async () => {
  await vi.advanceTimersByTimeAsync(SLOW);
  leave();
  happens();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(read).toHaveBeenCalledTimes(1);
  expect(client.getQueryState(['items'])?.isInvalidated).toBe(true);
});
