import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openaiRealtime } from '../../../gateway/dialects/openai-realtime.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { type CallRuling, StreamReview } from '../../../gateway/pipeline/stream-review.ts';
import type { ProposedCall } from '../../../gateway/ports/dialect.ts';
import type { SocketSession } from '../../../gateway/ports/socket-language.ts';
import {
  type Event,
  functionCall,
  REALTIME_USAGE,
  responseCreated,
  sessionCreated,
  spokenAnswer,
  writtenAnswer,
} from '../../support/socket-upstream.ts';

const open = (): SocketSession => {
  const session = openaiRealtime.socket.open('/v1/realtime?model=gpt-realtime');
  session.watch(sessionCreated() as JsonObject, 300);
  return session;
};
const bytes = (event: Event): Uint8Array => Buffer.from(JSON.stringify(event));
const hear = (session: SocketSession, event: unknown) => {
  const text = JSON.stringify(event);
  return session.hear(parseStrict(text), text.length);
};

/** What a caller gets of these events under one ruling for every call. */
function relayed(events: readonly Event[], ruling: CallRuling): { out: Event[]; ruled: ProposedCall[] } {
  const session = open();
  const asked = hear(session, { type: 'response.create' });
  if (asked.kind !== 'call') throw new Error('a response was asked for');
  const reader = session.openReader(asked.body.reading, '');
  const ruled: ProposedCall[] = [];
  const review = new StreamReview(reader, {
    holdFinish: false,
    ruleCall: (call) => {
      ruled.push(call);
      return ruling;
    },
    detectors: [],
    whole: false,
    ruleText: (text) => ({ text }),
  });
  const sent = events.flatMap((event) => review.take(reader.push(bytes(event))));
  sent.push(...review.end());
  return {
    out: sent.flatMap((one) => Buffer.from(one).toString().split('\u001e')).map((t) => JSON.parse(t) as Event),
    ruled,
  };
}

const argumentsOf = (events: readonly Event[]): string =>
  events
    .filter(({ type }) => type === 'response.function_call_arguments.delta')
    .map(({ delta }) => delta as string)
    .join('');

/** The function call with its arguments cut anywhere. */
const cutCall = fc
  .tuple(
    fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })),
    fc.array(fc.nat(200), { maxLength: 8 }),
  )
  .map(([value, cuts]) => {
    const args = JSON.stringify({ ...value, secret: 'XyZzY' });
    const [before, after] = [functionCall('r', 'shell', args), [] as Event[]];
    const places = [...new Set([0, ...cuts.map((cut) => cut % args.length), args.length])].sort((a, b) => a - b);
    const at = before.findIndex(({ type }) => type.endsWith('arguments.delta'));
    const piece = before[at] as Event;
    const pieces = places.slice(1).map((end, i) => ({ ...piece, delta: args.slice(places[i], end) }));
    const rest = before.filter(({ type }) => !type.endsWith('arguments.delta'));
    return { args, events: [...rest.slice(0, at), ...pieces, ...rest.slice(at), ...after] };
  });

describe('a function call on a realtime socket, cut anywhere', () => {
  it('passes byte for byte and in order where it is allowed', () => {
    fc.assert(
      fc.property(cutCall, ({ events }) => {
        const { out, ruled } = relayed(events, { kind: 'pass' });
        expect(out).toEqual(events);
        expect(ruled).toHaveLength(1);
      }),
    );
  });

  it('shows nothing of its arguments where it is denied, and is whole as words', () => {
    fc.assert(
      fc.property(cutCall, ({ events }) => {
        const { out } = relayed(events, { kind: 'deny', text: 'no' });
        expect(JSON.stringify(out)).not.toMatch(/XyZzY|function_call/);
        expect(out.map(({ type }) => type)).toEqual([
          'response.created',
          'response.output_item.added',
          'response.content_part.added',
          'response.output_text.delta',
          'response.output_text.done',
          'response.content_part.done',
          'response.output_item.done',
          'response.done',
        ]);
        expect(out.every((event) => typeof event['event_id'] === 'string')).toBe(true);
      }),
    );
  });

  it('has the same edited arguments wherever it is repeated', () => {
    fc.assert(
      fc.property(cutCall, ({ events }) => {
        const { out } = relayed(events, { kind: 'edit', args: { safe: 'yes' } });
        expect(JSON.stringify(out)).not.toContain('XyZzY');
        expect(argumentsOf(out)).toBe('{"safe":"yes"}');
        const repeated = JSON.stringify(out).split('{\\"safe\\":\\"yes\\"}').length - 1;
        // pieces, their end, the item's end, the item in the conversation, the response
        expect(repeated).toBe(5);
        const done = out.at(-1) as Event & { response: { usage: Json } };
        expect(done).toMatchObject({ type: 'response.done', response: { usage: REALTIME_USAGE } });
      }),
    );
  });
});

describe('usage of a realtime response', () => {
  const usageOf = (events: readonly Event[]) => {
    const session = open();
    const asked = hear(session, { type: 'response.create' });
    if (asked.kind !== 'call') throw new Error('a response was asked for');
    const reader = session.openReader(asked.body.reading, '');
    for (const event of events) reader.push(bytes(event));
    return { usage: reader.usage(), finished: reader.finished(), failed: reader.failed() };
  };

  it('falls into leaves that do not overlap and add up', () => {
    const { usage } = usageOf(spokenAnswer('r', ['hello']));
    expect(usage.certainty).toBe('exact');
    expect(usage.entries[0]?.leaves).toEqual({
      input: 55,
      cache_read: 64,
      input_audio: 13,
      output: 30,
      output_audio: 91,
    });
  });

  it('with cached sound and images', () => {
    const details = {
      text_tokens: 10,
      audio_tokens: 60,
      image_tokens: 30,
      cached_tokens: 50,
      cached_tokens_details: { text_tokens: 5, audio_tokens: 25, image_tokens: 20 },
    };
    const { usage } = usageOf(
      writtenAnswer('r', ['x'], {
        ...REALTIME_USAGE,
        input_tokens: 100,
        total_tokens: 221,
        input_token_details: details,
      }),
    );
    expect(usage.entries[0]?.leaves).toMatchObject({
      input: 5,
      cache_read: 5,
      cache_read_audio: 25,
      cache_read_image: 20,
      input_audio: 35,
      input_image: 10,
    });
  });

  it.each([
    ['cancelled', true, false],
    ['incomplete', true, false],
    ['failed', false, true],
  ])('of one that is %s is known too', (status, finished, failed) => {
    const events = writtenAnswer('r', ['x']).map((event) =>
      event.type === 'response.done' ? { ...event, response: { ...(event['response'] as object), status } } : event,
    );
    expect(usageOf(events)).toMatchObject({ finished, failed, usage: { certainty: 'exact' } });
  });

  it('is never exact before the end', () => {
    const events = spokenAnswer('r', ['hello', ' you']);
    for (let n = 0; n < events.findIndex(({ type }) => type === 'response.done'); n += 1)
      expect(usageOf(events.slice(0, n))).toMatchObject({ finished: false, usage: { certainty: 'floor' } });
  });

  it('counts sound as sound: not its base64 as words', () => {
    const session = open();
    const asked = hear(session, { type: 'response.create' });
    if (asked.kind !== 'call') throw new Error('a response was asked for');
    const reader = session.openReader(asked.body.reading, '');
    for (const event of spokenAnswer('r', ['hi']).slice(0, 8)) reader.push(bytes(event));
    expect(reader.outputFloor()).toBeLessThan(5);
  });
});

describe('what a realtime response will read', () => {
  const boundOf = (session: SocketSession, event: unknown = { type: 'response.create' }) => {
    const asked = hear(session, event);
    return asked.kind === 'plain' ? undefined : asked.body.reading.bound;
  };
  const say = (session: SocketSession, event: unknown): void => {
    const heard = hear(session, event);
    session.carried(heard, heard.kind === 'plain' ? undefined : heard.body.reading);
  };
  const item = (content: unknown) => ({
    type: 'conversation.item.create',
    item: { type: 'message', role: 'user', content },
  });

  it('grows with every item and is measured anew by every response', () => {
    const session = open();
    const before = boundOf(session)?.bytes ?? 0;
    expect(before).toBeGreaterThanOrEqual(300);
    say(session, item([{ type: 'input_text', text: 'x'.repeat(5000) }]));
    expect(boundOf(session)?.bytes).toBeGreaterThan(before + 5000);
    session.watch(responseCreated('r') as JsonObject, 100);
    for (const event of writtenAnswer('r', ['ok'])) session.watch(event as JsonObject, 100);
    // what it read and wrote is what the next one reads
    expect(boundOf(session)?.bytes).toBe(before + REALTIME_USAGE.total_tokens);
  });

  it('has no byte bound once there is sound or a picture', () => {
    const session = open();
    expect(boundOf(session)?.opaque).toEqual([]);
    say(session, item([{ type: 'input_image', image_url: 'data:image/png;base64,AA' }]));
    expect(boundOf(session)?.opaque).toEqual(['image']);
    session.watch({ type: 'input_audio_buffer.committed', item_id: 'i' }, 50);
    expect(boundOf(session)?.opaque).toEqual(['image', 'audio']);
  });

  it('has the cap of the response, else of the session', () => {
    const session = open();
    expect(boundOf(session)?.outputCap).toBeUndefined();
    expect(boundOf(session, { type: 'response.create', response: { max_output_tokens: 7 } })?.outputCap).toBe(7);
    const stated = { ...(sessionCreated()['session'] as object), max_output_tokens: 99 };
    session.watch({ type: 'session.updated', session: stated }, 300);
    expect(boundOf(session)?.outputCap).toBe(99);
    expect(
      boundOf(session, { type: 'response.create', response: { max_output_tokens: 'inf' } })?.outputCap,
    ).toBeUndefined();
  });

  it('names the tool whose result comes back', () => {
    const session = open();
    for (const event of functionCall('r1', 'shell', '{}')) session.watch(event as JsonObject, 100);
    const heard = hear(session, {
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: 'call_r1abcdef', output: 'done' },
    });
    expect(heard.kind === 'context' && heard.body.reading.results[0]?.tool).toBe('shell');
  });
});

describe('pieces of sound', () => {
  it('keep their place behind words that are held, whatever their spelling', () => {
    const session = open();
    const asked = hear(session, { type: 'response.create' });
    if (asked.kind !== 'call') throw new Error('a response was asked for');
    const reader = session.openReader(asked.body.reading, '');
    const events = spokenAnswer('r', ['hi']);
    const lanes = events.map((event) => reader.push(bytes(event))[0]?.lanes);
    const at = events.findIndex(({ type }) => type === 'response.output_audio.delta');
    const words = events.findIndex(({ type }) => type === 'response.output_audio_transcript.delta');
    expect(lanes[at]).toEqual(lanes[words]);
    const { type, ...rest } = events[at] as Event;
    for (const spelling of [
      JSON.stringify({ ...rest, type }),
      JSON.stringify({ type, ...rest }, null, 2),
      JSON.stringify({ note: '{}', ...rest, type }),
      JSON.stringify({ ...rest, type: 'response.audio.delta' }),
    ]) {
      const [frame] = reader.push(Buffer.from(spelling));
      expect(frame?.lanes).toEqual(lanes[words]);
      expect(Buffer.from(frame?.bytes ?? []).toString()).toBe(spelling);
    }
  });

  it('are not taken for what only quotes one', () => {
    const session = open();
    const asked = hear(session, { type: 'response.create' });
    if (asked.kind !== 'call') throw new Error('a response was asked for');
    const reader = session.openReader(asked.body.reading, '');
    const events = functionCall('r', 'say', '{"type":"response.output_audio.delta","item_id":"item_r"}');
    const slots = events.flatMap((event) => reader.push(bytes(event)).map((frame) => [event.type, frame.slots.length]));
    expect(slots.filter(([, n]) => n === 0).map(([type]) => type)).toEqual(['response.created']);
  });
});
