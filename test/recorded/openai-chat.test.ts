import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../gateway/dialects/openai-chat.ts';
import { isArray, type Json, member } from '../../gateway/domain/json.ts';
import { parseStrict } from '../../gateway/domain/json-text.ts';
import { summarize } from '../../gateway/domain/usage.ts';
import type { Frame, StreamReader } from '../../gateway/ports/dialect.ts';

const root = join(process.env['RECORDED'] ?? '', 'streams');
const streams = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.sse'))
  .map((path) => ({ path, bytes: readFileSync(join(root, path)) }))
  .filter(({ bytes }) => /^data: ?\{.*"choices" ?:/m.test(bytes.toString('utf8')));

const REQUEST = JSON.stringify({
  model: 'm',
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'hi' }],
});

function replay(bytes: Uint8Array, size: number): { reader: StreamReader; frames: Frame[] } {
  const reader = openaiChat.openStream(openaiChat.read(parseStrict(REQUEST), REQUEST.length, {}));
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += size) frames.push(...reader.push(bytes.subarray(at, at + size)));
  frames.push(...reader.end());
  return { reader, frames };
}

const joined = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('utf8');

/** Everything but the bytes, which are compared as one text: deep equality of long byte arrays takes minutes. */
const outline = (frames: readonly Frame[]): string =>
  JSON.stringify(frames.map(({ bytes, ...rest }) => [bytes.length, rest]));

const chunksOf = (text: string): Json[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Json);

/** The provider's own last word. */
const statedUsage = (text: string): Json | undefined =>
  chunksOf(text)
    .map((chunk) => member(chunk, 'usage'))
    .findLast((usage) => usage !== undefined && usage !== null);

it('there are chat streams among the recordings', () => {
  expect(streams.length).toBeGreaterThan(10);
});

describe.each(streams)('$path', ({ bytes }) => {
  const text = bytes.toString('utf8');
  const whole = replay(bytes, bytes.length);

  it('passes byte for byte, with the same frames, at every chunk size', () => {
    for (const size of [1, 7, 64, bytes.length]) {
      const { frames } = replay(bytes, size);
      expect(joined(frames.map((frame) => frame.bytes)) === text, `chunks of ${size}`).toBe(true);
      expect(outline(frames) === outline(whole.frames), `chunks of ${size}`).toBe(true);
    }
  });

  it('is metered to the token', () => {
    const usage = whole.reader.usage();
    const stated = statedUsage(text);
    expect(usage.certainty).toBe('exact');
    expect(usage.estimated ?? false).toBe(false);
    const sums = summarize(usage);
    expect(sums.input + sums.cache_read + sums.cache_write + sums.output).toBe(member(stated, 'total_tokens'));
    expect(sums.input + sums.cache_read + sums.cache_write).toBe(member(stated, 'prompt_tokens'));
    expect(whole.reader.finished()).toBe(true);
    expect(whole.reader.failed()).toBe(false);
  });

  it('cut behind any event it is exact with the final counts, or a floor that is not above them', () => {
    const final = summarize(whole.reader.usage());
    const reader = openaiChat.openStream(openaiChat.read(parseStrict(REQUEST), REQUEST.length, {}));
    for (const { bytes: event } of whole.frames) {
      const usage = reader.usage();
      if (usage.certainty === 'exact') expect(summarize(usage)).toEqual(final);
      else expect(summarize(usage).output).toBeLessThanOrEqual(final.output);
      expect(reader.outputFloor()).toBeLessThanOrEqual(final.output);
      reader.push(event);
    }
  });

  it('loses every trace of its calls when they are denied, and stays a stream', () => {
    const { reader, frames } = replay(bytes, bytes.length);
    const calls = frames.flatMap((frame) => frame.completes);
    const denied = new Map(calls.map((call) => [call.slot, `no ${call.slot}`]));
    const sent = joined(frames.map((frame) => reader.rewrite(frame, { texts: new Map(), denied, edited: new Map() })));
    if (calls.length === 0) expect(sent === text).toBe(true);
    for (const { callId, slot, malformed } of calls) {
      expect(malformed).toBe(false);
      expect(sent).not.toContain(callId);
      expect(sent).toContain(`no ${slot}`);
    }
    const choices = chunksOf(sent).flatMap((chunk) => {
      const list = member(chunk, 'choices');
      return isArray(list) ? list : [];
    });
    expect(choices.some((choice) => isArray(member(member(choice, 'delta'), 'tool_calls')))).toBe(false);
    expect(
      choices.map((choice) => member(choice, 'finish_reason') ?? null).filter((reason) => reason !== null),
    ).toEqual(['stop']);
    expect(statedUsage(sent)).toEqual(statedUsage(text));
  });
});

describe('recorded unary bodies', () => {
  const rows = readFileSync(join(process.env['RECORDED'] ?? '', 'prices.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
    .filter((row) => typeof member(member(member(row, 'body'), 'usage'), 'prompt_tokens') === 'number');

  it.each(rows.map((row, i) => [`${member(row, 'provider')} ${member(row, 'model')} (${i})`, row] as const))(
    '%s',
    (_name, row) => {
      const body = { choices: [], ...(member(row, 'body') as object) };
      const { usage } = openaiChat.readReply(parseStrict(JSON.stringify(body)));
      const stated = member(body as Json, 'usage');
      const sums = summarize(usage);
      expect(usage.certainty).toBe('exact');
      expect(sums.input + sums.cache_read + sums.cache_write).toBeGreaterThanOrEqual(
        member(stated, 'prompt_tokens') as number,
      );
      expect(sums.output).toBeGreaterThanOrEqual(member(stated, 'completion_tokens') as number);
    },
  );
});
