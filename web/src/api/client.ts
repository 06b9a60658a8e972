// The typed client of the gateway.
import createClient, { type Client, type Middleware } from 'openapi-fetch';
import { served } from '../arrival';
import * as session from '../session';
import { parseExact } from './exact';
import { ApiError } from './problem';
import type { paths } from './schema';

/** Set by `connect`, before anything is rendered. */
export let api: Client<paths>;

/** Where the gateway is, for links to it. */
export let apiBase: string;

/** Reads where the gateway is from /config.json, which whoever serves this page writes. Waits for who is away. */
export async function connect(onFailure: () => void) {
  const config = await served<{ apiBase: string }>(onFailure);
  // `//host:port` takes the scheme of this page.
  apiBase = new URL(config.apiBase, location.href).href.replace(/\/$/, '');
  // A list is one parameter, with commas.
  api = createClient<paths>({ baseUrl: apiBase, querySerializer: { array: { style: 'form', explode: false } } });
  api.use(bearer, exact);
}

const bearer: Middleware = {
  onRequest({ request }) {
    const token = session.current()?.token;
    if (token) request.headers.set('authorization', `Bearer ${token}`);
    return request;
  },
  async onResponse({ request, response }) {
    // A wrong password is no end of the session.
    if (response.status !== 401 || (await codeOf(response)) === 'invalid_credentials') return;
    // Only of the session that made the call: an answer may come late.
    const token = session.current()?.token;
    if (token && request.headers.get('authorization') === `Bearer ${token}`) session.end('expired');
  },
};

async function codeOf(response: Response): Promise<unknown> {
  const problem = await response
    .clone()
    .json()
    .catch(() => null);
  return problem?.code;
}

const exact: Middleware = {
  async onResponse({ response }) {
    if (!response.headers.get('content-type')?.includes('json')) return undefined;
    const text = JSON.stringify(parseExact(await response.text()));
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    headers.delete('content-length');
    return new Response(text, { status, statusText, headers });
  },
};

const NO_CONTENT = 204;

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a call that succeeded; an `ApiError` of every other. */
export async function answered<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    // A call that is not wanted any more did not fail.
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, {});
  });
  if (response.ok && (data !== undefined || response.status === NO_CONTENT)) return data as T;
  const problem =
    typeof error === 'object' && error !== null ? error : { code: 'no_problem', detail: 'the answer is no JSON' };
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  throw new ApiError(response.status, problem, Number.isNaN(wait) ? undefined : wait);
}
