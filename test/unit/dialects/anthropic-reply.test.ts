import { describe, expect, it } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { ReplyChanges, Saying } from '../../../gateway/ports/dialect.ts';
import { readingOf } from './anthropic-streams.ts';

const REPLY = `{
  "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test-1",
  "content": [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text",  "text": "the key is hunter2"},
    {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": "eve", "n": 1.50}},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "tool_use", "id": "toolu_2", "name": "list", "input": {}}
  ],
  "stop_reason": "tool_use", "stop_sequence": null, "future": [1, 2],
  "usage": {"input_tokens": 5, "output_tokens": 7}
}`;
const changes = (given: Partial<ReplyChanges>): ReplyChanges => ({
  denied: new Map(),
  edited: new Map(),
  texts: [],
  ...given,
});
const edit = (given: Partial<ReplyChanges>, reply = REPLY): string =>
  anthropicMessages.editReply(parseStrict(reply), changes(given));

describe('a whole reply', () => {
  it('is read', () => {
    expect(anthropicMessages.readReply(parseStrict(REPLY))).toEqual({
      usage: { entries: [{ model: 'claude-test-1', leaves: { input: 5, output: 7 } }], certainty: 'exact' },
      servedModel: 'claude-test-1',
      calls: [
        {
          slot: 'block/2',
          callId: 'toolu_1',
          tool: 'send',
          args: { to: 'eve', n: 1.5 },
          parts: [{ at: '/to', text: 'eve' }],
          malformed: false,
        },
        { slot: 'block/4', callId: 'toolu_2', tool: 'list', args: {}, parts: [], malformed: false },
      ],
      parts: [{ at: '/content/1/text', text: 'the key is hunter2' }],
      text: 'the key is hunter2',
      issuedIds: ['msg_1', 'toolu_1', 'srvtoolu_1', 'toolu_2'],
      mark: {
        role: 'assistant',
        canonical:
          '[["text","the key is hunter2"],["call","send",{"n":1.5,"to":"eve"}],["call","web_search",{"query":"q"}],["call","list",{}]]',
      },
    });
  });

  it.each<Json>([{}, [], 'x', { type: 'error', error: {} }, { content: 'x' }])('%j is none', (body) => {
    const read = () => anthropicMessages.readReply(parseStrict(JSON.stringify(body)));
    expect(read).toThrow(Fault);
    expect(read).toThrow(/no message/);
  });

  it('without usage is worth its quote', () => {
    expect(anthropicMessages.readReply(parseStrict('{"content":[]}')).usage).toEqual({
      entries: [],
      certainty: 'ceiling',
    });
  });

  it('takes the cache lifetime it does not state from the request', () => {
    const text = '{"content":[],"usage":{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":9}}';
    const reading = readingOf({ cache_control: { type: 'ephemeral', ttl: '1h' } });
    const leaves = (given?: typeof reading) =>
      anthropicMessages.readReply(parseStrict(text), given).usage.entries[0]?.leaves;
    expect(leaves(reading)).toEqual({ input: 1, output: 1, cache_write_1h: 9 });
    expect(leaves()).toEqual({ input: 1, output: 1, cache_write_5m: 9 });
  });

  it('with arguments that are no object has a malformed call', () => {
    const text = '{"content":[{"type":"tool_use","id":"t","name":"n","input":[1]}]}';
    expect(anthropicMessages.readReply(parseStrict(text)).calls[0]).toMatchObject({ args: '[1]', malformed: true });
  });
});

describe('changes to a whole reply', () => {
  it('none leave the text as it is', () => {
    expect(edit({})).toBe(REPLY);
  });

  it('a denied call becomes text in its place; with others left the stop reason stays', () => {
    const wanted = REPLY.replace(
      '{"type": "tool_use", "id": "toolu_1", "name": "send", "input": {"to": "eve", "n": 1.50}}',
      '{"type":"text","text":"denied by `a/b`"}',
    );
    expect(edit({ denied: new Map([['block/2', 'denied by `a/b`']]) })).toBe(wanted);
  });

  it('with no call left the turn ends', () => {
    const denied = new Map([
      ['block/2', 'no'],
      ['block/4', 'no'],
    ]);
    expect(edit({ denied })).toContain('"stop_reason": "end_turn", "stop_sequence": null');
    expect(edit({ denied }, REPLY.replace('"stop_reason": "tool_use"', '"stop_reason": "max_tokens"'))).toContain(
      '"max_tokens"',
    );
  });

  it('arguments and texts are spliced, every other byte stays', () => {
    const texts = [{ op: 'set', at: '/content/1/text', value: 'the key is <SECRET>' }] as const;
    const wanted = REPLY.replace('hunter2', '<SECRET>').replace('{"to": "eve", "n": 1.50}', '{"to":"bob"}');
    expect(edit({ edited: new Map([['block/2', { to: 'bob' }]]), texts })).toBe(wanted);
  });

  it.each<[string, Partial<ReplyChanges>]>([
    ['a call that is not there', { denied: new Map([['block/9', 'no']]) }],
    ['a call the provider ran', { denied: new Map([['block/3', 'no']]) }],
    ['a text that is not there', { texts: [{ op: 'set', at: '/content/0/text', value: 'x' }] }],
    ['a member that is not there', { texts: [{ op: 'remove', at: '/content/7' }] }],
  ])('%s throws a RangeError', (_, given) => {
    expect(() => edit(given)).toThrow(RangeError);
  });
});

describe('what the gate says', () => {
  const saying: Saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'denied', rule: 'a/b', reason: 'no_egress' };

  it('has the API’s shape, with rule and reason beside it', () => {
    expect(JSON.parse(anthropicMessages.error(saying))).toEqual({
      type: 'error',
      error: { type: 'permission_error', message: 'denied' },
      tollgate: { code: 'TG_POLICY_DENIED', rule: 'a/b', reason: 'no_egress' },
    });
  });

  it.each([
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [402, 'billing_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [405, 'invalid_request_error'],
    [413, 'request_too_large'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
    [504, 'timeout_error'],
    [529, 'overloaded_error'],
  ])('%i is `%s`', (status, type) => {
    expect(JSON.parse(anthropicMessages.error({ ...saying, status }))).toMatchObject({ error: { type } });
  });

  it.each([
    'Prompt is too long: 210000 tokens > 200000 maximum',
    'Your credit balance is too low',
    'input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000',
    'model_context_window_exceeded: the context window is full',
    'invalid x-api-key',
    'OAuth token has been revoked',
  ])('never sounds like the provider: %s', (message) => {
    const said = anthropicMessages.error({ ...saying, message });
    expect(said).not.toMatch(
      /prompt is too long|credit balance|context (window|limit)|input length and|invalid x-api-key|oauth token/i,
    );
  });
});
