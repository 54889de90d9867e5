import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { chatStream, messageStream } from '../anomaly/scenarios.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { post, rawConnection } from '../support/raw-http.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const DENY = `
policy: tollgate/v1
name: test
default: allow
rules:
  - { id: no-delete, at: pre_tool_call, tools: [bash], when: 'args.command.startsWith("rm ")', verdict: deny, reason: destructive }
`;

async function open(
  answer: Parameters<typeof startUpstream>[0],
  config: Record<string, unknown> = {},
  policy?: string,
): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    ...(policy !== undefined && { policy }),
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'], routes: ['models'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
    config,
  });
}

const PATH = '/run/r/openai/v1/chat/completions';
const ask = (more: object = {}): string =>
  JSON.stringify({ model: 'gpt-4o', max_completion_tokens: 100, messages: [{ role: 'user', content: 'go' }], ...more });
const call = (body: string, path = PATH): Promise<Response> => fetch(gate.url + path, { method: 'POST', body });
/** as the client of a stream that did not ask for usage sees it */
const withoutUsage = (pieces: readonly string[]): string => pieces.filter((p) => !p.includes('"choices":[],')).join('');

describe('a stream of any length', () => {
  it('is not cut however slow it is, and renews its lease', { timeout: 20_000 }, async () => {
    const pieces = chatStream(
      Array.from({ length: 12 }, (_, i) => `word ${i} `),
      [],
    );
    await open(
      async (_r, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const piece of pieces) {
          response.write(piece);
          await sleep(200);
        }
        response.end();
      },
      {
        limits: { lease_s: 0.3, idle_timeout_s: 2, headers_timeout_s: 2, keep_alive_s: 0.5 },
        budgets: [{ scope: 'tenant', limit_usd: 1 }],
      },
    );
    const slow = call(ask({ stream: true })).then((r) => r.text());
    await sleep(1500);
    // five leases later the hold is still open, and its lease lies ahead
    const db = new DatabaseSync(join(gate.folder, 'data', 'tollgate.db'), { readOnly: true });
    const hold = db.prepare('SELECT state, lapses_at FROM holds').get();
    db.close();
    expect(hold).toMatchObject({ state: 0 });
    expect(Number(hold?.['lapses_at'])).toBeGreaterThan(Date.now());
    expect(await slow).toBe(withoutUsage(pieces));
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'completed', certainty: 'exact', cost_usd: '0.0000725' });
    expect((await gate.calls())[0]?.latency_ms).toBeGreaterThan(2500);
  });

  it('is cut only where the upstream falls silent, in its own error form, and the hold is charged', async () => {
    const pieces = chatStream(['one '], []);
    await open(
      (_r, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(pieces[0] as string);
      },
      { limits: { idle_timeout_s: 1 }, budgets: [{ scope: 'tenant', limit_usd: 1 }] },
    );
    const text = await (await call(ask({ stream: true }))).text();
    expect(text.startsWith(pieces[0] as string)).toBe(true);
    expect(text).toContain('"code":"TG_UPSTREAM_TIMEOUT"');
    const [sealed] = await gate.sealed(1);
    expect(sealed).toMatchObject({ ending: 'upstream_broke', fault: 'TG_UPSTREAM_TIMEOUT' });
    expect(Number(sealed?.cost_usd)).toBeGreaterThan(0.001);
  });

  it('that never says more than its head ends as a timeout in the language of the caller', async () => {
    await open((_r, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(), {
      limits: { idle_timeout_s: 1 },
    });
    const text = await (
      await call(
        JSON.stringify({
          model: 'claude-sonnet-4-5',
          max_tokens: 50,
          stream: true,
          messages: [{ role: 'user', content: 'go' }],
        }),
        '/anthropic/v1/messages',
      )
    ).text();
    expect(text).toMatch(/^event: error\ndata: \{"type":"error"/);
  });

  it('arrives byte for byte, however small the pieces and wherever characters are split', async () => {
    const texts = ['grüß dich, ', '日本語の', '🦊🚀 ', 'ende'];
    const bytes = Buffer.from(chatStream(texts, ['ls']).join(''));
    await open(
      async (_r, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let i = 0; i < bytes.length; i += 1) {
          response.write(bytes.subarray(i, i + 1));
          if (i % 64 === 0) await sleep(0);
        }
        response.end();
      },
      {},
      DENY,
    );
    const text = await (await call(ask({ stream: true, stream_options: { include_usage: true } }))).text();
    expect(text).toBe(bytes.toString());
  });
});

describe('held tool calls', () => {
  it('stay hidden in 100 parallel streams, with signs of life while they are held', { timeout: 20_000 }, async () => {
    await open(
      async (request, response) => {
        const chat = request.url.includes('chat');
        const pieces = (chat ? chatStream : messageStream)(['On it. '], ['ls', 'rm -rf /srv']);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const pause = pieces.findIndex((p) => p.includes('"t1"')) + 1;
        for (const [i, piece] of pieces.entries()) {
          if (i === pause) await sleep(700);
          response.write(piece);
        }
        response.end();
      },
      { limits: { keep_alive_s: 0.2 } },
      DENY,
    );
    const claude = JSON.stringify({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      stream: true,
      messages: [{ role: 'user', content: 'go' }],
    });
    const texts = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const response = await (i % 2 === 0
          ? call(ask({ stream: true }), `/run/r${i}/openai/v1/chat/completions`)
          : call(claude, `/run/r${i}/anthropic/v1/messages`));
        return response.text();
      }),
    );
    for (const [i, text] of texts.entries()) {
      expect(text).not.toContain('rm -rf');
      expect(text).toContain('ls');
      expect(text).toContain('test/no-delete');
      expect(text).toMatch(i % 2 === 0 ? /^: /m : /event: ping|^: /m);
      expect(text).toMatch(i % 2 === 0 ? /data: \[DONE\]\n\n$/ : /event: message_stop\n.*\n\n$/);
    }
    const calls = await gate.sealed(100);
    expect(
      calls.filter((c) => c.actions.some((a) => a.decision === 'deny' && a.rule === 'test/no-delete')),
    ).toHaveLength(100);
  });
});

describe('what the door makes of unusual requests', () => {
  const answer = (): Parameters<typeof startUpstream>[0] => (_r, response) =>
    json(response, 200, completion({ content: 'hi' }, undefined, 'gpt-4o'));

  it('answers a probe without a call', async () => {
    await open(answer());
    const probe = await fetch(gate.url, { method: 'HEAD' });
    expect([probe.status, await probe.text()]).toEqual([200, '']);
    expect(await gate.calls()).toEqual([]);
  });

  it('refuses an upgrade with 501 and the reason', async () => {
    await open(answer());
    const raw = rawConnection(gate.url);
    raw.socket.write(
      `GET ${PATH} HTTP/1.1\r\nhost: gate\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n`,
    );
    await raw.closed;
    expect(raw.text()).toMatch(/^HTTP\/1.1 501 .*"code":"TG_UPGRADE_REFUSED"/s);
    expect(upstream.received).toEqual([]);
  });

  it('refuses a body beyond the limit with 413, announced or not, and records it', async () => {
    await open(answer(), { limits: { request_mb: 0.01 } });
    const big = ask({ metadata: { x: 'y'.repeat(20_000) } });
    const announced = await call(big);
    expect([announced.status, ((await announced.json()) as { error: { code: string } }).error.code]).toEqual([
      413,
      'TG_TOO_LARGE',
    ]);
    const raw = rawConnection(gate.url);
    raw.socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: gate\r\ntransfer-encoding: chunked\r\n\r\n${big.length.toString(16)}\r\n${big}\r\n`,
    );
    await raw.until(/^HTTP\/1.1 413 .*TG_TOO_LARGE/s);
    raw.socket.destroy();
    expect((await gate.sealed(2)).map((c) => c.fault)).toEqual(['TG_TOO_LARGE', 'TG_TOO_LARGE']);
    expect(upstream.received).toEqual([]);
  });

  it('takes a body in chunks, slowly, and after a 100-continue', async () => {
    await open(answer());
    const body = ask();
    const raw = rawConnection(gate.url);
    raw.socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: gate\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    await raw.until(/^HTTP\/1.1 100 Continue\r\n\r\n/);
    for (const char of body) {
      raw.socket.write(`1\r\n${char}\r\n`);
      await sleep(1);
    }
    raw.socket.write('0\r\n\r\n');
    await raw.until(/HTTP\/1.1 200 OK.*"content":"hi"/s);
    raw.socket.destroy();
    expect(upstream.received.map((r) => r.text)).toEqual([body]);
  });

  it('answers pipelined requests in order', async () => {
    await open(async (request, response) => {
      const content = (request.body as { messages: { content: string }[] }).messages[0]?.content as string;
      await sleep(content === 'first' ? 100 : 0);
      json(response, 200, completion({ content: `echo ${content}` }, undefined, 'gpt-4o'));
    });
    const raw = rawConnection(gate.url);
    const say = (content: string): string => post(PATH, ask({ messages: [{ role: 'user', content }] }));
    raw.socket.write(say('first') + say('second') + say('third'));
    const text = await raw.until(/echo third/);
    expect([...text.matchAll(/echo (\w+)/g)].map((m) => m[1])).toEqual(['first', 'second', 'third']);
    raw.socket.destroy();
    expect(await gate.sealed(3)).toHaveLength(3);
  });

  it('never writes a second answer into one that is under way', async () => {
    const pieces = chatStream(['one '], []);
    let more: () => void = () => {};
    await open(async (_r, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(pieces[0] as string);
      await new Promise<void>((resolve) => (more = resolve));
      response.end(pieces.slice(1).join(''));
    });
    const raw = rawConnection(gate.url);
    raw.socket.write(post(PATH, ask({ stream: true })));
    await raw.until(/"role":"assistant"/);
    raw.socket.write('\u0000\u0001 this is no HTTP\r\n\r\n');
    await raw.closed;
    more();
    expect(raw.text().match(/HTTP\/1.1/g)).toHaveLength(1);
    expect((await gate.sealed(1))[0]?.ending).toBe('client_left');
  });

  it('says 400 to what is no HTTP and 431 to endless headers', async () => {
    await open(answer());
    const junk = rawConnection(gate.url);
    junk.socket.write('this is no HTTP\r\n\r\n');
    await junk.closed;
    expect(junk.text()).toMatch(/^HTTP\/1.1 400 /);
    const long = rawConnection(gate.url);
    long.socket.write(`GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`);
    await long.closed;
    expect(long.text()).toMatch(/^HTTP\/1.1 431 /);
  });

  it('lets no header be injected through labels, queries or an upstream', async () => {
    await open((_r, response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-tollgate-decision': 'forged',
        'x-tollgate-call': 'forged',
        'x-tollgate-clamped': '1',
      });
      response.end(JSON.stringify(completion({ content: 'hi' }, undefined, 'gpt-4o')));
    });
    const label = encodeURIComponent('a\r\nx-evil: 1');
    const response = await call(ask(), `/run/${label}/openai/v1/chat/completions?x=%0d%0ax-evil:%201`);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-evil')).toBeNull();
    expect(response.headers.get('x-tollgate-run')).toMatch(/^h-[0-9a-f]{24}$/);
    expect(response.headers.get('x-tollgate-decision')).toBe('allow');
    expect(response.headers.get('x-tollgate-call')).toMatch(/^call_/);
    expect(response.headers.get('x-tollgate-clamped')).toBeNull();
    expect(upstream.received[0]?.headers['x-evil']).toBeUndefined();
  });

  it('refuses two different lengths, or a length beside chunks', async () => {
    await open(answer());
    const body = ask();
    for (const extra of [`content-length: ${body.length + 5}\r\n`, 'transfer-encoding: chunked\r\n']) {
      const raw = rawConnection(gate.url);
      raw.socket.write(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\ncontent-length: ${body.length}\r\n${extra}\r\n${body}`);
      await raw.closed;
      expect(raw.text()).toMatch(/^HTTP\/1.1 400 /);
    }
    expect(upstream.received).toEqual([]);
  });
});
