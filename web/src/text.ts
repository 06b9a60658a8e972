// The API's rules of text: trimmed, counted in characters.

/** How many characters the API will count. */
export function lengthOf(text: string): number {
  return [...text.trim()].length;
}

/** What is wrong with a text that has to be there, or null. */
export function lengthProblem(text: string, most: number): string | null {
  const length = lengthOf(text);
  if (length === 0) return 'This is needed';
  return length > most
    ? `At most ${most.toLocaleString('en')} characters; these are ${length.toLocaleString('en')}`
    : null;
}

/** What is wrong with a text that may be missing, or null. */
export function optionalLengthProblem(text: string, most: number): string | null {
  return text.trim() ? lengthProblem(text, most) : null;
}

/** What is wrong with tags, or null. */
export function tagsProblem(tags: string[]): string | null {
  if (tags.length > 20) return 'At most 20 tags';
  return tags.some((tag) => lengthOf(tag) > 50) ? 'Each tag has at most 50 characters' : null;
}
