import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Frame } from '../../../gateway/ports/dialect.ts';
import {
  ASKED,
  call,
  chunk,
  DONE,
  decode,
  delta,
  encode,
  finish,
  replay,
  request,
  TWO_CALLS,
  USAGE,
  usage,
} from './chat-streams.ts';

const ODD = [
  ': processing\n\n',
  chunk([], { model: '', prompt_filter_results: [] }),
  delta({ role: 'assistant', content: '' }),
  delta({ reasoning_content: 'thinking… 漢字' }),
  delta({ content: 'héllo 🧡' }),
  'event: custom\r\ndata: {"vendor":true}\r\n\r\n',
  'data: not json at all\n\n',
  'data: [1,2]\n\n',
  delta({ content: null, tool_calls: null, annotations: [] }),
  finish('stop'),
  usage(),
  DONE,
].join('');

const MISTRAL = [
  delta({ role: 'assistant', content: '' }),
  chunk(
    [
      {
        index: 0,
        delta: {
          content: null,
          tool_calls: [
            { id: 'aB3dE5gH7', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
            { id: 'zB3dE5gH7', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
          ],
        },
        finish_reason: 'tool_calls',
      },
    ],
    { usage: USAGE },
  ),
  DONE,
].join('');

const STREAMS = { text: ODD, calls: TWO_CALLS, mistral: MISTRAL };

describe.each(Object.entries(STREAMS))('a stream of %s', (_name, stream) => {
  it.each([1, 7, 64, Infinity])('passes byte for byte in chunks of %d', (size) => {
    const { frames } = replay(stream, request(ASKED), size);
    expect(decode(...frames.map((frame) => frame.bytes))).toBe(stream);
    expect(frames).toEqual(replay(stream).frames);
  });

  it('reads the same frames wherever it is cut', () => {
    const bytes = encode(stream);
    const whole = replay(bytes);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        const points = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const reader = openaiChat.openStream(request(ASKED));
        const frames = points.slice(1).flatMap((at, i) => reader.push(bytes.subarray(points[i], at)));
        expect([...frames, ...reader.end()]).toEqual(whole.frames);
        expect(reader.usage()).toEqual(whole.reader.usage());
        expect(reader.mark()).toEqual(whole.reader.mark());
      }),
      { numRuns: 60 },
    );
  });

  it('stays as it is when rewritten without changes', () => {
    const { frames, reader } = replay(stream);
    const none = { texts: new Map(), denied: new Map(), edited: new Map() };
    expect(decode(...frames.map((frame) => reader.rewrite(frame, none)))).toBe(stream);
  });

  it('is exact only once its usage is final, and a floor at every earlier cut', () => {
    const bytes = encode(stream);
    const { frames, reader } = replay(bytes);
    expect(reader.usage()).toMatchObject({ certainty: 'exact', entries: [{ leaves: { input: 20, output: 10 } }] });
    let end = 0;
    for (const { bytes: event } of frames) {
      const partial = replay(bytes.subarray(0, end)).reader;
      const found = partial.usage();
      if (found.certainty === 'exact') expect(found.entries).toEqual(reader.usage().entries);
      else expect(found.entries[0]?.leaves.output ?? 0).toBeLessThanOrEqual(10);
      end += event.length;
    }
  });
});

describe('frames', () => {
  const shape = ({ lanes, slots, texts, closes, finish: ends, ping }: Frame): unknown => ({
    lanes,
    slots,
    texts: texts.map((t) => `${t.channel}=${t.text}`),
    closes,
    ...(ends && { ends }),
    ...(ping && { ping }),
  });

  it('name lanes, channels and slots', () => {
    expect(replay(TWO_CALLS).frames.map(shape)).toEqual([
      { lanes: ['0/text'], slots: [], texts: ['0/text=Let me look.'], closes: [] },
      { lanes: ['0/call/0'], slots: ['0/call/0'], texts: [], closes: [] },
      { lanes: ['0/call/0'], slots: ['0/call/0'], texts: [], closes: [] },
      { lanes: ['0/call/0'], slots: ['0/call/0'], texts: [], closes: [] },
      { lanes: ['0/call/0', '0/call/1'], slots: ['0/call/1'], texts: [], closes: [] },
      { lanes: ['0/call/0', '0/call/1'], slots: ['0/call/1'], texts: [], closes: [] },
      { lanes: ['0/call/0', '0/call/1'], slots: ['0/call/1'], texts: [], closes: [] },
      { lanes: [], slots: [], texts: [], closes: ['0/text'], ends: true },
      { lanes: [], slots: [], texts: [], closes: [] },
      { lanes: [], slots: [], texts: [], closes: [] },
    ]);
  });

  it('close reasoning where the answer begins, and know pings and barriers', () => {
    expect(replay(ODD).frames.map(shape)).toMatchObject([
      { lanes: [], ping: true },
      { lanes: [] },
      { lanes: ['0/text'], texts: [] },
      { lanes: ['0/reasoning'], texts: ['0/reasoning=thinking… 漢字'] },
      { lanes: ['0/reasoning', '0/text'], texts: ['0/text=héllo 🧡'], closes: ['0/reasoning'] },
      { lanes: [] },
      { lanes: [] },
      { lanes: [] },
      { lanes: ['0/text'] },
      { lanes: [], closes: ['0/text'], ends: true },
      { lanes: [] },
      { lanes: [] },
    ]);
  });

  it('complete a call when another begins, or when the choice ends', () => {
    const completes = replay(TWO_CALLS).frames.map((frame) => frame.completes);
    expect(completes[4]).toEqual([
      {
        slot: '0/call/0',
        callId: 'call_aaaaaaaa',
        tool: 'weather',
        args: { city: 'Oslo' },
        parts: [{ at: '/city', text: 'Oslo' }],
        malformed: false,
      },
    ]);
    expect(completes[7]).toMatchObject([{ slot: '0/call/1', tool: 'delete_file', args: { path: '/etc/passwd' } }]);
    expect(completes.flat()).toHaveLength(2);
  });

  it('read calls without index, finish reason and usage in one event', () => {
    const { frames, reader } = replay(MISTRAL);
    expect(frames[1]).toMatchObject({
      finish: true,
      slots: ['0/call/0', '0/call/1'],
      lanes: expect.arrayContaining(['0/text', '0/call/0', '0/call/1']),
    });
    expect(frames[1]?.completes.map(({ args }) => args)).toEqual([{ city: 'Oslo' }, { city: 'Rome' }]);
    expect(reader.issuedIds()).toEqual(['aB3dE5gH7', 'zB3dE5gH7']);
    expect(reader.finished()).toBe(true);
  });

  it('wait with calls whose pieces come in turns', () => {
    const stream = [
      call(0, { name: 'a', arguments: '{"x":' }, { id: 'one' }),
      call(1, { name: 'b', arguments: '{"y":' }, { id: 'two' }),
      call(0, { arguments: '1}' }),
      call(1, { arguments: '2}' }),
      finish('tool_calls'),
    ].join('');
    const { frames } = replay(stream);
    expect(frames.slice(0, 4).flatMap((frame) => frame.completes)).toEqual([]);
    expect(frames[4]?.completes.map(({ tool, args }) => [tool, args])).toEqual([
      ['a', { x: 1 }],
      ['b', { y: 2 }],
    ]);
  });

  it('tell calls apart that share one index', () => {
    const stream = [
      call(0, { name: 'a', arguments: '{"x":1}' }, { id: 'call_11111111' }),
      call(0, { name: 'b', arguments: '{"y":2}' }, { id: 'call_22222222' }),
      finish('stop'),
      DONE,
    ].join('');
    const calls = replay(stream).frames.flatMap((frame) => frame.completes);
    expect(calls.map(({ slot, tool, args }) => [slot, tool, args])).toEqual([
      ['0/call/0', 'a', { x: 1 }],
      ['0/call/1', 'b', { y: 2 }],
    ]);
  });

  it.each([
    ['broken JSON', '{"a":', true, '{"a":'],
    ['a list', '[1]', true, '[1]'],
    ['a name that stands twice', '{"a":1,"a":2}', true, '{"a":1,"a":2}'],
    ['no arguments', '', false, {}],
    ['an empty object', '{}', false, {}],
  ])('read arguments that are %s', (_name, raw, malformed, args) => {
    const stream = call(0, { name: 'f', arguments: raw }, { id: 'x' }) + finish('tool_calls');
    const [found] = replay(stream).frames.flatMap((frame) => frame.completes);
    expect(found).toMatchObject({ malformed, args });
    if (malformed) expect(found?.parts).toEqual([{ at: '', text: raw }]);
  });

  it('hold a call with two names for malformed', () => {
    const stream =
      call(0, { name: 'safe', arguments: '{}' }, { id: 'x' }) + call(0, { name: 'rm' }) + finish('tool_calls');
    expect(replay(stream).frames.flatMap((frame) => frame.completes)).toMatchObject([{ malformed: true, args: '{}' }]);
  });

  it('read a custom tool and a legacy function call', () => {
    const custom = delta({
      tool_calls: [{ index: 0, id: 'x', type: 'custom', custom: { name: 'sql', input: 'drop ' } }],
    });
    const more = delta({ tool_calls: [{ index: 0, custom: { input: 'table' } }] });
    const [own] = replay(custom + more + finish('tool_calls')).frames.flatMap((frame) => frame.completes);
    expect(own).toMatchObject({
      tool: 'sql',
      args: 'drop table',
      malformed: false,
      parts: [{ at: '', text: 'drop table' }],
    });
    const legacy =
      delta({ function_call: { name: 'f', arguments: '{"a"' } }) + delta({ function_call: { arguments: ':1}' } });
    const [old] = replay(legacy + finish('function_call')).frames.flatMap((frame) => frame.completes);
    expect(old).toMatchObject({ slot: '0/function', tool: 'f', args: { a: 1 } });
  });

  it('keep the choices of one event apart', () => {
    const stream = chunk([
      { index: 0, delta: { content: 'a' } },
      { index: 1, delta: { content: 'b' }, finish_reason: 'stop' },
    ]);
    const { frames, reader } = replay(stream + delta({ content: 'c' }) + finish('stop'), request({ ...ASKED, n: 2 }));
    expect(frames[0]?.texts).toEqual([
      { channel: '0/text', text: 'a' },
      { channel: '1/text', text: 'b' },
    ]);
    expect(frames[0]?.closes).toEqual(['1/text']);
    expect(reader.text()).toBe('ac\nb');
  });

  it('hand over what an ending without an end leaves open', () => {
    const stream = delta({ content: 'hm' }) + call(0, { name: 'f', arguments: '{"a":' }, { id: 'x' });
    const { frames, reader } = replay(`${stream}data: {"choices":[{"ind`);
    expect(decode(...frames.map((frame) => frame.bytes))).toBe(`${stream}data: {"choices":[{"ind`);
    expect(frames.at(-1)).toMatchObject({ completes: [{ malformed: true }], closes: ['0/text'] });
    expect(reader.finished()).toBe(false);
    expect(reader.usage()).toMatchObject({ certainty: 'floor', entries: [{ leaves: { output: 1 } }] });
  });
});

describe('usage in a stream', () => {
  it('hides exactly the chunk the client did not ask for', () => {
    const stream = chunk([], { prompt_filter_results: [] }) + delta({ content: 'a' }) + finish('stop') + usage() + DONE;
    expect(replay(stream, request()).frames.map((frame) => frame.hidden)).toEqual([false, false, false, true, false]);
    expect(replay(stream, request(ASKED)).frames.some((frame) => frame.hidden)).toBe(false);
    expect(replay(MISTRAL, request()).frames.some((frame) => frame.hidden)).toBe(false);
    const nulls = chunk([], { usage: null });
    expect(replay(nulls, request()).frames.some((frame) => frame.hidden)).toBe(false);
  });

  it('takes cumulative usage for a floor until every choice has ended', () => {
    const counted = (tokens: number, reason: string | null, index = 0): string =>
      chunk([{ index, delta: { content: 'x' }, finish_reason: reason }], {
        usage: { prompt_tokens: 5, completion_tokens: tokens, total_tokens: 5 + tokens },
      });
    const { reader } = replay(counted(1, null) + counted(2, 'stop'), request({ ...ASKED, n: 2 }));
    expect(reader.usage()).toMatchObject({ certainty: 'floor', entries: [{ leaves: { input: 5, output: 2 } }] });
    reader.push(encode(counted(9, 'stop', 1)));
    expect(reader.usage()).toMatchObject({ certainty: 'exact', entries: [{ leaves: { input: 5, output: 9 } }] });
  });

  it('does not believe a final count smaller than what was seen', () => {
    const early = chunk([{ index: 0, delta: { content: 'abcdefgh'.repeat(100) } }], {
      usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
    });
    const { reader } = replay(early + finish('stop') + DONE);
    expect(reader.usage()).toMatchObject({ certainty: 'floor', entries: [{ leaves: { input: 5, output: 13 } }] });
  });

  it('finds usage where Groq and Moonshot put it', () => {
    const groq = chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { x_groq: { usage: USAGE } });
    const moonshot = chunk([{ index: 0, delta: {}, finish_reason: 'stop', usage: USAGE }]);
    for (const stream of [groq, moonshot])
      expect(replay(stream).reader.usage()).toMatchObject({
        certainty: 'exact',
        entries: [{ leaves: { input: 20, output: 10 } }],
      });
  });

  it('takes the served tier and the last model that has a name', () => {
    const stream =
      chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { service_tier: 'flex' }) +
      chunk([], { usage: USAGE, model: '' });
    expect(replay(stream).reader.usage().entries[0]).toMatchObject({ model: 'gpt-x-2', tier: 'flex' });
    expect(replay(stream).reader.servedModel()).toBe('gpt-x-2');
  });

  it('counts one search where the answer cites the web and usage says nothing', () => {
    const cited = delta({
      content: 'x',
      annotations: [{ type: 'url_citation', url_citation: { url: 'https://example.org' } }],
    });
    const found = replay(cited + finish('stop') + usage()).reader.usage();
    expect(found).toMatchObject({ estimated: true, certainty: 'exact', entries: [{ fees: { web_search: 1 } }] });
  });

  it.each([
    ['an error chunk', `data: {"error":{"message":"overloaded"}}\n\n`],
    ['an error event', `event: error\ndata: {"message":"overloaded"}\n\n`],
    ['an error with choices', chunk([{ index: 0, delta: {}, finish_reason: 'error' }], { error: { code: 502 } })],
  ])('knows a failure: %s', (_name, failure) => {
    const { reader, frames } = replay(delta({ content: 'a' }) + failure);
    expect(reader.failed()).toBe(true);
    expect(reader.usage().certainty).toBe('floor');
    expect(decode(frames[1]?.bytes as Uint8Array)).toBe(failure);
    expect(replay(delta({ content: 'a' }) + chunk([], { error: null })).reader.failed()).toBe(false);
  });
});

describe('the mark', () => {
  it('of a stream is that of the message it becomes', () => {
    const { reader } = replay(TWO_CALLS);
    const message = {
      role: 'assistant',
      content: 'Let me look.',
      tool_calls: [
        { id: 'call_aaaaaaaa', type: 'function', function: { name: 'weather', arguments: '{ "city": "Oslo" }' } },
        {
          id: 'call_bbbbbbbb',
          type: 'function',
          function: { name: 'delete_file', arguments: '{"path":"/etc/passwd"}' },
        },
      ],
    };
    expect(request({ messages: [message] }).messages).toEqual([reader.mark()]);
    const unary = JSON.stringify({ choices: [{ index: 0, message }] });
    expect(openaiChat.readReply(parseStrict(unary)).mark).toEqual(reader.mark());
    expect(openaiChat.readReply(parseStrict(unary)).issuedIds).toEqual(reader.issuedIds());
  });
});
