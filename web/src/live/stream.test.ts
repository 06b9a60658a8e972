import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '../api/problem';
import type { Activity } from '../api/queries';
import { createStream, type Liveness } from './stream';

/** Connections that were opened, the oldest first. */
const connections: Connection[] = [];

class Connection extends EventTarget {
  onopen?: () => void;
  onerror?: () => void;
  isOpen = true;

  constructor(readonly url: string) {
    super();
    connections.push(this);
  }

  close() {
    this.isOpen = false;
  }

  tells(type: string, lastEventId: string, data: Partial<Activity> = {}) {
    this.dispatchEvent(new MessageEvent(type, { lastEventId, data: JSON.stringify(data) }));
  }
}

let tickets = 0;
const place = vi.fn(async () => 'e:7');
const url = vi.fn(async (after: string) => {
  tickets += 1;
  return `/live?ticket=${tickets}&lastEventId=${after}`;
});
const told: string[] = [];
const states: Liveness[] = [];
let stream: ReturnType<typeof createStream>;

const urls = () => connections.map(({ url }) => url);
const newest = () => connections.at(-1) as Connection;
/** Until all that can go on by itself has. */
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', Connection);
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  vi.stubGlobal('window', new EventTarget());
  for (const list of [connections, told, states]) list.length = 0;
  tickets = 0;
  place.mockReset().mockResolvedValue('e:7');
  url.mockClear();
  stream = createStream(
    { types: ['post.created'], place, url },
    {
      onActivity: ({ subject }) => told.push(subject),
      onReset: () => told.push('reset'),
      onLiveness: (liveness) => states.push(liveness),
    },
  );
});

afterEach(() => {
  stream.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('it begins after the newest there is, with a ticket, and tells what comes', async () => {
  stream.start();
  await settled();
  expect(urls()).toEqual(['/live?ticket=1&lastEventId=e:7']);
  expect(states).toEqual(['connecting']);
  newest().onopen?.();
  newest().tells('post.created', 'e:8', { subject: '42' });
  expect(states).toEqual(['connecting', 'live']);
  expect(told).toEqual(['42']);
});

test('a stream that breaks is closed, and goes on where it was with another ticket', async () => {
  stream.start();
  await settled();
  newest().onopen?.();
  newest().tells('post.created', 'e:8', { subject: '42' });
  const [first] = connections;
  first?.onerror?.();
  await settled();
  // The browser would try again by itself, with the ticket that is used up.
  expect(first?.isOpen).toBe(false);
  expect(states.at(-1)).toBe('away');
  await vi.advanceTimersByTimeAsync(500);
  expect(urls()).toEqual(['/live?ticket=1&lastEventId=e:7', '/live?ticket=2&lastEventId=e:8']);
  newest().onopen?.();
  newest().tells('post.created', 'e:9', { subject: '43' });
  expect(states.at(-1)).toBe('live');
  expect(told).toEqual(['42', '43']);
  expect(place).toHaveBeenCalledTimes(1);
});

test('a reset is told, and it goes on from there', async () => {
  stream.start();
  await settled();
  newest().tells('reset', 'f:3');
  expect(told).toEqual(['reset']);
  newest().onerror?.();
  await vi.advanceTimersByTimeAsync(500);
  expect(urls().at(-1)).toBe('/live?ticket=2&lastEventId=f:3');
});

/** Milliseconds until there is another connection. */
async function nextConnection(): Promise<number> {
  const begun = Date.now();
  const { length } = connections;
  while (connections.length === length) await vi.advanceTimersToNextTimerAsync();
  return Date.now() - begun;
}

test('it waits longer each time, also for a server that takes everybody and then breaks; not after one that lasted', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  stream.start();
  await settled();
  const waits: number[] = [];
  for (let broken = 0; broken < 7; broken += 1) {
    newest().onopen?.();
    newest().onerror?.();
    waits.push(await nextConnection());
  }
  expect(waits).toEqual([300, 600, 1200, 2400, 4800, 5000, 5000]);
  newest().onopen?.();
  await vi.advanceTimersByTimeAsync(10_000);
  newest().onerror?.();
  expect(await nextConnection()).toBe(300);
});

test('it waits as long as it is told to', async () => {
  place.mockRejectedValueOnce(new ApiError(429, {}, 2));
  stream.start();
  expect(await nextConnection()).toBe(2_000);
  expect(states).toEqual(['connecting', 'away']);
});

test('one that has died without a word is opened anew, and nobody needs to know', async () => {
  stream.start();
  await settled();
  newest().onopen?.();
  await vi.advanceTimersByTimeAsync(59_000);
  newest().tells('post.created', 'e:8', { subject: '42' });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(connections).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(urls().at(-1)).toBe('/live?ticket=2&lastEventId=e:8');
  expect(connections.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  expect(states).toEqual(['connecting', 'live']);
});

test('stopped, it has no connection and asks for nothing; started again, it goes on where it was', async () => {
  stream.start();
  await settled();
  newest().onopen?.();
  newest().tells('post.created', 'e:8', { subject: '42' });
  stream.stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(connections.map(({ isOpen }) => isOpen)).toEqual([false]);
  expect(states.at(-1)).toBe('live');
  stream.start();
  stream.start();
  await settled();
  expect(urls().slice(1)).toEqual(['/live?ticket=2&lastEventId=e:8']);
});

test('one that is stopped while it asks for its ticket opens nothing', async () => {
  stream.start();
  stream.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(connections).toEqual([]);
});
