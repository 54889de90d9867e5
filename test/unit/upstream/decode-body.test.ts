import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../gateway/domain/fault.ts';
import { codingsOf, decodeBody } from '../../../gateway/upstream/decode-body.ts';

const text = 'data: {"usage": 1}\n\n'.repeat(500);
const noise = Buffer.from(Array.from({ length: 600_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24));

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<{ bytes: Buffer; error: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
  return { bytes: Buffer.concat(chunks), error: undefined };
}

describe('codingsOf', () => {
  it('is empty where nothing is encoded, and in the order of undoing', () => {
    expect(codingsOf(undefined)).toEqual([]);
    expect(codingsOf('Identity')).toEqual([]);
    expect(codingsOf('X-GZIP, br')).toEqual(['br', 'gzip']);
    expect(codingsOf(['gzip', 'zstd'])).toEqual(['zstd', 'gzip']);
  });

  it.each(['compress', 'gzip, aes128gcm', 'constructor'])('refuses `%s`', (name) => {
    expect(() => codingsOf(name)).toThrow(expect.objectContaining({ code: 'TG_UPSTREAM_UNREADABLE' }));
  });
});

describe('decodeBody', () => {
  it('hands over the very same body where nothing is encoded', () => {
    const body = inPieces(Buffer.from('x'), 1);
    expect(decodeBody([], body)).toBe(body);
  });

  it.each([
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ])('reads %s in pieces of any size', async (name, encoded) => {
    for (const size of [1, 7, 100_000]) {
      const { bytes, error } = await collect(decodeBody(codingsOf(name), inPieces(encoded, size)));
      expect([bytes.toString(), error]).toEqual([text, undefined]);
    }
  });

  it.each([
    ['gzip', gzipSync(noise)],
    ['deflate', deflateSync(noise)],
    ['br', brotliCompressSync(noise)],
    ['zstd', zstdCompressSync(noise)],
  ])('%s: a break is thrown after what came before it', async (name, encoded) => {
    const broke = new Fault('TG_UPSTREAM_BROKE', 'the connection broke');
    const body = async function* (): AsyncGenerator<Uint8Array, void> {
      yield* inPieces(encoded.subarray(0, encoded.byteLength - 3), 16_384);
      throw broke;
    };
    const { bytes, error } = await collect(decodeBody(codingsOf(name), body()));
    expect(error).toBe(broke);
    expect(bytes.byteLength).toBeGreaterThan(100_000);
    expect(noise.subarray(0, bytes.byteLength).equals(bytes)).toBe(true);
  });

  it('refuses broken data and leaves the source', async () => {
    let left = false;
    const body = async function* (): AsyncGenerator<Uint8Array, void> {
      try {
        for (;;) yield Buffer.from('this is no gzip at all');
      } finally {
        left = true;
      }
    };
    const { error } = await collect(decodeBody(['gzip'], body()));
    expect(error).toMatchObject({ code: 'TG_UPSTREAM_UNREADABLE' });
    expect(left).toBe(true);
  });

  it('a small body that unfolds to a huge one is read no faster than asked, and can be left', async () => {
    let pulled = 0;
    let left = false;
    const bomb = Buffer.concat(Array<Uint8Array>(40).fill(gzipSync(Buffer.alloc(8 * 1024 * 1024))));
    const body = async function* (): AsyncGenerator<Uint8Array, void> {
      try {
        for await (const piece of inPieces(bomb, 1024)) {
          pulled += piece.byteLength;
          yield piece;
        }
      } finally {
        left = true;
      }
    };
    for await (const chunk of decodeBody(['gzip'], body())) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    expect(left).toBe(true);
    expect(pulled).toBeLessThan(bomb.byteLength);
  });
});
