import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { SealEntry } from '../../gateway/domain/receipt.ts';
import { startTestGate, type TestGate, type TestGateOptions } from '../support/gate.ts';
import { readStore, receiptsOf } from '../support/store.ts';
import { json, message, type Received, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

type Answer = (request: Received, response: ServerResponse) => void;

async function open(answer: Answer, options: Partial<TestGateOptions> = {}): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-responses'] },
      anthropic: {
        base_url: upstream.url,
        dialects: ['anthropic-messages'],
        credential: { header: 'x-api-key', value: 'k' },
      },
    },
    config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 5 }] },
    ...options,
  });
}

const MODEL = 'claude-haiku-4-5';
const BATCH = {
  requests: ['a', 'b'].map((custom_id) => ({
    custom_id,
    params: { model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: custom_id }] },
  })),
};
const made = {
  id: 'msgbatch_1',
  type: 'message_batch',
  processing_status: 'in_progress',
  request_counts: {},
  results_url: null,
};
const line = (custom_id: string, type = 'succeeded'): string => {
  const usage = { input_tokens: 1000, output_tokens: 50, service_tier: 'batch' };
  return `${JSON.stringify({ custom_id, result: { type, message: message([{ type: 'text', text: custom_id }], usage, MODEL) } })}\n`;
};

const call = (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> =>
  fetch(gate.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
const RESULTS = '/anthropic/v1/messages/batches/msgbatch_1/results';
const create = (headers?: Record<string, string>): Promise<Response> =>
  call('POST', '/anthropic/v1/messages/batches', BATCH, headers);

const store = <T>(read: (db: DatabaseSync) => T): Promise<T> => readStore(gate, read);
const receipts = (): Promise<SealEntry[]> => receiptsOf(gate);
const waiting = (): Promise<number> =>
  store((db) => Number(db.prepare('SELECT count(*) AS n FROM deferrals WHERE settled = 0').get()?.['n']));

describe('results of a batch', () => {
  const lines = (response: ServerResponse, texts: readonly string[], end: 'end' | 'destroy' = 'end'): void => {
    response.writeHead(200, { 'content-type': 'application/x-jsonl' });
    for (const text of texts) response.write(text);
    setTimeout(() => response[end](), 50);
  };

  it('that break off charge nothing yet, and the caller does not take them for whole', async () => {
    let whole = false;
    await open((request, response) => {
      if (request.method === 'POST') json(response, 200, made);
      else if (whole) lines(response, [line('a'), line('b')]);
      else lines(response, [line('a'), line('b').slice(0, 20)], 'destroy');
    });
    await create();
    const broken = await call('GET', RESULTS);
    await expect(broken.text()).rejects.toThrow();
    expect(await waiting()).toBe(1);
    whole = true;
    expect((await (await call('GET', RESULTS)).text()).split('\n')).toHaveLength(3);
    expect(await waiting()).toBe(0);
    expect((await receipts()).filter(({ settles }) => settles)).toMatchObject([
      { cost_usd: '0.00125', certainty: 'exact' },
    ]);
  });

  it('of a kind nobody knows are withheld, and the hold stays the bound', async () => {
    await open((request, response) =>
      request.method === 'POST' ? json(response, 200, made) : lines(response, [line('a'), line('b', 'reimagined')]),
    );
    await create();
    const [first, second] = (await (await call('GET', RESULTS)).text()).split('\n');
    expect(first).toContain('"succeeded"');
    expect(second).toContain('"errored"');
    expect(second).not.toContain('"reimagined"');
    expect(await waiting()).toBe(1);
  });

  it('that are no JSON break off', async () => {
    await open((request, response) =>
      request.method === 'POST' ? json(response, 200, made) : lines(response, [line('a'), 'not json\n']),
    );
    await create();
    await expect(call('GET', RESULTS).then((reply) => reply.text())).rejects.toThrow();
    expect(await waiting()).toBe(1);
  });

  it('that the provider refuses cost nothing and change nothing', async () => {
    await open((request, response) =>
      request.method === 'POST'
        ? json(response, 200, made)
        : json(response, 404, { type: 'error', error: { type: 'not_found_error' } }),
    );
    await create();
    expect((await call('GET', RESULTS)).status).toBe(404);
    expect(await waiting()).toBe(1);
  });

  it('belong to the tenant that began the batch', async () => {
    await open(
      (request, response) =>
        request.method === 'POST' ? json(response, 200, made) : lines(response, [line('a'), line('b')]),
      { config: { access: 'keys' } },
    );
    const bin = join(import.meta.dirname, '../../bin/tollgate.mjs');
    const key = async (tenant: string): Promise<Record<string, string>> => {
      const args = [
        'keys',
        'create',
        '--tenant',
        tenant,
        '--agent',
        'bot',
        '--config',
        join(gate.folder, 'tollgate.yaml'),
      ];
      const { stdout } = await promisify(execFile)(process.execPath, [bin, ...args]);
      return { 'x-api-key': /tg_\S+/.exec(stdout)?.[0] ?? '' };
    };
    const [red, blue] = [await key('red'), await key('blue')];
    expect((await create(red)).status).toBe(200);
    const refused = await call('GET', RESULTS, undefined, blue);
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('begun by another tenant');
    expect(upstream.received).toHaveLength(1);
    expect((await call('GET', RESULTS, undefined, red)).status).toBe(200);
    expect((await call('GET', RESULTS)).status).toBe(401);
  });
});

describe('a batch', () => {
  it.each([
    ['without requests', { requests: [] }, 'requests'],
    ['with a request that has no name', { requests: [{ params: {} }] }, 'requests[0].custom_id'],
    [
      'with a request that is none',
      { requests: [BATCH.requests[0], { custom_id: 'x', params: { model: MODEL } }] },
      'requests[1].params.max_tokens',
    ],
  ])('%s is refused by field', async (_name, body, field) => {
    await open((_request, response) => json(response, 200, made));
    const reply = await call('POST', '/anthropic/v1/messages/batches', body);
    expect(reply.status).toBe(400);
    expect(await reply.text()).toContain(`\`${field}\``);
  });

  it('that no budget has room for is refused whole', async () => {
    await open((_request, response) => json(response, 200, made), {
      config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: '0.001' }] },
    });
    expect((await create()).status).toBe(402);
    expect(upstream.received).toHaveLength(0);
  });

  it('that the provider refuses holds nothing', async () => {
    await open((_request, response) =>
      json(response, 400, { type: 'error', error: { type: 'invalid_request_error' } }),
    );
    expect((await create()).status).toBe(400);
    expect(await waiting()).toBe(0);
    expect(await store((db) => db.prepare('SELECT spent, held FROM accounts').get())).toMatchObject({
      spent: 0,
      held: 0,
    });
  });
});

describe('a background response that is streamed', () => {
  const response = (status: string, usage: object | null) => ({
    id: 'resp_1',
    object: 'response',
    status,
    model: 'gpt-4o-mini',
    output: [],
    usage,
  });
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  const event = (type: string, more: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;

  it('goes on when its reader leaves, and is charged when the rest is read', async () => {
    await open(
      (request, reply) => {
        reply.writeHead(200, { 'content-type': 'text/event-stream' });
        reply.write(event('response.created', { response: response('in_progress', null) }));
        if (request.method === 'GET')
          reply.end(event('response.completed', { response: response('completed', usage) }));
      },
      { config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 5 }], limits: { on_abort: 'cancel' } } },
    );
    const leave = new AbortController();
    const begun = await call(
      'POST',
      '/openai/v1/responses',
      { model: 'gpt-4o-mini', input: 'go', background: true, stream: true },
      {},
      leave.signal,
    );
    await begun.body?.getReader().read();
    leave.abort();
    await gate.sealed(1);
    expect(await receipts()).toMatchObject([{ ending: 'client_left', cost_usd: '0', deferred: { object: 'resp_1' } }]);
    const rest = await call('GET', '/openai/v1/responses/resp_1?stream=true&starting_after=1');
    expect(await rest.text()).toContain('response.completed');
    expect(upstream.received.at(-1)?.url).toBe('/v1/responses/resp_1?stream=true&starting_after=1');
    expect(await waiting()).toBe(0);
    expect((await receipts()).filter(({ settles }) => settles)).toMatchObject([{ cost_usd: '0.00021' }]);
  });
});
