// Reads that do not give up: what fails for now is tried again until it is there.
import { type QueryClient, type QueryKey, type UseQueryOptions, useQuery, useQueryClient } from '@tanstack/react-query';
import { backoff } from '../backoff';
import { ApiError } from './problem';

/** Attempts that fail before anybody is told: about a second. */
const MOMENT = 3;
/** The longest wait that an answer may ask for, in seconds. */
const LONGEST_ASKED = 10;
/** How often a write is sent, at most, that may be sent again. */
const WRITES = 4;

const isPassing = (error: unknown) => error instanceof ApiError && error.isPassing;

/** Reads are repeated for as long as somebody looks. */
export function retryRead(_failures: number, error: unknown): boolean {
  return isPassing(error);
}

/** Writes are not: somebody waits to hear how it went. */
export function retryWrite(failures: number, error: unknown): boolean {
  return isPassing(error) && failures < WRITES - 1;
}

/** Milliseconds before the next attempt: as long as the answer asks for, else a little longer each time. */
export function retryDelay(failures: number, error: unknown): number {
  const asked = error instanceof ApiError ? error.retryAfter : undefined;
  return asked === undefined ? backoff(failures) : Math.min(asked, LONGEST_ASKED) * 1000;
}

/** What is shown of a read. */
export interface Read<T> {
  data: T | undefined;
  /** What is shown is another page's, while this one's is on its way. */
  isPlaceholderData: boolean;
  /** Why there is nothing to show; null while it may just be slow. It goes by itself where the failure does. */
  failure: unknown;
  tryAgain: () => void;
}

/** `useQuery`, for views that tell of a failure while it is still tried to mend it. */
export function useRead<T, K extends QueryKey>(options: UseQueryOptions<T, Error, T, K>): Read<T> {
  const client = useQueryClient();
  const { data, error, failureCount, failureReason, isPlaceholderData } = useQuery(options);
  const failing = failureCount >= MOMENT ? failureReason : null;
  const failure = data === undefined || isPlaceholderData ? (error ?? failing) : null;
  return { data, isPlaceholderData, failure, tryAgain: () => void tryNow(client) };
}

/** Repeats at once what failed and waits for its turn, or does not wait any more. */
export async function tryNow(client: QueryClient) {
  const failed = client.getQueryCache().findAll({
    type: 'active',
    predicate: ({ state }) => state.fetchFailureCount > 0,
  });
  // Who waits for a turn has to leave the queue first.
  await Promise.all(failed.map((query) => query.cancel({ revert: true })));
  await client.refetchQueries({ predicate: (query) => failed.includes(query) });
}

/** Whether a view shows what was read before the reads began to fail. */
export const isOutdated = {
  predicate: ({ state }: { state: { data: unknown; fetchFailureCount: number } }) =>
    state.data !== undefined && state.fetchFailureCount >= MOMENT,
};
