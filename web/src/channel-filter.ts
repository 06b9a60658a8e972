// The filters of channels, and of the posts in one, as they stand in the URL.
import { CHANNEL_TYPE_WORDS, keysOf, TOPIC_WORDS } from './components/words';
import { oneOf, pageNumber, type Readers, textUpTo } from './url-filter';

/** Those of the list of channels: they go along from channel to channel. */
const LIST_FILTERS = {
  type: oneOf(keysOf(CHANNEL_TYPE_WORDS)),
  zone: textUpTo(100),
  mine: (word: string) => word === 'true' || undefined,
  page: pageNumber,
} satisfies Readers;

export const CHANNEL_FILTERS = {
  ...LIST_FILTERS,
  topic: oneOf(keysOf(TOPIC_WORDS)),
  postsPage: pageNumber,
  // A dialog that is open: the form for a new channel.
  open: oneOf(['channel']),
} satisfies Readers;

/** Of the URL what filters the list of channels. */
export function listFilters(url: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...url].filter(([name]) => Object.hasOwn(LIST_FILTERS, name)));
}
