import type { FollowUp } from '../../ports/dialect.ts';

const ROUTE = /^(?:\/v1){0,2}(\/messages(?:\/count_tokens|\/batches)?)$/;
const BATCHES = /^(?:\/v1){0,2}\/messages\/batches(?:\/([A-Za-z0-9_-]+)(\/results|\/cancel)?)?$/;

export const claimsRoute = (method: string, path: string): boolean => method === 'POST' && ROUTE.test(path);

export const routePath = (path: string): string => `/v1${ROUTE.exec(path)?.[1] ?? '/messages'}`;

/** What a claimed path asks for. */
export function operationOf(path = ''): 'message' | 'count' | 'batch' {
  const [, name] = /\/messages\/(count_tokens|batches)(?:\?|$)/.exec(path) ?? [];
  return name === undefined ? 'message' : name === 'batches' ? 'batch' : 'count';
}

/** The routes about batches that were made before (https://platform.claude.com/docs/en/build-with-claude/batch-processing). */
export function followRoute(method: string, path: string): FollowUp | undefined {
  const match = BATCHES.exec(path);
  if (!match) return undefined;
  const [, object, below = ''] = match;
  const upstreamPath = `/v1/messages/batches${object === undefined ? '' : `/${object}${below}`}`;
  if (object === undefined) return method === 'GET' ? { upstreamPath, reply: 'status' } : undefined;
  switch (`${method} ${below}`) {
    case 'GET ':
    case 'POST /cancel':
      return { upstreamPath, object, reply: 'status' };
    case 'GET /results':
      return { upstreamPath, object, reply: 'lines' };
    case 'DELETE ':
      return { upstreamPath, object, reply: 'other' };
    default:
      return undefined;
  }
}
