import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formEnvelope } from '../../../gateway/dialects/_shared/form-envelope.ts';
import { soundSeconds } from '../../../gateway/dialects/_shared/sound-length.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import type { Envelope } from '../../../gateway/ports/dialect.ts';

const TYPE = 'multipart/form-data; boundary=XYZ';
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const open = (body: Uint8Array | string, type: string = TYPE): Promise<Envelope | undefined> =>
  formEnvelope(typeof body === 'string' ? bytes(body) : body, { 'content-type': type });
const part = (head: string, content: string): string => `--XYZ\r\n${head}\r\n\r\n${content}\r\n`;
const field = (name: string, content: string): string =>
  part(`Content-Disposition: form-data; name="${name}"`, content);
const file = (name: string, content: string, more = ''): string =>
  part(`Content-Disposition: form-data; name="${name}"; filename="a.png"${more}`, content);
const END = '--XYZ--\r\n';

describe('a form as a document', () => {
  it('has its texts as strings, its files as what is known of them, and lists by their names', async () => {
    const body = `${field('model', 'm')}${field('t[]', 'a')}${field('t[]', 'b')}${file('file', 'hi', '\r\nContent-Type: image/png')}${END}`;
    const view = JSON.parse((await open(body))?.json ?? '');
    expect(view).toMatchObject({
      model: 'm',
      't[]': ['a', 'b'],
      file: { filename: 'a.png', content_type: 'image/png', bytes: 2 },
    });
  });

  it('is left alone where the body is no form', async () => {
    expect(await formEnvelope(bytes('{}'), { 'content-type': 'application/json' })).toBeUndefined();
    expect(await formEnvelope(bytes('{}'), {})).toBeUndefined();
  });

  it('carries an edit in its place, a new field at the end, and nothing else', async () => {
    const body = `${field('prompt', 'old')}${file('file', '\r\n--XY\r\n')}${END}`;
    const envelope = await open(body);
    const edited = Buffer.from(
      envelope?.encode(JSON.stringify({ ...JSON.parse(envelope.json), prompt: 'new', n: 2 })) ?? [],
    );
    expect(edited.toString('latin1')).toBe(
      `${field('prompt', 'new')}${file('file', '\r\n--XY\r\n')}${field('n', '2')}${END}`,
    );
  });

  it.each([
    ['a file that is described otherwise', { file: { filename: 'b.png' } }],
    ['a text that is no text', { prompt: ['x'] }],
    ['a text that holds the boundary', { prompt: 'x\r\n--XYZ--' }],
    ['a list that grew', { 't[]': ['a', 'b'] }],
    ['a name that breaks out', { 'x"\r\n': 'y' }],
  ])('refuses %s', async (_name, change) => {
    const envelope = await open(`${field('prompt', 'old')}${field('t[]', 'a')}${file('file', 'x')}${END}`);
    const after = JSON.stringify({ ...JSON.parse(envelope?.json ?? ''), ...change });
    expect(() => envelope?.encode(after)).toThrow(Fault);
  });
});

describe('a form that could be read in two ways is refused', () => {
  const model = field('model', 'm');
  it.each([
    ['a field twice', `${model}${model}${END}`],
    ['a preamble', `x\r\n${model}${END}`],
    ['an epilogue', `${model}${END}x`],
    ['no end', model],
    ['no parts and no boundary', 'hello'],
    ['bare line feeds', `${model}${END}`.replaceAll('\r\n', '\n')],
    ['spaces behind a boundary', `${model}${END}`.replace('--XYZ\r\n', '--XYZ \r\n')],
    [
      'two dispositions',
      part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"', 'x') + END,
    ],
    [
      'an extended file name',
      part('Content-Disposition: form-data; name="a"; filename="b"; filename*=utf-8\'\'c', 'x') + END,
    ],
    ['another name for the file', part('Content-Disposition: form-data; name="a"; name="b"', 'x') + END],
    [
      'an encoded content',
      part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', 'eA==') + END,
    ],
    [
      'another charset',
      part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=utf-16', 'x') + END,
    ],
    ['a charset for all', field('_charset_', 'utf-16') + END],
    ['an unknown header', part('Content-Disposition: form-data; name="a"\r\nX-Name: b', 'x') + END],
    ['a folded header', part('Content-Disposition: form-data;\r\n name="a"', 'x') + END],
    ['a text that is no UTF-8', field('a', '\xff') + END],
    ['a name with an escape', field('a\\"b', 'x') + END],
    ['too many parts', Array.from({ length: 70 }, (_, i) => field(`f${i}`, 'x')).join('') + END],
  ])('%s', async (_name, body) => {
    await expect(open(body)).rejects.toThrow(Fault);
  });

  it.each([
    'multipart/form-data',
    'multipart/mixed; boundary=XYZ',
    'multipart/form-data; boundary=XYZ; charset=utf-8',
    'multipart/form-data; boundary="X\\"Y"',
  ])('content type `%s`', async (type) => {
    await expect(open(`${model}${END}`, type)).rejects.toThrow('boundary');
  });
});

describe('laws', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,10}$/);
  const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((one) => one.isWellFormed());
  const content = fc.uint8Array({ maxLength: 200 });

  it('what the platform writes is read; edits change their fields and no byte of a file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, text), { selector: ([key]) => key, maxLength: 6 }),
        content,
        text,
        async (fields, sound, edit) => {
          const form = new FormData();
          for (const [key, value] of fields) form.append(`t_${key}`, value);
          form.append('file', new File([sound as Uint8Array<ArrayBuffer>], 'a.mp3', { type: 'audio/mpeg' }));
          form.append('prompt', 'old');
          const request = new Response(form);
          const type = request.headers.get('content-type') ?? '';
          const body = new Uint8Array(await request.arrayBuffer());
          const envelope = await open(body, type);
          if (!envelope) throw new Error('not read');
          const view = JSON.parse(envelope.json);
          expect(Buffer.from(envelope.encode(envelope.json))).toEqual(Buffer.from(body));
          const after = envelope.encode(JSON.stringify({ ...view, prompt: edit }));
          const read = await new Response(Buffer.from(after), { headers: { 'content-type': type } }).formData();
          expect(read.get('prompt')).toBe(edit);
          for (const [key] of fields) expect(read.get(`t_${key}`)).toBe(view[`t_${key}`]);
          expect(new Uint8Array(await (read.get('file') as File).arrayBuffer())).toEqual(sound);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('whatever bytes come: it is read, or refused by a Fault', async () => {
    const piece = fc.constantFrom(
      '--XYZ',
      '--',
      '\r\n',
      '\n',
      'Content-Disposition: form-data; name="a"',
      '; filename="b"',
      'x',
      ' ',
      '\0',
      '"',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
        try {
          const envelope = await open(pieces.join(''));
          expect(typeof envelope?.json).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the most seconds that a file can hold', () => {
  it('is a bound for compressed sound, by the least rate of its kind', () => {
    expect(soundSeconds(Buffer.concat([Buffer.from([0xff, 0xfb]), Buffer.alloc(7998)]))).toBe(2);
    expect(soundSeconds(Buffer.concat([Buffer.from('OggS'), Buffer.alloc(996)]))).toBe(2);
    expect(soundSeconds(Buffer.alloc(0))).toBe(0);
  });

  it('takes nobody’s word for less: a head that lies about its rate is not believed', () => {
    const head = Buffer.alloc(44);
    head.write('RIFF', 0);
    head.write('WAVEfmt ', 8);
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(85, 20);
    head.writeUInt16LE(2, 22);
    head.writeUInt32LE(192_000, 24);
    head.writeUInt16LE(32, 34);
    expect(soundSeconds(Buffer.concat([head, Buffer.alloc(1456)]))).toBe(3);
  });
});
