import { describe, expect, it } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { resolvePointer } from '../../../gateway/domain/pointer.ts';
import { REQUEST, readingOf } from './anthropic-streams.ts';

const refusal = (body: Json): string => {
  const text = JSON.stringify(body);
  try {
    anthropicMessages.read(parseStrict(text), text.length, {});
  } catch (error) {
    if (error instanceof Fault && error.code === 'TG_BAD_REQUEST') return error.message;
    throw error;
  }
  return 'accepted';
};
const user = (...content: JsonObject[]): JsonObject => ({ role: 'user', content });
const assistant = (...content: JsonObject[]): JsonObject => ({ role: 'assistant', content });

describe('claims', () => {
  it.each([
    ['POST', '/v1/messages', true],
    ['POST', '/messages', true],
    ['POST', '/v1/v1/messages', true],
    ['GET', '/v1/messages', false],
    ['POST', '/v1/messages/count_tokens', true],
    ['POST', '/v1/messages/batches', true],
    ['POST', '/v1/v1/v1/messages', false],
    ['POST', '/v1/messages/', false],
    ['POST', '/v1/complete', false],
  ])('%s %s: %s', (method, path, claimed) => {
    expect(anthropicMessages.claims(method, path)).toBe(claimed);
    if (claimed) expect(anthropicMessages.upstreamPath(path)).toBe(path.replace(/^(?:\/v1)*/, '/v1'));
  });
});

describe('questions about batches', () => {
  const at = (more = '') => `/v1/messages/batches/msgbatch_1${more}`;
  it.each([
    ['GET', '/messages/batches', { upstreamPath: '/v1/messages/batches', reply: 'status' }],
    ['GET', at(), { upstreamPath: at(), object: 'msgbatch_1', reply: 'status' }],
    ['GET', at('/results'), { upstreamPath: at('/results'), object: 'msgbatch_1', reply: 'lines' }],
    ['POST', at('/cancel'), { upstreamPath: at('/cancel'), object: 'msgbatch_1', reply: 'status' }],
    ['DELETE', at(), { upstreamPath: at(), object: 'msgbatch_1', reply: 'other' }],
    ['POST', at(), undefined],
    ['GET', at('/cancel'), undefined],
    ['GET', '/v1/messages/batches/..%2f..%2ffiles', undefined],
    ['GET', '/v1/messages', undefined],
  ])('%s %s: %o', (method, path, route) => {
    expect(anthropicMessages.follow?.(method, path)).toEqual(route);
  });

  it('have links to results that lead through the gate, in one state and in a list', () => {
    const batch = { id: 'b1', type: 'message_batch', results_url: 'https://provider.test/v1/x/results?beta=true' };
    const links = (value: Json) => anthropicMessages.readStatus?.({ text: '', value })?.edits;
    const json = '"/v1/messages/batches/b1/results?beta=true"';
    expect(links(batch)).toEqual([{ at: '/results_url', json }]);
    expect(links({ data: [batch, { ...batch, results_url: null }] })).toEqual([{ at: '/data/0/results_url', json }]);
    expect(() => links({ id: 'x' })).toThrow('no message batch');
  });
});

describe('a request that the gate cannot rely on is refused by field', () => {
  const messages = (...list: Json[]): JsonObject => ({ ...REQUEST, messages: list });
  it.each<[string, Json]>([
    ['`body` must be', []],
    ['`model` must be', { ...REQUEST, model: 7 }],
    ['`max_tokens` must be', { model: 'm', messages: [] }],
    ['`max_tokens` must be', { ...REQUEST, max_tokens: 1.5 }],
    ['`max_tokens` must be', { ...REQUEST, max_tokens: -1 }],
    ['`stream` must be', { ...REQUEST, stream: 'true' }],
    ['`system` must be', { ...REQUEST, system: 7 }],
    ['`system[1].text` must be', { ...REQUEST, system: [{ type: 'text', text: '' }, { type: 'text' }] }],
    ['`tools` must be', { ...REQUEST, tools: {} }],
    ['`tools[0]` must be', { ...REQUEST, tools: ['x'] }],
    ['`messages` must be', { ...REQUEST, messages: 'hi' }],
    ['`messages[0]` must be', messages('hi')],
    ['`messages[1].role` must be', messages({ role: 'user', content: 'a' }, { role: 'tool', content: 'b' })],
    ['`messages[0].content` must be', messages({ role: 'user' })],
    ['`messages[0].content[1]` must be', messages(user({ type: 'text', text: 'a' }, 'b' as unknown as JsonObject))],
    ['`messages[0].content[0].type` must be', messages(user({ text: 'a' }))],
    ['`messages[0].content[0].text` must be', messages(user({ type: 'text', text: ['a'] }))],
    ['`messages[0].content[0].tool_use_id` must be', messages(user({ type: 'tool_result', content: 'a' }))],
    [
      '`messages[0].content[0].content[0].text` must be',
      messages(user({ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 1 }] })),
    ],
  ])('%s', (start, body) => {
    expect(refusal(body)).toMatch(new RegExp(`^${start.replaceAll(/[[\]().]/g, '\\$&')}`));
  });

  it('unknown members, blocks and a zero cap are no reason', () => {
    const odd = user({ type: 'from_the_future', note: 'x' });
    expect(refusal({ ...REQUEST, max_tokens: 0, brand_new: { a: 1 }, messages: [odd] })).toBe('accepted');
  });
});

const HISTORY: readonly JsonObject[] = [
  { role: 'user', content: 'first question' },
  assistant(
    { type: 'thinking', thinking: 'hm', signature: 'EqQB' },
    { type: 'thinking', thinking: 'unsigned' },
    { type: 'redacted_thinking', data: 'b64' },
    { type: 'text', text: 'looking' },
    { type: 'tool_use', id: 'toolu_1', name: 'read', input: { path: '/a', 'od/d': ['x', 1] } },
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } },
    {
      type: 'web_search_tool_result',
      tool_use_id: 'srvtoolu_1',
      content: [{ type: 'web_search_result', title: 'T', url: 'https://x', encrypted_content: 'zzz' }],
    },
  ),
  user(
    {
      type: 'tool_result',
      tool_use_id: 'toolu_1',
      content: [
        { type: 'text', text: 'file text' },
        { type: 'image', source: { type: 'base64', data: 'iVBOR' } },
      ],
      is_error: true,
    },
    { type: 'tool_result', tool_use_id: 'toolu_0', content: 'plain' },
    { type: 'tool_result', tool_use_id: 'toolu_1' },
    { type: 'text', text: 'and now?' },
    { type: 'document', title: 'D', source: { type: 'text', media_type: 'text/plain', data: 'doc text' } },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBER' } },
  ),
];

describe('texts', () => {
  const system = [
    { type: 'text', text: 'attribution' },
    { type: 'text', text: 'be good' },
  ];
  const reading = readingOf({ system, messages: HISTORY });

  it('are all there, each where its pointer says, frozen where bytes must stay', () => {
    expect(reading.parts.map(({ at, text, frozen }) => [at, text, frozen])).toEqual([
      ['/system/0/text', 'attribution', 'first system block'],
      ['/system/1/text', 'be good', undefined],
      ['/messages/0/content', 'first question', undefined],
      ['/messages/1/content/0/thinking', 'hm', 'signed thinking'],
      ['/messages/1/content/1/thinking', 'unsigned', undefined],
      ['/messages/1/content/2/data', 'b64', 'encrypted thinking'],
      ['/messages/1/content/3/text', 'looking', undefined],
      ['/messages/1/content/4/input/path', '/a', undefined],
      ['/messages/1/content/4/input/od~1d/0', 'x', undefined],
      ['/messages/1/content/5/input/query', 'q', 'provider-run tool call'],
      ['/messages/1/content/6/content/0/title', 'T', 'provider-run tool result'],
      ['/messages/1/content/6/content/0/url', 'https://x', 'provider-run tool result'],
      ['/messages/2/content/0/content/0/text', 'file text', undefined],
      ['/messages/2/content/1/content', 'plain', undefined],
      ['/messages/2/content/3/text', 'and now?', undefined],
      ['/messages/2/content/4/title', 'D', undefined],
      ['/messages/2/content/4/source/data', 'doc text', undefined],
    ]);
    for (const { at, text } of reading.parts) expect(resolvePointer(reading.doc.value, at)).toBe(text);
  });

  it('a string system may be edited', () => {
    expect(readingOf({ system: 'be good' }).parts[0]).toEqual({ at: '/system', text: 'be good' });
  });

  it('of a fetched page and an unknown block are read but frozen', () => {
    const fetched = {
      type: 'web_fetch_tool_result',
      tool_use_id: 's',
      content: {
        type: 'web_fetch_result',
        url: 'u',
        content: { type: 'document', source: { type: 'text', data: 'page' } },
      },
    };
    const { parts } = readingOf({ messages: [assistant(fetched), user({ type: 'novel', note: 'n', some_id: 'i' })] });
    expect(parts.map(({ text, frozen }) => [text, frozen])).toEqual([
      ['u', 'provider-run tool result'],
      ['page', 'provider-run tool result'],
      ['n', 'a `novel` block'],
    ]);
  });

  it('of tool results stand by call, with the tool that was called', () => {
    expect(reading.results.map(({ callId, tool, at, isError, parts }) => [callId, tool, at, isError, parts])).toEqual([
      ['toolu_1', 'read', '/messages/2/content/0/content', true, [{ at: '/0/text', text: 'file text' }]],
      ['toolu_0', '', '/messages/2/content/1/content', false, [{ at: '', text: 'plain' }]],
      ['toolu_1', 'read', '/messages/2/content/2/content', false, []],
    ]);
    expect(reading.results[1]?.content).toBe('plain');
    expect(reading.results[2]?.content).toBe(null);
  });
});

describe('input', () => {
  it('is what the user said since the model spoke, results left out', () => {
    const { input } = readingOf({ messages: HISTORY });
    expect(input?.text).toBe('and now?\nD\ndoc text');
    expect(input?.parts[0]).toEqual({ at: '/messages/2/content/3/text', text: 'and now?' });
  });

  it('is none in a turn of results only', () => {
    const results = user({ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' });
    expect(readingOf({ messages: [HISTORY[0]!, HISTORY[1]!, results] }).input).toBeUndefined();
  });

  it('cannot be hidden behind a prefilled answer or a system message', () => {
    const prefill = { role: 'assistant', content: 'Sure:' };
    const reminder = { role: 'system', content: 'reminder' };
    const messages = [{ role: 'user', content: 'a' }, { role: 'user', content: 'b' }, reminder, prefill];
    expect(readingOf({ messages }).input?.text).toBe('a\nb');
  });
});

describe('what identifies the conversation', () => {
  it('does not change with cache markers, block borders or the system array', () => {
    const cached = { type: 'text', text: 'first question ', cache_control: { type: 'ephemeral' } };
    const split = user({ type: 'text', text: 'first ' }, { type: 'text', text: 'question' });
    const plain = readingOf({ messages: HISTORY }).messages;
    expect(readingOf({ messages: [user(cached), ...HISTORY.slice(1)], system: 'x' }).messages).toEqual(plain);
    expect(readingOf({ messages: [split, ...HISTORY.slice(1)] }).messages).toEqual(plain);
    expect(plain.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  });

  it.each<[string, JsonObject]>([
    ['text', user({ type: 'text', text: 'other' })],
    ['a result', user({ type: 'tool_result', tool_use_id: 't', content: 'other' })],
    ['a file', user({ type: 'document', source: { type: 'base64', data: 'other' } })],
    ['arguments', assistant({ type: 'tool_use', id: 't', name: 'read', input: { a: 2 } })],
  ])('changes with %s', (_, message) => {
    const changed = JSON.parse(
      JSON.stringify(message).replace('other', 'another').replace('"a":2', '"a":3'),
    ) as JsonObject;
    expect(readingOf({ messages: [message] }).messages).not.toEqual(readingOf({ messages: [changed] }).messages);
  });

  it('exists for text and numbers that have no canonical form', () => {
    const text = `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\\ud800"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"x":1e400,"\\udc00":1}}]}]}`;
    const { messages } = anthropicMessages.read(parseStrict(text), text.length, {});
    expect(messages).toHaveLength(2);
    expect(messages[0]?.canonical).toBe('[["text","\ufffd"]]');
  });

  it('holds the ids that came back', () => {
    const ids = ['toolu_1', 'srvtoolu_1', 'toolu_0', 'msg_9', 'msg_8'];
    const thread = { type: 'continue', previous_message_id: 'msg_9' };
    const diagnostics = { previous_message_id: 'msg_8' };
    expect(readingOf({ messages: HISTORY, thread, diagnostics }).issuedIds).toEqual(ids);
  });
});

describe('asserted names', () => {
  const hash = 'a3f0';
  const session = '0f2c1d3e-1111-2222-3333-444455556666';
  it.each<[string, JsonObject]>([
    [
      JSON.stringify({ device_id: 'd', account_uuid: 'u', session_id: session, more: 1 }),
      { session, account: 'u', device: 'd' },
    ],
    [JSON.stringify({ device_id: 'd', account_uuid: '', session_id: session }), { session, device: 'd' }],
    [`user_${hash}_account_abc-1_session_${session}`, { session, account: 'abc-1', device: hash }],
    [`user_${hash}_account__session_${session}`, { session, device: hash }],
    ['customer-7', { user: 'customer-7' }],
    ['{"not":"ours"}', { user: '{"not":"ours"}' }],
    ['{broken', { user: '{broken' }],
  ])('%s', (user_id, names) => {
    expect(readingOf({ metadata: { user_id } }).asserted).toEqual(names);
  });
  it('are none without an id', () => {
    expect(readingOf({ metadata: { user_id: null } }).asserted).toEqual({});
    expect(readingOf({ metadata: 'x' }).asserted).toEqual({});
  });
});

describe('the worst case', () => {
  const bound = (members: JsonObject) => readingOf(members).bound;

  it('of a plain request', () => {
    const bytes = JSON.stringify(REQUEST).length;
    expect(bound({})).toEqual({
      model: 'claude-test-1',
      bytes,
      outputCap: 1000,
      choices: 1,
      tier: 'auto',
      opaque: [],
      serverTools: [],
    });
  });

  it('names tier, speed and region in the provider’s words', () => {
    expect(bound({ service_tier: 'standard_only', inference_geo: 'us' })).toMatchObject({
      tier: 'standard_only',
      region: 'us',
    });
    expect(bound({ service_tier: 'auto', speed: 'fast' })).toMatchObject({ tier: 'fast' });
  });

  it.each<[string | undefined, JsonObject]>([
    [undefined, { cache_control: null }],
    ['5m', { cache_control: { type: 'ephemeral' } }],
    ['5m', { system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral', ttl: '5m' } }] }],
    [
      '1h',
      { tools: [{ name: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } }], cache_control: { type: 'ephemeral' } },
    ],
    [
      '1h',
      {
        messages: [
          user({
            type: 'tool_result',
            tool_use_id: 't',
            content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }],
          }),
        ],
      },
    ],
  ])('cache write %s', (wanted, members) => {
    expect(bound(members).cacheWrite).toBe(wanted);
  });

  it('lists provider-run tools with their limit, those added in mid-conversation too', () => {
    const tools = [
      { type: 'web_search_20250305', name: 'web_search', max_uses: 3 },
      { type: 'web_fetch_20250910', name: 'web_fetch' },
      { type: 'code_execution_20250825', name: 'code_execution' },
      { type: 'advisor_20260301', name: 'advisor', model: 'm', max_uses: 1 },
      { type: 'bash_20250124', name: 'bash' },
      { type: 'custom', name: 'web_search_mine', input_schema: {} },
      { type: 'mcp_toolset', mcp_server_name: 'files' },
      { type: 'computer_toolset_20260801' },
    ];
    const definition = { type: 'web_search_20260209', name: 'late_search' };
    const added = {
      role: 'system',
      content: [{ type: 'tool_addition', tool: { type: 'tool_definition', definition } }],
    };
    const reading = readingOf({ tools, messages: [{ role: 'user', content: 'x' }, added] });
    expect(reading.bound.serverTools).toEqual([
      { fee: 'web_search', maxUses: 3 },
      { fee: 'web_fetch' },
      { fee: 'code_execution' },
      { fee: 'advisor', maxUses: 1 },
      { fee: 'web_search' },
    ]);
    expect(reading.tools).toEqual([
      'web_search',
      'web_fetch',
      'code_execution',
      'advisor',
      'bash',
      'web_search_mine',
      'files',
      'computer_toolset_20260801',
      'late_search',
    ]);
  });

  it('names what the body does not show', () => {
    const image = { type: 'image', source: { type: 'url', url: 'https://x' } };
    const file = { type: 'document', source: { type: 'file', file_id: 'f' } };
    const inline = { type: 'document', source: { type: 'content', content: [image] } };
    const opaque = (members: JsonObject) => bound(members).opaque;
    expect(opaque({ messages: [user({ type: 'tool_result', tool_use_id: 't', content: [image] })] })).toEqual([
      'image',
    ]);
    expect(opaque({ messages: [user(file, { type: 'container_upload', file_id: 'f' })] })).toEqual(['file']);
    expect(opaque({ messages: [user(inline)] })).toEqual(['image']);
    expect(opaque({ messages: [user({ type: 'document', source: { type: 'text', data: 'x' } })] })).toEqual([]);
    expect(opaque({ container: 'c_1', thread: { type: 'create' }, fallbacks: 'default' })).toEqual([
      'container',
      'stored_context',
      'fallbacks',
    ]);
    const edits = (type: string) => ({ context_management: { edits: [{ type }] } });
    expect(opaque(edits('clear_thinking_20251015'))).toEqual([]);
    expect(opaque(edits('compact_20260112'))).toEqual(['context']);
    const mcp = bound({ mcp_servers: [{ type: 'url', url: 'https://x', name: 'm' }] });
    expect([mcp.opaque, mcp.serverTools]).toEqual([['mcp_servers'], [{ fee: 'mcp' }]]);
  });

  it('leaves room above a thinking budget', () => {
    expect(readingOf().cap).toEqual({ at: '/max_tokens', floor: 1 });
    expect(readingOf({ thinking: { type: 'enabled', budget_tokens: 2048 } }).cap.floor).toBe(2049);
    expect(readingOf({ thinking: { type: 'adaptive' } }).cap.floor).toBe(1);
  });
});
