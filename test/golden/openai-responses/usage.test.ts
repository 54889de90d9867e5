import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Usage } from '../../../gateway/domain/usage.ts';

interface Case {
  readonly name: string;
  readonly usage: Json;
  readonly output?: readonly Json[];
  readonly response?: Record<string, Json>;
  readonly leaves: Record<string, number>;
  readonly further?: { readonly model: string; readonly leaves: Record<string, number> };
  readonly estimated?: boolean;
  readonly certainty?: string;
  readonly reported?: string;
  readonly fees?: Record<string, number>;
}

const cases = JSON.parse(readFileSync(new URL('usage.json', import.meta.url), 'utf8')) as readonly Case[];

const bodyOf = ({ usage, output = [], response = {} }: Case): Json => ({
  status: 'completed',
  model: 'served',
  service_tier: 'default',
  output,
  usage,
  ...response,
});

const inUnary = (one: Case): Usage => openaiResponses.readReply(parseStrict(JSON.stringify(bodyOf(one)))).usage;

function inStream(one: Case): Usage {
  const request = JSON.stringify({ model: 'm', stream: true, input: 'x' });
  const reader = openaiResponses.openStream(openaiResponses.read(parseStrict(request), request.length, {}));
  const items = (one.output ?? []).map((item, i) => ({ type: 'response.output_item.done', output_index: i, item }));
  const events: Json[] = [...items, { type: 'response.completed', response: bodyOf(one) }];
  reader.push(new TextEncoder().encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')));
  reader.end();
  return reader.usage();
}

describe.each(cases)('$name', (one) => {
  it.each([
    ['a complete reply', inUnary],
    ['a stream', inStream],
  ])('in %s', (_where, read) => {
    const found = read(one);
    expect(found.entries).toEqual([
      { model: 'served', leaves: one.leaves, tier: 'default', ...(one.fees && { fees: one.fees }) },
      ...(one.further ? [one.further] : []),
    ]);
    expect(found.certainty).toBe(one.certainty ?? 'exact');
    expect(found.estimated ?? false).toBe(one.estimated ?? false);
    expect(found.reported?.toString()).toBe(one.reported);
  });
});
