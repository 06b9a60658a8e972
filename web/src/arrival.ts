// The code of pages comes when it is wanted, or when there is time. A server that is away is waited for.
import { useSyncExternalStore } from 'react';
import { backoff, pause } from './backoff';

type Load<T> = () => Promise<T>;

/** Where the last attempt to begin anew led, and when. */
const KEY = 'capsim.reopened';
/** Milliseconds in which a second attempt to begin anew at one place would be a loop. */
const LOOP = 10_000;

let waiting = 0;
const listeners = new Set<() => void>();

function count(change: number) {
  waiting += change;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Whether some code waits for the server to come back. */
export function useIsWaiting(): boolean {
  return useSyncExternalStore(subscribe, () => waiting > 0);
}

/** /config.json of whoever serves this page, as soon as it answers. Tells `onFailure` that it does not yet. */
export async function served<T>(onFailure?: () => void): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await fetch('/config.json', { cache: 'no-cache' });
      if (answer.ok) return await answer.json();
    } catch {
      // No answer, or none of ours.
    }
    onFailure?.();
    await pause(backoff(failures));
  }
}

/** What `load` brings; where the server is away, as soon as it is back. Fails for what the server does not have. */
export async function arrive<T>(load: Load<T>): Promise<T> {
  try {
    return await load();
  } catch {
    count(1);
    await served().finally(() => count(-1));
    return load();
  }
}

/** As `arrive`; but where the code is gone, for the UI was updated meanwhile, begins anew at `destination`. */
export async function arriveOrReopen<T>(load: Load<T>, destination: () => string): Promise<T> {
  try {
    return await arrive(load);
  } catch (error) {
    // Some browsers remember that an import has failed, too.
    if (!reopen(destination())) throw error;
    return new Promise(() => {});
  }
}

/** Leaves for a fresh copy of a page; false where that was tried just now. */
function reopen(place: string): boolean {
  const [before, when] = sessionStorage.getItem(KEY)?.split(' ') ?? [];
  if (before === place && Date.now() - Number(when) < LOOP) return false;
  sessionStorage.setItem(KEY, `${place} ${Date.now()}`);
  location.assign(place);
  return true;
}

/** Brings one after the other while the browser has nothing better to do. What fails is brought when it is wanted. */
export function preload(loads: readonly Load<unknown>[]) {
  const [first, ...rest] = loads;
  if (!first) return;
  // Safari has no idle callbacks.
  const whenIdle = globalThis.requestIdleCallback ?? setTimeout;
  whenIdle(() =>
    first().then(
      () => preload(rest),
      () => {},
    ),
  );
}
