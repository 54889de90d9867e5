import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import type { JsonObject } from '../../../gateway/domain/json.ts';
import {
  call,
  callEvents,
  DELETE,
  decode,
  encode,
  message,
  messageEvents,
  replay,
  request,
  response,
  stream,
  TEXT,
  TWO_CALLS,
  USAGE,
  WEATHER,
  whole,
} from './responses-streams.ts';

describe('frames', () => {
  const { frames, reader } = replay(TWO_CALLS);

  it('pass as they came, cut anywhere', () => {
    const outline = (size: number): string => JSON.stringify(replay(TWO_CALLS, request(), size).frames);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
        expect(outline(size)).toBe(outline(Infinity));
        expect(decode(...replay(TWO_CALLS, request(), size).frames.map(({ bytes }) => bytes))).toBe(TWO_CALLS);
      }),
      { numRuns: 20 },
    );
  });

  it('announce each call once, whole, with the events that carry it', () => {
    const done = frames.flatMap(({ completes }) => completes);
    expect(done).toEqual([
      {
        slot: 'output/1',
        callId: 'call_aaaaaaaa',
        tool: 'weather',
        args: { city: 'Oslo' },
        parts: [{ at: '/city', text: 'Oslo' }],
        malformed: false,
      },
      {
        slot: 'output/2',
        callId: 'call_bbbbbbbb',
        tool: 'delete_file',
        args: { path: '/etc/passwd' },
        parts: [{ at: '/path', text: '/etc/passwd' }],
        malformed: false,
      },
    ]);
    for (const frame of frames) {
      const carried = ['output/1', 'output/2'].filter((_, i) =>
        decode(frame.bytes).includes(i === 0 ? 'aaaaaaaa' : 'bbbbbbbb'),
      );
      expect(frame.slots).toEqual(carried);
    }
  });

  it('carry each piece of text once, however often it is repeated', () => {
    expect(frames.flatMap(({ texts }) => texts)).toEqual([
      { channel: 'output/0/text/0', text: 'Let me ' },
      { channel: 'output/0/text/0', text: 'look.' },
    ]);
    expect(frames.flatMap(({ closes }) => closes)).toEqual(['output/0/text/0']);
    expect(frames.filter(({ finish }) => finish)).toEqual([frames.at(-1)]);
    expect(reader.text()).toBe('Let me look.');
  });

  it('keep to the lane of their item; what begins an item keeps its order among them', () => {
    const lanes = [...new Set(frames.map(({ lanes }) => lanes.join(' ')))];
    expect(lanes).toEqual([
      '',
      'output output/0',
      'output/0',
      'output output/1',
      'output/1',
      'output output/2',
      'output/2',
    ]);
    expect(frames.at(-1)?.lanes).toEqual([]);
  });

  it('tell usage, model, tier and ids at their end', () => {
    expect(reader.usage()).toEqual({
      entries: [{ model: 'gpt-x-2', leaves: { input: 16, cache_read: 4, output: 7, reasoning: 3 }, tier: 'default' }],
      certainty: 'exact',
    });
    expect(reader.servedModel()).toBe('gpt-x-2');
    expect(reader.finished()).toBe(true);
    expect(reader.issuedIds()).toEqual([
      'resp_00000000ffffffff',
      'msg_a0000000',
      'call_aaaaaaaa',
      'fc_aaaaaaaa',
      'call_bbbbbbbb',
      'fc_bbbbbbbb',
    ]);
  });
});

describe('what a stream may leave out or say twice', () => {
  const complete = (events: readonly JsonObject[]) =>
    replay(stream(events)).frames.flatMap(({ completes }) => completes);

  it('a call that only its last event or only the whole response states is judged', () => {
    const item = { type: 'response.output_item.done', output_index: 0, item: DELETE };
    expect(complete([item]).map(({ tool }) => tool)).toEqual(['delete_file']);
    const { frames } = replay(whole([], [DELETE]));
    expect(frames.at(-1)?.completes.map(({ tool }) => tool)).toEqual(['delete_file']);
    expect(frames.at(-1)?.slots).toEqual(['output/0']);
  });

  it('pieces of a call that was never announced are held, and judged at the end of the stream', () => {
    const piece = {
      type: 'response.function_call_arguments.delta',
      output_index: 3,
      item_id: 'fc_x',
      delta: '{"a":1}',
    };
    const { frames } = replay(stream([piece]));
    expect(frames[0]?.slots).toEqual(['output/3']);
    expect(frames.at(-1)?.completes).toMatchObject([{ slot: 'output/3', tool: '', args: { a: 1 } }]);
  });

  it('an event of an unknown item does not make a call of it pass unjudged', () => {
    const odd = { type: 'response.something.new', output_index: 0, item_id: 'x', delta: 'y' };
    const done = { type: 'response.output_item.done', output_index: 0, item: DELETE };
    expect(complete([odd, done]).map(({ tool }) => tool)).toEqual(['delete_file']);
  });

  it('contradicting statements of a call make it malformed', () => {
    const events = callEvents(0, DELETE, ['{"path":"/tmp/x"}']);
    expect(complete(events)).toMatchObject([{ malformed: true, args: '{"path":"/etc/passwd"}' }]);
  });

  it('a call that the whole response states otherwise is judged once more', () => {
    const other = { ...WEATHER, arguments: '{"city":"Rome"}' };
    const { frames } = replay(whole(callEvents(0, WEATHER, [WEATHER['arguments'] as string]), [other]));
    expect(frames.at(-1)?.completes).toMatchObject([{ slot: 'output/0', malformed: true, args: '{"city":"Rome"}' }]);
  });

  it('spaces and order in repeated arguments make no other call', () => {
    const item = call('cccccccc', 'f', '{"b":2, "a":1}');
    const { frames } = replay(
      whole(callEvents(0, item, ['{"a":1,', '"b":2}']), [{ ...item, arguments: '{"a": 1, "b": 2}' }]),
    );
    expect(frames.flatMap(({ completes }) => completes)).toMatchObject([{ malformed: false, args: { a: 1, b: 2 } }]);
  });

  it('ids that change from event to event still name one item', () => {
    const renamed = { ...WEATHER, id: 'other_1' };
    const { frames } = replay(whole(callEvents(0, WEATHER, [WEATHER['arguments'] as string]), [renamed]));
    expect(frames.flatMap(({ completes }) => completes)).toHaveLength(1);
  });

  it('text that is only stated whole, or otherwise than in pieces, is text of its frame', () => {
    const item = message('t0000000', 'all at once');
    const alone = { type: 'response.output_item.done', output_index: 0, item };
    expect(replay(whole([alone], [item])).frames.flatMap(({ texts }) => texts)).toEqual([
      { channel: 'output/0/text/0', text: 'all at once' },
    ]);
    const longer = whole(messageEvents(0, TEXT, ['Let me look.']), [message('a0000000', 'Let me look. And more')]);
    expect(replay(longer).frames.at(-1)?.texts).toEqual([{ channel: 'output/0/text/0', text: ' And more' }]);
    const other = whole(messageEvents(0, TEXT, ['Let me look.']), [message('a0000000', 'Else')]);
    expect(replay(other).frames.at(-1)).toMatchObject({
      texts: [{ channel: 'output/0/text/0', text: 'Else' }],
      closes: ['output/0/text/0'],
    });
  });

  it('reasoning and refusals are text that detectors read, and only refusals are part of the answer', () => {
    const at = { output_index: 0, item_id: 'rs_1' };
    const { frames, reader } = replay(
      stream([
        { type: 'response.output_item.added', output_index: 0, item: { id: 'rs_1', type: 'reasoning', summary: [] } },
        { type: 'response.reasoning_summary_text.delta', ...at, summary_index: 1, delta: 'short' },
        { type: 'response.reasoning_text.delta', ...at, content_index: 0, delta: 'long' },
        { type: 'response.refusal.delta', output_index: 1, item_id: 'msg_1', content_index: 0, delta: 'no' },
      ]),
    );
    expect(frames.flatMap(({ texts }) => texts)).toEqual([
      { channel: 'output/0/summary/1', text: 'short' },
      { channel: 'output/0/reasoning/0', text: 'long' },
      { channel: 'output/1/refusal/0', text: 'no' },
    ]);
    expect(frames.at(-1)?.closes).toEqual(['output/0/summary/1', 'output/0/reasoning/0', 'output/1/refusal/0']);
    expect(reader.text()).toBe('no');
  });
});

describe('endings', () => {
  const ended = (type: string, extra: Record<string, never> | JsonObject): ReturnType<typeof replay>['reader'] =>
    replay(stream([...messageEvents(0, TEXT, ['Let me ', 'look.']), { type, response: response(extra) }])).reader;

  it('incomplete is an end with exact usage', () => {
    const reader = ended('response.incomplete', { status: 'incomplete', usage: USAGE });
    expect([reader.finished(), reader.failed(), reader.usage().certainty]).toEqual([true, false, 'exact']);
  });

  it('failed without usage is a floor, with usage exact, and never a completed reply', () => {
    const bare = ended('response.failed', { status: 'failed', usage: null });
    expect([bare.finished(), bare.failed(), bare.usage()]).toEqual([
      false,
      true,
      { entries: [{ model: 'gpt-x-2', leaves: { output: 1 }, tier: 'auto' }], certainty: 'floor' },
    ]);
    expect(ended('response.failed', { status: 'failed', usage: USAGE }).usage().certainty).toBe('exact');
  });

  it('less output than was seen is no exact usage', () => {
    const long = 'word'.repeat(400);
    const text = whole(messageEvents(0, message('a0000000', long), [long]), [message('a0000000', long)]);
    const { reader } = replay(text);
    expect(reader.usage()).toMatchObject({ certainty: 'floor', entries: [{ leaves: { output: 22, reasoning: 3 } }] });
    expect(reader.outputFloor()).toBe(25);
  });

  it('what a program called is no output of this response', () => {
    const item = call('pppppppp', 'f', `{"a":"${'x1'.repeat(200)}"}`, { caller: { type: 'program', caller_id: 'c' } });
    const usage = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
    const { reader } = replay(whole(callEvents(0, item, [item['arguments'] as string]), [item], { usage }));
    expect(reader.usage()).toMatchObject({ certainty: 'exact', entries: [{ leaves: { input: 0, output: 0 } }] });
  });

  it('an error event fails the stream and closes its texts', () => {
    const { reader, frames } = replay(
      stream([...messageEvents(0, TEXT, ['Let me ', 'look.']).slice(0, 3), { type: 'error', code: 'x', message: 'y' }]),
    );
    expect([reader.failed(), reader.finished()]).toEqual([true, false]);
    expect(frames.at(-1)?.closes).toEqual(['output/0/text/0']);
  });

  it('a terminal event that cannot be read ends the stream without usage', () => {
    const { reader, frames } = replay(
      `${stream(callEvents(0, WEATHER, ['{}']).slice(0, 2))}event: response.completed\ndata: {"resp\n\n`,
    );
    expect([reader.finished(), reader.usage().certainty]).toEqual([true, 'floor']);
    expect(frames.at(-1)).toMatchObject({ finish: true, slots: ['output/0'], completes: [{ tool: 'weather' }] });
  });

  it('several responses in a row are several entries, and their calls have slots of their own', () => {
    const { reader, frames } = replay(
      TWO_CALLS + whole(callEvents(0, DELETE, [DELETE['arguments'] as string]), [DELETE]),
    );
    expect(reader.usage()).toMatchObject({ certainty: 'exact', entries: [{}, {}] });
    expect(frames.flatMap(({ completes }) => completes).map(({ slot }) => slot)).toEqual([
      'output/1',
      'output/2',
      '1/output/0',
    ]);
  });

  it('counts what the provider ran', () => {
    const items = ['web_search_call', 'mcp_call', 'mcp_list_tools', 'reasoning'].map((type, i) => ({
      id: `x_${i}`,
      type,
    }));
    const events = items.map((item, i) => ({ type: 'response.output_item.added', output_index: i, item }));
    const hosted = { id: 'sh_1', type: 'shell_call', environment: { type: 'container_reference', container_id: 'c' } };
    const local = { id: 'sh_2', type: 'shell_call', action: { commands: ['ls'] }, call_id: 'call_shell_x' };
    events.push({ type: 'response.output_item.added', output_index: 4, item: hosted });
    events.push({ type: 'response.output_item.added', output_index: 5, item: local });
    const { reader, frames } = replay(stream(events));
    expect(reader.providerRuns()).toBe(3);
    expect(frames.flatMap(({ completes }) => completes)).toMatchObject([
      { tool: 'shell', args: { commands: ['ls'] }, callId: 'call_shell_x' },
    ]);
  });
});

it('the mark of a streamed answer is that of the history it becomes', () => {
  const { reader } = replay(TWO_CALLS);
  const text = JSON.stringify({
    model: 'm',
    input: [
      { role: 'user', content: 'hi' },
      { type: 'reasoning', id: 'rs_0000000000', summary: [], encrypted_content: 'x' },
      TEXT,
      WEATHER,
      DELETE,
      { type: 'function_call_output', call_id: 'call_aaaaaaaa', output: 'rain' },
    ],
  });
  const history = openaiResponses.read(parse(text), text.length, {});
  expect(history.messages[1]).toEqual(reader.mark());
  expect(history.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
});

const parse = (text: string) => ({ text, value: JSON.parse(text) });

it('a reader takes bytes that are no events', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { frames, reader } = replay(`data: ${text}\n\n`);
      expect(decode(...frames.map(({ bytes }) => bytes))).toBe(decode(encode(`data: ${text}\n\n`)));
      expect(reader.usage().certainty).toBe('floor');
    }),
  );
});
