// The filters of what happened, as they stand in the URL.
import { ACTIVITY_WORDS, keysOf } from './components/words';
import { oneOf, pageNumber, type Readers } from './url-filter';

export const ACTIVITY_FILTERS = {
  type: oneOf(keysOf(ACTIVITY_WORDS)),
  page: pageNumber,
} satisfies Readers;
