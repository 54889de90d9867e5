import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { ReplyChanges } from '../../../gateway/ports/dialect.ts';
import { call, DELETE, message, request, response, TEXT, USAGE, WEATHER } from './responses-streams.ts';

const DONE = { status: 'completed', service_tier: 'default', usage: USAGE };
const body = (output: readonly Json[], extra: Record<string, Json> = {}): JsonObject =>
  response({ ...DONE, output, ...extra });
const read = (output: readonly Json[], extra: Record<string, Json> = {}) =>
  openaiResponses.readReply(parseStrict(JSON.stringify(body(output, extra))), request());

function edit(reply: JsonObject, changes: Partial<ReplyChanges>): JsonObject {
  const text = JSON.stringify(reply);
  const all = { denied: new Map(), edited: new Map(), texts: [], ...changes };
  return JSON.parse(openaiResponses.editReply(parseStrict(text), all)) as JsonObject;
}

describe('reading', () => {
  it('texts, calls and ids', () => {
    const reasoning = { id: 'rs_00000001', type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] };
    const reply = read([reasoning, TEXT, WEATHER, DELETE]);
    expect(reply.text).toBe('Let me look.');
    expect(reply.parts).toEqual([
      { at: '/output/0/summary/0/text', text: 'hm' },
      { at: '/output/1/content/0/text', text: 'Let me look.' },
    ]);
    expect(reply.calls.map(({ slot, tool, args, callId }) => [slot, tool, args, callId])).toEqual([
      ['output/2', 'weather', { city: 'Oslo' }, 'call_aaaaaaaa'],
      ['output/3', 'delete_file', { path: '/etc/passwd' }, 'call_bbbbbbbb'],
    ]);
    expect(reply.issuedIds).toContain('resp_00000000ffffffff');
    expect(reply.usage.certainty).toBe('exact');
  });

  it.each<[string, Record<string, Json>, Record<string, unknown>]>([
    ['custom_tool_call', { name: 'sql', input: 'DROP' }, { tool: 'sql', args: 'DROP', malformed: false }],
    [
      'mcp_approval_request',
      { id: 'mcpr_1', name: 'zip', server_label: 'dmcp', arguments: '{"a":1}' },
      { tool: 'zip', server: 'dmcp', callId: 'mcpr_1', args: { a: 1 } },
    ],
    ['local_shell_call', { action: { command: ['ls'] } }, { tool: 'local_shell', args: { command: ['ls'] } }],
    [
      'shell_call',
      { action: { commands: ['ls'] }, environment: { type: 'local' } },
      { tool: 'shell', args: { commands: ['ls'] } },
    ],
    [
      'apply_patch_call',
      { operation: { type: 'delete_file', path: 'x' } },
      { tool: 'apply_patch', args: { path: 'x' } },
    ],
    ['computer_call', { action: { type: 'click' } }, { tool: 'computer', args: { action: { type: 'click' } } }],
    [
      'tool_search_call',
      { execution: 'client', arguments: { goal: 'x' } },
      { tool: 'tool_search', args: { goal: 'x' } },
    ],
    [
      'function_call',
      { name: 'f', namespace: 'crm', arguments: '{"a":' },
      { tool: 'f', server: 'crm', args: '{"a":', malformed: true },
    ],
  ])('%s is a call', (type, extra, expected) => {
    const item = { id: 'it_1', call_id: extra['id'] ? null : 'call_1', ...extra, type };
    const [found] = read([item as Json]).calls;
    expect(found).toMatchObject(expected);
  });

  it.each<[string, Record<string, Json>]>([
    ['tool_search_call', { execution: 'server', arguments: {} }],
    ['shell_call', { action: {}, environment: { type: 'container_reference', container_id: 'c' } }],
    ['web_search_call', {}],
    ['mcp_call', { name: 'zip', arguments: '{}' }],
  ])('%s that the provider ran is none', (type, extra) => {
    expect(read([{ id: 'x', type, ...extra } as Json]).calls).toEqual([]);
  });

  it('a reply that was only queued keeps its hold', () => {
    const { usage } = read([], { status: 'queued', background: true, usage: null });
    expect(usage).toEqual({
      entries: [{ model: 'gpt-x-2', leaves: { output: 0 }, tier: 'default' }],
      certainty: 'floor',
    });
    expect(read([], { status: 'in_progress', usage: USAGE }).usage.certainty).toBe('floor');
  });

  it('a failed one without usage is a floor, a compaction states its own', () => {
    expect(read([], { status: 'failed', usage: null }).usage.certainty).toBe('floor');
    const { status: _, ...compaction } = body([{ id: 'cmp_1', type: 'compaction', encrypted_content: 'x' }], {
      object: 'response.compaction',
    });
    expect(openaiResponses.readReply(parseStrict(JSON.stringify(compaction))).usage.certainty).toBe('exact');
  });

  it('what is no response is unreadable', () => {
    expect(() => openaiResponses.readReply(parseStrict('{"choices":[]}'))).toThrow(/no list of `output`/);
  });
});

describe('editing', () => {
  it('nothing leaves every byte', () => {
    const text = JSON.stringify(body([TEXT, WEATHER]), null, 1);
    expect(openaiResponses.editReply(parseStrict(text), { denied: new Map(), edited: new Map(), texts: [] })).toBe(
      text,
    );
  });

  it('a denied call is a message in its place', () => {
    const edited = edit(body([TEXT, WEATHER, DELETE], { output_text: 'Let me look.' }), {
      denied: new Map([['output/1', 'no']]),
    });
    expect(edited['output']).toEqual([TEXT, { ...message('aaaaaaaa', 'no') }, DELETE]);
    expect(edited).not.toHaveProperty('output_text');
    expect(edited['usage']).toEqual(USAGE);
  });

  it('edited arguments stay in the form they came in', () => {
    const patch = {
      id: 'apc_1',
      type: 'apply_patch_call',
      call_id: 'c',
      operation: { type: 'delete_file', path: 'x' },
    };
    const sql = { id: 'ctc_1', type: 'custom_tool_call', call_id: 'd', name: 'sql', input: 'DROP' };
    const edited = edit(body([WEATHER, patch, sql]), {
      edited: new Map<string, Json>([
        ['output/0', { city: 'Rome' }],
        ['output/1', { type: 'delete_file', path: 'y' }],
        ['output/2', 'SELECT'],
      ]),
    });
    expect(edited['output']).toMatchObject([
      { arguments: '{"city":"Rome"}' },
      { operation: { path: 'y' } },
      { input: 'SELECT' },
    ]);
  });

  it('redacted text takes its log probabilities along', () => {
    const spoken = {
      ...TEXT,
      content: [{ type: 'output_text', annotations: [], text: 'key', logprobs: [{ token: 'key' }] }],
    };
    const texts = [{ op: 'set' as const, at: '/output/0/content/0/text', value: 'gone' }];
    const edited = edit(body([spoken], { output_text: 'key' }), { texts });
    expect(JSON.stringify(edited)).not.toContain('key"');
    expect(edited['output']).toMatchObject([{ content: [{ text: 'gone', logprobs: [] }] }]);
  });

  it('what cannot land throws', () => {
    const item = call('cccccccc', 'f', '{}');
    expect(() => edit(body([item]), { denied: new Map([['output/7', 'no']]) })).toThrow(RangeError);
    expect(() => edit(body([TEXT]), { denied: new Map([['output/0', 'no']]) })).toThrow(RangeError);
    expect(() => edit(body([item]), { texts: [{ op: 'set', at: '/output/9/x/y', value: '' }] })).toThrow(RangeError);
  });
});
