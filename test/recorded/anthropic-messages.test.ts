import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../gateway/domain/json.ts';
import { asCount, asString, isArray, member } from '../../gateway/domain/json.ts';
import { summarize } from '../../gateway/domain/usage.ts';
import { bytesOf, readStream, reviewed } from '../unit/dialects/anthropic-streams.ts';

const folder = join(process.env['RECORDED'] ?? '../shared/data', 'streams', 'anthropic');
const recordings = readdirSync(folder)
  .filter((name) => name.endsWith('.sse'))
  .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));

/** The events of a recording, read by the plainest means: no code of the gate. */
function eventsOf(bytes: Buffer): JsonObject[] {
  return bytes
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as JsonObject);
}

interface Truth {
  input: number;
  output: number;
  cache_read: number;
  cache_write: number;
}

/** What the provider charges for: per message the last usage stated, or the sum of its iterations. */
function truthOf(events: readonly JsonObject[]): Truth {
  const total = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
  let last: Json | undefined;
  const count = (usage: Json | undefined): void => {
    total.input += asCount(member(usage, 'input_tokens')) ?? 0;
    total.output += asCount(member(usage, 'output_tokens')) ?? 0;
    total.cache_read += asCount(member(usage, 'cache_read_input_tokens')) ?? 0;
    total.cache_write += asCount(member(usage, 'cache_creation_input_tokens')) ?? 0;
  };
  for (const event of events) {
    if (event['type'] === 'message_start') last = member(event['message'], 'usage');
    if (event['type'] === 'message_delta') last = event['usage'];
    if (event['type'] !== 'message_stop') continue;
    const iterations = member(last, 'iterations');
    if (isArray(iterations)) iterations.forEach(count);
    else count(last);
  }
  return total;
}

describe.each(recordings)('$name', ({ bytes }) => {
  const events = eventsOf(bytes);

  it.each([1, 7, 64, 1e9])('leaves in the bytes it came in, cut every %i bytes', (size) => {
    const { frames } = readStream(bytes, size);
    expect(bytesOf(frames)).toBe(bytes.toString());
  });

  it('is metered exactly as the provider counts', () => {
    const { reader } = readStream(bytes, 1000);
    expect(reader.usage().certainty).toBe('exact');
    expect(reader.usage().estimated).toBeUndefined();
    expect(reader.finished()).toBe(true);
    expect(reader.failed()).toBe(false);
    expect(summarize(reader.usage())).toEqual(truthOf(events));
  });

  it('never claims more output than was billed, and has every call complete', () => {
    const { reader, frames } = readStream(bytes);
    expect(reader.outputFloor()).toBeLessThanOrEqual(summarize(reader.usage()).output);
    const proposed = JSON.stringify(events).match(/"type":"tool_use","id":"([^"]+)"/g) ?? [];
    expect(frames.flatMap(({ completes }) => completes)).toHaveLength(proposed.length);
  });

  it('reads the text and arguments that the events spell', () => {
    const { reader, frames } = readStream(bytes, 13);
    const deltas = events.filter(({ type }) => type === 'content_block_delta').map(({ delta }) => delta);
    expect(reader.text()).toBe(deltas.map((delta) => asString(member(delta, 'text')) ?? '').join(''));
    for (const { completes } of frames) for (const call of completes) expect(call.malformed).toBe(false);
  });

  it('is at least a floor wherever it is cut, and exact only once its messages have ended', () => {
    const { frames } = readStream(bytes);
    const whole = summarize(readStream(bytes).reader.usage());
    const step = Math.max(1, Math.floor(frames.length / 40));
    for (let end = 0; end < frames.length; end += step) {
      const { reader } = readStream(bytesOf(frames.slice(0, end)));
      const now = reader.usage();
      if (now.certainty !== 'exact') continue;
      const begun = frames.slice(0, end).filter(({ bytes: event }) => Buffer.from(event).includes('"message_start"'));
      const ended = frames.slice(0, end).filter(({ finish }) => finish);
      expect(ended).toHaveLength(begun.length);
      expect(summarize(now).output).toBeLessThanOrEqual(whole.output);
    }
  });

  it('names no call once all are denied', () => {
    const { frames } = readStream(bytes);
    const ids = frames.flatMap(({ completes }) => completes.map(({ callId }) => callId));
    const deny = Object.fromEntries(ids.map((id) => [id, 'denied here']));
    const { sent } = reviewed(bytes, { deny }, 500);
    for (const id of ids) expect(sent).not.toContain(`"${id}"`);
    expect(sent).not.toMatch(/"type":"tool_use"|"stop_reason":"tool_use"/);
    expect(eventsOf(Buffer.from(sent)).filter(({ type }) => type === 'message_stop')).toHaveLength(
      events.filter(({ type }) => type === 'message_stop').length,
    );
    if (ids.length === 0) expect(sent).toBe(bytes.toString());
  });
});
