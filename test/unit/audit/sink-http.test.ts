import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { http } from '../../../gateway/audit/sinks/http.ts';
import type { JsonObject } from '../../../gateway/domain/json.ts';
import type { SinkEnv } from '../../../gateway/ports/audit-sink.ts';
import type { StoredLine } from '../../../gateway/ports/spool.ts';
import { event } from './entries.ts';

const env: SinkEnv = { stdout: process.stdout };
const never = new AbortController().signal;
const batch: StoredLine[] = [7, 8, 9].map((seq) => ({
  seq,
  hash: 'f'.repeat(64),
  entry: event('e'),
  text: `{"seq":${seq}}`,
}));

interface Seen {
  readonly request: IncomingMessage;
  readonly body: Buffer;
}

async function receiver(answer: (response: ServerResponse, seen: Seen) => void) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({ request, body: Buffer.concat(chunks) });
    answer(response, seen.at(-1) as Seen);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = (more: JsonObject = {}) => {
    const sink = http.open({ type: 'http', url: `${base}/v1/ingest?tenant=a`, ...more }, env);
    onTestFinished(() => sink.close());
    return sink;
  };
  return { seen, base, open };
}

describe('http sink', () => {
  it('posts JSON lines with the bearer and the numbers of the first and last line', async () => {
    const { seen, open } = await receiver((response) => response.writeHead(202).end('{"ok":true}'));
    await open({ bearer: 'tok-1' }).send(batch, never);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.request).toMatchObject({
      method: 'POST',
      url: '/v1/ingest?tenant=a',
      headers: {
        'content-type': 'application/x-ndjson',
        authorization: 'Bearer tok-1',
        'x-tollgate-first-seq': '7',
        'x-tollgate-last-seq': '9',
      },
    });
    expect(seen[0]?.request.headers['content-encoding']).toBeUndefined();
    expect(seen[0]?.body.toString()).toBe('{"seq":7}\n{"seq":8}\n{"seq":9}\n');
  });

  it('uses one connection for one batch after another, and no bearer unless told', async () => {
    const { seen, open } = await receiver((response) => response.end('x'.repeat(5000)));
    const sink = open();
    for (let i = 0; i < 5; i += 1) await sink.send(batch, never);
    expect(new Set(seen.map(({ request }) => request.socket)).size).toBe(1);
    expect(seen[0]?.request.headers.authorization).toBeUndefined();
  });

  it('compresses when told', async () => {
    const { seen, open } = await receiver((response) => response.end());
    await open({ gzip: true }).send(batch, never);
    expect(seen[0]?.request.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(seen[0]?.body as Buffer).toString()).toBe('{"seq":7}\n{"seq":8}\n{"seq":9}\n');
  });

  it('takes nothing but a 2xx for an answer, says what to do, and never repeats the bearer', async () => {
    const told: Record<number, string> = {};
    for (const status of [199, 301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 413, 429, 500, 502, 503]) {
      const { seen, base, open } = await receiver((response) =>
        response.writeHead(status === 199 ? 300 : status, { location: `${base}/elsewhere` }).end('tok-2'),
      );
      const error = await open({ bearer: 'tok-2' })
        .send(batch, never)
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      told[status] = (error as Error).message;
      expect(JSON.stringify([told[status], (error as Error).stack, (error as Error).cause])).not.toContain('tok-2');
      expect(seen.map(({ request }) => request.url)).toEqual(['/v1/ingest?tenant=a']);
    }
    expect(told[302]).toBe(
      'the receiver answered 302, a redirect, which is not followed: set `url` to where it points',
    );
    expect(told[401]).toBe('the receiver answered 401: check `bearer`');
    expect(told[404]).toBe('the receiver answered 404: check `url`');
    expect(told[413]).toBe('the receiver answered 413: let it accept bodies of 1 MB');
    expect(told[500]).toBe('the receiver answered 500');
  });

  it('gives up on a receiver that does not answer, or does not finish its answer, in time', async () => {
    const { open } = await receiver(() => {});
    await expect(open({ timeout_ms: 30 }).send(batch, never)).rejects.toMatchObject({ name: 'TimeoutError' });
    const half = await receiver((response) => void response.writeHead(200, { 'content-length': '100' }).write('part'));
    await expect(half.open({ timeout_ms: 30 }).send(batch, never)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('ends a send that is under way when its signal aborts, and works again after it', async () => {
    let answers = false;
    const { seen, open } = await receiver((response) => void (answers && response.end()));
    const sink = open();
    const stop = new AbortController();
    const sending = sink.send(batch, stop.signal);
    await expect.poll(() => seen.length).toBe(1);
    stop.abort(new Error('stopped'));
    await expect(sending).rejects.toThrow('stopped');
    answers = true;
    await sink.send(batch, never);
    expect(seen).toHaveLength(2);
  });

  it('rejects where nobody listens or the connection breaks', async () => {
    const { open } = await receiver((response) => response.destroy());
    await expect(open().send(batch, never)).rejects.toThrow();
    const gone = http.open({ type: 'http', url: 'http://127.0.0.1:1/' }, env);
    await expect(gone.send(batch, never)).rejects.toThrow('ECONNREFUSED');
    await gone.close();
  });

  it.each<[string, JsonObject, string]>([
    ['no url', {}, '`url`:'],
    ['a relative url', { url: '/ingest' }, '`url`: use an absolute http or https URL'],
    ['another protocol', { url: 'ftp://host/' }, '`url`: use an absolute http or https URL'],
    ['a credential in the url', { url: 'https://me:hunter2@host/' }, '`url`: put the credential into `bearer`'],
    ['an empty bearer', { url: 'https://host/', bearer: '' }, '`bearer`: use a token without white space'],
    [
      'a bearer with a line break',
      { url: 'https://host/', bearer: 'hunter2\n' },
      '`bearer`: use a token without white space',
    ],
    ['no time', { url: 'https://host/', timeout_ms: 0 }, '`timeout_ms`:'],
    [
      'a misspelt option',
      { url: 'https://host/', timeout: 5 },
      '`timeout` is no option of it: use `type`, `name`, `url`',
    ],
  ])('refuses %s, without repeating a value', (_name, options, message) => {
    let error: unknown;
    try {
      http.open({ type: 'http', ...options }, env);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(`audit sink \`http\`: ${message}`);
    expect((error as Error).message).not.toContain('hunter2');
  });
});
