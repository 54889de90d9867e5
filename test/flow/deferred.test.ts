import type { DatabaseSync } from 'node:sqlite';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
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

const MODEL = 'claude-haiku-4-5';
const params = (text: string, more: object = {}) => ({
  model: MODEL,
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: text }],
  ...more,
});
const BUDGETS = { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 5 }] };

async function open(
  answer: Parameters<typeof startUpstream>[0],
  options: Partial<TestGateOptions> = {},
): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({ upstreams: upstreams(), config: BUDGETS, ...options });
}

const upstreams = () => ({
  openai: { base_url: upstream.url, dialects: ['openai-responses'] },
  anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
});

const anthropic = (): Anthropic =>
  new Anthropic({ baseURL: `${gate.url}/run/r1/anthropic`, apiKey: 'sk-ant-own', maxRetries: 0 });
const openai = (): OpenAI => new OpenAI({ baseURL: `${gate.url}/run/r1/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });

const counts = (more: object = {}) => ({ processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0, ...more });
const batch = (status: string, more: object = {}) => ({
  id: 'msgbatch_1',
  type: 'message_batch',
  processing_status: status,
  request_counts: counts({ processing: 2 }),
  created_at: '2026-11-22T00:00:00Z',
  expires_at: '2026-11-23T00:00:00Z',
  ended_at: null,
  archived_at: null,
  cancel_initiated_at: null,
  results_url: status === 'ended' ? 'https://api.anthropic.com/v1/messages/batches/msgbatch_1/results' : null,
  ...more,
});
const answered = (id: string, text: string, output: number) => ({
  custom_id: id,
  result: {
    type: 'succeeded',
    message: message(
      [{ type: 'text', text }],
      { input_tokens: 1000, output_tokens: output, service_tier: 'batch' } as never,
      MODEL,
    ),
  },
});

/** A provider of batches whose state the test sets. */
function provider(state: { status: object; lines: readonly object[] }) {
  return (request: Received, response: import('node:http').ServerResponse): void => {
    if (request.url.endsWith('/results')) {
      response.writeHead(200, { 'content-type': 'application/x-jsonl' });
      const text = state.lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      // cut anywhere: lines do not come as chunks
      for (let i = 0; i < text.length; i += 37) response.write(text.slice(i, i + 37));
      response.end();
    } else if (request.method === 'POST' && request.url === '/v1/messages/batches')
      json(response, 200, batch('in_progress'));
    else if (request.method === 'DELETE') json(response, 200, { id: 'msgbatch_1', type: 'message_batch_deleted' });
    else if (request.url.startsWith('/v1/messages/batches?') || request.url === '/v1/messages/batches')
      json(response, 200, { data: [state.status], has_more: false, first_id: 'msgbatch_1', last_id: 'msgbatch_1' });
    else json(response, 200, state.status);
  };
}

const store = <T>(read: (db: DatabaseSync) => T): Promise<T> => readStore(gate, read);
const receipts = (): Promise<SealEntry[]> => receiptsOf(gate);

const tenant = (): Promise<{ spent: bigint; held: bigint }> =>
  store((db) => {
    const row = db.prepare("SELECT spent, held FROM accounts WHERE id LIKE 'tenant:%'").get();
    return { spent: BigInt((row?.['spent'] as number) ?? 0), held: BigInt((row?.['held'] as number) ?? 0) };
  });

const REQUESTS = [
  { custom_id: 'a', params: params('first') },
  { custom_id: 'b', params: params('second') },
];

describe('counting tokens', () => {
  it('is judged like the message, costs nothing and is recorded', async () => {
    await open((_request, response) => json(response, 200, { input_tokens: 14 }));
    const { max_tokens: _, ...body } = params('how long am I?');
    expect(await anthropic().messages.countTokens(body)).toEqual({ input_tokens: 14 });
    expect(upstream.received[0]?.url).toBe('/v1/messages/count_tokens');
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ model: MODEL, ending: 'completed', cost_usd: '0', cost_status: 'exact' });
    expect(call?.actions.map(({ point }) => point)).toEqual([
      'agent_startup',
      'input',
      'pre_model_call',
      'post_model_call',
    ]);
  });

  it('is no step of its run', async () => {
    await open((request, response) =>
      json(
        response,
        200,
        request.url.endsWith('count_tokens') ? { input_tokens: 14 } : message([{ type: 'text', text: 'hi' }]),
      ),
    );
    const { max_tokens: _, ...body } = params('how long am I?');
    await anthropic().messages.countTokens(body);
    await anthropic().messages.create(params('how long am I?'));
    await anthropic().messages.countTokens(body);
    const calls = await gate.sealed(3);
    expect(calls.map(({ step }) => step)).toEqual([0, 1, 0]);
    expect(calls.map(({ actions }) => actions[0]?.point)).toEqual(['agent_startup', 'agent_startup', 'input']);
  });

  it('is refused where the message would be', async () => {
    const policy = `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - id: no-cats\n    at: input\n    when: text.contains('cat')\n    verdict: deny\n    reason: cats\n`;
    await open((_request, response) => json(response, 200, { input_tokens: 14 }), { policy });
    const { max_tokens: _, ...body } = params('a cat');
    await expect(anthropic().messages.countTokens(body)).rejects.toMatchObject({ status: 403 });
    expect(upstream.received).toHaveLength(0);
  });
});

describe('a message batch', () => {
  it('is held at batch rates, polled free of charge, and charged once by its results', async () => {
    const state = { status: batch('in_progress') as object, lines: [] as object[] };
    await open(provider(state));
    const { batches } = anthropic().messages;
    const made = await batches.create({ requests: REQUESTS });
    expect(made.id).toBe('msgbatch_1');
    const [post] = await receipts();
    expect(post).toMatchObject({ cost_usd: '0', deferred: { object: 'msgbatch_1', requests: 2 }, model: MODEL });
    const held = await tenant();
    expect(held.spent).toBe(0n);
    expect(held.held).toBe(BigInt(post?.deferred?.hold ?? 0));
    // at half price, $0.50 and $2.50 per million: each the bytes and 1,024 hidden tokens (the us region costs a tenth more), 100 tokens out
    const bytes = BigInt(REQUESTS.reduce((sum, one) => sum + Buffer.byteLength(JSON.stringify(one.params)), 0));
    expect(held.held).toBe((bytes + 2048n) * 500n + 200n * 2500n);

    await batches.retrieve('msgbatch_1');
    await batches.list();
    expect(await tenant()).toEqual(held);

    state.status = batch('ended', { request_counts: counts({ succeeded: 1, errored: 1 }) });
    state.lines = [answered('a', 'one', 50), { custom_id: 'b', result: { type: 'errored', error: { type: 'error' } } }];
    const seen: string[] = [];
    for await (const line of await batches.results('msgbatch_1')) seen.push(`${line.custom_id} ${line.result.type}`);
    expect(seen).toEqual(['a succeeded', 'b errored']);
    // the SDK follows `results_url`: it must lead through the gate
    expect(upstream.received.at(-1)?.url).toBe('/v1/messages/batches/msgbatch_1/results');
    await settledReceipt();
    // half of 1000 × $1 + 50 × $5 per million
    expect(await tenant()).toEqual({ spent: 625_000n, held: 0n });

    for await (const line of await batches.results('msgbatch_1')) seen.push(line.custom_id);
    await gate.sealed(8);
    const all = await receipts();
    expect(all.filter(({ settles }) => settles !== undefined)).toHaveLength(1);
    const settling = all.find(({ settles }) => settles === post?.id);
    expect(settling).toMatchObject({
      cost_usd: '0.000625',
      certainty: 'exact',
      cost_status: 'exact',
      principal: { run: { id: 'r1' } },
    });
    expect(await tenant()).toEqual({ spent: 625_000n, held: 0n });
  });

  it('is denied whole where one request is, naming it', async () => {
    const policy = `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - id: no-cats\n    at: input\n    when: text.contains('cat')\n    verdict: deny\n    reason: cats\n    message: dogs only\n`;
    await open(provider({ status: {}, lines: [] }), { policy });
    const requests = [
      ...REQUESTS,
      { custom_id: 'c', params: params('a cat') },
      { custom_id: 'd', params: params('cats') },
    ];
    await expect(anthropic().messages.batches.create({ requests })).rejects.toThrow(
      /request 3 \(`c`\).*no-cats.*dogs only.*also denied: request 4 \(`d`\); nothing of the batch was carried/,
    );
    expect(upstream.received).toHaveLength(0);
    expect(await tenant()).toEqual({ spent: 0n, held: 0n });
  });

  it('carries the edits of its rules in the right request', async () => {
    const policy = `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - id: mail\n    at: input\n    detect: [pii.email]\n    verdict: transform\n    transform: [{ redact: pii.email, as: mask }]\n`;
    await open(provider({ status: {}, lines: [] }), { policy });
    const requests = [
      REQUESTS[0] as (typeof REQUESTS)[number],
      { custom_id: 'c', params: params('write to jo@example.org') },
    ];
    await anthropic().messages.batches.create({ requests });
    const sent = upstream.received[0]?.body as { requests: { params: { messages: { content: string }[] } }[] };
    expect(sent.requests[0]?.params.messages[0]?.content).toBe('first');
    expect(sent.requests[1]?.params.messages[0]?.content).not.toContain('jo@example.org');
  });

  it('costs nothing where nothing was answered', async () => {
    const state = { status: batch('ended', { request_counts: counts({ expired: 1, canceled: 1 }) }), lines: [] };
    await open(provider(state));
    await anthropic().messages.batches.create({ requests: REQUESTS });
    await anthropic().messages.batches.cancel('msgbatch_1');
    await settledReceipt();
    expect(await tenant()).toEqual({ spent: 0n, held: 0n });
  });

  it('withholds an answer that a rule denies and still charges it', async () => {
    const policy = `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - id: no-cats\n    at: output\n    when: text.contains('cat')\n    verdict: deny\n    reason: cats\n`;
    const state = {
      status: batch('ended', { request_counts: counts({ succeeded: 2 }) }),
      lines: [answered('a', 'a cat', 50), answered('b', 'a dog', 50)],
    };
    await open(provider(state), { policy });
    await anthropic().messages.batches.create({ requests: REQUESTS });
    const seen: string[] = [];
    for await (const line of await anthropic().messages.batches.results('msgbatch_1')) seen.push(JSON.stringify(line));
    expect(seen[0]).toContain('"type":"errored"');
    expect(seen[0]).not.toContain('a cat');
    expect(seen[1]).toContain('a dog');
    await settledReceipt();
    expect(await tenant()).toEqual({ spent: 1_250_000n, held: 0n });
  });

  it('outlives a restart, and keeps its hold where results are missing', async () => {
    const state = {
      status: batch('ended', { request_counts: counts({ succeeded: 2 }) }),
      lines: [answered('a', 'one', 50)] as object[],
    };
    await open(provider(state));
    await anthropic().messages.batches.create({ requests: REQUESTS });
    const held = await tenant();
    await gate.stop();
    gate = await startTestGate({ upstreams: upstreams(), config: BUDGETS, folder: gate.folder });
    expect(await tenant()).toEqual(held);
    for await (const _ of await anthropic().messages.batches.results('msgbatch_1'));
    await gate.sealed(3);
    expect(await tenant()).toEqual(held);
    state.lines.push(answered('b', 'two', 10));
    for await (const _ of await anthropic().messages.batches.results('msgbatch_1'));
    await settledReceipt();
    expect(await tenant()).toEqual({ spent: 625_000n + 525_000n, held: 0n });
    await gate.stop();
    gate = await startTestGate({ upstreams: upstreams(), config: BUDGETS, folder: gate.folder });
    expect(await tenant()).toEqual({ spent: 1_150_000n, held: 0n });
  });
});

describe('a background response', () => {
  const body = (status: string, usage: object | null) => ({
    id: 'resp_1',
    object: 'response',
    status,
    background: true,
    model: 'gpt-4o-mini',
    output:
      status === 'completed'
        ? [
            {
              type: 'message',
              id: 'msg_1',
              role: 'assistant',
              status,
              content: [{ type: 'output_text', text: 'done', annotations: [] }],
            },
          ]
        : [],
    usage,
    error: null,
  });
  const USAGE = {
    input_tokens: 1000,
    output_tokens: 100,
    total_tokens: 1100,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };

  it('keeps its hold until a poll shows its end, and is charged once', async () => {
    let status = 'queued';
    await open((_request, response) => json(response, 200, body(status, status === 'completed' ? USAGE : null)));
    await openai().responses.create({ model: 'gpt-4o-mini', input: 'go', background: true, max_output_tokens: 1000 });
    status = 'in_progress';
    await openai().responses.retrieve('resp_1');
    const held = await tenant();
    expect(held).toMatchObject({ spent: 0n });
    expect(held.held).toBeGreaterThan(0n);
    status = 'completed';
    const polls = await Promise.all([1, 2, 3].map(() => openai().responses.retrieve('resp_1')));
    expect(polls[0]?.output_text).toBe('done');
    await settledReceipt();
    // 1000 × $0.15 + 100 × $0.60 per million
    expect(await tenant()).toEqual({ spent: 210_000n, held: 0n });
    await openai().responses.retrieve('resp_1');
    await gate.sealed(7);
    expect((await receipts()).filter(({ settles }) => settles)).toHaveLength(1);
    expect((await gate.run('r1')).cost_usd).toBe('0.00021');
  });

  it('that is cancelled without its usage stays held: it may yet complete', async () => {
    let status = 'queued';
    await open((_request, response) => json(response, 200, body(status, null)));
    await openai().responses.create({ model: 'gpt-4o-mini', input: 'go', background: true });
    const held = await tenant();
    status = 'cancelled';
    await openai().responses.cancel('resp_1');
    expect(upstream.received.at(-1)).toMatchObject({ method: 'POST', url: '/v1/responses/resp_1/cancel' });
    await gate.sealed(2);
    expect(await tenant()).toEqual(held);
  });
});

/** Waits for the receipt of a settlement. */
async function settledReceipt(): Promise<SealEntry> {
  for (let i = 0; i < 20; i += 1) {
    const found = (await receipts()).find(({ settles }) => settles !== undefined);
    if (found) return found;
  }
  throw new Error('nothing was settled');
}
