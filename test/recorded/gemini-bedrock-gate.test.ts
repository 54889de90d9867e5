import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asCount, type Json, member } from '../../gateway/domain/json.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate } from '../support/gate.ts';
import { CONVERSE, event } from '../unit/dialects/bedrock-streams.ts';
import { array, chunksIn } from '../unit/dialects/gemini-streams.ts';
import { someOf, startTapePlayer, type TapePlayer } from './tape-player.ts';

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

let player: TapePlayer;

beforeAll(async () => {
  player = await startTapePlayer(tapes, (base_url) =>
    startTestGate({
      upstreams: {
        gemini: { base_url, dialects: ['gemini'], prices: 'google' },
        bedrock: { base_url, dialects: ['bedrock-converse'], credential: { bearer: 'own' } },
      },
      policy: 'starter',
    }),
  );
});

afterAll(() => player.remove());

/** Ends of pieces, and the very start. */
const endsOf = ({ pieces }: Tape): number[] => {
  let end = 0;
  return [0, ...pieces.map((piece) => (end += piece.length))];
};

it('there are answers to play', () => {
  expect(tapes.filter(({ name }) => name.startsWith('google/')).length).toBeGreaterThan(8);
  expect(tapes.filter(({ name }) => name.startsWith('amazon-bedrock/')).length).toBeGreaterThan(5);
  expect(tapes.filter(({ truth }) => truth !== undefined).length).toBeGreaterThan(12);
});

describe.each(tapes)('$name', (one) => {
  const index = tapes.indexOf(one);
  const request = { path: one.path, body: JSON.stringify(one.body) };

  it('arrives byte for byte and is metered; cut behind any event it is never billed below that', async () => {
    const whole = await player.whole(index, request);
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
    for (const call of await player.cut(index, request, someOf(endsOf(one), 30)))
      expect(usdToNano(call.cost_usd), `${call.id} ${call.ending}`).toBeGreaterThanOrEqual(truth);
  }, 120_000);
});
