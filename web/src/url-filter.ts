// Filters as they stand in a URL. What is not understood there is neither sent nor kept, but said.
import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';

/** What a word of the URL means; undefined where it means nothing. */
type Reader<T> = (word: string, url: URLSearchParams) => T | undefined;
export type Readers = Record<string, Reader<unknown>>;

/** One of these words. */
export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (word) => words.find((known) => known === word);
}

/** Text of so many characters at most, spaces around it aside. */
export function textUpTo(most: number): Reader<string> {
  return (word) => {
    const text = word.trim();
    return [...text].length <= most ? text : undefined;
  };
}

/** A page: a whole number from 1. */
export function pageNumber(word: string): number | undefined {
  const page = Number(word);
  return /^[1-9]\d*$/.test(word) && page < 2 ** 31 ? page : undefined;
}

/** What each of the filters is; those are undefined that the URL does not have, or not so that it means something. */
export function read<R extends Readers>(url: URLSearchParams, readers: R): { [N in keyof R]?: ReturnType<R[N]> } {
  const known = Object.entries(readers).map(([name, reader]) => [name, reader(url.get(name) ?? '', url) || undefined]);
  return Object.fromEntries(known);
}

/** The URL without what means nothing, and that, as `colour=red`. */
export function sift(url: URLSearchParams, readers: Readers): { known: URLSearchParams; unknown: string[] } {
  const known = new URLSearchParams();
  const unknown: string[] = [];
  for (const [name, word] of url) {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader && (word.trim() === '' || known.has(name))) continue;
    if (reader?.(word, url) === undefined) unknown.push(`${name}=${word}`);
    else known.set(name, word);
  }
  return { known, unknown };
}

/** The URL's filters without what means nothing: that leaves the URL, and is told until `forget`. */
export function useFilters(readers: Readers) {
  const [url, setUrl] = useSearchParams();
  const [dropped, setDropped] = useState<string[]>([]);
  const { known, unknown } = sift(url, readers);
  const isOdd = unknown.length > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each URL that has such words
  useEffect(() => {
    if (!isOdd) return;
    setDropped(unknown);
    setUrl(known, { replace: true });
  }, [isOdd]);
  return { url: known, setUrl, dropped, forget: () => setDropped([]) };
}
