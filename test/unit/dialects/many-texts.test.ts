import { expect, it } from 'vitest';
import { dialects } from '../../../gateway/dialects/_all.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Dialect } from '../../../gateway/ports/dialect.ts';

const MANY = 150_000;
const many = (item: Json): Json => Array.from({ length: MANY }, () => item);

/** More texts than one call takes as arguments: what a request of a few megabytes can hold. */
it.each<[string, string, Json]>([
  ['openai-chat', '/v1/chat/completions', { messages: [{ role: 'user', content: many({ type: 'text', text: 'a' }) }] }],
  [
    'anthropic-messages',
    '/v1/messages',
    { max_tokens: 1, messages: [{ role: 'user', content: many({ type: 'text', text: 'a' }) }] },
  ],
  [
    'openai-responses',
    '/v1/responses',
    { input: [{ role: 'user', content: many({ type: 'input_text', text: 'a' }) }] },
  ],
  [
    'openai-responses',
    '/v1/responses',
    { input: [{ type: 'function_call_output', call_id: 'c', output: many({ type: 'input_text', text: 'a' }) }] },
  ],
  ['openai-responses', '/v1/responses', { input: [{ type: 'novel', texts: many('a') }] }],
  [
    'gemini',
    '/v1beta/models/gemini-2.5-pro:generateContent',
    { contents: [{ role: 'user', parts: many({ text: 'a' }) }] },
  ],
  [
    'gemini',
    '/v1beta/models/gemini-2.5-pro:generateContent',
    { contents: [{ role: 'user', parts: [{ functionResponse: { name: 'f', response: { found: many('a') } } }] }] },
  ],
  [
    'bedrock-converse',
    '/model/anthropic.claude-v2/converse',
    { messages: [{ role: 'user', content: many({ text: 'a' }) }] },
  ],
])('%s %s reads any number of texts', (name, path, body) => {
  const dialect = (dialects as readonly Dialect[]).find((d) => d.name === name) as Dialect;
  const text = JSON.stringify({
    ...(name.startsWith('gemini') || name.startsWith('bedrock') ? {} : { model: 'm' }),
    ...(body as object),
  });
  expect(dialect.read(parseStrict(text), text.length, {}, path).parts).toHaveLength(MANY);
});
