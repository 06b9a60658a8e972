import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { arrive, arriveOrReopen, preload } from './arrival';

const gone = () => Promise.reject(new TypeError('Failed to fetch dynamically imported module'));
const kept = new Map<string, string>();
const assign = vi.fn();
const config = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  kept.clear();
  assign.mockReset();
  config.mockReset().mockImplementation(async () => Response.json({}));
  vi.stubGlobal('fetch', config);
  vi.stubGlobal('location', { assign });
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  vi.stubGlobal('window', new EventTarget());
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('code waits for a server that is away, however long', async () => {
  config.mockRejectedValue(new TypeError('Failed to fetch'));
  const load = vi.fn<() => Promise<string>>().mockImplementationOnce(gone).mockResolvedValueOnce('the page');
  const page = arrive(load);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(load).toHaveBeenCalledTimes(1);
  expect(config.mock.calls.length).toBeGreaterThan(90);
  config.mockImplementation(async () => Response.json({}));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await page).toBe('the page');
});

test('code that the server does not have any more makes the page begin anew, once', async () => {
  const load = vi.fn(gone);
  void arriveOrReopen(load, () => '/dashboard');
  await vi.advanceTimersByTimeAsync(0);
  expect(assign).toHaveBeenCalledExactlyOnceWith('/dashboard');
  // The fresh page has no more luck: that is for a person to see.
  await expect(arriveOrReopen(load, () => '/dashboard')).rejects.toThrow('dynamically imported');
  expect(assign).toHaveBeenCalledTimes(1);
});

test('what is brought in advance comes in its order, and ends where something does not come', async () => {
  const loads = [vi.fn(async () => {}), vi.fn(gone), vi.fn(async () => {})];
  preload(loads);
  await vi.advanceTimersByTimeAsync(1000);
  expect(loads.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
});
