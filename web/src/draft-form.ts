import { type UseFormInput, type UseFormReturnType, useForm } from '@mantine/form';
import { useState } from 'react';
import { isSame, keepDraft, readDraft, type Values } from './draft';
import { useMe } from './session';

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
