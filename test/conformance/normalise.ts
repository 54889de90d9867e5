import type { Check } from './suites.ts';

/** Of one connection, or written by whoever stands at its end; they differ between any two runs. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'content-encoding',
  'date',
  'host',
  'accept-encoding',
]);
/** Members that hold a handle of whoever is asked: the fixture's own, or ours around it. */
const HANDLES = new Set(['mcp-session-id', 'sessionId', 'sessionIdSent', 'requestState']);

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const EVENT = /<uuid>::\d{15}_<uuid>/g;
const ENDPOINT = /https?:\/\/(?:localhost|127\.0\.0\.1):\d+(?:\/mcp(?:\/everything)?\b)?/g;
const HOST = /\b(?:localhost|127\.0\.0\.1):\d+/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const DURATION = /\b\d+(?:\.\d+)? ?ms\b/g;
const OWN_ID = /\b(?:call|run|appr)_[0-9a-z]{26}\b/g;
/** Times that somebody measured. */
const MEASURED = new Set(['actualDelayMs']);
/** A moment in milliseconds of this century: clients use it as an id. */
const isMoment = (value: number): boolean => Number.isInteger(value) && value > 1.7e12 && value < 4.1e12;

function text(value: string): string {
  return value
    .replace(UUID, '<uuid>')
    .replace(EVENT, '<event>')
    .replace(ENDPOINT, '<endpoint>')
    .replace(HOST, '<host>')
    .replace(TIME, '<time>')
    .replace(DURATION, '<duration>')
    .replace(OWN_ID, '<own-id>');
}

function value(given: unknown, name: string): unknown {
  if (typeof given === 'string') return HANDLES.has(name) ? '<handle>' : text(given);
  if (typeof given === 'number') return MEASURED.has(name) ? '<duration>' : isMoment(given) ? '<moment>' : given;
  if (Array.isArray(given)) return given.map((item) => value(item, ''));
  if (typeof given !== 'object' || given === null) return given;
  const members = Object.entries(given).filter(([key]) => !(name === 'headers' && CONNECTION_HEADERS.has(key)));
  return Object.fromEntries(members.map(([key, item]) => [key, value(item, key)]));
}

/** A check without what differs between any two runs: addresses, ids, moments, connection headers, handles. */
export function normalise(check: Check): Readonly<Record<string, unknown>> {
  const { timestamp: _, ...rest } = check;
  return value(rest, '') as Readonly<Record<string, unknown>>;
}
