import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate } from '../support/gate.ts';
import { someOf, startTapePlayer, type TapePlayer } from './tape-player.ts';

const root = join(process.env['RECORDED'] ?? '', 'streams');
const TERMINAL = '"type":"response.completed"';

interface Tape {
  readonly path: string;
  readonly bytes: Buffer;
  readonly response: {
    readonly model: string;
    readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
  };
}

/** Each response of a recording is one answer; the one whose end is no JSON is left to the suite of the language. */
function tapesOf(path: string): Tape[] {
  const pieces = readFileSync(join(root, path), 'utf8').split(/(?<=\n\n)/);
  const tapes: Tape[] = [];
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (!piece.includes(TERMINAL) || path.includes('parallel-tool-call-wrapper')) continue;
    const { response } = JSON.parse(piece.slice(piece.indexOf('data: ') + 6)) as Tape;
    tapes.push({ path: `${path} #${tapes.length + 1}`, bytes: Buffer.from(text), response });
    text = '';
  }
  return tapes;
}

const tapes = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.sse'))
  .sort()
  .flatMap(tapesOf);

let player: TapePlayer;

beforeAll(async () => {
  const dialects = ['openai-responses'];
  const playable = tapes.map(({ bytes }) => ({ bytes, type: 'text/event-stream' }));
  player = await startTapePlayer(playable, (base_url) =>
    startTestGate({
      upstreams: { openai: { base_url, dialects }, xai: { base_url, dialects, prices: 'xai' } },
      policy: 'starter',
    }),
  );
});

afterAll(() => player.remove());

const upstreamOf = ({ path }: Tape): string => (path.startsWith('xai/') ? 'xai' : 'openai');

/** A request such as could have brought this answer: it declares the tools that the provider ran, and they are bounded. */
function requestFor({ path, bytes, response }: Tape): string {
  const ran = (type: string): boolean => bytes.includes(`"type":"${type}_call"`);
  const tools = [
    ...['web_search', 'file_search', 'mcp', 'tool_search', 'image_generation'].filter(ran).map((type) => ({ type })),
    ...(ran('code_interpreter') ? [{ type: 'code_interpreter', container: { type: 'auto' } }] : []),
    ...(bytes.includes('"container_reference"') ? [{ type: 'shell', environment: { type: 'container_auto' } }] : []),
    ...(path.includes('x-search') ? [{ type: 'x_search' }] : []),
  ];
  const input = [{ role: 'user', content: 'x'.repeat(response.usage.input_tokens) }];
  const model = /^(?:gpt|grok)/.test(response.model) ? response.model : 'gpt-5.4';
  return JSON.stringify({ model, stream: true, input, max_output_tokens: 8000, max_tool_calls: 8, tools });
}

/** Ends of events, and the very start. */
function endsOf(bytes: Buffer): number[] {
  const ends = [0];
  for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2)) ends.push(at + 2);
  return ends;
}

it('there are responses to play', () => {
  expect(tapes.length).toBeGreaterThan(25);
});

describe.each(tapes)('$path', (tape) => {
  const index = tapes.indexOf(tape);
  const request = { path: `/${upstreamOf(tape)}/v1/responses`, body: requestFor(tape) };

  it('arrives byte for byte and is metered; cut behind any event it is never billed below that', async () => {
    const whole = await player.whole(index, request);
    const { input_tokens, output_tokens } = tape.response.usage;
    for (const call of whole) {
      expect(call).toMatchObject({ ending: 'completed', certainty: 'exact' });
      expect(call.usage.input + call.usage.cache_read + call.usage.cache_write).toBe(input_tokens);
      expect(call.usage.output).toBe(output_tokens);
    }
    const truth = usdToNano(whole[0]?.cost_usd as string);
    for (const call of await player.cut(index, request, someOf(endsOf(tape.bytes), 40)))
      expect(usdToNano(call.cost_usd), `${call.id} ${call.ending}`).toBeGreaterThanOrEqual(truth);
  }, 120_000);
});
