import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Usage } from '../../../gateway/domain/usage.ts';

interface Case {
  readonly name: string;
  readonly usage: Json;
  readonly leaves: Record<string, number>;
  readonly estimated?: boolean;
  readonly certainty?: string;
  readonly reported?: string;
  readonly fees?: Record<string, number>;
}

const cases = JSON.parse(readFileSync(new URL('usage.json', import.meta.url), 'utf8')) as readonly Case[];

function inUnary(usage: Json): Usage {
  const body = { model: 'served', choices: [{ index: 0, message: { role: 'assistant', content: '' } }], usage };
  return openaiChat.readReply(parseStrict(JSON.stringify(body))).usage;
}

function inStream(usage: Json): Usage {
  const request = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
  const reader = openaiChat.openStream(openaiChat.read(parseStrict(request), request.length, {}));
  const chunks = [
    { model: 'served', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: null },
    { model: '', choices: [], usage },
  ];
  const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
  reader.push(new TextEncoder().encode(`${text}data: [DONE]\n\n`));
  reader.end();
  return reader.usage();
}

describe.each(cases)('$name', ({ usage, leaves, estimated, certainty = 'exact', reported, fees }) => {
  it.each([
    ['a complete reply', inUnary],
    ['a stream', inStream],
  ])('in %s', (_where, read) => {
    const found = read(usage);
    expect(found.entries).toEqual([{ model: 'served', leaves, tier: undefined, ...(fees && { fees }) }]);
    expect(found.certainty).toBe(certainty);
    expect(found.estimated ?? false).toBe(estimated ?? false);
    expect(found.reported?.toString()).toBe(reported);
  });
});
