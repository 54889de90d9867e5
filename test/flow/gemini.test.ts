import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { json, startUpstream, type TestUpstream } from '../support/upstream.ts';
import { array, call, chunk, chunksIn, events, STOP, USAGE } from '../unit/dialects/gemini-streams.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const rule = (lines: readonly string[]): string =>
  ['policy: tollgate/v1', 'name: t', 'default: allow', 'rules:', ...lines.map((line) => `  ${line}`), ''].join('\n');

const POLICY = rule([
  '- id: no-removal',
  '  at: pre_tool_call',
  '  tools: [remove]',
  '  verdict: deny',
  '  reason: destructive',
  '  message: nothing is removed here',
  '- id: hide-secrets',
  '  at: [pre_model_call, post_model_call, output]',
  '  detect: secrets',
  '  verdict: transform',
  '  transform: [{ redact: secret.*, as: token }]',
]);

async function open(
  answer: Parameters<typeof startUpstream>[0],
  options: Partial<Parameters<typeof startTestGate>[0]> = {},
  extra: Record<string, unknown> = {},
): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    upstreams: { google: { base_url: upstream.url, dialects: ['gemini'], ...extra } },
    ...options,
  });
}

const ASK = { contents: [{ role: 'user', parts: [{ text: 'hello' }] }], generationConfig: { maxOutputTokens: 500 } };

const post = (path: string, body: unknown = ASK, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gate.url}/run/r1/google${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const UNARY = '/v1beta/models/gemini-2.5-flash:generateContent';
const STREAMED = '/v1beta/models/gemini-2.5-flash:streamGenerateContent';

/** Every byte the gate wrote to disk. */
const written = (): string =>
  readdirSync(gate.folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

describe('a call', () => {
  it('passes with the same bytes, is priced from the path and the usage, and recorded', async () => {
    await open((_request, response) =>
      json(response, 200, { ...(chunk([{ text: 'hi' }], { finishReason: 'STOP' }) as object), usageMetadata: USAGE }),
    );
    const response = await post(UNARY, ASK, { 'x-goog-api-key': 'AIza-own' });
    expect(response.status).toBe(200);
    expect(upstream.received[0]).toMatchObject({ url: UNARY, body: ASK });
    expect(upstream.received[0]?.headers['x-goog-api-key']).toBe('AIza-own');
    const [sealed] = await gate.sealed(1);
    // 9 × $0.30/M + 27 × $2.50/M
    expect(sealed).toMatchObject({
      dialect: 'gemini',
      model: 'gemini-2.5-flash',
      ending: 'completed',
      usage: { input: 9, output: 27 },
      cost_status: 'exact',
      cost_usd: '0.0000702',
    });
  });

  it('a key in the query becomes a header; it is in no path, fact or record', async () => {
    await open((_request, response) => json(response, 200, { candidates: [], usageMetadata: USAGE }), {
      policy: rule([
        '- id: query',
        '  at: pre_model_call',
        '  when: request.path.contains("?") || request.path.contains("AIza")',
        '  verdict: deny',
        '  reason: leak',
        '  message: a query is in the path',
      ]),
    });
    const response = await post(`${UNARY}?key=AIza-very-secret&alt=json`);
    expect(response.status).toBe(200);
    expect(upstream.received[0]?.url).toBe(`${UNARY}?alt=json`);
    expect(upstream.received[0]?.headers['x-goog-api-key']).toBe('AIza-very-secret');
    await gate.sealed(1);
    expect(written()).not.toContain('AIza-very-secret');
  });

  it('where the gate has its own credential the caller’s does not travel, in whatever form', async () => {
    await open(
      (_request, response) => json(response, 200, { candidates: [], usageMetadata: USAGE }),
      {},
      { credential: { header: 'x-goog-api-key', value: 'AIza-gate' } },
    );
    await post(`${UNARY}?key=AIza-caller`);
    await post(`${UNARY}?%6bey=AIza-caller&access_token=ya29.caller`, ASK, { authorization: 'Bearer ya29.caller' });
    for (const { url, headers } of upstream.received) {
      expect(url).toBe(UNARY);
      expect(headers['x-goog-api-key']).toBe('AIza-gate');
      expect(JSON.stringify(headers)).not.toContain('caller');
    }
    await gate.sealed(2);
    expect(written()).not.toContain('caller');
  });

  it('a gateway key in the query is one', async () => {
    await open((_request, response) => json(response, 200, {}), { config: { access: 'keys' } });
    const response = await post(`${UNARY}?key=tg_unknown-key`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      error: { status: 'UNAUTHENTICATED', message: expect.stringContaining('not known') as string },
    });
    await gate.sealed(1);
    expect(written()).not.toContain('tg_unknown-key');
  });

  it('is refused in the shape of Google APIs', async () => {
    await open((_request, response) => json(response, 200, {}));
    const response = await post(UNARY, { contents: [] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 400, status: 'INVALID_ARGUMENT', message: expect.stringContaining('contents') as string },
    });
    const unknown = await post('/v1beta/models/gemini-2.5-flash:predict');
    expect(await unknown.json()).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } });
    expect(upstream.received).toHaveLength(0);
  });

  it('a cap is written where the request has no place for it yet', async () => {
    await open((_request, response) => json(response, 200, { candidates: [], usageMetadata: USAGE }), {
      policy: rule([
        '- id: short',
        '  at: pre_model_call',
        '  verdict: transform',
        '  transform: [{ cap: output_tokens, to: 100 }]',
      ]),
    });
    const response = await post(UNARY, { contents: ASK.contents });
    expect(response.status).toBe(200);
    expect(upstream.received[0]?.body).toEqual({ contents: ASK.contents, generationConfig: { maxOutputTokens: 100 } });
  });
});

const SECRET = 'AKIAIOSFODNN7EXAMQLE';
const CHUNKS = [
  chunk([{ text: 'I will look. ' }]),
  chunk([{ text: `key ${SECRET.slice(0, 8)}` }]),
  chunk([{ text: `${SECRET.slice(8)} done.` }]),
  chunk([call('remove', { path: '/' }, { thoughtSignature: 'sig' })]),
  chunk([call('weather', { city: 'Oslo' })]),
  STOP,
];

describe.each([
  ['events', `${STREAMED}?alt=sse`, 'text/event-stream', events],
  ['one array', STREAMED, 'application/json; charset=UTF-8', array],
] as const)('a stream as %s', (_name, path, type, framed) => {
  const serve =
    (pieces: readonly string[], cut = false) =>
    (_request: unknown, response: import('node:http').ServerResponse): void => {
      response.writeHead(200, { 'content-type': type });
      for (const piece of pieces) response.write(piece);
      if (cut) setTimeout(() => response.destroy(), 20);
      else response.end();
    };

  it('passes byte for byte and is metered', async () => {
    const text = framed(CHUNKS);
    await open(serve([text.slice(0, 700), text.slice(700)]));
    const response = await post(path);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toBe(text);
    const [sealed] = await gate.sealed(1);
    expect(sealed).toMatchObject({
      ending: 'completed',
      certainty: 'exact',
      usage: { input: 9, output: 27 },
      cost_usd: '0.0000702',
    });
  });

  it('passes byte for byte where rules watch it and find nothing, its last line end included', async () => {
    const text = framed([chunk([{ text: 'nothing to hide' }]), STOP]);
    await open(serve([text.slice(0, 90), text.slice(90)]), { policy: POLICY });
    expect(await (await post(path)).text()).toBe(text);
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'completed', certainty: 'exact' });
  });

  it('loses a denied call and a split secret, and stays what it is', async () => {
    const text = framed(CHUNKS);
    await open(serve([text.slice(0, 300), text.slice(300)]), { policy: POLICY });
    const sent = await (await post(path)).text();
    expect(sent).not.toContain(SECRET.slice(0, 8));
    expect(sent).not.toContain('"remove"');
    expect(sent).toContain('nothing is removed here');
    expect(sent).toContain('weather');
    expect(chunksIn(sent).at(-1)).toMatchObject({ usageMetadata: USAGE });
    const [sealed] = await gate.sealed(1);
    expect(sealed?.actions.filter(({ decision }) => decision === 'deny').map(({ rule }) => rule)).toEqual([
      't/no-removal',
    ]);
    expect(sealed).toMatchObject({ usage: { input: 9, output: 27 } });
  });

  it('broken in the middle it ends in an error of its own framing and keeps the hold', async () => {
    const text = framed(CHUNKS);
    await open(serve([text.slice(0, 260)], true), { policy: POLICY });
    const sent = await (await post(path)).text();
    expect(chunksIn(sent).at(-1)).toMatchObject({ error: { status: 'UNAVAILABLE' } });
    const [sealed] = await gate.sealed(1);
    expect(sealed).toMatchObject({ ending: 'upstream_broke', certainty: 'floor' });
    // 500 output tokens at $2.50/M were held
    expect(Number(sealed?.cost_usd)).toBeGreaterThanOrEqual(0.00125);
  });
});
