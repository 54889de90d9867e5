import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gemini } from '../../gateway/dialects/gemini.ts';
import { asCount, asString, isArray, type Json, member } from '../../gateway/domain/json.ts';
import { parseStrict } from '../../gateway/domain/json-text.ts';
import { summarize } from '../../gateway/domain/usage.ts';
import type { Frame } from '../../gateway/ports/dialect.ts';
import { array, chunksIn, joined, PATH, replay, request } from '../unit/dialects/gemini-streams.ts';

const root = process.env['RECORDED'] ?? '';
const folder = join(root, 'streams', 'google');
/** `interactions-*` is another API: its events have no candidates. */
const recordings = readdirSync(folder)
  .filter((name) => name.endsWith('.sse') && !name.startsWith('interactions-'))
  .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));

/** The provider's own counts by the plainest reading: field by field, the last statement. */
function stated(chunks: readonly Json[]): Record<string, Json> {
  return Object.assign({}, ...chunks.map((one) => member(one, 'usageMetadata') ?? {})) as Record<string, Json>;
}

const partsOf = (chunks: readonly Json[]): Json[] =>
  chunks.flatMap((one) => {
    const parts = member(member((member(one, 'candidates') as Json[])[0], 'content'), 'parts');
    return isArray(parts) ? [...parts] : [];
  });

const outline = (frames: readonly Frame[]): string =>
  JSON.stringify(frames.map(({ bytes, ...rest }) => [bytes.length, rest]));

it('there are recordings', () => {
  expect(recordings.length).toBeGreaterThan(3);
});

const variants = recordings.flatMap(({ name, bytes }) => [
  { name, bytes },
  { name: `${name} as one array`, bytes: Buffer.from(array(chunksIn(bytes.toString()))) },
]);

describe.each(variants)('$name', ({ bytes }) => {
  const chunks = chunksIn(bytes.toString());
  const whole = replay(bytes);

  it('leaves in the bytes it came in, with the same frames, cut anywhere', () => {
    for (const size of [1, 7, 64, bytes.length]) {
      const { frames } = replay(bytes, size);
      expect(joined(frames.map((frame) => frame.bytes)) === bytes.toString(), `chunks of ${size}`).toBe(true);
      expect(outline(frames) === outline(whole.frames), `chunks of ${size}`).toBe(true);
    }
  });

  it('is metered to the token', () => {
    const usage = whole.reader.usage();
    const truth = stated(chunks);
    expect(usage.certainty).toBe('exact');
    expect(usage.estimated ?? false).toBe(false);
    const { input, output, cache_read, cache_write } = summarize(usage);
    expect(input + cache_read + cache_write).toBe(truth['promptTokenCount']);
    expect(output).toBe((asCount(truth['candidatesTokenCount']) ?? 0) + (asCount(truth['thoughtsTokenCount']) ?? 0));
    expect(input + output + cache_read + cache_write).toBe(truth['totalTokenCount']);
    expect(usage.entries[0]?.model).toBe(member(chunks[0], 'modelVersion'));
    expect(whole.reader.finished()).toBe(true);
    expect(whole.reader.failed()).toBe(false);
  });

  it('cut behind any record it is exact with the final counts, or a floor that is not above them', () => {
    const final = summarize(whole.reader.usage());
    const reader = gemini.openStream(request());
    for (const { bytes: record } of whole.frames) {
      const usage = reader.usage();
      if (usage.certainty === 'exact') expect(summarize(usage)).toEqual(final);
      else expect(reader.finished()).toBe(false);
      expect(summarize(usage).output).toBeLessThanOrEqual(final.output);
      expect(reader.outputFloor()).toBeLessThanOrEqual(final.output);
      reader.push(record);
    }
  });

  it('has every call whole, and the text that the parts spell', () => {
    const calls = whole.frames.flatMap(({ completes }) => completes);
    const named = partsOf(chunks).filter(
      (part) => asString(member(member(part, 'functionCall'), 'name')) !== undefined,
    );
    expect(calls.map(({ tool }) => tool)).toEqual(named.map((part) => member(member(part, 'functionCall'), 'name')));
    for (const call of calls) expect(call.malformed).toBe(false);
    const visible = partsOf(chunks).filter((part) => member(part, 'thought') !== true);
    expect(whole.reader.text()).toBe(visible.map((part) => asString(member(part, 'text')) ?? '').join(''));
  });

  it('loses every trace of its calls when they are denied, and stays a stream', () => {
    const { reader, frames } = replay(bytes);
    const calls = frames.flatMap(({ completes }) => completes);
    const denied = new Map(calls.map(({ slot }) => [slot, `no ${slot}`]));
    const sent = joined(frames.map((frame) => reader.rewrite(frame, { texts: new Map(), denied, edited: new Map() })));
    if (calls.length === 0) expect(sent === bytes.toString()).toBe(true);
    expect(sent).not.toContain('functionCall');
    const left = chunksIn(sent);
    for (const { slot } of calls) expect(sent.split(`no ${slot}`)).toHaveLength(2);
    expect(stated(left)).toEqual(stated(chunks));
    expect(member((member(left.at(-1), 'candidates') as Json[])[0], 'finishReason')).toBe('STOP');
    for (const one of left)
      expect(isArray(member(member((member(one, 'candidates') as Json[])[0], 'content'), 'parts'))).toBe(true);
  });
});

it('puts streamed arguments together', () => {
  const args = (name: string): Json[] =>
    replay(readFileSync(join(folder, name))).frames.flatMap(({ completes }) => completes.map((call) => call.args));
  expect(args('google-stream-tool-call-arguments.sse')).toEqual([
    { location: 'Boston' },
    { location: 'San Francisco' },
  ]);
  expect(args('google-stream-no-args-tool-call.sse')).toEqual([{}, { id: 'A' }, { id: 'B' }, { id: 'C' }]);
  expect(args('google-stream-tool-call-array-arguments-missing-terminal-function-call.sse')).toEqual([
    {
      operations: [
        { action: 'add', description: 'Fresh red apple', itemid: 'apple_001', price: 0.5 },
        { action: 'add', description: 'Ripe yellow banana', itemid: 'banana_001', price: 0.3 },
      ],
    },
  ]);
});

describe('recorded unary usage', () => {
  const rows = readFileSync(join(root, 'prices.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
    .filter((row) => member(row, 'api') === 'gemini')
    .map((row) => member(row, 'body') as Json);

  it('adds up to what the provider states, in every row', () => {
    expect(rows.length).toBeGreaterThan(200);
    for (const body of rows) {
      const { usage } = gemini.readReply(parseStrict(JSON.stringify(body)), request({}, PATH));
      const { input, output, cache_read, cache_write } = summarize(usage);
      const truth = member(body, 'usageMetadata');
      expect(usage.certainty).toBe('exact');
      expect(input + output + cache_read + cache_write).toBe(member(truth, 'totalTokenCount'));
      expect(cache_read).toBe(asCount(member(truth, 'cachedContentTokenCount')) ?? 0);
    }
  });
});
