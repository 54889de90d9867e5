import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseSplitter, sseFields, withData, withMarkedId } from '../../../gateway/dialects/_shared/sse.ts';
import { stopwatch } from '../../support/stopwatch.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

function split(chunks: readonly Uint8Array[]): { events: string[]; rest: string } {
  const splitter = new SseSplitter();
  const events = chunks.flatMap((chunk) => splitter.push(chunk)).map(decode);
  return { events, rest: decode(splitter.end()) };
}

const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

describe('SseSplitter', () => {
  it.each([
    ['LF', 'data: a\n\ndata: b\n\n', ['data: a\n\n', 'data: b\n\n'], ''],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['data: a\r\n\r\n', 'data: b\r\n\r\n'], ''],
    ['CR, the last of which might be half a CRLF', 'data: a\r\rdata: b\r\r', ['data: a\r\r'], 'data: b\r\r'],
    ['mixed line ends', 'data: a\r\n\ndata: b\n\r\ndata: c', ['data: a\r\n\n', 'data: b\n\r\n'], 'data: c'],
    ['more blank lines', '\n\n\ndata: a\n\n', ['\n\n', '\ndata: a\n\n'], ''],
    ['nothing', '', [], ''],
  ])('splits %s', (_name, text, events, rest) => {
    for (const size of [1, 2, 3, 7, 1000]) expect(split(cut(encode(text), size)), `${size}`).toEqual({ events, rest });
  });

  it('never splits inside a character of several bytes', () => {
    const text = 'data: héé 🧡 漢字\n\ndata: 🧡\n\n';
    for (const size of [1, 2, 3, 5]) expect(split(cut(encode(text), size)).events.join('')).toBe(text);
  });

  it('finds the same events wherever the stream is cut, and loses no byte', () => {
    const line = fc.constantFrom('data: x', ': c', 'event: é', '', 'data: 漢', 'data');
    const end = fc.constantFrom('\n', '\r\n', '\r');
    const stream = fc.array(fc.tuple(line, end), { maxLength: 20 }).map((lines) => lines.flat().join(''));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const bytes = encode(text);
        const points = [0, ...cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = points.slice(1).map((at, i) => bytes.subarray(points[i], at));
        const found = split(chunks);
        expect(found.events.join('') + found.rest).toBe(text);
        expect(found).toEqual(split([bytes]));
      }),
    );
  });

  it('keeps an event it has handed out when later chunks arrive', () => {
    const splitter = new SseSplitter();
    splitter.push(encode('data: on'));
    const [first] = splitter.push(encode('e\n\ndata: tw'));
    splitter.push(encode('o and more and more and more\n\ndata: three'));
    expect(decode(first as Uint8Array)).toBe('data: one\n\n');
  });

  it('takes an event of a megabyte in single bytes in linear time', () => {
    const event = encode(`data: ${'x'.repeat(1 << 20)}\n\n`);
    const took = stopwatch();
    expect(split(cut(event, 1)).events).toHaveLength(1);
    expect(took()).toBeLessThan(5000);
  });
});

describe('sseFields', () => {
  it.each([
    ['data: {"a":1}\n\n', undefined, '{"a":1}'],
    ['event: error\ndata:x\n\n', 'error', 'x'],
    ['data: a\r\ndata:  b\r\n\r\n', undefined, 'a\n b'],
    [': comment\n\n', undefined, undefined],
    ['data\n\n', undefined, ''],
    ['id: 7\nretry: 10\n\n', undefined, undefined],
  ])('reads %j', (text, event, data) => {
    expect(sseFields(text)).toMatchObject({ event, data });
    expect(sseFields(text).id).toBe(/^id: ?(.*)$/m.exec(text)?.[1]);
  });
});

describe('withData', () => {
  it.each([
    ['data: old\n\n', 'new', 'data: new\n\n'],
    ['id: 1\r\ndata:old\r\n\r\n', 'new', 'id: 1\r\ndata:new\r\n\r\n'],
    ['event: x\ndata: o\ndata: ld\n: c\n\n', '{\n}', 'event: x\ndata: {\ndata: }\n: c\n\n'],
  ])('puts data into %j', (text, data, expected) => {
    expect(withData(text, data)).toBe(expected);
    expect(sseFields(withData(text, data)).data).toBe(data);
  });
});

describe('withMarkedId', () => {
  it.each([
    ['id: 7\ndata: id: no\n\n', 'id: s/7\ndata: id: no\n\n'],
    ['data: {"a":\rid:7\r\r', 'data: {"a":\rid:s/7\r\r'],
    [': id: 7\r\nidle: 7\r\nid: 1\r\nid: 2\r\n\r\n', ': id: 7\r\nidle: 7\r\nid: s/1\r\nid: s/2\r\n\r\n'],
    ['id: 7\ndata: cut in the mid', 'id: s/7\ndata: cut in the mid'],
  ])('marks the id of %j and nothing else', (text, expected) => {
    expect(Buffer.from(withMarkedId(Buffer.from(text), 's/')).toString()).toBe(expected);
  });

  it.each(['data: x\n\n', 'id\ndata: x\n\n', 'id:\n\n', 'id: \r\n\r\n', 'id', ''])('leaves %j as it is', (text) => {
    const bytes = Buffer.from(text);
    expect(withMarkedId(bytes, 's/')).toBe(bytes);
  });

  it('keeps every byte, also those of a character that is cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
        const clean = tail.filter((byte) => byte !== 10 && byte !== 13);
        const bytes = Buffer.concat([Buffer.from('id: a\ndata: '), clean]);
        expect(Buffer.from(withMarkedId(bytes, 's/'))).toEqual(Buffer.concat([Buffer.from('id: s/a\ndata: '), clean]));
      }),
    );
  });
});
