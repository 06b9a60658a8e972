// The rules of names and passwords, told before the API has to.

/** What is wrong with a username, or null. */
export function usernameProblem(name: string): string | null {
  if (name.length < 3) return 'At least 3 characters';
  if (name.length > 64) return 'At most 64 characters';
  return /^[A-Za-z0-9_.-]+$/.test(name) ? null : 'Only letters A to Z, digits, and _ . -';
}

/** What is wrong with a password, or null. */
export function passwordProblem(password: string): string | null {
  // As the API counts: characters, not UTF-16 units.
  const { length } = [...password];
  if (length < 6) return 'At least 6 characters';
  return length > 128 ? 'At most 128 characters' : null;
}

/** What is wrong with an e-mail address, which may be missing, or null. */
export function emailProblem(address: string): string | null {
  const trimmed = address.trim();
  if (!trimmed) return null;
  if ([...trimmed].length > 254) return 'At most 254 characters';
  return /^[^@,\s]+@[^@,\s]+$/.test(trimmed) ? null : 'An address such as ada@example.org';
}
