import type { UseFormReturnType } from '@mantine/form';
import type { FormEvent } from 'react';
import { ApiError, explain } from '../api/problem';

/** Codes that are about one field, and have a sentence of their own. */
const FIELDS: Record<string, string> = { username_taken: 'username', email_taken: 'email' };

/** Puts what the API says of fields at those fields; false where it says nothing of the form's fields. */
export function showAtFields<T extends Record<string, unknown>>(form: UseFormReturnType<T>, error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const field = FIELDS[error.code];
  if (field && field in form.getValues()) {
    form.setFieldError(field, explain(error));
    return true;
  }
  const known = Object.entries(error.fields)
    // `tags[3]` is said at `tags`.
    .map(([field, message]) => [field.replace(/[[.].*$/, ''), message] as const)
    .filter(([field]) => field in form.getValues());
  for (const [field, message] of known) {
    form.setFieldError(field, `${message.charAt(0).toUpperCase()}${message.slice(1)}`);
  }
  return known.length > 0;
}

/** Leads to the first field at fault, after a submit that was not sent. */
export function focusFirstError(_errors: unknown, _values: unknown, event: FormEvent<HTMLFormElement> | undefined) {
  // Not `currentTarget`: the rules may have been checked in another turn.
  const form = event?.target as HTMLFormElement | undefined;
  requestAnimationFrame(() => form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
