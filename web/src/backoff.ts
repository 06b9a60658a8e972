/** Milliseconds of the first wait, and of the longest. */
const FIRST = 300;
const LONGEST = 5000;

/**
 * Milliseconds to wait after so many failures in a row before this one: doubled each time, up to a cap. `chance`, 0 to
 * 1, spreads them by a quarter, so that a server that comes back does not meet all its browsers at once.
 */
export function backoff(failures: number, chance = Math.random()): number {
  return Math.min(FIRST * 2 ** failures, LONGEST) * (0.75 + chance / 2);
}

/** Waits `ms` milliseconds; no longer than until the network is back, or somebody looks at the page again. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      if (document.visibilityState === 'hidden') return;
      clearTimeout(timer);
      window.removeEventListener('online', go);
      document.removeEventListener('visibilitychange', go);
      resolve();
    };
    const timer = setTimeout(go, ms);
    window.addEventListener('online', go);
    document.addEventListener('visibilitychange', go);
  });
}
