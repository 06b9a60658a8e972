// What somebody has typed and not sent. It is kept a user and a form, in this tab: it outlives the end of a session, a
// reload and every way through the pages; two tabs do not write over each other, and a machine that others use, too,
// keeps nothing of it when the tab is closed.
import { type UseFormInput, type UseFormReturnType, useForm } from '@mantine/form';
import { useState } from 'react';
import { useMe } from './session';

type Values = Record<string, unknown>;

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

function isSame<T extends Values>(values: T, others: T): boolean {
  return Object.keys(others).every((name) => JSON.stringify(values[name]) === JSON.stringify(others[name]));
}

interface DraftForm<T extends Values> {
  form: UseFormReturnType<T>;
  /** Whether there is anything in it. */
  isBegun: boolean;
  /** Whether it began with a draft from before. */
  isRestored: boolean;
  /** Empties form and draft: it was sent, or is not wanted. */
  clear: () => void;
}

/** A form called `name` that begins with what its user had typed there before. */
export function useDraftForm<T extends Values>(
  name: string,
  empty: T,
  validate: UseFormInput<T>['validate'],
): DraftForm<T> {
  const key = `capsim.draft.${useMe().userId}.${name}`;
  const [draft, setDraft] = useState(() => readDraft(key, empty));
  const form = useForm<T>({
    initialValues: draft ?? empty,
    validate,
    onValuesChange: (values) => keepDraft(key, values, empty),
  });
  const clear = () => {
    form.setValues(empty);
    form.clearErrors();
    // By itself, for whoever has left the page before the answer came.
    keepDraft(key, empty, empty);
    setDraft(null);
  };
  return { form, isBegun: !isSame(form.values, empty), isRestored: draft !== null, clear };
}
