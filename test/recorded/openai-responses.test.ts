import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import type { Response as ApiResponse } from 'openai/resources/responses/responses';
import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../gateway/dialects/openai-responses.ts';
import { isArray, type Json, member } from '../../gateway/domain/json.ts';
import { JsonFault, parseStrict } from '../../gateway/domain/json-text.ts';
import { summarize } from '../../gateway/domain/usage.ts';
import type { Frame, StreamReader } from '../../gateway/ports/dialect.ts';

const root = join(process.env['RECORDED'] ?? '', 'streams');
const TERMINAL = /"type":"response\.(?:completed|incomplete|failed)"/;

/** A recording may hold several responses in a row: each is one reply of its own, cut behind its terminal event. */
function repliesOf(path: string): { path: string; bytes: Buffer }[] {
  const events = readFileSync(join(root, path), 'utf8').split(/(?<=\n\n)/);
  if (!events.some((event) => TERMINAL.test(event))) return [];
  const replies: string[] = [''];
  for (const event of events) {
    replies[replies.length - 1] += event;
    if (TERMINAL.test(event)) replies.push('');
  }
  const whole = replies.filter((reply) => reply !== '');
  return whole.map((text, i) => ({ path: whole.length === 1 ? path : `${path} #${i + 1}`, bytes: Buffer.from(text) }));
}

const streams = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.sse'))
  .sort()
  .flatMap(repliesOf);

/** One recording has a terminal event that is no JSON: nobody can read its usage, and nothing in it can be edited. */
const BROKEN = 'openai/responses-parallel-tool-call-wrapper.1.sse';

const REQUEST = JSON.stringify({ model: 'm', stream: true, input: 'hi' });
const open = (): StreamReader =>
  openaiResponses.openStream(openaiResponses.read(parseStrict(REQUEST), REQUEST.length, {}));

function replay(bytes: Uint8Array, size: number): { reader: StreamReader; frames: Frame[] } {
  const reader = open();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)));
  frames.push(...reader.end());
  return { reader, frames };
}

const joined = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('utf8');

/** Everything but the bytes, which are compared as one text: deep equality of long byte arrays takes minutes. */
const outline = (frames: readonly Frame[]): string =>
  JSON.stringify(frames.map(({ bytes, ...rest }) => [bytes.length, rest]));

function bodiesOf(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .flatMap((line): Json[] => {
      try {
        return [parseStrict(line.slice('data: '.length)).value];
      } catch (error) {
        if (error instanceof JsonFault) return [];
        throw error;
      }
    });
}

const finalResponse = (text: string): Json | undefined =>
  bodiesOf(text)
    .filter((body) => TERMINAL.test(JSON.stringify({ type: member(body, 'type') })))
    .map((body) => member(body, 'response'))
    .at(-1);

/** What the official SDK makes of a stream; a text where it refuses it. */
async function throughSdk(text: string): Promise<ApiResponse | string> {
  const client = new OpenAI({
    apiKey: 'k',
    maxRetries: 0,
    fetch: async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } }),
  });
  try {
    return await client.responses.stream({ model: 'm', input: 'hi' }).finalResponse();
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown';
  }
}

it('there are streams of responses among the recordings', () => {
  expect(streams.length).toBeGreaterThan(25);
});

describe.each(streams)('$path', ({ path, bytes }) => {
  const text = bytes.toString('utf8');
  const whole = replay(bytes, bytes.length);
  const broken = path === BROKEN;

  it('passes byte for byte, with the same frames, at every chunk size', () => {
    for (const size of [1, 7, 64, bytes.length]) {
      const { frames } = replay(bytes, size);
      expect(joined(frames.map((frame) => frame.bytes)) === text, `chunks of ${size}`).toBe(true);
      expect(outline(frames) === outline(whole.frames), `chunks of ${size}`).toBe(true);
    }
  });

  it('is metered to the token', () => {
    const usage = whole.reader.usage();
    expect(whole.reader.finished()).toBe(!broken);
    expect(whole.reader.failed()).toBe(false);
    expect(usage.certainty).toBe(broken ? 'floor' : 'exact');
    if (broken) return;
    const stated = member(finalResponse(text), 'usage');
    const sums = summarize({ ...usage, entries: usage.entries.slice(0, 1) });
    expect(sums.input + sums.cache_read + sums.cache_write).toBe(member(stated, 'input_tokens'));
    expect(sums.output).toBe(member(stated, 'output_tokens'));
    expect(sums.cache_read).toBe(member(member(stated, 'input_tokens_details'), 'cached_tokens'));
    expect(usage.entries[0]?.leaves.reasoning ?? 0).toBe(
      member(member(stated, 'output_tokens_details'), 'reasoning_tokens'),
    );
    expect(usage.entries[0]?.tier).toBe(member(finalResponse(text), 'service_tier'));
    expect(whole.reader.servedModel()).toBe(member(finalResponse(text), 'model'));
  });

  it('cut behind any event it is exact with the final counts, or a floor that is not above them', () => {
    const final = summarize(whole.reader.usage());
    const reader = open();
    for (const { bytes: event } of whole.frames) {
      expect(reader.usage().certainty).toBe('floor');
      expect(reader.finished()).toBe(false);
      if (!broken) expect(reader.outputFloor()).toBeLessThanOrEqual(final.output);
      reader.push(event);
    }
    expect(reader.usage()).toEqual(whole.reader.usage());
  });

  it('loses every trace of its calls when they are denied, and the SDK reads it to its end', async () => {
    const { reader, frames } = replay(bytes, bytes.length);
    const calls = frames.flatMap((frame) => frame.completes);
    const denied = new Map(calls.map((call) => [call.slot, `no ${call.slot}`]));
    const rewrite = (): string =>
      joined(frames.map((frame) => reader.rewrite(frame, { texts: new Map(), denied, edited: new Map() })));
    if (broken) {
      expect(rewrite).toThrow(RangeError);
      return;
    }
    const sent = rewrite();
    if (calls.length === 0) expect(sent === text).toBe(true);
    const output = member(finalResponse(sent), 'output');
    for (const { callId, slot, malformed } of calls) {
      expect(malformed).toBe(false);
      expect(callId).not.toBe('');
      expect(sent).not.toContain(`"${callId}"`);
      expect(JSON.stringify(output)).toContain(`"no ${slot}"`);
    }
    expect(isArray(output) && output.length).toBe((member(finalResponse(text), 'output') as Json[]).length);
    const numbers = bodiesOf(sent).map((body) => member(body, 'sequence_number'));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    const before = await throughSdk(text);
    if (typeof before === 'string' && calls.length === 0) return;
    const after = await throughSdk(sent);
    expect(typeof after === 'string' ? after : after.status).toBe('completed');
    for (const { slot } of calls) expect((after as ApiResponse).output_text).toContain(`no ${slot}`);
  });

  it('carries edited arguments wherever it states a call', async () => {
    const { reader, frames } = replay(bytes, bytes.length);
    const calls = frames.flatMap((frame) => frame.completes);
    if (calls.length === 0 || broken) return;
    const changed = (args: Json): Json =>
      typeof args === 'string'
        ? 'edited'
        : 'commands' in (args as object)
          ? { commands: ['edited'] }
          : { edited: true };
    const edited = new Map(calls.map((call) => [call.slot, changed(call.args)]));
    const sent = joined(frames.map((frame) => reader.rewrite(frame, { texts: new Map(), denied: new Map(), edited })));
    const output = member(finalResponse(sent), 'output') as Json[];
    const pieces = bodiesOf(sent).filter((body) => /_call_(?:arguments|input|command)/.test(`${member(body, 'type')}`));
    for (const { callId, parts } of calls) {
      const item = output.find((one) => [member(one, 'call_id'), member(one, 'id')].includes(callId));
      expect(JSON.stringify(item)).toContain('edited');
      for (const { text: own } of parts.filter((part) => part.text.length > 8))
        expect(JSON.stringify([item, pieces])).not.toContain(own);
    }
    const numbers = bodiesOf(sent).map((body) => member(body, 'sequence_number'));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    const before = await throughSdk(text);
    if (typeof before === 'string') return;
    expect(typeof (await throughSdk(sent))).toBe('object');
  });

  it('says redacted text wherever it repeats it', async () => {
    const { reader, frames } = replay(bytes, bytes.length);
    if (broken || reader.text() === '') return;
    const seen = new Set<string>();
    const sent = joined(
      frames.map((frame) => {
        const texts = new Map(frame.texts.map(({ channel }) => [channel, seen.has(channel) ? '' : 'REDACTED']));
        for (const { channel } of frame.texts) seen.add(channel);
        return reader.rewrite(frame, { texts, denied: new Map(), edited: new Map() });
      }),
    );
    const bodies = bodiesOf(sent);
    const words = JSON.stringify(
      bodies.filter((body) => member(body, 'type') !== 'response.output_text.annotation.added'),
    );
    for (const stretch of reader.text().match(/[A-Za-z][a-z]+ [a-z]+ [a-z]+ [a-z]+/g) ?? [])
      expect(words.includes(`"text":"${stretch}`), stretch).toBe(false);
    const deltas = bodies.filter((body) => member(body, 'type') === 'response.output_text.delta');
    expect(new Set(deltas.map((body) => member(body, 'delta')))).toEqual(new Set(['REDACTED']));
    for (const item of member(finalResponse(sent), 'output') as Json[])
      for (const part of member(item, 'type') === 'message' ? (member(item, 'content') as Json[]) : [])
        expect(member(part, 'text')).toBe('REDACTED');
    const numbers = bodies.map((body) => member(body, 'sequence_number'));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    const before = await throughSdk(text);
    if (typeof before === 'string') return;
    const after = await throughSdk(sent);
    expect(typeof after === 'string' ? after : new Set(after.output_text.split('REDACTED'))).toEqual(new Set(['']));
  });

  it('as a whole body it is read as it was streamed', () => {
    if (broken) return;
    const reply = openaiResponses.readReply(parseStrict(JSON.stringify(finalResponse(text))));
    expect(reply.usage).toEqual(whole.reader.usage());
    expect(reply.text).toBe(whole.reader.text());
    expect(reply.mark).toEqual(whole.reader.mark());
    expect(reply.calls.map(({ callId, tool, args }) => [callId, tool, args])).toEqual(
      whole.frames.flatMap((frame) => frame.completes).map(({ callId, tool, args }) => [callId, tool, args]),
    );
    expect([...reply.issuedIds].sort()).toEqual([...whole.reader.issuedIds()].sort());
  });
});

describe('recorded unary bodies', () => {
  const rows = readFileSync(join(process.env['RECORDED'] ?? '', 'prices.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
    .filter((row) => member(row, 'api') === 'openai-responses');

  it.each(rows.map((row, i) => [`${member(row, 'model')} (${i})`, row] as const))('%s', (_name, row) => {
    const body = { output: [], status: 'completed', ...(member(row, 'body') as object) };
    const { usage } = openaiResponses.readReply(parseStrict(JSON.stringify(body)));
    const stated = member(body as Json, 'usage');
    const sums = summarize({ ...usage, entries: usage.entries.slice(0, 1) });
    expect(usage.certainty).toBe('exact');
    expect(sums.input + sums.cache_read + sums.cache_write).toBe(member(stated, 'input_tokens'));
    expect(sums.output).toBe(member(stated, 'output_tokens'));
  });
});
