import { crc32 as zlib } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../gateway/dialects/_shared/crc32.ts';
import {
  EventStreamSplitter,
  eventMessage,
  headerBytes,
  stringHeaders,
} from '../../../gateway/dialects/_shared/event-stream.ts';
import { join } from './bedrock-streams.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

it('the checksum is zlib’s', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => crc32(bytes) === zlib(bytes)));
});

describe('the published test vectors (github.com/awslabs/aws-c-event-stream)', () => {
  it.each([
    ['no headers, no payload', {}, '', '000000100000000005c248eb7d98c8ff'],
    ['no headers', {}, "{'foo':'bar'}", '0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936'],
    [
      'one string header',
      { 'content-type': 'application/json' },
      "{'foo':'bar'}",
      '0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1',
    ],
  ])('%s', (_name, headers: Record<string, string>, payload, expected) => {
    const made = eventMessage(headerBytes(headers), new TextEncoder().encode(payload));
    expect(hex(made)).toBe(expected);
    const [read] = new EventStreamSplitter().push(made);
    expect(Buffer.from(read?.payload ?? []).toString()).toBe(payload);
    expect(Object.fromEntries(stringHeaders(read?.headers ?? new Uint8Array(0)))).toEqual(headers);
  });
});

it('any messages, cut anywhere, come out as they went in', () => {
  const message = fc
    .tuple(
      fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), fc.string({ maxLength: 40 }), {
        noNullPrototype: true,
      }),
      fc.uint8Array({ maxLength: 200 }),
    )
    .map(([headers, payload]) => eventMessage(headerBytes(headers), payload));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 64 }), (messages, size) => {
      const bytes = join(messages);
      const splitter = new EventStreamSplitter();
      const found: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...splitter.push(bytes.subarray(at, at + size)).map((one) => one.bytes));
      expect(found.map(hex)).toEqual(messages.map(hex));
      expect(splitter.end()).toHaveLength(0);
    }),
  );
});

it('a flipped bit anywhere is noticed, or the message never ends', () => {
  const whole = eventMessage(headerBytes({ ':event-type': 'x' }), new TextEncoder().encode('{"a":1}'));
  for (let at = 0; at < whole.length; at += 1) {
    const broken = whole.slice();
    broken[at] = (broken[at] as number) ^ 4;
    expect(() => new EventStreamSplitter().push(broken), `byte ${at}`).toThrow(
      expect.objectContaining({ code: 'TG_UPSTREAM_UNREADABLE' }),
    );
  }
});

it('headers of every type are skipped, cut ones are an error', () => {
  const string = headerBytes({ name: 'value' });
  const others = [
    [0, []],
    [1, []],
    [2, [1]],
    [3, [1, 2]],
    [4, [1, 2, 3, 4]],
    [5, [1, 2, 3, 4, 5, 6, 7, 8]],
    [6, [0, 2, 9, 9]],
    [8, [1, 2, 3, 4, 5, 6, 7, 8]],
    [9, new Array<number>(16).fill(1)],
  ] as const;
  const bytes = Uint8Array.from([...others.flatMap(([type, value]) => [1, 97, type, ...value]), ...string]);
  expect([...stringHeaders(bytes)]).toEqual([['name', 'value']]);
  expect(() => stringHeaders(bytes.subarray(0, -1))).toThrow(/cut off/);
});
