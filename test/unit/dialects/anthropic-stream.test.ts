import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import type { JsonObject } from '../../../gateway/domain/json.ts';
import {
  blockStart,
  blockStop,
  bytesOf,
  callBlock,
  delta,
  finish,
  plain,
  readingOf,
  readStream,
  STOP,
  sse,
  start,
  streamOf,
  textBlock,
} from './anthropic-streams.ts';

const PING: JsonObject = { type: 'ping' };
const EVENTS: readonly JsonObject[] = [
  start(),
  PING,
  blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
  delta(0, { type: 'thinking_delta', thinking: 'let me see' }),
  delta(0, { type: 'signature_delta', signature: 'EqQB' }),
  blockStop(0),
  ...textBlock(1, 'Grüße, ', '日本 ', '👩‍💻', '\n\ndata: not an event'),
  ...callBlock(2, 'toolu_1', 'read_file', '', '{"path": "/é', 'tc/pass', 'wd"}'),
  blockStart(3, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }),
  delta(3, { type: 'input_json_delta', partial_json: '{"query":"x"}' }),
  blockStop(3),
  ...callBlock(4, 'toolu_2', 'list', ''),
  { type: 'some_future_event', x: 1 },
  finish('tool_use'),
  STOP,
];
const STREAM = streamOf(EVENTS);

const framesOf = (bytes: string, size?: number) => readStream(bytes, size).frames;

describe('frames', () => {
  it.each([1, 7, 64, Number.MAX_SAFE_INTEGER])('are the stream byte for byte, cut every %i bytes', (size) => {
    for (const newline of ['\n', '\r\n', '\r'])
      for (const named of [true, false]) {
        const bytes = streamOf(EVENTS, { newline, named });
        expect(bytesOf(framesOf(bytes, size))).toBe(bytes);
        expect(framesOf(bytes, size)).toHaveLength(EVENTS.length);
      }
  });

  it('do not depend on where the bytes were cut', () => {
    const whole = Buffer.from(STREAM);
    const wanted = framesOf(STREAM).map(plain);
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const reader = anthropicMessages.openStream(readingOf());
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, i) => Uint8Array.from(whole.subarray(at[i], end)));
        const frames = [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
        expect(frames.map(plain)).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('carry text by channel, close it at the block end, and leave thinking alone', () => {
    const frames = framesOf(STREAM);
    expect(frames.flatMap(({ texts }) => texts)).toEqual(
      ['Grüße, ', '日本 ', '👩‍💻', '\n\ndata: not an event'].map((text) => ({ channel: 'block/1', text })),
    );
    expect(frames.flatMap(({ closes }) => closes)).toEqual(['block/1']);
    expect(readStream(STREAM).reader.text()).toBe('Grüße, 日本 👩‍💻\n\ndata: not an event');
  });

  it('hold a call from its start to its stop and complete it there; what the provider runs passes', () => {
    const frames = framesOf(STREAM);
    expect(frames.filter(({ slots }) => slots.includes('block/2'))).toHaveLength(6);
    expect(frames.flatMap(({ completes }) => completes)).toEqual([
      {
        slot: 'block/2',
        callId: 'toolu_1',
        tool: 'read_file',
        args: { path: '/étc/passwd' },
        malformed: false,
        parts: [{ at: '/path', text: '/étc/passwd' }],
      },
      { slot: 'block/4', callId: 'toolu_2', tool: 'list', args: {}, malformed: false, parts: [] },
    ]);
    expect(
      frames.filter(({ completes }) => completes.length > 0).map(({ bytes }) => Buffer.from(bytes).toString()),
    ).toEqual([sse(blockStop(2)), sse(blockStop(4))]);
    expect(frames.some(({ slots }) => slots.includes('block/3'))).toBe(false);
  });

  it('keep blocks in order: a block shares a lane with the one before it, everything else is a barrier', () => {
    const frames = framesOf(STREAM);
    const starts = frames.filter(({ bytes }) => Buffer.from(bytes).includes('content_block_start'));
    expect(starts.map(({ lanes }) => lanes)).toEqual([
      ['message', 'block/0'],
      ['block/0', 'block/1'],
      ['block/1', 'block/2'],
      ['block/2', 'block/3'],
      ['block/3', 'block/4'],
    ]);
    expect(frames.slice(-3).map(({ lanes }) => lanes)).toEqual([[], [], []]);
  });

  it('mark pings, comments and the end', () => {
    const frames = framesOf(`: hello\n\n${STREAM}`);
    expect(frames.map(({ ping }, i) => (ping ? i : -1)).filter((i) => i >= 0)).toEqual([0, 2]);
    expect(frames.filter(({ finish: ends }) => ends).map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      sse(finish('tool_use')),
    ]);
  });
});

describe('calls', () => {
  const argsOf = (...pieces: string[]) =>
    framesOf(streamOf([start(), ...callBlock(0, 'toolu_1', 't', ...pieces), finish('tool_use'), STOP])).flatMap(
      ({ completes }) => completes,
    )[0];

  it.each([
    [['{"a":1', '}'], { args: { a: 1 }, malformed: false }],
    [[], { args: {}, malformed: false }],
    [['{"a":1'], { args: '{"a":1', malformed: true }],
    [['[1]'], { args: '[1]', malformed: true }],
    [['{"path":"/tmp",', '"path":"/etc"}'], { args: '{"path":"/tmp","path":"/etc"}', malformed: true }],
  ])('%j', (pieces, wanted) => {
    expect(argsOf(...pieces)).toMatchObject(wanted);
  });

  it('may carry their arguments in the start event', () => {
    const block = { type: 'tool_use', id: 'toolu_1', name: 'shot', toolset_name: 'computer', input: { x: 1 } };
    const frames = framesOf(streamOf([start(), blockStart(0, block), blockStop(0), finish('tool_use'), STOP]));
    expect(frames.flatMap(({ completes }) => completes)).toMatchObject([
      { tool: 'shot', server: 'computer', args: { x: 1 }, malformed: false },
    ]);
  });

  it('may stand in `message_start` itself', () => {
    const content = [
      { type: 'text', text: 'next' },
      { type: 'tool_use', id: 'toolu_1', name: 'roll', input: { die: 6 } },
    ];
    const { reader, frames } = readStream(streamOf([start({ content, stop_reason: 'tool_use' }), STOP]));
    expect(frames[0]).toMatchObject({
      slots: ['block/1'],
      texts: [{ channel: 'block/0', text: 'next' }],
      closes: ['block/0'],
      completes: [{ slot: 'block/1', tool: 'roll', args: { die: 6 } }],
      finish: true,
    });
    expect(reader.usage().certainty).toBe('exact');
    expect(reader.issuedIds()).toEqual(['msg_1', 'toolu_1']);
  });

  it('that never end are complete when the message ends, and not before', () => {
    const open = callBlock(0, 'toolu_1', 't', '{}').slice(0, 2);
    expect(framesOf(streamOf([start(), ...open])).flatMap(({ completes }) => completes)).toEqual([]);
    const frames = framesOf(streamOf([start(), ...open, finish('tool_use'), STOP]));
    expect(frames[3]).toMatchObject({ slots: ['block/0'], completes: [{ slot: 'block/0' }] });
  });

  it('get a name of their own where an index comes twice', () => {
    const twice = [...callBlock(0, 'toolu_1', 'a', '{}'), ...callBlock(0, 'toolu_2', 'b', '{}')];
    const next = [start({ id: 'msg_2' }), ...callBlock(0, 'toolu_3', 'c', '{}'), finish('tool_use'), STOP];
    const { reader, frames } = readStream(streamOf([start(), ...twice, finish('tool_use'), STOP, ...next]));
    expect(frames.flatMap(({ completes }) => completes).map(({ slot, tool }) => [slot, tool])).toEqual([
      ['block/0', 'a'],
      ['block/0.1', 'b'],
      ['message/1/block/0', 'c'],
    ]);
    expect(reader.issuedIds()).toEqual(['msg_1', 'toolu_1', 'toolu_2', 'msg_2', 'toolu_3']);
  });
});

describe('endings', () => {
  const begun = [start(), ...textBlock(0, 'a fairly long answer that goes on').slice(0, 2)];

  it('an error event before any output is an exact zero', () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    const { reader } = readStream(streamOf([error]));
    expect(reader.failed()).toBe(true);
    expect(reader.usage()).toEqual({ entries: [], certainty: 'exact' });
  });

  it('an error event after output is a floor, and ends its text', () => {
    const { reader, frames } = readStream(streamOf([...begun, { type: 'error', error: { type: 'api_error' } }]));
    expect(reader.failed()).toBe(true);
    expect(reader.finished()).toBe(false);
    expect(reader.usage().certainty).toBe('floor');
    expect(frames.at(-1)).toMatchObject({ lanes: [], closes: ['block/0'] });
  });

  it('a cut inside an event keeps its bytes and stays a floor', () => {
    const stream = streamOf([...begun, blockStop(0), finish('end_turn')]);
    const { reader, frames } = readStream(stream.slice(0, -20));
    expect(bytesOf(frames)).toBe(stream.slice(0, -20));
    expect(reader.usage().certainty).toBe('floor');
  });

  it('a stream that only lacks `message_stop` is exact once it is over', () => {
    const reader = anthropicMessages.openStream(readingOf());
    reader.push(Buffer.from(streamOf([...begun, blockStop(0), finish('end_turn')])));
    expect(reader.usage().certainty).toBe('floor');
    expect(reader.finished()).toBe(false);
    reader.end();
    expect(reader.usage().certainty).toBe('exact');
  });

  it('the floor counts what was written, by the longest token there is', () => {
    const prose = 'Lorem ipsum dolor sit amet consectetur '.repeat(40);
    const { reader } = readStream(streamOf([start(), ...textBlock(0, prose).slice(0, 2)]));
    expect(reader.outputFloor()).toBeGreaterThan(15);
    expect(reader.outputFloor()).toBeLessThan(400);
    expect(reader.usage().entries[0]?.leaves.output).toBe(reader.outputFloor());
  });

  it('lines that are no JSON pass and mean nothing', () => {
    const stream = `${sse(start())}data: {broken\n\nevent: ping\ndata: \n\n${streamOf([finish('end_turn'), STOP])}`;
    const { reader, frames } = readStream(stream, 3);
    expect(bytesOf(frames)).toBe(stream);
    expect(frames[1]).toMatchObject({ lanes: [], slots: [], ping: false });
    expect(reader.usage().certainty).toBe('exact');
  });

  it('never throws, whatever JSON comes', () => {
    const names = [
      'type',
      'index',
      'delta',
      'content_block',
      'message',
      'usage',
      'text',
      'partial_json',
      'stop_reason',
    ];
    const types = [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
    ];
    const leaf = fc.oneof(
      fc.constantFrom(...types, 'tool_use', 'text', 'text_delta', 'input_json_delta'),
      fc.jsonValue(),
    );
    const inner = fc.dictionary(fc.constantFrom(...names), leaf);
    const event = fc.record(
      {
        type: fc.constantFrom(...types),
        index: fc.oneof(fc.nat(2), leaf),
        delta: inner,
        content_block: inner,
        message: inner,
        usage: inner,
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const stream = events.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
        const { reader, frames } = readStream(stream, 40);
        expect(bytesOf(frames)).toBe(stream);
        const none = { texts: new Map(), denied: new Map(), edited: new Map() };
        for (const frame of frames) expect(Buffer.from(reader.rewrite(frame, none)).equals(frame.bytes)).toBe(true);
        expect(reader.mark().role).toBe('assistant');
        expect(['exact', 'floor']).toContain(reader.usage().certainty);
      }),
      { numRuns: 300 },
    );
  });
});
