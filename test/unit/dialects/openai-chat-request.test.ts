import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { spliceAll } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { resolvePointer } from '../../../gateway/domain/pointer.ts';
import type { Reading } from '../../../gateway/ports/dialect.ts';

const hello = { model: 'gpt-x', messages: [{ role: 'user', content: 'hello' }] };

function read(body: Json): Reading {
  const text = JSON.stringify(body);
  return openaiChat.read(parseStrict(text), text.length, {});
}

const conversation = {
  model: 'gpt-x',
  messages: [
    { role: 'system', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'weather?' },
        { type: 'image_url', image_url: { url: 'data:,' } },
      ],
    },
    {
      role: 'assistant',
      content: 'looking',
      reasoning_content: 'hm',
      tool_calls: [
        { id: 'call_abcdef12', type: 'function', function: { name: 'weather', arguments: '{"city": "Oslo"}' } },
        { id: 'call_0', type: 'custom', custom: { name: 'note', input: 'free text' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_abcdef12', content: 'rain' },
    { role: 'tool', tool_call_id: 'call_0', content: [{ type: 'text', text: 'noted' }] },
    { role: 'user', content: 'thanks' },
    { role: 'user', content: 'and tomorrow?' },
  ],
} as const;

describe('claims', () => {
  it.each([
    ['POST', '/v1/chat/completions', true],
    ['POST', '/chat/completions', true],
    ['POST', '/v1/v1/chat/completions', true],
    ['GET', '/v1/chat/completions', false],
    ['POST', '/v1/chat/completions/', false],
    ['POST', '/v1/chat/completions/id', false],
    ['POST', '/v1/completions', false],
    ['POST', '/v1/v1/v1/chat/completions', false],
    ['POST', '/v1/responses', false],
  ])('%s %s: %s', (method, path, claimed) => {
    expect(openaiChat.claims(method, path)).toBe(claimed);
  });

  it('asks the upstream for one path', () => {
    expect(openaiChat.upstreamPath('/v1/v1/chat/completions')).toBe('/v1/chat/completions');
  });
});

describe('what a request must be', () => {
  it.each<[string, Json]>([
    ['`body`', []],
    ['`model`', { messages: hello.messages }],
    ['`model`', { ...hello, model: 7 }],
    ['`messages`', { model: 'm' }],
    ['`messages`', { model: 'm', messages: [] }],
    ['`messages[0]`', { model: 'm', messages: ['hi'] }],
    ['`messages[1].role`', { model: 'm', messages: [...hello.messages, { content: 'x' }] }],
    ['`messages[0].content`', { model: 'm', messages: [{ role: 'user', content: 3 }] }],
    [
      '`messages[0].content[1]`',
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: '' }, 'x'] }] },
    ],
    ['`messages[0].content[0].type`', { model: 'm', messages: [{ role: 'user', content: [{ text: 'x' }] }] }],
    [
      '`messages[0].content[0].text`',
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'text', text: 1 }] }] },
    ],
    [
      '`messages[0].tool_calls[0].function.arguments`',
      {
        model: 'm',
        messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }],
      },
    ],
    ['`messages[0].tool_call_id`', { model: 'm', messages: [{ role: 'tool', tool_call_id: 4, content: 'x' }] }],
    ['`stream`', { ...hello, stream: 'true' }],
    ['`stream_options`', { ...hello, stream: true, stream_options: 'x' }],
    ['`stream_options.include_usage`', { ...hello, stream: true, stream_options: { include_usage: 'yes' } }],
    ['`max_tokens`', { ...hello, max_tokens: '100' }],
    ['`max_completion_tokens`', { ...hello, max_completion_tokens: -1 }],
    ['`max_tokens`', { ...hello, max_tokens: 5, max_completion_tokens: 5 }],
    ['`n`', { ...hello, n: 0 }],
    ['`n`', { ...hello, n: 1.5 }],
    ['`tools`', { ...hello, tools: {} }],
    ['`tools[0]`', { ...hello, tools: ['f'] }],
    ['`service_tier`', { ...hello, service_tier: 3 }],
  ])('names %s', (field, body) => {
    const attempt = (): Reading => read(body);
    expect(attempt).toThrow(Fault);
    expect(attempt).toThrow(field);
    try {
      attempt();
    } catch (error) {
      expect((error as Fault).code).toBe('TG_BAD_REQUEST');
    }
  });

  it('minds neither unknown fields nor nulls', () => {
    const reading = read({ ...hello, n: null, stream: null, max_tokens: null, tools: null, brand_new: { deep: [1] } });
    expect(reading.bound).toEqual({
      model: 'gpt-x',
      bytes: expect.any(Number),
      choices: 1,
      opaque: [],
      serverTools: [],
    });
    expect(reading.cap).toEqual({ at: '/max_completion_tokens', floor: 1 });
  });
});

describe('the conversation', () => {
  const reading = read(conversation);

  it('gives every text with a pointer that finds it', () => {
    expect(reading.parts.map((part) => part.text)).toEqual([
      'be brief',
      'weather?',
      'looking',
      'hm',
      '{"city": "Oslo"}',
      'free text',
      'rain',
      'noted',
      'thanks',
      'and tomorrow?',
    ]);
    for (const part of reading.parts) expect(resolvePointer(reading.doc.value, part.at)).toBe(part.text);
  });

  it('takes as input what the user said since the model last spoke', () => {
    expect(reading.input).toEqual({
      text: 'thanks\nand tomorrow?',
      parts: [
        { at: '/messages/5/content', text: 'thanks' },
        { at: '/messages/6/content', text: 'and tomorrow?' },
      ],
    });
    expect(read({ ...conversation, messages: conversation.messages.slice(0, 4) }).input).toBeUndefined();
  });

  it('names the tool of each result by the call it answers', () => {
    expect(reading.results).toEqual([
      {
        callId: 'call_abcdef12',
        tool: 'weather',
        at: '/messages/3/content',
        content: 'rain',
        parts: [{ at: '', text: 'rain' }],
        isError: false,
      },
      {
        callId: 'call_0',
        tool: 'note',
        at: '/messages/4/content',
        content: [{ type: 'text', text: 'noted' }],
        parts: [{ at: '/0/text', text: 'noted' }],
        isError: false,
      },
    ]);
  });

  it('does not believe a name on a result over the call itself', () => {
    const messages = [
      conversation.messages[2],
      { role: 'tool', tool_call_id: 'call_abcdef12', name: 'harmless', content: 'x' },
    ];
    expect(read({ model: 'm', messages }).results[0]?.tool).toBe('weather');
  });

  it('reads the legacy function role', () => {
    const messages = [
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"a":"b"}' } },
      { role: 'function', name: 'f', content: 'done' },
    ];
    const { results, parts } = read({ model: 'm', messages });
    expect(results).toMatchObject([{ callId: '', tool: 'f', content: 'done' }]);
    expect(parts[0]).toEqual({ at: '/messages/0/function_call/arguments', text: '{"a":"b"}' });
  });

  it('gives back only ids that name one call', () => {
    expect(reading.issuedIds).toEqual(['call_abcdef12']);
  });

  it('marks messages without the system prompt and without cache markers', () => {
    expect(reading.messages.map((mark) => mark.role)).toEqual(['user', 'assistant', 'tool', 'tool', 'user', 'user']);
    const cached = [{ type: 'text', text: 'hello', cache_control: { type: 'ephemeral' } }];
    const marked = read({
      ...hello,
      messages: [
        { role: 'system', content: 'new' },
        { role: 'user', content: cached },
      ],
    });
    expect(marked.messages).toEqual(read(hello).messages);
  });

  it('marks an assistant message alike whatever the white space of its arguments', () => {
    const say = (args: string): Reading =>
      read({
        model: 'm',
        messages: [{ role: 'assistant', tool_calls: [{ id: 'x', function: { name: 'f', arguments: args } }] }],
      });
    expect(say('{"a":1,"b":2}').messages).toEqual(say('{ "b": 2, "a": 1 }').messages);
    expect(say('{"a":1}').messages).not.toEqual(say('{"a":2}').messages);
    expect(() => say('{"a":"\\ud800"}')).not.toThrow();
  });

  it('freezes reasoning that the provider checks', () => {
    const messages = [
      {
        role: 'assistant',
        content: '',
        reasoning_details: [{ type: 'reasoning.text', text: 'secret', signature: 's' }],
      },
    ];
    const frozen = read({ model: 'm', messages }).parts.filter((part) => part.frozen !== undefined);
    expect(frozen.map((part) => part.text)).toContain('secret');
  });
});

describe('the bound', () => {
  it('reads cap, choices, tier and what has no visible size', () => {
    const reading = read({ ...conversation, max_tokens: 50, n: 3, service_tier: 'flex' });
    expect(reading.bound).toMatchObject({ outputCap: 50, choices: 3, tier: 'flex', opaque: ['image'] });
    expect(reading.cap).toEqual({ at: '/max_tokens', floor: 1 });
    expect(read({ ...hello, max_completion_tokens: 0 }).bound.outputCap).toBe(0);
  });

  it.each<[string, Json, Json]>([
    ['web_search_options', { web_search_options: {} }, [{ fee: 'web_search' }]],
    [
      'xAI live search',
      { search_parameters: { mode: 'auto', max_search_results: 5 } },
      [{ fee: 'live_search', maxUses: 5 }],
    ],
    ['xAI live search, off', { search_parameters: { mode: 'off' } }, []],
    ['OpenRouter web plugin', { plugins: [{ id: 'web' }] }, [{ fee: 'web_search' }]],
    ['a tool the provider runs', { tools: [{ type: 'browser_search' }] }, [{ fee: 'browser_search' }]],
    [
      'own tools',
      {
        tools: [
          { type: 'function', function: { name: 'f' } },
          { type: 'custom', custom: { name: 'g' } },
        ],
      },
      [],
    ],
  ])('counts server tools: %s', (_name, extra, expected) => {
    expect(read({ ...hello, ...(extra as object) }).bound.serverTools).toEqual(expected);
  });

  it('names tools, legacy functions and provider-run tools', () => {
    const tools = [
      { type: 'function', function: { name: 'f' } },
      { type: 'custom', custom: { name: 'g' } },
      { type: 'browser_search' },
    ];
    expect(read({ ...hello, tools, functions: [{ name: 'h' }], web_search_options: {} }).tools).toEqual([
      'f',
      'g',
      'browser_search',
      'h',
      'web_search',
    ]);
  });

  it('reads names the body asserts', () => {
    const names = {
      user: 'u1',
      safety_identifier: 's1',
      prompt_cache_key: 'p1',
      metadata: { session_id: 'run-9', other: 1 },
    };
    expect(read({ ...hello, ...names }).asserted).toEqual({
      user: 'u1',
      safety_identifier: 's1',
      prompt_cache_key: 'p1',
      session: 'run-9',
    });
  });
});

describe('include_usage', () => {
  it.each<[string, Json]>([
    ['no options', {}],
    ['null options', { stream_options: null }],
    ['options without it', { stream_options: { include_obfuscation: false } }],
    ['null', { stream_options: { include_usage: null } }],
    ['false', { stream_options: { include_usage: false } }],
  ])('is set: %s', (_name, extra) => {
    const reading = read({ ...hello, stream: true, ...(extra as object) });
    const sent = JSON.parse(spliceAll(reading.doc.text, reading.preparation)) as Record<string, Json>;
    expect(sent['stream_options']).toMatchObject({ include_usage: true });
    expect({ ...sent, stream_options: undefined }).toEqual({ ...hello, stream: true, stream_options: undefined });
  });

  it.each<[string, Json]>([
    ['no stream', {}],
    ['asked for', { stream: true, stream_options: { include_usage: true } }],
  ])('is left alone: %s', (_name, extra) => {
    expect(read({ ...hello, ...(extra as object) }).preparation).toEqual([]);
  });
});
