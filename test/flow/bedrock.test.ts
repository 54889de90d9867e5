import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { sigv4 } from '../../gateway/upstream/sigv4.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { json, startUpstream, type TestUpstream } from '../support/upstream.ts';
import { CONVERSE, event, INVOKE, join, told, unwrapped, wrapped } from '../unit/dialects/bedrock-streams.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const KEYS = {
  region: 'us-east-1',
  access_key_id: 'AKIDGATE',
  secret_access_key: 'gate-secret',
  session_token: 'gate-session',
};
const POLICY = [
  'policy: tollgate/v1',
  'name: t',
  'default: allow',
  'rules:',
  '  - id: no-removal',
  '    at: pre_tool_call',
  '    tools: [remove]',
  '    verdict: deny',
  '    reason: destructive',
  '    message: nothing is removed here',
  '',
].join('\n');

async function open(answer: Parameters<typeof startUpstream>[0]): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    policy: POLICY,
    upstreams: {
      bedrock: {
        base_url: upstream.url,
        dialects: ['bedrock-converse', 'bedrock-invoke'],
        credential: { sigv4: KEYS },
      },
    },
  });
}

const stream =
  (pieces: readonly Uint8Array[]) =>
  (_request: unknown, response: import('node:http').ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    for (const piece of pieces) response.write(piece);
    response.end();
  };

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(`${gate.url}/bedrock${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIDCALLER/x',
      'x-amz-date': '20200101T000000Z',
      'x-amz-security-token': 'caller-session',
    },
    body: JSON.stringify(body),
  });

const ASK = { messages: [{ role: 'user', content: [{ text: 'hi' }] }], inferenceConfig: { maxTokens: 100 } };
const NATIVE = {
  anthropic_version: 'bedrock-2023-05-31',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'hi' }],
};

/** What a verifier does: sign the same request again with the same keys at the stated time. */
function verify(headers: IncomingMessage['headers'], path: string, body: string): void {
  const stamp = String(headers['x-amz-date']);
  const now = new Date(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const signed = { 'content-type': String(headers['content-type']), host: String(headers.host) };
  const again = sigv4({ method: 'POST', path, headers: signed, body: new TextEncoder().encode(body) }, KEYS, now);
  expect(headers.authorization).toBe(again['authorization']);
  expect(headers['x-amz-security-token']).toBe('gate-session');
  expect(Math.abs(Date.now() - now.getTime())).toBeLessThan(60_000);
  expect(JSON.stringify(headers)).not.toMatch(/CALLER|caller/);
}

it('a call is signed anew with the gate’s keys, metered and priced by geography', async () => {
  await open((_request, response) =>
    json(response, 200, {
      output: { message: { role: 'assistant', content: [{ text: 'hi' }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 1000, outputTokens: 100, totalTokens: 1100 },
    }),
  );
  expect((await post(CONVERSE, ASK)).status).toBe(200);
  const [got] = upstream.received;
  expect(got?.url).toBe(CONVERSE);
  verify(got?.headers ?? {}, CONVERSE, JSON.stringify(ASK));
  // (1000 × $3/M + 100 × $15/M) × 1.1 for `us.`
  expect((await gate.sealed(1))[0]).toMatchObject({
    dialect: 'bedrock-converse',
    ending: 'completed',
    cost_status: 'exact',
    cost_usd: '0.00495',
  });
});

describe('streams', () => {
  const EVENTS = [
    event('messageStart', { role: 'assistant' }),
    event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'I look.' } }),
    event('contentBlockStop', { contentBlockIndex: 0 }),
    event('contentBlockStart', {
      contentBlockIndex: 1,
      start: { toolUse: { toolUseId: 'tooluse_1', name: 'remove' } },
    }),
    event('contentBlockDelta', { contentBlockIndex: 1, delta: { toolUse: { input: '{"path":"/"}' } } }),
    event('contentBlockStop', { contentBlockIndex: 1 }),
    event('messageStop', { stopReason: 'tool_use' }),
    event('metadata', {
      usage: { inputTokens: 1000, outputTokens: 100, totalTokens: 1100 },
      metrics: { latencyMs: 5 },
    }),
  ];

  it('lose a denied call, stay binary, and are charged exactly', async () => {
    const bytes = join(EVENTS);
    await open(stream([bytes.subarray(0, 100), bytes.subarray(100)]));
    const response = await post(`${CONVERSE}-stream`, ASK);
    expect(response.headers.get('content-type')).toBe('application/vnd.amazon.eventstream');
    const sent = told(new Uint8Array(await response.arrayBuffer()));
    expect(JSON.stringify(sent)).not.toContain('toolUse');
    expect(JSON.stringify(sent)).toContain('nothing is removed here');
    expect(sent.at(-2)).toEqual({ type: 'messageStop', body: { stopReason: 'end_turn' } });
    expect((await gate.sealed(1))[0]).toMatchObject({ stream: true, certainty: 'exact', cost_usd: '0.00495' });
  });

  it('pass byte for byte where nothing is denied', async () => {
    const bytes = join([...EVENTS.slice(0, 3), ...EVENTS.slice(6)]);
    await open(stream([bytes]));
    const sent = await (await post(`${CONVERSE}-stream`, ASK)).arrayBuffer();
    expect(Buffer.from(sent).equals(bytes)).toBe(true);
  });

  it('with a broken checksum are cut with an exception, and keep the hold', async () => {
    const bytes = join(EVENTS);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    await open(stream([bytes]));
    const sent = told(new Uint8Array(await (await post(`${CONVERSE}-stream`, ASK)).arrayBuffer()));
    expect(sent.at(-1)).toMatchObject({
      type: 'modelStreamErrorException',
      body: { message: expect.stringContaining('checksum') as string },
    });
    const [sealed] = await gate.sealed(1);
    expect(sealed).toMatchObject({ ending: 'upstream_broke', certainty: 'floor' });
    expect(Number(sealed?.cost_usd)).toBeGreaterThanOrEqual(0.00165);
  });

  it('of the native language are judged inside their wrapping', async () => {
    await open(
      stream(
        [
          {
            type: 'message_start',
            message: {
              id: 'm',
              model: 'claude-sonnet-4-5-20250929',
              role: 'assistant',
              content: [],
              usage: { input_tokens: 1000, output_tokens: 1 },
            },
          },
          {
            type: 'content_block_start',
            index: 0,
            content_block: { type: 'tool_use', id: 'toolu_1', name: 'remove', input: {} },
          },
          { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"path":"/"}' } },
          { type: 'content_block_stop', index: 0 },
          { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 100 } },
          { type: 'message_stop' },
        ].map(wrapped),
      ),
    );
    const sent = unwrapped(new Uint8Array(await (await post(`${INVOKE}-with-response-stream`, NATIVE)).arrayBuffer()));
    expect(JSON.stringify(sent)).toContain('nothing is removed here');
    expect(JSON.stringify(sent)).not.toContain('"remove"');
    expect((await gate.sealed(1))[0]).toMatchObject({
      dialect: 'bedrock-invoke',
      certainty: 'exact',
      cost_usd: '0.00495',
    });
  });
});

it('a model whose language is not read here is refused in the service’s own shape', async () => {
  await open((_request, response) => json(response, 200, {}));
  const response = await post('/model/meta.llama3-8b-instruct-v1%3A0/invoke', { prompt: 'hi' });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ __type: 'ResourceNotFoundException' });
  expect(upstream.received).toHaveLength(0);
});
