// Who is logged in, kept in this browser and shared by its tabs.
import { useSyncExternalStore } from 'react';

export interface Session {
  token: string;
  userId: string;
  username: string;
  /** Milliseconds since the epoch, by this browser's clock. */
  expiresAt: number;
}

const KEY = 'capsim.session';
/** The longest delay that timers can hold. */
const LONGEST_TIMER = 2 ** 31 - 1;

type Why = 'none' | 'expired' | 'logged-out';

let session = read();
/** Why nobody is logged in. */
let why: Why = 'none';
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function read(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null');
  } catch {
    return null;
  }
}

function set(next: Session | null, reason: Why) {
  session = next;
  why = reason;
  schedule();
  for (const listener of listeners) listener();
}

/** Ends the session when its token does, without waiting for a call to fail. */
function schedule() {
  clearTimeout(timer);
  if (!session) return;
  const left = session.expiresAt - Date.now();
  if (left <= 0) return end('expired');
  timer = setTimeout(schedule, Math.min(left, LONGEST_TIMER));
}

export function begin(next: Session) {
  localStorage.setItem(KEY, JSON.stringify(next));
  set(next, 'none');
}

export function end(reason: Why) {
  localStorage.removeItem(KEY);
  set(null, reason);
}

export function current(): Session | null {
  return session;
}

export function whyEnded(): Why {
  return why;
}

/** Tells of every change; returns what stops that. */
export function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Re-renders when somebody logs in or out, here or in another tab. */
export function useSession(): Session | null {
  return useSyncExternalStore(subscribe, current);
}

/** The session of a page that only those see who are logged in. */
export function useMe(): Session {
  const me = useSession();
  if (!me) throw new Error('this page needs a session');
  return me;
}

addEventListener('storage', (event) => {
  if (event.key === KEY || event.key === null) set(read(), 'logged-out');
});
schedule();
