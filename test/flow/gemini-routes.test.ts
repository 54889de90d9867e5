import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { json, type Received, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const POLICY = `policy: tollgate/v1
name: t
default: allow
rules:
  - id: mail
    at: [input, pre_model_call]
    detect: [pii.email]
    verdict: transform
    transform: [{ redact: pii.email, as: mask }]
`;

async function open(answer: (request: Received, response: ServerResponse) => void, policy?: string): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    upstreams: { google: { base_url: upstream.url, dialects: ['gemini'] } },
    ...(policy !== undefined && { policy }),
    config: { budgets: [{ scope: 'tenant', window: 'total', limit_usd: 20 }] },
  });
}

const send = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${gate.url}/google${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

const CONTENT = { role: 'user', parts: [{ text: 'write to jo@example.org' }] };

describe('counting tokens', () => {
  it.each([
    ['contents', { contents: [CONTENT] }],
    ['a whole request', { generateContentRequest: { model: 'models/gemini-2.5-flash', contents: [CONTENT] } }],
  ])('of %s is free, and judged like the request', async (_name, body) => {
    await open((_request, response) => json(response, 200, { totalTokens: 7 }), POLICY);
    const reply = await send('POST', '/v1beta/models/gemini-2.5-flash:countTokens', body);
    expect(await reply.json()).toEqual({ totalTokens: 7 });
    expect(upstream.received[0]?.text).not.toContain('jo@example.org');
    expect(upstream.received[0]?.text).toContain('write to');
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ model: 'gemini-2.5-flash', cost_usd: '0', cost_status: 'exact', ending: 'completed' });
  });
});

describe('embeddings', () => {
  it('are charged by the usage that the reply states', async () => {
    await open((_request, response) =>
      json(response, 200, {
        embedding: { values: [1] },
        usageMetadata: { promptTokenCount: 1000, totalTokenCount: 1000 },
      }),
    );
    await send('POST', '/v1beta/models/gemini-embedding-001:embedContent', { content: CONTENT });
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ cost_usd: '0.00015', cost_status: 'exact' });
  });

  it('without usage are charged the bound of their input, and redacted in every request', async () => {
    await open((_request, response) => json(response, 200, { embeddings: [{ values: [1] }, { values: [2] }] }), POLICY);
    const request = { model: 'models/gemini-embedding-001', content: CONTENT };
    const body = { requests: [request, request] };
    const reply = await send('POST', '/v1beta/models/gemini-embedding-001:batchEmbedContents', body);
    expect(reply.status).toBe(200);
    expect(upstream.received[0]?.text).not.toContain('jo@example.org');
    const [call] = await gate.sealed(1);
    expect(call?.cost_status).toBe('estimated');
    const bytes = JSON.stringify(body).length;
    expect(Number(call?.cost_usd)).toBeGreaterThan((bytes * 0.15) / 1e6);
  });

  it('of another model than the one quoted are refused', async () => {
    await open((_request, response) => json(response, 200, {}));
    const body = { requests: [{ model: 'models/other', content: CONTENT }] };
    const reply = await send('POST', '/v1beta/models/gemini-embedding-001:batchEmbedContents', body);
    expect(reply.status).toBe(400);
    expect(await reply.text()).toContain('requests/0/model');
  });
});

describe('cached contents', () => {
  const kept = {
    name: 'cachedContents/abc',
    model: 'models/gemini-2.5-flash',
    createTime: '2026-11-22T00:00:00Z',
    updateTime: '2026-11-22T00:00:00Z',
    expireTime: '2026-11-22T02:00:00Z',
    usageMetadata: { totalTokenCount: 100_000 },
  };

  it('are charged when they are made: the input once and its storage for its life', async () => {
    await open((_request, response) => json(response, 200, kept), POLICY);
    const reply = await send('POST', '/v1beta/cachedContents', {
      model: 'models/gemini-2.5-flash',
      contents: [CONTENT],
      ttl: '7200s',
    });
    expect(reply.status).toBe(200);
    expect(upstream.received[0]?.url).toBe('/v1beta/cachedContents');
    expect(upstream.received[0]?.text).not.toContain('jo@example.org');
    const [call] = await gate.sealed(1);
    // 100,000 × $0.30 and 200,000 token-hours × $1, per million
    expect(call).toMatchObject({ model: 'gemini-2.5-flash', cost_usd: '0.23', cost_status: 'estimated' });
  });

  it('are charged again for a longer life, at the model that the reply names', async () => {
    await open((_request, response) => json(response, 200, kept));
    const reply = await send('PATCH', '/v1beta/cachedContents/abc?updateMask=ttl', { ttl: '3600s' });
    expect(reply.status).toBe(200);
    expect(upstream.received[0]).toMatchObject({ method: 'PATCH', url: '/v1beta/cachedContents/abc?updateMask=ttl' });
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ cost_usd: '0.2', cost_status: 'exact' });
  });

  it('are listed, read and deleted free of charge', async () => {
    await open((_request, response) => json(response, 200, { cachedContents: [] }));
    for (const [method, path] of [
      ['GET', '/v1beta/cachedContents?pageSize=2'],
      ['GET', '/v1beta/cachedContents/abc'],
      ['DELETE', '/v1beta/cachedContents/abc'],
    ] as const) {
      expect((await send(method, path)).status).toBe(200);
      expect(upstream.received.at(-1)).toMatchObject({ method, url: path });
    }
    for (const call of await gate.sealed(3))
      expect(call).toMatchObject({ cost_usd: '0', ending: 'completed', dialect: 'gemini' });
  });

  it('with a date instead of a time to live are refused', async () => {
    await open((_request, response) => json(response, 200, kept));
    const reply = await send('POST', '/v1beta/cachedContents', {
      model: 'models/gemini-2.5-flash',
      expireTime: '2027-01-01T00:00:00Z',
    });
    expect(reply.status).toBe(400);
    expect(await reply.text()).toContain('`ttl`');
  });
});
