import { readdirSync, readFileSync } from 'node:fs';
import { join as path } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bedrockConverse } from '../../gateway/dialects/bedrock-converse.ts';
import { asString, type Json, member } from '../../gateway/domain/json.ts';
import { summarize } from '../../gateway/domain/usage.ts';
import { CONVERSE, event, join, reading, replay, rewritten, told } from '../unit/dialects/bedrock-streams.ts';

const folder = path(process.env['RECORDED'] ?? '', 'streams', 'amazon-bedrock');
const ASKED = reading(
  bedrockConverse,
  { messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
  `${CONVERSE}-stream`,
);

/** The recordings name the event in the payload; on the wire its name is a header and the frame is binary. */
const recordings = readdirSync(folder)
  .filter((name) => name.endsWith('.sse'))
  .map((name) => {
    const events = readFileSync(path(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map(
        (line) => Object.entries(JSON.parse(line.slice('data: '.length)) as Record<string, Json>)[0] as [string, Json],
      );
    return { name, events, bytes: join(events.map(([type, body]) => event(type, body))) };
  });

it('there are recordings', () => {
  expect(recordings.length).toBeGreaterThan(5);
});

describe.each(recordings)('$name', ({ events, bytes }) => {
  const hex = Buffer.from(bytes).toString('hex');
  const stated = events.find(([type]) => type === 'metadata')?.[1];

  it('leaves in the bytes it came in, cut anywhere', () => {
    for (const size of [1, 7, 64, bytes.length]) {
      const { frames } = replay(bedrockConverse, ASKED, bytes, size);
      expect(Buffer.concat(frames.map((frame) => frame.bytes)).toString('hex') === hex, `chunks of ${size}`).toBe(true);
    }
  });

  it('is metered to the token where usage is stated, else a floor', () => {
    const { reader } = replay(bedrockConverse, ASKED, bytes);
    const usage = reader.usage();
    expect(reader.finished()).toBe(true);
    expect(usage.certainty).toBe(stated === undefined ? 'floor' : 'exact');
    if (stated === undefined) return;
    const { input, output } = summarize(usage);
    expect({ input, output }).toEqual({
      input: member(member(stated, 'usage'), 'inputTokens'),
      output: member(member(stated, 'usage'), 'outputTokens'),
    });
    expect(input + output).toBe(member(member(stated, 'usage'), 'totalTokens'));
  });

  it('cut behind any event it is exact with the final counts, or a floor that is not above them', () => {
    const final = summarize(replay(bedrockConverse, ASKED, bytes).reader.usage());
    const reader = bedrockConverse.openStream(ASKED);
    for (const [type, body] of events) {
      const usage = reader.usage();
      if (usage.certainty === 'exact') expect(summarize(usage)).toEqual(final);
      else expect(summarize(usage).output).toBeLessThanOrEqual(final.output);
      reader.push(event(type, body));
    }
  });

  it('has every call whole and reads the text', () => {
    const { reader, frames } = replay(bedrockConverse, ASKED, bytes, 9);
    const calls = frames.flatMap(({ completes }) => completes);
    const named = events.flatMap(
      ([, body]) => asString(member(member(member(body, 'start'), 'toolUse'), 'name')) ?? [],
    );
    expect(calls.map(({ tool }) => tool)).toEqual(named);
    for (const call of calls) expect(call.malformed).toBe(false);
    expect(reader.text()).toBe(
      events.map(([, body]) => asString(member(member(body, 'delta'), 'text')) ?? '').join(''),
    );
  });

  it('loses every trace of its calls when they are denied, and stays a stream', () => {
    const played = replay(bedrockConverse, ASKED, bytes);
    const calls = played.frames.flatMap(({ completes }) => completes);
    const sent = rewritten(played, { denied: Object.fromEntries(calls.map(({ slot }) => [slot, `no ${slot}.`])) });
    if (calls.length === 0) expect(Buffer.from(sent).toString('hex')).toBe(hex);
    const left = told(sent);
    expect(JSON.stringify(left)).not.toContain('toolUse');
    for (const { slot } of calls) expect(JSON.stringify(left)).toContain(`no ${slot}.`);
    expect(left.find(({ type }) => type === 'messageStop')?.body['stopReason']).toBe('end_turn');
    expect(left.filter(({ type }) => type === 'contentBlockStop')).toHaveLength(
      events.filter(([type]) => type === 'contentBlockStop').length,
    );
  });
});
