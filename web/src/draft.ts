// What somebody has typed and not sent. It is kept a user and a form, in this tab: it outlives the end of a session, a
// reload and every way through the pages; two tabs do not write over each other, and a machine that others use, too,
// keeps nothing of it when the tab is closed.

export type Values = Record<string, unknown>;

const kindOf = (value: unknown) => (Array.isArray(value) ? 'array' : typeof value);

/** The draft at `key`, in the shape of `empty`; null where there is none. */
export function readDraft<T extends Values>(key: string, empty: T): T | null {
  try {
    const kept: Values = JSON.parse(sessionStorage.getItem(key) ?? '');
    // The UI may have been updated meanwhile: what does not fit any more is left out.
    const fits = ([name, value]: [string, unknown]) =>
      Object.hasOwn(empty, name) && (empty[name] === null || kindOf(empty[name]) === kindOf(value));
    return { ...empty, ...Object.fromEntries(Object.entries(kept).filter(fits)) };
  } catch {
    return null;
  }
}

/** Keeps a draft; one with nothing in it is none. */
export function keepDraft<T extends Values>(key: string, values: T, empty: T) {
  try {
    if (isSame(values, empty)) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(values));
  } catch {
    // No room is left: the form works without.
  }
}

/** Whether two hold the same. */
export function isSame<T extends Values>(values: T, others: T): boolean {
  return Object.keys(others).every((name) => JSON.stringify(values[name]) === JSON.stringify(others[name]));
}
