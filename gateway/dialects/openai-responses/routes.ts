import type { FollowUp } from '../../ports/dialect.ts';

const ROUTE = /^(?:\/v1){0,2}(\/responses(?:\/compact|\/input_tokens)?)$/;
const OBJECT = /^(?:\/v1){0,2}\/responses\/([A-Za-z0-9_-]+)(\/cancel)?$/;

export const claimsRoute = (method: string, path: string): boolean => method === 'POST' && ROUTE.test(path);

export const routePath = (path: string): string => `/v1${ROUTE.exec(path)?.[1] ?? '/responses'}`;

/** Counting the tokens of a request instead of running it. */
export const isCount = (path = ''): boolean => /\/responses\/input_tokens(?:\?|$)/.test(path);

/**
 * Reading, cancelling and deleting a stored response; one that ran in the background states its usage here. Not its input items: they
 * hold earlier answers as they were before any rule changed them.
 */
export function followRoute(method: string, path: string): FollowUp | undefined {
  const [, object, below = ''] = OBJECT.exec(path) ?? [];
  if (object === undefined) return undefined;
  const upstreamPath = `/v1/responses/${object}${below}`;
  if ((method === 'GET' && below === '') || (method === 'POST' && below === '/cancel'))
    return { upstreamPath, object, reply: 'answer' };
  if (method === 'DELETE' && below === '') return { upstreamPath, object, reply: 'other' };
  return undefined;
}
