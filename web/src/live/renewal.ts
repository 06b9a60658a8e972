// Reading again what others have changed: at once, but not more often than makes sense.
import type { Query, QueryClient } from '@tanstack/react-query';

/** Milliseconds from one answer to the next read of the same. */
const SPACING = 400;

/** What reads a query again, if somebody looks at it; what is asked for while it does so is one more read after it. */
export function createRenewal(client: QueryClient) {
  /** Those that are read, and whether that is not enough. */
  const reading = new WeakMap<Query, boolean>();
  return async function renew(query: Query) {
    if (reading.has(query)) return void reading.set(query, true);
    do {
      // An answer that is on its way may be from before.
      reading.set(query, query.state.fetchStatus === 'fetching');
      // It is waited for: whoever has a slow connection would see none if each event began a new one.
      await client.invalidateQueries({ queryKey: query.queryKey, exact: true }, { cancelRefetch: false });
      await new Promise((enough) => setTimeout(enough, SPACING));
    } while (reading.get(query));
    reading.delete(query);
  };
}
