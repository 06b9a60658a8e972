// What went wrong, as the API says it (RFC 9457) and as a person would.
import type { components, ProblemCode } from './schema';

type Problem = components['schemas']['Problem'];

/** A call that did not succeed. */
export class ApiError extends Error {
  readonly status: number;
  /** A stable word, such as `item_not_available`; `unreachable` where no answer came. */
  readonly code: string;
  /** What is wrong with each field at fault. */
  readonly fields: Record<string, string>;
  readonly requestId: string | undefined;
  /** Seconds to wait before trying again, where the answer says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem: Partial<Problem>, retryAfter?: number) {
    super(problem.detail ?? 'no answer');
    this.status = status;
    this.code = problem.code ?? 'unreachable';
    this.fields = Object.fromEntries((problem.errors ?? []).map(({ field, message }) => [field, message]));
    this.requestId = problem.requestId;
    this.retryAfter = retryAfter;
  }

  /** Whether it was refused with this code. */
  is(code: ProblemCode): boolean {
    return this.code === code;
  }

  /** Whether the same call may well succeed a little later. */
  get isPassing(): boolean {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

// A code that the API does not know does not compile here.
const SENTENCES: Partial<Record<ProblemCode | 'unreachable', string>> = {
  unreachable: 'The gateway does not answer. Check that it runs.',
  username_taken: 'Somebody has this name already. Choose another one.',
  invalid_credentials: 'Name and password do not belong together.',
  account_deactivated: 'This account is deactivated. An admin can change that.',
  email_taken: 'Another account has this address already.',
  changed_meanwhile: 'The account was changed at the same time. Look at it and try again.',
  item_not_found: 'There is no such listing.',
  item_not_available: 'Somebody was faster: this has been sold.',
  own_item: 'This is your own listing. You cannot buy it from yourself.',
  insufficient_funds: 'You do not have enough money for this.',
  idempotency_key_reused: 'This purchase was already tried in another form. Close the dialog and start again.',
  channel_not_found: 'There is no such channel.',
  channel_access_denied: 'This channel is private, or only its owner may post in it.',
  pin_denied: 'Only the owner of a channel can pin posts in it.',
  validation_failed: 'Some fields need another look.',
  token_expired: 'Your session has ended. Log in again.',
  invalid_token: 'Your session is not valid any more. Log in again.',
  missing_token: 'Log in first.',
  overloaded: 'The system has more to do than it can. Try again in a moment.',
};

/** A sentence for a person. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Something went wrong in this page. Reload it to go on.';
  const sentence = (SENTENCES as Record<string, string | undefined>)[error.code];
  if (sentence) return sentence;
  if (error.status === 429) {
    const wait = error.retryAfter ?? 1;
    return `That was a little fast. Try again in ${wait} second${wait === 1 ? '' : 's'}.`;
  }
  if (error.status === 503) return 'This part of the system is down right now.';
  if (error.status === 504) return 'The system took too long to answer.';
  if (error.status >= 500) return `The system made a mistake. Its log knows more, under ${error.requestId}.`;
  return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}
