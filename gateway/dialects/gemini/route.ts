import type { Headers } from '../../ports/dialect.ts';
import { badRequest } from './field.ts';

/** What path and query of a call say: the body names neither model nor stream. */
export interface Route {
  readonly model: string;
  readonly stream: boolean;
  /** tokens are only counted */
  readonly counts: boolean;
  /** where Vertex AI is asked to serve it */
  readonly location: string | undefined;
}

const VERSION = /^(?:\/(v[0-9]+[a-z0-9]*)){0,2}(?=\/)/;
const LOCATED = String.raw`(?:\/projects\/([^/?%.][^/?%]*)\/locations\/([^/?%.]+))?(?:\/publishers\/google)?`;
const NAMED = String.raw`\/(models|tunedModels)\/([^/:%?.][^/:%?]*)(?::|%3[aA])(generateContent|streamGenerateContent|countTokens)`;
const RESOURCE = new RegExp(`${LOCATED}${NAMED}$`);
const CLAIMED = new RegExp(`^${LOCATED}${NAMED}$`);

/** True for the generating methods and for counting, of the Gemini API and of Vertex AI. */
export const claimsPath = (path: string): boolean => CLAIMED.test(path.replace(VERSION, ''));

/** The path with one version: the caller's own, else the one that serves everything. */
export function upstreamPath(path: string): string {
  const version = VERSION.exec(path)?.[1] ?? (path.includes('/projects/') ? 'v1' : 'v1beta');
  return `/${version}${path.replace(VERSION, '').replace(/%3[aA]/, ':')}`;
}

const READABLE = /^(?:sse|json(?:;.*)?)$/;
const MASKS = ['fields', '$fields'];

/** Reads the path that is asked for. Throws a Fault for a query that makes the reply unreadable or takes its usage away. */
export function routeOf(target: string | undefined, headers: Headers): Route {
  const [path = '', query = ''] = (target ?? '').split('?');
  const match = RESOURCE.exec(path);
  if (!match) throw badRequest('path', 'must name a model: `/v1beta/models/<model>:generateContent`');
  readableReply(query, headers);
  const [, , location, kind, name = '', method] = match;
  return {
    model: kind === 'models' ? name : `${kind}/${name}`,
    stream: method === 'streamGenerateContent',
    counts: method === 'countTokens',
    location,
  };
}

/** Throws a Fault for a query that makes the reply unreadable or takes its usage away. */
export function readableReply(query: string, headers: Headers): void {
  const asked = new URLSearchParams(query);
  for (const name of ['alt', '$alt']) {
    const alt = asked.get(name);
    if (alt !== null && !READABLE.test(alt)) throw badRequest(`${name}=${alt}`, 'is not read here; use `alt=sse`');
  }
  const mask = MASKS.find((name) => asked.has(name)) ?? (headers['x-goog-fieldmask'] && 'x-goog-fieldmask');
  if (mask) throw badRequest(mask, 'is not accepted here: without its usage a reply cannot be metered; leave it out');
}
