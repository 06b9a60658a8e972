// Names of users: whoever a page asks for at once comes by one call.
import { answered, api } from './client';

/** Ids of one call. */
const MOST = 100;
/** Milliseconds in which more may be asked for. */
const AT_ONCE = 5;

type Names = Map<string, string>;

/** The call that is about to be made. */
let next: { ids: Set<string>; names: Promise<Names> } | undefined;

/** The name of a user; null where there is none of this id. */
export async function nameOf(id: string): Promise<string | null> {
  if (!next || next.ids.size === MOST) next = begin();
  next.ids.add(id);
  return (await next.names).get(id) ?? null;
}

function begin() {
  const ids = new Set<string>();
  const asked = new Promise((enough) => setTimeout(enough, AT_ONCE));
  const names = asked.then(async () => {
    if (next?.ids === ids) next = undefined;
    // In order: the same people are the same call, which the gateway has an answer to.
    const query = { ids: [...ids].sort() };
    const { users } = await answered(api.GET('/users', { params: { query } }));
    return new Map(users.map(({ id, username }) => [id, username]));
  });
  return { ids, names };
}
