// The one live stream of this page: whoever is logged in, and looks, is told what happens by all that they look at.
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { answered, api, apiBase } from '../api/client';
import { type Activity, type ActivityFilter, type ActivityList, activities } from '../api/queries';
import { ACTIVITY_WORDS, keysOf } from '../components/words';
import { current, subscribe as subscribeToSession } from '../session';
import { needsReading, withNews } from './news';
import { createRenewal } from './renewal';
import { createStream, type Liveness, type Source } from './stream';
import { FOLLOWED, touches } from './touches';

const source: Source = {
  types: keysOf(ACTIVITY_WORDS),
  place: async () => (await answered(api.GET('/activity', { params: { query: { limit: 1 } } }))).view.lastEventId,
  async url(lastEventId) {
    const { ticket } = await answered(api.POST('/activity/ticket'));
    return `${apiBase}/activity/live?${new URLSearchParams({ ticket, lastEventId })}`;
  },
};

let liveness: Liveness = 'connecting';
const listeners = new Set<() => void>();

function setLiveness(next: Liveness) {
  liveness = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Whether what happens is seen here as it happens. */
export function useLiveness(): Liveness {
  return useSyncExternalStore(subscribe, () => liveness);
}

/** Follows what happens for as long as somebody is logged in and looks, and keeps what `client` has read up to date. */
export function follow(client: QueryClient) {
  const renew = createRenewal(client);
  const cache = client.getQueryCache();

  function onActivity(activity: Activity) {
    const me = current()?.userId ?? '';
    for (const query of cache.getAll()) {
      const { queryKey, state } = query;
      if (touches(activity, queryKey, state.data, me)) void renew(query);
      if (queryKey[0] !== 'activity') continue;
      const filter = queryKey[1] as ActivityFilter;
      if (needsReading(activity, filter) || state.fetchStatus === 'fetching') void renew(query);
      else
        client.setQueryData<ActivityList>(
          activities(filter).queryKey,
          (list) => list && withNews(list, activity, filter),
        );
    }
  }

  function onReset() {
    for (const query of cache.getAll()) if (FOLLOWED.includes(query.queryKey[0])) void renew(query);
  }

  const begin = () => createStream(source, { onActivity, onReset, onLiveness: setLiveness });
  let stream = begin();
  let owner: string | undefined;
  const turn = () => {
    const user = current()?.userId;
    if (user !== owner) {
      stream.stop();
      stream = begin();
      owner = user;
    }
    // Browsers open six connections to a server: those of tabs that nobody sees would leave none for calls.
    if (user && document.visibilityState === 'visible') stream.start();
    else stream.stop();
  };
  subscribeToSession(turn);
  document.addEventListener('visibilitychange', turn);
  turn();
}
