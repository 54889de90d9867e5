import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallView } from '../../gateway/admin/views.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { isReel, startPlayer, type Tape, tapes, truth } from './tapes.ts';

let player: Awaited<ReturnType<typeof startPlayer>>;
let gate: TestGate;

const upstreams = () => ({
  chat: { base_url: player.url, dialects: ['openai-chat'], prices: 'openai' },
  anthropic: { base_url: player.url, dialects: ['anthropic-messages'] },
});

beforeAll(async () => {
  player = await startPlayer();
  gate = await startTestGate({ upstreams: upstreams(), policy: 'starter' });
});

afterAll(async () => {
  await gate.remove();
  await player.close();
});

/** A request such as could have brought this answer: it declares the provider-run tools that the recording shows. */
function requestFor(tape: Tape): string {
  const words = [{ role: 'user', content: 'go on' }];
  if (tape.language === 'chat')
    return JSON.stringify({
      model: 'gpt-4o',
      max_completion_tokens: 4000,
      stream: true,
      stream_options: { include_usage: true },
      messages: words,
    });
  const started = tape.events.find((e) => e['type'] === 'message_start')?.['message'] as {
    usage: { input_tokens: number };
  };
  const seen = (kind: string): boolean => tape.bytes.includes(`"name":"${kind}"`);
  const tools = [
    ...(seen('advisor') ? [{ type: 'advisor_20250301', name: 'advisor', model: 'claude-opus-4-6', max_uses: 3 }] : []),
    ...(seen('web_search') ? [{ type: 'web_search_20250305', name: 'web_search', max_uses: 3 }] : []),
    ...(/_code_execution|"code_execution"/.test(tape.bytes.toString())
      ? [{ type: 'code_execution_20250825', name: 'code_execution', max_uses: 20 }]
      : []),
    ...(seen('tool_search_tool_regex') || seen('tool_search_tool_bm25')
      ? [{ type: 'tool_search_tool_regex', name: 'search', max_uses: 3 }]
      : []),
  ];
  const long = [{ role: 'user', content: 'x'.repeat(started.usage.input_tokens) }];
  const context = tape.name.includes('compaction')
    ? { context_management: { edits: [{ type: 'compact_20260112' }] } }
    : {};
  return JSON.stringify({
    model: 'claude-opus-4-6',
    max_tokens: 8000,
    stream: true,
    messages: long,
    ...context,
    ...(tools.length > 0 && { tools }),
  });
}

async function play(
  tape: Tape,
  headers: Record<string, string>,
): Promise<{ id: string; bytes: Buffer; failed: boolean }> {
  const path = tape.language === 'chat' ? '/chat/v1/chat/completions' : '/anthropic/v1/messages';
  const response = await fetch(gate.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tape': String(tapes.indexOf(tape)),
      'x-tollgate-run': `${tapes.indexOf(tape)}`,
      ...headers,
    },
    body: requestFor(tape),
  });
  expect(response.status).toBe(200);
  const chunks: Uint8Array[] = [];
  let failed = false;
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
  } catch {
    failed = true;
  }
  return { id: response.headers.get('x-tollgate-call') as string, bytes: Buffer.concat(chunks), failed };
}

/** The receipts of these calls, exactly one each. */
async function receipts(ids: readonly string[], run: string): Promise<Map<string, CallView>> {
  for (let i = 0; i < 300; i += 1) {
    const calls = (await gate.calls(`&run=${run}`)).filter((call) => ids.includes(call.id));
    if (calls.length >= ids.length) {
      expect(calls).toHaveLength(ids.length);
      return new Map(calls.map((call) => [call.id, call]));
    }
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`not all of ${ids.length} calls of run ${run} were sealed`);
}

describe.each(tapes)('$name', (tape) => {
  const run = String(tapes.indexOf(tape));

  it('arrives byte-identical at several chunk sizes, and is metered', async () => {
    const played = [];
    for (const chunk of [1 << 20, 1000, 61, 7]) played.push(await play(tape, { 'x-chunk': String(chunk) }));
    for (const { bytes, failed } of played) {
      expect(failed).toBe(false);
      expect(bytes.equals(tape.bytes)).toBe(true);
    }
    const expected = truth(tape);
    const sealed = await receipts(
      played.map((p) => p.id),
      run,
    );
    for (const call of sealed.values()) {
      expect(call).toMatchObject({ ending: 'completed', certainty: 'exact' });
      expect(call.usage.input + call.usage.cache_read + call.usage.cache_write).toBe(expected.input);
      expect(call.usage.output).toBe(expected.output);
    }
  });
});

// a file of several answers was never one reply: its answers are cut one by one
describe.each(tapes.filter((tape) => !isReel(tape)))('$name, cut', (tape) => {
  const run = String(tapes.indexOf(tape));

  it('is never billed below the truth where it is cut, and sealed once', async () => {
    const whole = await play(tape, {});
    const truthNano = usdToNano((await receipts([whole.id], run)).get(whole.id)?.cost_usd as string);
    const cuts = [0, ...tape.boundaries];
    const cutCalls: string[] = [];
    const workers = Array.from({ length: 6 }, async (_, worker) => {
      for (let i = worker; i < cuts.length; i += 6) {
        const { id } = await play(tape, { 'x-cut': String(cuts[i]), 'x-ending': i % 2 === 0 ? 'end' : 'destroy' });
        cutCalls.push(id);
      }
    });
    await Promise.all(workers);
    for (let at = 0; at < cutCalls.length; at += 500) {
      for (const call of (await receipts(cutCalls.slice(at, at + 500), run)).values()) {
        expect(usdToNano(call.cost_usd), `${call.id} ${call.ending}`).toBeGreaterThanOrEqual(truthNano);
      }
    }
  }, 120_000);
});
