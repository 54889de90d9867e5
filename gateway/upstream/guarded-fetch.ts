import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import { Fault } from '../domain/fault.ts';
import type { GuardedAnswer, GuardedFetch, GuardedRequest } from '../ports/guarded-fetch.ts';
import { isLoopbackAddress, isPublicAddress } from './public-address.ts';

export interface GuardOptions {
  /** lets http and https reach the loopback addresses: for development, and only where somebody configured it */
  readonly allowLoopback?: boolean | undefined;
  /** `host` or `host:port` that the operator named himself: may have a private address; https stays */
  readonly trusted?: readonly string[] | undefined;
  readonly maxBytes?: number | undefined;
  /** for everything: name, connection, answer */
  readonly timeoutMs?: number | undefined;
  /** all addresses of a name */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 10_000;

const addressesOf = async (host: string): Promise<readonly string[]> =>
  (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

const refusal = (url: URL, why: string, cause?: unknown): Fault =>
  new Fault('TG_UPSTREAM_UNREACHABLE', `\`${url.host}\` is not asked: ${why}`, cause);

function parse(text: string): URL {
  if (!URL.canParse(text))
    throw new Fault('TG_UPSTREAM_UNREACHABLE', 'a document is not fetched: its address is no URL');
  return new URL(text);
}

/** One address that may be connected to. Every address of the name must be allowed: a name with a private one beside it is a trap. */
async function addressFor(url: URL, options: GuardOptions): Promise<string> {
  const { allowLoopback = false, trusted = [], lookup = addressesOf } = options;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.username !== '' || url.password !== '') throw refusal(url, 'its URL holds a name or password');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowLoopback))
    throw refusal(url, 'its URL is not https');
  let addresses: readonly string[];
  try {
    addresses = isIP(host) === 0 ? await lookup(host) : [host];
  } catch (error) {
    throw refusal(url, `its name cannot be resolved (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, error);
  }
  const [first] = addresses;
  if (first === undefined) throw refusal(url, 'its name has no address');
  const known = trusted.includes(url.host) || trusted.includes(url.hostname);
  for (const address of addresses) {
    if (allowLoopback && isLoopbackAddress(address)) continue;
    if (url.protocol !== 'https:') throw refusal(url, 'its URL is not https, and it is not on this machine');
    if (!known && !isPublicAddress(address)) throw refusal(url, 'its address is not public');
  }
  return first;
}

async function readBounded(url: URL, body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw refusal(url, `its answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function ask(
  url: URL,
  client: Client,
  request: GuardedRequest,
  limit: number,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const { method, headers = {}, body = null } = request;
  const path = `${url.pathname}${url.search}`;
  const sent = { accept: 'application/json', ...headers, 'accept-encoding': 'identity' };
  const options: Dispatcher.RequestOptions = { path, method, headers: sent, body, signal };
  const answer = await client.request(options);
  if (answer.statusCode >= 300 && answer.statusCode < 400)
    throw refusal(url, 'it redirects, and redirects are not followed');
  const coding = answer.headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity')
    throw refusal(url, 'its answer is compressed, which was not asked for');
  return { status: answer.statusCode, headers: answer.headers, body: await readBounded(url, answer.body, limit) };
}

/** Fetches what peers name, and nothing inside the network this gate stands in. See the port for what it refuses. */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { maxBytes = MAX_BYTES, timeoutMs = TIMEOUT_MS } = options;
  return async (text, request = { method: 'GET' }) => {
    const url = parse(text);
    const late = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([request.signal, late]) : late;
    let client: Client | undefined;
    try {
      const address = await abortable(addressFor(url, options), signal);
      // the name was resolved above, once: what a second answer of its name server says does not matter
      const family = isIP(address);
      client = new Client(url.origin, {
        connect: {
          lookup: (_host, wanted, done) =>
            wanted.all ? done(null, [{ address, family }]) : done(null, address, family),
        },
        connectTimeout: timeoutMs,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      });
      return await ask(url, client, request, maxBytes, signal);
    } catch (error) {
      if (error instanceof Fault) throw error;
      if (late.aborted) throw refusal(url, `it did not answer within ${timeoutMs} ms`, error);
      request.signal?.throwIfAborted();
      const code = (error as NodeJS.ErrnoException).code;
      throw new Fault(
        'TG_UPSTREAM_UNREACHABLE',
        `\`${url.host}\` cannot be reached${code === undefined ? '' : ` (${code.toLowerCase()})`}`,
        error,
      );
    } finally {
      await client?.destroy();
    }
  };
}

/** `work`, unless the signal aborts first; what it comes to then is of no interest. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
