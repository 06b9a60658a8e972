/** A fresh key for one act: 32 hex digits. (`crypto.randomUUID` is not there over plain HTTP.) */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
