import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gemini } from '../../../gateway/dialects/gemini.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Usage } from '../../../gateway/domain/usage.ts';
import { array, events, replay } from '../../unit/dialects/gemini-streams.ts';

interface Case {
  readonly name: string;
  readonly usage: Json;
  readonly leaves: Record<string, number>;
  readonly estimated?: boolean;
  readonly certainty?: string;
  readonly tier?: string;
}

const cases = JSON.parse(readFileSync(new URL('usage.json', import.meta.url), 'utf8')) as readonly Case[];

const body = (usage: Json): Json => ({
  candidates: [{ content: { parts: [] }, finishReason: 'STOP' }],
  modelVersion: 'served',
  usageMetadata: usage,
});

const inUnary = (usage: Json): Usage => gemini.readReply(parseStrict(JSON.stringify(body(usage)))).usage;

describe.each(cases)('$name', ({ usage, leaves, estimated, certainty = 'exact', tier }) => {
  it.each([
    ['a complete reply', inUnary],
    ['events', (stated: Json) => replay(events([body(stated)]), 11).reader.usage()],
    ['an array', (stated: Json) => replay(array([body(stated)]), 11).reader.usage()],
  ])('in %s', (_where, read) => {
    const found = read(usage);
    expect(found.entries).toEqual([{ model: 'served', leaves, tier }]);
    expect(found.certainty).toBe(certainty);
    expect(found.estimated ?? false).toBe(estimated ?? false);
  });
});
