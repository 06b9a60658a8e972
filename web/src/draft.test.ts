import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepDraft, readDraft } from './draft';

const EMPTY = { name: '', tags: [] as string[], isPremium: false, category: null as string | null };
const kept = new Map<string, string>();

beforeEach(() => {
  kept.clear();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a draft is read as it was kept, each at its own key', () => {
  const draft = { name: 'Loom', tags: ['a', 'b'], isPremium: true, category: 'asset' };
  keepDraft('ada.item', draft, EMPTY);
  expect(readDraft('ada.item', EMPTY)).toEqual(draft);
  expect(readDraft('bob.item', EMPTY)).toBeNull();
});

test('an empty form is no draft', () => {
  keepDraft('ada.item', { ...EMPTY, name: 'Loom' }, EMPTY);
  keepDraft('ada.item', { ...EMPTY }, EMPTY);
  expect(kept.size).toBe(0);
});

test('what does not fit the form is left out', () => {
  kept.set('ada.item', JSON.stringify({ name: 7, tags: 'gold', isPremium: true, category: 'asset', colour: 'red' }));
  expect(readDraft('ada.item', EMPTY)).toEqual({ ...EMPTY, isPremium: true, category: 'asset' });
  kept.set('ada.item', '{"name":');
  expect(readDraft('ada.item', EMPTY)).toBeNull();
  kept.set('ada.item', 'null');
  expect(readDraft('ada.item', EMPTY)).toBeNull();
});

test('a full storage does not break the form', () => {
  vi.stubGlobal('sessionStorage', {
    setItem() {
      throw new DOMException('full', 'QuotaExceededError');
    },
  });
  expect(() => keepDraft('ada.item', { ...EMPTY, name: 'Loom' }, EMPTY)).not.toThrow();
});
