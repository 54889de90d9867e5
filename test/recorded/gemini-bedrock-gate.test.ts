import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallView } from '../../gateway/admin/views.ts';
import { asCount, type Json, member } from '../../gateway/domain/json.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { CONVERSE, event } from '../unit/dialects/bedrock-streams.ts';
import { array, chunksIn } from '../unit/dialects/gemini-streams.ts';

const root = join(process.env['RECORDED'] ?? '', 'streams');

/** A recorded answer as it came over the wire, in the pieces behind which it is cut. */
interface Tape {
  readonly name: string;
  readonly type: string;
  readonly pieces: readonly Buffer[];
  readonly bytes: Buffer;
  /** what the caller asks the gate for */
  readonly path: string;
  readonly body: Json;
  /** the provider's own counts; undefined: the recording states none */
  readonly truth: { readonly input: number; readonly output: number } | undefined;
}

const files = (folder: string, wanted: (name: string) => boolean): { name: string; text: string }[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.sse') && wanted(name))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(root, folder, name), 'utf8') }));

const tape = (parts: Omit<Tape, 'bytes'>): Tape => ({ ...parts, bytes: Buffer.concat(parts.pieces) });

const slices = (text: string, size: number): Buffer[] => {
  const bytes = Buffer.from(text);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
};

function geminiTapes({ name, text }: { name: string; text: string }): Tape[] {
  const chunks = chunksIn(text);
  const usage = Object.assign({}, ...chunks.map((one) => member(one, 'usageMetadata') ?? {})) as Record<string, Json>;
  const counted = (field: string): number => asCount(usage[field]) ?? 0;
  const truth = {
    input: counted('promptTokenCount') + counted('toolUsePromptTokenCount'),
    output: counted('candidatesTokenCount') + counted('thoughtsTokenCount'),
  };
  const body = {
    contents: [{ role: 'user', parts: [{ text: 'x'.repeat(truth.input) }] }],
    generationConfig: { maxOutputTokens: 8000 },
  };
  const route = `/gemini/v1beta/models/${String(member(chunks[0], 'modelVersion'))}:streamGenerateContent`;
  const events = text.split(/(?<=\n\n)/).map((piece) => Buffer.from(piece));
  return [
    tape({ name: `google/${name}`, type: 'text/event-stream', pieces: events, path: `${route}?alt=sse`, body, truth }),
    tape({
      name: `google/${name} as one array`,
      type: 'application/json; charset=UTF-8',
      pieces: slices(array(chunks), 120),
      path: route,
      body,
      truth,
    }),
  ];
}

/** The recordings name the event in the payload; on the wire its name is a header and the frame is binary. */
function bedrockTape({ name, text }: { name: string; text: string }): Tape {
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => Object.entries(JSON.parse(line.slice(6)) as Record<string, Json>)[0] as [string, Json]);
  const usage = member(events.find(([kind]) => kind === 'metadata')?.[1], 'usage');
  const input = asCount(member(usage, 'inputTokens'));
  return tape({
    name: `amazon-bedrock/${name}`,
    type: 'application/vnd.amazon.eventstream',
    pieces: events.map(([kind, payload]) => Buffer.from(event(kind, payload))),
    path: `/bedrock${CONVERSE}-stream`,
    body: {
      messages: [{ role: 'user', content: [{ text: 'x'.repeat(input ?? 100) }] }],
      inferenceConfig: { maxTokens: 8000 },
    },
    truth: input === undefined ? undefined : { input, output: asCount(member(usage, 'outputTokens')) ?? 0 },
  });
}

const tapes: readonly Tape[] = [
  // `interactions-*` is another API
  ...files('google', (name) => !name.startsWith('interactions-')).flatMap(geminiTapes),
  ...files('amazon-bedrock', () => true).map(bedrockTape),
];

const player = createServer((request, response) => {
  request.resume();
  const { bytes, type } = tapes[Number(request.headers['x-tape'])] as Tape;
  const cut = Number(request.headers['x-cut'] ?? bytes.length);
  const size = Number(request.headers['x-chunk'] ?? 1 << 20);
  response.writeHead(200, { 'content-type': type });
  for (let at = 0; at < cut; at += size) response.write(bytes.subarray(at, Math.min(cut, at + size)));
  if (request.headers['x-ending'] === 'destroy') setTimeout(() => response.destroy(), 5);
  else response.end();
});
let gate: TestGate;

beforeAll(async () => {
  await new Promise<void>((resolve) => player.listen(0, '127.0.0.1', resolve));
  const base_url = `http://127.0.0.1:${(player.address() as AddressInfo).port}`;
  gate = await startTestGate({
    upstreams: {
      gemini: { base_url, dialects: ['gemini'], prices: 'google' },
      bedrock: { base_url, dialects: ['bedrock-converse'], credential: { bearer: 'own' } },
    },
    policy: 'starter',
  });
});

afterAll(async () => {
  await gate.remove();
  await new Promise((resolve) => {
    player.close(resolve);
    player.closeAllConnections();
  });
});

async function play(one: Tape, headers: Record<string, string>): Promise<{ id: string; bytes: Buffer }> {
  const reply = await fetch(gate.url + one.path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tape': `${tapes.indexOf(one)}`,
      'x-tollgate-run': `r${tapes.indexOf(one)}`,
      ...headers,
    },
    body: JSON.stringify(one.body),
  });
  expect(reply.status).toBe(200);
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
  } catch (error) {
    // a cut that the upstream made may reach the caller as one
    if (headers['x-ending'] !== 'destroy') throw error;
  }
  return { id: reply.headers.get('x-tollgate-call') as string, bytes: Buffer.concat(chunks) };
}

async function receipts(ids: readonly string[], run: string): Promise<CallView[]> {
  for (let i = 0; i < 300; i += 1) {
    const calls = (await gate.calls(`&run=${run}`)).filter((call) => ids.includes(call.id));
    if (calls.length >= ids.length) return calls;
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`not all of ${ids.length} calls of run ${run} were sealed`);
}

/** Ends of pieces, at most so many of them, the first and the last among them. */
function someCuts({ pieces }: Tape, most: number): number[] {
  let end = 0;
  const ends = [0, ...pieces.map((piece) => (end += piece.length))];
  const step = Math.max(1, Math.ceil(ends.length / most));
  return [...new Set([...ends.filter((_, i) => i % step === 0), ...ends.slice(-3)])];
}

it('there are answers to play', () => {
  expect(tapes.filter(({ name }) => name.startsWith('google/')).length).toBeGreaterThan(8);
  expect(tapes.filter(({ name }) => name.startsWith('amazon-bedrock/')).length).toBeGreaterThan(5);
  expect(tapes.filter(({ truth }) => truth !== undefined).length).toBeGreaterThan(12);
});

describe.each(tapes)('$name', (one) => {
  const run = `r${tapes.indexOf(one)}`;

  it('arrives byte for byte and is metered; cut behind any event it is never billed below that', async () => {
    const played = [await play(one, {}), await play(one, { 'x-chunk': '1000' }), await play(one, { 'x-chunk': '61' })];
    for (const { bytes } of played) expect(bytes.equals(one.bytes)).toBe(true);
    const whole = await receipts(
      played.map(({ id }) => id),
      run,
    );
    for (const call of whole) {
      expect(call).toMatchObject({ ending: 'completed', certainty: one.truth === undefined ? 'floor' : 'exact' });
      if (one.truth === undefined) continue;
      expect(call.usage.input + call.usage.cache_read + call.usage.cache_write).toBe(one.truth.input);
      expect(call.usage.output).toBe(one.truth.output);
      expect(call.cost_status).not.toBe('unpriced');
    }
    const truth = usdToNano(whole[0]?.cost_usd as string);
    // throughput that was bought beforehand costs nothing more, by a written zero
    expect(truth > 0n).toBe(!one.bytes.includes('PROVISIONED_THROUGHPUT'));
    const ids: string[] = [];
    for (const [i, cut] of someCuts(one, 30).entries()) {
      const { id } = await play(one, { 'x-cut': `${cut}`, 'x-ending': i % 2 === 0 ? 'end' : 'destroy' });
      ids.push(id);
    }
    for (const call of await receipts(ids, run))
      expect(usdToNano(call.cost_usd), `${call.id} ${call.ending}`).toBeGreaterThanOrEqual(truth);
  }, 120_000);
});
