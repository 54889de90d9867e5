import { Fault } from '../../domain/fault.ts';
import { asCount, asString, isObject, type JsonText, member } from '../../domain/json.ts';
import type { FollowUp, Headers, Reading, ReplyReading } from '../../ports/dialect.ts';
import { NO_CAP, plainReading } from '../_shared/plain-reading.ts';
import { badRequest, fieldOf, optionalString, pickOne } from './field.ts';
import { modelMark } from './mark.ts';
import { readContents } from './read-request.ts';
import { type Route, readableReply } from './route.ts';

const ROUTE =
  /^(?:\/(v[0-9]+[a-z0-9]*)){0,2}((?:\/projects\/[^/?%.][^/?%]*\/locations\/([^/?%.]+))?\/cachedContents(?:\/([A-Za-z0-9_-]+))?)$/;
const RESOURCE = /(?:\/locations\/([^/?%.]+))?\/cachedContents(?:\/([A-Za-z0-9_-]+))?$/;
const HOUR_S = 3600;
/** What the API takes where the request names no time. */
const DEFAULT_S = HOUR_S;

/** True where a cache is made or its life changed (https://ai.google.dev/api/caching): both are charged by the token-hour. */
export function claimsCache(method: string, path: string): boolean {
  const match = ROUTE.exec(path);
  return match !== null && method === (match[4] === undefined ? 'POST' : 'PATCH');
}

export const isCache = (path = ''): boolean => ROUTE.test(path.split('?')[0] ?? '');

/** The path with one version. */
export const cachePath = (path: string): string => {
  const [, version, rest = ''] = ROUTE.exec(path) ?? [];
  return `/${version ?? (path.includes('/projects/') ? 'v1' : 'v1beta')}${rest}`;
};

/** Listing, reading and deleting caches cost nothing and show no content. */
export function followCache(method: string, path: string): FollowUp | undefined {
  const match = ROUTE.exec(path);
  if (!match || (method !== 'GET' && !(method === 'DELETE' && match[4] !== undefined))) return undefined;
  return { upstreamPath: cachePath(path), reply: 'other' };
}

/** Content to be kept, or a new life for it. What is kept is read like a prompt; its price is that of the input and of its time. */
export function readCache(doc: JsonText, bytes: number, headers: Headers, path = ''): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const [place = '', query = ''] = path.split('?');
  readableReply(query, headers);
  const [, location, object] = RESOURCE.exec(place) ?? [];
  const storedHours = secondsOf(doc) / HOUR_S;
  if (object !== undefined) {
    const bound = { model: '', bytes, choices: 1, outputCap: 0, opaque: ['stored_context'], serverTools: [] };
    return plainReading(doc, { bound: { ...bound, storedHours, anyModel: true }, input: [] });
  }
  const model = (optionalString(body, 'model', '') ?? '').replace(/^.*models\//, '');
  if (model === '') throw badRequest('model', 'must name the model that the content is kept for');
  const route: Route = { model, stream: false, counts: false, location };
  const filled = pickOne(body, 'contents') === undefined ? { ...body, contents: [{ role: 'user', parts: [] }] } : body;
  const reading = readContents({ text: doc.text, value: filled }, bytes, headers, route);
  const bound = { ...reading.bound, choices: 1, outputCap: 0, serverTools: [], storedHours };
  return { ...reading, doc, bound, cap: { at: NO_CAP, floor: 1 }, messages: [], issuedIds: [] };
}

/** How long it is to be kept. A date would need a clock, and the gate's is not the provider's. */
function secondsOf({ value }: JsonText): number {
  if (pickOne(value, 'expireTime') !== undefined)
    throw badRequest('expireTime', 'is not accepted here: what it costs depends on the time left; say `ttl`');
  const ttl = optionalString(value, 'ttl', '');
  if (ttl === undefined) return DEFAULT_S;
  const seconds = /^([0-9]{1,9}(?:\.[0-9]{1,9})?)s$/.exec(ttl)?.[1];
  if (seconds === undefined) throw badRequest('ttl', 'must be a number of seconds such as `3600s`');
  return Number(seconds);
}

/** The cache as it was made. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it is none. */
export function readKept({ value }: JsonText, reading: Reading): ReplyReading {
  const name = asString(member(value, 'name')) ?? '';
  if (!name.includes('cachedContents/'))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no cached content: it has no `name`');
  const servedModel = asString(member(value, 'model'))?.replace(/^.*models\//, '');
  const tokens = asCount(fieldOf(fieldOf(value, 'usageMetadata'), 'totalTokenCount'));
  const made = reading.model !== '';
  const fees = { cache_storage: Math.ceil((tokens ?? 0) * Math.max(reading.bound.storedHours ?? 0, hoursIn(value))) };
  const entry = {
    model: servedModel ?? reading.model,
    leaves: made && tokens !== undefined ? { input: tokens } : {},
    fees,
  };
  const usage = {
    entries: [entry],
    certainty: tokens === undefined ? ('floor' as const) : ('exact' as const),
    // whether the first reading is charged as input is said of one of the two APIs only
    ...(made && { estimated: true }),
  };
  return { usage, servedModel, calls: [], parts: [], text: '', issuedIds: [], mark: modelMark('', []) };
}

/** The life that the reply states, from its last change on. */
function hoursIn(value: JsonText['value']): number {
  const [from, to] = ['updateTime', 'expireTime'].map((name) => Date.parse(asString(fieldOf(value, name)) ?? ''));
  const hours = ((to ?? Number.NaN) - (from ?? Number.NaN)) / (HOUR_S * 1000);
  return Number.isFinite(hours) && hours > 0 ? hours : 0;
}
