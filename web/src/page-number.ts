/** The page that a URL asks for; the first one where it does not say, or says nonsense. */
export function pageNumber(text: string | null): number {
  const page = Number(text ?? '1');
  return Number.isInteger(page) && page >= 1 && page < 2 ** 31 ? page : 1;
}
