import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json, JsonText } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { resolvePointer } from '../../../gateway/domain/pointer.ts';
import type { ReplyChanges } from '../../../gateway/ports/dialect.ts';

const TEXT = `{ "id": "chatcmpl-1", "model": "gpt-x-2",
  "choices": [ { "index": 0, "message": { "role": "assistant", "content": "I look.", "refusal": null,
    "tool_calls": [
      { "id": "call_aaaaaaaa", "type": "function", "function": { "name": "weather", "arguments": "{\\"city\\":\\"Oslo\\"}" } },
      { "id": "call_bbbbbbbb", "type": "function", "function": { "name": "rm", "arguments": "{\\"path\\": \\"/\\"}" } } ] },
    "logprobs": null, "finish_reason": "tool_calls" } ],
  "usage": { "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13 }, "service_tier": "default", "vendor": 1.50 }`;

function edit(
  text: string,
  changes: { denied?: Record<string, string>; edited?: Record<string, Json>; texts?: ReplyChanges['texts'] },
): string {
  return openaiChat.editReply(parseStrict(text), {
    denied: new Map(Object.entries(changes.denied ?? {})),
    edited: new Map(Object.entries(changes.edited ?? {})),
    texts: changes.texts ?? [],
  });
}

const reply = (message: Json, more: Record<string, Json> = {}): JsonText =>
  parseStrict(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop', ...more }] }));

describe('reading a complete reply', () => {
  const doc = parseStrict(TEXT);
  const reading = openaiChat.readReply(doc);

  it('finds calls, text, usage and the model', () => {
    expect(reading.calls).toEqual([
      {
        slot: '0/call/0',
        callId: 'call_aaaaaaaa',
        tool: 'weather',
        args: { city: 'Oslo' },
        parts: [{ at: '/city', text: 'Oslo' }],
        malformed: false,
      },
      {
        slot: '0/call/1',
        callId: 'call_bbbbbbbb',
        tool: 'rm',
        args: { path: '/' },
        parts: [{ at: '/path', text: '/' }],
        malformed: false,
      },
    ]);
    expect(reading.text).toBe('I look.');
    expect(reading.parts).toEqual([{ at: '/choices/0/message/content', text: 'I look.' }]);
    expect(reading.usage).toEqual({
      entries: [{ model: 'gpt-x-2', leaves: { input: 9, output: 4 }, tier: 'default' }],
      certainty: 'exact',
    });
    expect(reading.servedModel).toBe('gpt-x-2');
    expect(reading.issuedIds).toEqual(['call_aaaaaaaa', 'call_bbbbbbbb']);
  });

  it('gives every text a place, reasoning and refusals included', () => {
    const message = {
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: 'a' }] },
        { type: 'text', text: 'b' },
      ],
      reasoning: 'c',
      reasoning_details: [{ type: 'reasoning.text', text: 'd', signature: 's' }],
      refusal: 'e',
      audio: { id: 'x', data: 'AAAA', transcript: 'f' },
    };
    const found = reply(message);
    const { parts, text } = openaiChat.readReply(found);
    expect(parts.map((part) => part.text).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    for (const part of parts) expect(resolvePointer(found.value, part.at)).toBe(part.text);
    expect(parts.filter((part) => part.frozen !== undefined).map((part) => part.text)).toEqual(['d']);
    expect(text).toBe('bef');
  });

  it('charges no less than a floor where usage is missing', () => {
    const { usage } = openaiChat.readReply(reply({ content: 'word '.repeat(100) }));
    expect(usage).toEqual({
      entries: [{ model: undefined, leaves: { output: 7 }, tier: undefined }],
      certainty: 'floor',
    });
  });

  it('refuses what is no chat completion', () => {
    for (const text of ['{}', '{"choices":{}}', '[]', '{"error":{"message":"x"}}'])
      expect(() => openaiChat.readReply(parseStrict(text)), text).toThrow(Fault);
  });
});

describe('changing a complete reply', () => {
  it('leaves every other byte', () => {
    expect(edit(TEXT, {})).toBe(TEXT);
    expect(edit(TEXT, { edited: { '0/call/1': { path: '/tmp' } } })).toBe(
      TEXT.replace(String.raw`"{\"path\": \"/\"}"`, String.raw`"{\"path\":\"/tmp\"}"`),
    );
  });

  it('takes out a denied call and says so in the text', () => {
    const out = edit(TEXT, { denied: { '0/call/1': 'no rm' } });
    expect(out).not.toContain('call_bbbbbbbb');
    expect(out).toContain('"vendor": 1.50');
    const choice = (
      JSON.parse(out) as { choices: { message: { content: string; tool_calls: unknown[] }; finish_reason: string }[] }
    ).choices[0];
    expect(choice?.message.content).toBe('I look.\n\nno rm');
    expect(choice?.message.tool_calls).toHaveLength(1);
    expect(choice?.finish_reason).toBe('tool_calls');
  });

  it('takes out the whole member with the last call', () => {
    const out = JSON.parse(edit(TEXT, { denied: { '0/call/0': 'a', '0/call/1': 'b' } })) as Json;
    expect(resolvePointer(out, '/choices/0/message')).toEqual({
      role: 'assistant',
      content: 'I look.\n\na\n\nb',
      refusal: null,
    });
    expect(resolvePointer(out, '/choices/0/finish_reason')).toBe('stop');
  });

  it.each<[string, Json, string]>([
    ['null', null, 'no'],
    ['empty', '', 'no'],
    ['absent', undefined as unknown as Json, 'no'],
  ])('puts the text where content is %s', (_name, content, expected) => {
    const doc = reply(
      { role: 'assistant', content, function_call: { name: 'f', arguments: '{}' } },
      { finish_reason: 'function_call' },
    );
    const out = JSON.parse(edit(doc.text, { denied: { '0/function': 'no' } })) as Json;
    expect(resolvePointer(out, '/choices/0/message')).toEqual({ role: 'assistant', content: expected });
    expect(resolvePointer(out, '/choices/0/finish_reason')).toBe('stop');
  });

  it('adds a part where content is a list', () => {
    const doc = reply({
      content: [{ type: 'text', text: 'a' }],
      tool_calls: [{ id: 'x', function: { name: 'f', arguments: '' } }],
    });
    const out = JSON.parse(edit(doc.text, { denied: { '0/call/0': 'no' } })) as Json;
    expect(resolvePointer(out, '/choices/0/message')).toEqual({
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'no' },
      ],
    });
  });

  it('edits text together with a denial, and drops the probabilities that repeat it', () => {
    const doc = reply(
      { content: 'key sk-1', tool_calls: [{ id: 'x', function: { name: 'f', arguments: '' } }] },
      { logprobs: { content: [{ token: 'sk-1' }] } },
    );
    const texts: ReplyChanges['texts'] = [{ op: 'set', at: '/choices/0/message/content', value: 'key *' }];
    const out = edit(doc.text, { texts, denied: { '0/call/0': 'no' } });
    expect(out).not.toContain('sk-1');
    expect(resolvePointer(JSON.parse(out) as Json, '/choices/0/message/content')).toBe('key *\n\nno');
  });

  it('throws where a change has nowhere to land', () => {
    expect(() => edit(TEXT, { denied: { '0/call/7': 'no' } })).toThrow(RangeError);
    expect(() => edit(TEXT, { edited: { '1/call/0': {} } })).toThrow(RangeError);
    expect(() => edit(TEXT, { texts: [{ op: 'set', at: '/choices/4/message/content', value: '' }] })).toThrow(
      RangeError,
    );
  });
});
