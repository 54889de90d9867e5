import Anthropic from '@anthropic-ai/sdk';
import { describe, expect, it } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import type { JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import {
  blockStart,
  blockStop,
  callBlock,
  delta,
  finish,
  readingOf,
  readStream,
  reviewed,
  STOP,
  sse,
  start,
  streamOf,
  textBlock,
} from './anthropic-streams.ts';

/** What the official SDK's stream helper makes of the bytes. */
async function throughSdk(sent: string | Uint8Array) {
  const headers = { 'content-type': 'text/event-stream' };
  const client = new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: async () => new Response(sent, { headers }) });
  const stream = client.messages.stream({
    model: 'claude-test-1',
    max_tokens: 10,
    messages: [{ role: 'user', content: 'go' }],
  });
  return stream.finalMessage();
}

const TWO_CALLS: readonly JsonObject[] = [
  start(),
  ...textBlock(0, 'I will ', 'look.'),
  ...callBlock(1, 'toolu_1', 'delete_all', '', '{"path"', ': "/"}'),
  ...callBlock(2, 'toolu_2', 'list', '{"dir": "."}'),
  finish('tool_use', { output_tokens: 44 }),
  STOP,
];

describe('a denied call', () => {
  it.each([
    ['\n', true],
    ['\r\n', true],
    ['\n', false],
  ])('becomes a text block in its place while the others stay (%j, named %j)', async (newline, named) => {
    const { sent, reader } = reviewed(
      streamOf(TWO_CALLS, { newline, named }),
      { deny: { toolu_1: 'denied by `a/b`' } },
      9,
    );
    expect(sent).not.toContain('delete_all');
    const untouched = TWO_CALLS.filter((event) => event['index'] !== 1).map((event) => sse(event, { newline, named }));
    for (const event of untouched) expect(sent).toContain(event);
    expect(sent.split(newline + newline)).toHaveLength(TWO_CALLS.length - 1);
    expect(reader.mark().canonical).toBe('[["text","I will look.denied by `a/b`"],["call","list",{"dir":"."}]]');
    if (!named) return;
    const message = await throughSdk(sent);
    expect(message.content).toEqual([
      { type: 'text', text: 'I will look.' },
      { type: 'text', text: 'denied by `a/b`' },
      { type: 'tool_use', id: 'toolu_2', name: 'list', input: { dir: '.' } },
    ]);
    expect(message.stop_reason).toBe('tool_use');
    expect(message.usage.output_tokens).toBe(44);
  });

  it('that was the last one ends the turn', async () => {
    const { sent } = reviewed(streamOf(TWO_CALLS), { deny: { toolu_1: 'no', toolu_2: 'nor this' } });
    const message = await throughSdk(sent);
    expect(message.stop_reason).toBe('end_turn');
    expect(message.content.map(({ type }) => type)).toEqual(['text', 'text', 'text']);
    expect(sent).toContain('"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":44}');
  });

  it('leaves any other stop reason as it is', () => {
    const cut = [start(), ...callBlock(0, 'toolu_1', 't', '{"a":'), finish('max_tokens'), STOP];
    expect(reviewed(streamOf(cut), { deny: { toolu_1: 'no' } }).sent).toContain('"stop_reason":"max_tokens"');
  });

  it('inside `message_start` is replaced there', () => {
    const content = [{ type: 'tool_use', id: 'toolu_1', name: 'roll', input: {} }];
    const { sent } = reviewed(streamOf([start({ content, stop_reason: 'tool_use' }), STOP]), {
      deny: { toolu_1: 'no' },
    });
    const wanted = start({ content: [{ type: 'text', text: 'no' }], stop_reason: 'end_turn' });
    expect(sent).toBe(streamOf([wanted, STOP]));
  });

  it('of each message in a row counts for its own', () => {
    const one = [start(), ...callBlock(0, 'toolu_1', 'a', '{}'), finish('tool_use'), STOP];
    const two = [start({ id: 'msg_2' }), ...callBlock(0, 'toolu_2', 'b', '{}'), finish('tool_use'), STOP];
    const { sent } = reviewed(streamOf([...one, ...two]), { deny: { toolu_2: 'no' } });
    expect(sent.startsWith(streamOf(one))).toBe(true);
    expect(sent.match(/"stop_reason":"(tool_use|end_turn)"/g)).toEqual([
      '"stop_reason":"tool_use"',
      '"stop_reason":"end_turn"',
    ]);
  });
});

describe('an edited call', () => {
  it('keeps its start, sends the arguments once and nothing of the old ones', async () => {
    const args = { path: '/tmp/ü', deep: { list: [1, '"quoted"\n'] } };
    const { sent, reader } = reviewed(streamOf(TWO_CALLS), { edit: { toolu_1: args } }, 64);
    expect(sent).toContain(sse(blockStart(1, { type: 'tool_use', id: 'toolu_1', name: 'delete_all', input: {} })));
    expect(sent).not.toContain(': \\"/\\"}');
    const message = await throughSdk(sent);
    expect(message.content[1]).toEqual({ type: 'tool_use', id: 'toolu_1', name: 'delete_all', input: args });
    expect(message.content[2]).toMatchObject({ input: { dir: '.' } });
    expect(message.stop_reason).toBe('tool_use');
    expect(reader.mark().canonical).toContain(
      '["call","delete_all",{"deep":{"list":[1,"\\"quoted\\"\\n"]},"path":"/tmp/ü"}]',
    );
  });

  it('whose arguments came in no delta gets one before it ends', async () => {
    const bare = [start(), ...callBlock(0, 'toolu_1', 't'), finish('tool_use'), STOP];
    const message = await throughSdk(reviewed(streamOf(bare), { edit: { toolu_1: { a: 1 } } }).sent);
    expect(message.content).toEqual([{ type: 'tool_use', id: 'toolu_1', name: 't', input: { a: 1 } }]);
  });

  it.each([[[]], [['{"x":2}']]])('whose start carries arguments is changed there too (deltas %j)', async (pieces) => {
    const block = { type: 'tool_use', id: 'toolu_1', name: 't', input: { x: 2 } };
    const deltas = pieces.map((partial_json) => delta(0, { type: 'input_json_delta', partial_json }));
    const events = [start(), blockStart(0, block), ...deltas, blockStop(0), finish('tool_use'), STOP];
    const { sent } = reviewed(streamOf(events), { edit: { toolu_1: { x: 9 } } });
    expect(sent).not.toContain('2}');
    const message = await throughSdk(sent);
    expect(message.content).toEqual([{ ...block, input: { x: 9 } }]);
  });

  it('in an event of two data lines stays readable', () => {
    const event = `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,\ndata: "delta":{"type":"input_json_delta","partial_json":"{}"}}\n\n`;
    const call = callBlock(0, 'toolu_1', 't');
    const stream = sse(start()) + sse(call[0]!) + event + sse(call[1]!) + streamOf([finish('tool_use'), STOP]);
    const { sent } = reviewed(stream, { edit: { toolu_1: { a: 1 } } });
    expect(sent).toContain(`data: "delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}\n\n`);
  });
});

describe('edited text', () => {
  const redact = (text: string): string => text.replaceAll('hunter2', '<SECRET>');

  it('is spliced into its delta; other members and frames stay', async () => {
    const cited = delta(0, { type: 'citations_delta', citation: { type: 'char_location', cited_text: 'x' } });
    const odd = `event: content_block_delta\ndata: { "type": "content_block_delta", "index": 0, "x": [1], "delta": {"type": "text_delta", "text": "it is hunter2" } }\n\n`;
    const [begin, ...rest] = [start(), ...textBlock(0, 'fine '), finish('end_turn'), STOP];
    const stream = sse(begin!) + sse(rest[0]!) + odd + sse(cited) + streamOf(rest.slice(1));
    const { sent } = reviewed(stream, { text: redact }, 5);
    expect(sent).toBe(stream.replace('hunter2', '<SECRET>'));
    expect((await throughSdk(sent)).content[0]).toMatchObject({ text: 'it is <SECRET>fine ' });
  });

  it('that is empty sends no delta; the mark is what was sent, the text what was said', async () => {
    const stream = streamOf([start(), ...textBlock(0, 'a', 'drop', 'b'), finish('end_turn'), STOP]);
    const { sent, reader } = reviewed(stream, { text: (text) => (text === 'drop' ? '' : text) });
    expect((await throughSdk(sent)).content).toEqual([{ type: 'text', text: 'ab' }]);
    expect(reader.mark().canonical).toBe('[["text","ab"]]');
    expect(reader.text()).toBe('adropb');
  });

  it('in a start event is edited there', () => {
    const events = [start(), blockStart(0, { type: 'text', text: 'hunter2' }), blockStop(0), finish('end_turn'), STOP];
    expect(reviewed(streamOf(events), { text: redact }).sent).toContain('{"type":"text","text":"<SECRET>"}');
  });
});

it('a change for a call that is not there throws instead of passing', () => {
  const { reader, frames } = readStream(streamOf(TWO_CALLS));
  const changes = { texts: new Map(), edited: new Map(), denied: new Map([['block/9', 'no']]) };
  expect(() => reader.rewrite(frames[0]!, changes)).toThrow(RangeError);
});

it('an event that two parsers read differently cannot be edited', () => {
  const double =
    'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a","text":"b"}}\n\n';
  const stream = streamOf([start(), ...textBlock(0).slice(0, 1)]) + double;
  expect(() => reviewed(stream, { text: () => 'c' })).toThrow(RangeError);
  expect(reviewed(stream, {}).sent).toBe(stream);
});

it('a mark of what was streamed equals the mark of the same message sent back', () => {
  const { reader } = readStream(streamOf(TWO_CALLS));
  const content = [
    { type: 'thinking', thinking: 'dropped by many clients', signature: 's' },
    { type: 'text', text: 'I will look.\n', cache_control: { type: 'ephemeral' } },
    { type: 'tool_use', id: 'toolu_1', name: 'delete_all', input: { path: '/' } },
    { type: 'tool_use', id: 'toolu_2', name: 'list', input: { dir: '.' }, cache_control: { type: 'ephemeral' } },
  ];
  const messages = [
    { role: 'user', content: 'go' },
    { role: 'assistant', content },
  ];
  expect(readingOf({ messages }).messages[1]).toEqual(reader.mark());
  const reply = JSON.stringify({ id: 'm', type: 'message', content, usage: {} });
  expect(anthropicMessages.readReply(parseStrict(reply)).mark).toEqual(reader.mark());
});

it('our own error in mid-stream surfaces in the SDK as an API error', async () => {
  const saying = { code: 'TG_BUDGET_EXCEEDED', status: 402, message: 'the run has spent its budget' } as const;
  const sent = streamOf(TWO_CALLS.slice(0, 3)) + Buffer.from(anthropicMessages.errorEvents(saying)).toString();
  await expect(throughSdk(sent)).rejects.toMatchObject({
    type: 'billing_error',
    error: { tollgate: { code: saying.code } },
  });
});

it('the keep-alive is skipped by the SDK wherever it stands', async () => {
  const ping = Buffer.from(anthropicMessages.keepAlive).toString();
  const sent = ping + TWO_CALLS.map((event) => sse(event) + ping).join('');
  expect((await throughSdk(sent)).content).toHaveLength(3);
});
