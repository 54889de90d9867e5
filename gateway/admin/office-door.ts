import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Calls } from '../ports/calls.ts';
import type { Spool } from '../ports/spool.ts';
import { streamCalls } from './live-calls.ts';
import { callView, runSummaryView, runView } from './views.ts';

export interface OfficeOptions {
  readonly calls: Calls;
  readonly spool: Spool;
  readonly scrape: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** why the gate is not ready; empty: it is */
  readonly unready: () => readonly string[];
  /** hosts that a browser may name; a foreign one is a rebinding attack */
  readonly hosts: readonly string[];
  readonly onError: (error: unknown) => void;
}

const DEFAULT_LIMIT = 50;
const MOST = 1000;

/** The office door: health, metrics and read-only views. It changes nothing, and nothing here reaches an upstream. */
export function openOfficeDoor(options: OfficeOptions): Server {
  return createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.onError(error);
      if (!response.headersSent)
        json(response, 500, { error: { code: 'TG_INTERNAL', message: 'the office failed; see the log' } });
      else response.destroy();
    });
  });
}

async function answer(options: OfficeOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://office');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return json(response, 405, problem('TG_METHOD', 'the office answers GET only'));
  if (url.pathname === '/healthz') return json(response, 200, { status: 'ok' });
  if (url.pathname === '/readyz') {
    const reasons = options.unready();
    return json(response, reasons.length === 0 ? 200 : 503, {
      status: reasons.length === 0 ? 'ready' : 'not ready',
      reasons,
    });
  }
  if (!knownHost(options.hosts, request.headers.host))
    return json(response, 403, problem('TG_BAD_REQUEST', 'this Host is not served here; add it to `office.hosts`'));
  if (!ownOrigin(request))
    return json(response, 403, problem('TG_FOREIGN_ORIGIN', 'web pages of another origin may not read the office'));
  if (url.pathname === '/metrics') {
    const { contentType, body } = await options.scrape();
    response.writeHead(200, { 'content-type': contentType });
    response.end(body);
    return;
  }
  return api(options, url, request, response);
}

function api({ calls, spool }: OfficeOptions, url: URL, request: IncomingMessage, response: ServerResponse): void {
  const run = url.searchParams.get('run') ?? undefined;
  if (url.pathname === '/api/calls') {
    if (request.headers.accept?.includes('text/event-stream')) return streamCalls(response, spool, run);
    const limit = limitOf(url);
    if (limit === undefined)
      return json(response, 400, problem('TG_BAD_REQUEST', `\`limit\` is a whole number from 1 to ${MOST}`));
    return json(response, 200, { calls: calls.list({ run, limit }).map(callView) });
  }
  if (url.pathname === '/api/runs') {
    const limit = limitOf(url);
    if (limit === undefined)
      return json(response, 400, problem('TG_BAD_REQUEST', `\`limit\` is a whole number from 1 to ${MOST}`));
    return json(response, 200, { runs: calls.runs(limit).map(runSummaryView) });
  }
  const id = /^\/api\/runs\/([^/]+)$/.exec(url.pathname)?.[1];
  const found = id === undefined ? undefined : calls.run(decodeURIComponent(id));
  if (found) return json(response, 200, runView(found));
  const message =
    id === undefined
      ? `nothing is at \`${url.pathname}\`; see /api/calls, /api/runs, /metrics, /healthz, /readyz`
      : `no run \`${id}\` is recorded here`;
  return json(response, 404, problem('TG_UNKNOWN_ROUTE', message));
}

function limitOf(url: URL): number | undefined {
  const text = url.searchParams.get('limit');
  if (text === null) return DEFAULT_LIMIT;
  const limit = Number(text);
  return Number.isInteger(limit) && limit >= 1 && limit <= MOST ? limit : undefined;
}

/** Loopback names and the configured ones; a page on another site must not read the office through DNS. */
function knownHost(hosts: readonly string[], host: string | undefined): boolean {
  const name = (host ?? '').replace(/:[0-9]+$/, '');
  return ['localhost', '127.0.0.1', '[::1]', ...hosts].includes(name) || /^127\./.test(name);
}

/** True where no web page asks, or one that came from here. */
function ownOrigin({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}

const problem = (code: string, message: string) => ({ error: { code, message } });

function json(response: ServerResponse, status: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
