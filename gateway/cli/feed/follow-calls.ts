import { setTimeout as wait } from 'node:timers/promises';
import { SseSplitter, sseFields } from '../../dialects/_shared/sse.ts';
import type { Call } from './call.ts';

export interface FollowOptions {
  /** only this run's calls */
  readonly run?: string | undefined;
  /** how many of the newest calls to tell first; 0 unless told */
  readonly backlog?: number | undefined;
  /** the stream is open: calls from now on are told */
  readonly onOpen?: (() => void) | undefined;
  /** the stream broke and is opened again after `ms` */
  readonly onRetry?: ((error: Error, ms: number) => void) | undefined;
}

/** The server pings every 15 s; a stream that is silent for longer is dead. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
/** Calls asked for again after a break, and ids remembered so that none is told twice. */
const CATCH_UP = 1000;

/** An answer of the office that no retry mends. */
class Hopeless extends Error {}

/**
 * Every call of a running gate as it ends, oldest first, each once, until `signal` aborts. A stream that breaks is opened again and
 * what was missed is asked for. Throws an Error where nothing answers at the first try, or something other than an office does.
 */
export async function* followCalls(
  officeUrl: string,
  signal: AbortSignal,
  options: FollowOptions = {},
): AsyncGenerator<Call, void, void> {
  const told = new Told();
  let everOpen = false;
  let pause = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      for await (const call of oneStream(officeUrl, signal, options, told, everOpen)) {
        if (call === 'open') {
          everOpen = true;
          pause = FIRST_WAIT_MS;
          options.onOpen?.();
        } else if (told.add(call)) yield call;
      }
      throw new Error('the office closed the stream');
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof Error ? error : new Error(String(error));
      if (failure instanceof Hopeless) throw failure;
      if (!everOpen)
        throw new Error(`no gate answers at \`${officeUrl}\`: start one with \`tollgate serve\``, { cause: failure });
      options.onRetry?.(failure, pause);
      await wait(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_WAIT_MS);
    }
  }
}

/** Which calls were told already; bounded. */
class Told {
  readonly #ids = new Set<string>();
  /** the newest call before the first stream opened: what follows it is ours to tell */
  since: string | undefined;

  add({ id }: Call): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > 2 * CATCH_UP) this.#ids.delete(this.#ids.values().next().value as string);
    return true;
  }

  knows(id: string): boolean {
    return id === this.since || this.#ids.has(id);
  }
}

/** One connection: `open` once it stands, what was missed or asked for, then calls as they come. */
async function* oneStream(
  officeUrl: string,
  signal: AbortSignal,
  { run, backlog = 0 }: FollowOptions,
  told: Told,
  again: boolean,
): AsyncGenerator<Call | 'open', void, void> {
  const silence = new AbortController();
  const both = AbortSignal.any([signal, silence.signal]);
  const timer = setTimeout(() => silence.abort(new Error('the office fell silent')), SILENCE_MS);
  try {
    const stream = await ask(callsUrl(officeUrl, run), both, 'text/event-stream');
    const limit = again ? CATCH_UP : Math.max(1, Math.min(backlog, CATCH_UP));
    const { calls } = (await (await ask(callsUrl(officeUrl, run, limit), both, 'application/json')).json()) as {
      calls: Call[];
    };
    if (!again && backlog === 0) told.since = calls[0]?.id;
    yield 'open';
    if (again) yield* missed(calls, told);
    else if (backlog > 0) yield* calls.toReversed();
    const splitter = new SseSplitter();
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) {
      timer.refresh();
      for (const event of splitter.push(chunk)) {
        const { event: name, data } = sseFields(decoder.decode(event));
        if (name === 'call' && data !== undefined) yield JSON.parse(data) as Call;
      }
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** Of a newest-first list, what stands before the first call that is known, oldest first. */
function missed(calls: readonly Call[], told: Told): Call[] {
  const known = calls.findIndex(({ id }) => told.knows(id));
  return (known === -1 ? [...calls] : calls.slice(0, known)).toReversed();
}

function callsUrl(officeUrl: string, run: string | undefined, limit?: number): URL {
  const url = new URL('/api/calls', officeUrl);
  if (run !== undefined) url.searchParams.set('run', run);
  if (limit !== undefined) url.searchParams.set('limit', String(limit));
  return url;
}

async function ask(url: URL, signal: AbortSignal, accept: string): Promise<Response> {
  const response = await fetch(url, { headers: { accept }, signal, redirect: 'error' });
  const type = response.headers.get('content-type') ?? '';
  if (response.ok && type.startsWith(accept)) return response;
  await response.body?.cancel();
  const said = response.ok
    ? `answered \`${type || 'nothing'}\` instead of \`${accept}\``
    : `answered ${response.status}`;
  const message = `\`${url.origin}\` ${said}: is it the office door of a tollgate?`;
  throw response.status >= 500 ? new Error(message) : new Hopeless(message);
}
