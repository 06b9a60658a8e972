// Every read and write of the UI. A write is done when all that it changed has been read again.
import { type QueryClient, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import * as session from '../session';
import { answered, api } from './client';
import { nameOf } from './names';
import { ApiError } from './problem';
import { retryWrite } from './reading';
import type { components, operations } from './schema';

export type Schemas = components['schemas'];
export type Item = Schemas['Item'];
export type ItemPage = Schemas['ItemPage'];
export type Channel = Schemas['Channel'];
export type Post = Schemas['Post'];
export type Balance = Schemas['Balance'];
export type Profile = Schemas['Profile'];
export type Activity = Schemas['Activity'];
export type ActivityList = Schemas['ActivityList'];
export type Status = Schemas['SystemStatus'];
export type ItemFilter = NonNullable<operations['list_items']['parameters']['query']>;
export type ChannelFilter = NonNullable<operations['list_channels']['parameters']['query']>;
export type PostFilter = NonNullable<operations['get_channel']['parameters']['query']>;
export type ActivityFilter = NonNullable<operations['list_activity']['parameters']['query']>;

/** Milliseconds between two looks at what others may change. */
const WALLET_INTERVAL = 10_000;
const NOTIFICATIONS_INTERVAL = 30_000;
const STATUS_INTERVAL = 2_000;
/** Milliseconds that a write waits for what it changed to be read again. */
const READING_AGAIN = 3_000;
/** Samples of the system's counters that are kept: two minutes. */
const SAMPLES = 60;

export const items = (query: ItemFilter) =>
  queryOptions({
    queryKey: ['items', query],
    queryFn: ({ signal }) => answered(api.GET('/marketplace/list', { params: { query }, signal })),
  });

export const item = (id: string) =>
  queryOptions({
    queryKey: ['item', id],
    queryFn: ({ signal }) => answered(api.GET('/marketplace/item/{id}', { params: { path: { id } }, signal })),
  });

export const wallet = () =>
  queryOptions({
    queryKey: ['wallet'],
    queryFn: async ({ signal }) => (await answered(api.GET('/marketplace/wallet', { signal }))).balances,
    // A sale can fill it at any time.
    refetchInterval: WALLET_INTERVAL,
  });

export const channels = (query: ChannelFilter) =>
  queryOptions({
    queryKey: ['channels', query],
    queryFn: ({ signal }) => answered(api.GET('/discourse/channels', { params: { query }, signal })),
  });

export const channel = (id: number, query: PostFilter) =>
  queryOptions({
    queryKey: ['channel', id, query],
    queryFn: ({ signal }) => answered(api.GET('/discourse/channel/{id}', { params: { path: { id }, query }, signal })),
  });

export const activities = (query: ActivityFilter) =>
  queryOptions({
    queryKey: ['activity', query],
    queryFn: ({ signal }) => answered(api.GET('/activity', { params: { query }, signal })),
  });

export const notifications = () =>
  queryOptions({
    queryKey: ['notifications'],
    queryFn: ({ signal }) => answered(api.GET('/notifications', { signal })),
    // What is not for all is not told live.
    refetchInterval: NOTIFICATIONS_INTERVAL,
  });

/** The name of a user, which never changes; null where there is none of this id. */
export const username = (id: string) =>
  queryOptions({
    queryKey: ['username', id],
    queryFn: () => nameOf(id),
    // Who failed together tries again together, by one call.
    retryDelay: (failures) => Math.min(1000 * 2 ** failures, 8000),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });

/** What one's account says, to oneself. */
export const profile = () =>
  queryOptions({
    queryKey: ['profile'],
    queryFn: ({ signal }) => answered(api.GET('/profile', { signal })),
  });

/** The system's counters at one moment. */
export interface Sample {
  /** Milliseconds since the epoch. */
  at: number;
  requests: number;
  hits: number;
  misses: number;
}

/** How the system is, and how its counters went while somebody looked. */
export const status = (client: QueryClient) =>
  queryOptions({
    queryKey: ['status'],
    queryFn: async ({ signal }) => {
      const { data, error, response } = await api.GET('/status', { signal }).catch(() => {
        throw new ApiError(0, {});
      });
      // A 503 is an answer, too: it says which service has no live replica.
      const now = data ?? (response.status === 503 ? (error as Status) : undefined);
      if (!now?.services) throw new ApiError(response.status, {});
      const before = client.getQueryData<{ now: Status; samples: Sample[] }>(['status'])?.samples ?? [];
      const sample = { at: Date.now(), requests: now.requests, hits: now.cache.hits, misses: now.cache.misses };
      // Counters that went back are those of a new gateway.
      const restarted = (before.at(-1)?.requests ?? 0) > sample.requests;
      return { now, samples: restarted ? [sample] : [...before, sample].slice(-SAMPLES) };
    },
    refetchInterval: STATUS_INTERVAL,
    retry: true,
    retryDelay: STATUS_INTERVAL,
  });

export async function logIn(credentials: Schemas['Credentials']) {
  const token = await answered(api.POST('/auth/login', { body: credentials }));
  session.begin({
    token: token.token,
    userId: token.user_id,
    username: token.username,
    expiresAt: Date.now() + token.expires_in * 1000,
  });
}

export function useLogIn() {
  return useMutation({ mutationFn: logIn });
}

/** Registers, and logs in. */
export function useRegister() {
  return useMutation({
    mutationFn: async (person: Schemas['Registration']) => {
      await answered(api.POST('/auth/register', { body: person }));
      await logIn(person);
    },
  });
}

/** Ends the session here at once, and its token everywhere; false where the gateway did not hear of that. */
export async function logOut(): Promise<boolean> {
  const token = session.current()?.token;
  session.end('logged-out');
  if (!token) return true;
  const headers = { authorization: `Bearer ${token}` };
  const { response } = await api.POST('/auth/logout', { headers, keepalive: true }).catch(() => ({ response: null }));
  // A token that had ended is as good.
  return response !== null && (response.ok || response.status === 401);
}

/** Changes one's own fields; gives what they are then. */
export function useUpdateProfile() {
  return useMutation({
    mutationFn: (body: Schemas['Change']) => answered(api.PUT('/profile', { body })),
    retry: retryWrite,
  });
}

export function useEraseProfile() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => answered(api.DELETE('/profile')),
    retry: retryWrite,
    onSuccess: () => changed(client, 'profile'),
  });
}

/** Changes the password, which ends all tokens, and logs in anew. */
export function useChangePassword() {
  return useMutation({
    mutationFn: async ({ username, ...body }: Schemas['NewPassword'] & { username: string }) => {
      await answered(api.PUT('/auth/password', { body }));
      await logIn({ username, password: body.new });
    },
  });
}

export function useCreateItem() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas['NewItem']) => answered(api.POST('/marketplace/item', { body })),
    onSuccess: () => changed(client, 'items', 'item'),
  });
}

export interface PurchaseRequest {
  itemId: string;
  type: Schemas['TransactionType'];
  /** One an intent: however often it is sent, it buys once. */
  idempotencyKey: string;
}

export function usePurchase() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ itemId, type, idempotencyKey }: PurchaseRequest) =>
      answered(
        api.POST('/marketplace/purchase', {
          body: { itemId, type },
          params: { header: { 'Idempotency-Key': idempotencyKey } },
        }),
      ),
    // The key makes it safe to send again.
    retry: retryWrite,
    onSuccess: () => changed(client, 'items', 'item', 'wallet'),
    // Whoever was faster changed what is shown here.
    onError: () => void changed(client, 'items', 'item', 'wallet'),
  });
}

export function useCreateChannel() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas['NewChannel']) => answered(api.POST('/discourse/channel', { body })),
    onSuccess: () => changed(client, 'channels'),
  });
}

export function useCreatePost() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas['NewPost']) => answered(api.POST('/discourse/post', { body })),
    onSuccess: () => changed(client, 'channel', 'channels'),
  });
}

/** Says that one has read all notifications up to a number. */
export function useMarkRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (upTo: number) => answered(api.POST('/notifications/read', { body: { upTo } })),
    retry: retryWrite,
    onSuccess: () => changed(client, 'notifications'),
  });
}

/** Reads again what a write changed. The write is done, whether or not that can be read soon. */
async function changed(client: QueryClient, ...keys: string[]) {
  const read = Promise.all(keys.map((key) => client.invalidateQueries({ queryKey: [key] })));
  await Promise.race([read, new Promise((enough) => setTimeout(enough, READING_AGAIN))]);
}
