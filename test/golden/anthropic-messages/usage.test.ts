import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import type { JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { finish, readingOf, readStream, STOP, start, streamOf } from '../../unit/dialects/anthropic-streams.ts';

interface Case {
  readonly name: string;
  readonly cache?: '5m' | '1h';
  readonly usages: readonly { readonly start?: JsonObject; readonly delta?: JsonObject; readonly stop?: true }[];
  readonly served?: string;
  readonly expect: JsonObject;
}

const cases = JSON.parse(readFileSync(new URL('usage.json', import.meta.url), 'utf8')) as Case[];

const reading = (cache: Case['cache']) =>
  readingOf(cache ? { cache_control: { type: 'ephemeral', ...(cache === '1h' && { ttl: '1h' }) } } : {});

describe('usage of a stream', () => {
  it.each(cases)('$name', ({ cache, usages, served, expect: expected }) => {
    const events = usages.map((step) =>
      step.start ? start({ usage: step.start }) : step.delta ? finish('end_turn', step.delta) : STOP,
    );
    const last = usages.at(-1);
    const stream = streamOf(last?.delta ? [...events, STOP] : events);
    const { reader } = readStream(stream, 50, reading(cache));
    expect(reader.usage()).toEqual(expected);
    expect(reader.servedModel()).toBe(served ?? 'claude-test-1');
  });
});

describe('usage of a whole reply that states the same', () => {
  // a reply states its counts once: no drop can be seen in it
  const whole = cases.filter(({ usages, expect }) => usages.length === 2 && usages[1]?.delta && !expect['estimated']);
  it.each(whole)('$name', ({ cache, usages, served, expect: expected }) => {
    const stated = Object.entries({ ...usages[0]?.start, ...usages[1]?.delta }).map(([name, value]) => {
      const kept = value ?? usages[0]?.start?.[name];
      return [name, kept];
    });
    const text = JSON.stringify({
      type: 'message',
      model: 'claude-test-1',
      content: [],
      usage: Object.fromEntries(stated),
    });
    const { usage, servedModel } = anthropicMessages.readReply(parseStrict(text), reading(cache));
    expect(usage).toEqual(expected);
    expect(servedModel).toBe(served ?? 'claude-test-1');
  });
});
