// One stream of what happens. It comes back by itself, and goes on where it was.
import type { Activity } from '../api/queries';
import { retryDelay } from '../api/reading';
import { pause } from '../backoff';

/** Milliseconds that a stream has to last for the next failure to be a first one. */
const STEADY = 5_000;
/**
 * Milliseconds without an event after which it is opened anew: the comments of a stream that has nothing to say are
 * unseen by an `EventSource`, and so is a connection that died without a word.
 */
const SILENCE = 60_000;

/** `away` after a failure, until it is live again. */
export type Liveness = 'connecting' | 'live' | 'away';

/** Where a stream comes from. */
export interface Source {
  /** What an event may be called. */
  types: readonly string[];
  /** The id of the newest event there is. */
  place(): Promise<string>;
  /** Where events come from after one, for one connection: it has a ticket, which is good for once. */
  url(lastEventId: string): Promise<string>;
}

/** Who is told. */
export interface Listener {
  onActivity(activity: Activity): void;
  /** Something is missing in between: what is shown is to be read anew. */
  onReset(): void;
  onLiveness(liveness: Liveness): void;
}

/** A stream that begins with what comes after `start`, and after `stop` goes on from there with the next `start`. */
export function createStream(source: Source, listener: Listener) {
  let place: string | undefined;
  let running: AbortController | undefined;

  /** One connection, until it breaks, or falls silent. */
  function listen(url: string, signal: AbortSignal): Promise<'broken' | 'silent'> {
    return new Promise((resolve) => {
      const events = new EventSource(url);
      let silence: ReturnType<typeof setTimeout>;
      const end = (how: 'broken' | 'silent') => {
        events.close();
        clearTimeout(silence);
        signal.removeEventListener('abort', stopped);
        resolve(how);
      };
      const stopped = () => end('broken');
      const heard = (event: MessageEvent) => {
        if (event.lastEventId) place = event.lastEventId;
        awaitNext();
      };
      const awaitNext = () => {
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE, 'silent');
      };
      awaitNext();
      signal.addEventListener('abort', stopped);
      events.onopen = () => listener.onLiveness('live');
      // By itself it would come back with a ticket that is used up.
      events.onerror = () => end('broken');
      events.addEventListener('reset', (event) => {
        heard(event);
        listener.onReset();
      });
      for (const type of source.types) {
        events.addEventListener(type, (event: MessageEvent<string>) => {
          heard(event);
          listener.onActivity(JSON.parse(event.data));
        });
      }
    });
  }

  async function run(signal: AbortSignal) {
    listener.onLiveness('connecting');
    let failures = 0;
    while (!signal.aborted) {
      let failure: unknown;
      const begun = Date.now();
      try {
        place ??= await source.place();
        const url = await source.url(place);
        if (signal.aborted) return;
        if ((await listen(url, signal)) === 'silent') continue;
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      listener.onLiveness('away');
      if (Date.now() - begun > STEADY) failures = 0;
      await pause(retryDelay(failures, failure));
      failures += 1;
    }
  }

  return {
    start() {
      if (running) return;
      running = new AbortController();
      void run(running.signal);
    },
    stop() {
      running?.abort();
      running = undefined;
    },
  };
}
