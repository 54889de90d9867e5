import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallView } from '../../gateway/admin/views.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';

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

const player = createServer((request, response) => {
  request.resume();
  const { bytes } = tapes[Number(request.headers['x-tape'])] as Tape;
  const cut = Number(request.headers['x-cut'] ?? bytes.length);
  const size = Number(request.headers['x-chunk'] ?? 1 << 20);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let at = 0; at < cut; at += size) response.write(bytes.subarray(at, Math.min(cut, at + size)));
  if (request.headers['x-ending'] === 'destroy') setTimeout(() => response.destroy(), 5);
  else response.end();
});
let gate: TestGate;

beforeAll(async () => {
  await new Promise<void>((resolve) => player.listen(0, '127.0.0.1', resolve));
  const base_url = `http://127.0.0.1:${(player.address() as AddressInfo).port}`;
  const dialects = ['openai-responses'];
  gate = await startTestGate({
    upstreams: { openai: { base_url, dialects }, xai: { base_url, dialects, prices: 'xai' } },
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

async function play(tape: Tape, headers: Record<string, string>): Promise<{ id: string; bytes: Buffer }> {
  const reply = await fetch(`${gate.url}/${upstreamOf(tape)}/v1/responses`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tape': `${tapes.indexOf(tape)}`,
      'x-tollgate-run': `r${tapes.indexOf(tape)}`,
      ...headers,
    },
    body: requestFor(tape),
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

/** Ends of events, at most so many of them, the first and the last among them. */
function someCuts(bytes: Buffer, most: number): number[] {
  const ends = [0];
  for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2)) ends.push(at + 2);
  const step = Math.max(1, Math.ceil(ends.length / most));
  return [...new Set([...ends.filter((_, i) => i % step === 0), ...ends.slice(-3)])];
}

it('there are responses to play', () => {
  expect(tapes.length).toBeGreaterThan(25);
});

describe.each(tapes)('$path', (tape) => {
  const run = `r${tapes.indexOf(tape)}`;

  it('arrives byte for byte and is metered; cut behind any event it is never billed below that', async () => {
    const played = [
      await play(tape, {}),
      await play(tape, { 'x-chunk': '1000' }),
      await play(tape, { 'x-chunk': '61' }),
    ];
    for (const { bytes } of played) expect(bytes.equals(tape.bytes)).toBe(true);
    const whole = await receipts(
      played.map(({ id }) => id),
      run,
    );
    const { input_tokens, output_tokens } = tape.response.usage;
    for (const call of whole) {
      expect(call).toMatchObject({ ending: 'completed', certainty: 'exact' });
      expect(call.usage.input + call.usage.cache_read + call.usage.cache_write).toBe(input_tokens);
      expect(call.usage.output).toBe(output_tokens);
    }
    const truth = usdToNano(whole[0]?.cost_usd as string);
    const ids: string[] = [];
    for (const [i, cut] of someCuts(tape.bytes, 40).entries()) {
      const { id } = await play(tape, { 'x-cut': `${cut}`, 'x-ending': i % 2 === 0 ? 'end' : 'destroy' });
      ids.push(id);
    }
    for (const call of await receipts(ids, run))
      expect(usdToNano(call.cost_usd), `${call.id} ${call.ending}`).toBeGreaterThanOrEqual(truth);
  }, 120_000);
});
