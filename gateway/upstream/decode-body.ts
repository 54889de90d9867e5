import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { Fault } from '../domain/fault.ts';

const { BROTLI_OPERATION_FLUSH, Z_SYNC_FLUSH, ZSTD_e_flush } = zlib.constants;
const ZLIB = { flush: Z_SYNC_FLUSH, finishFlush: Z_SYNC_FLUSH };

type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);

/** RFC 9110 section 8.4.1.2 says zlib format, yet some servers send bare deflate: the first byte tells them apart. */
const isZlib = (first: number): boolean => (first & 0x0f) === 8 && first >> 4 <= 7;

function openDecoder(coding: Coding, first: Uint8Array): Transform {
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip(ZLIB);
    case 'deflate':
      return isZlib(first[0] ?? 0) ? zlib.createInflate(ZLIB) : zlib.createInflateRaw(ZLIB);
    case 'br':
      return zlib.createBrotliDecompress({ flush: BROTLI_OPERATION_FLUSH, finishFlush: BROTLI_OPERATION_FLUSH });
    case 'zstd':
      return zlib.createZstdDecompress({ flush: ZSTD_e_flush, finishFlush: ZSTD_e_flush });
  }
}

/** The codings of a `content-encoding`, last applied first. Throws a Fault `TG_UPSTREAM_UNREADABLE` on one we do not know. */
export function codingsOf(contentEncoding: string | readonly string[] | undefined): readonly Coding[] {
  const names = [contentEncoding ?? ''].flat().join(',').split(',');
  return names
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
    .map((name) => {
      const coding = CODINGS.get(name);
      if (coding !== undefined) return coding;
      throw new Fault('TG_UPSTREAM_UNREADABLE', `the upstream answered in the unknown content coding \`${name}\``);
    })
    .reverse();
}

/** Writes `source` into `decoder`, no faster than it is read; keeps an error of the source until what came before is out. */
async function feed(first: Uint8Array, source: AsyncIterator<Uint8Array>, decoder: Transform): Promise<unknown> {
  let failure: unknown;
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (decoder.destroyed || decoder.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        decoder.off('drain', done).off('close', done);
        resolve();
      };
      decoder.on('drain', done).on('close', done);
    });
  };
  try {
    await write(first);
    while (!decoder.destroyed) {
      const { done, value } = await source.next();
      if (done === true) break;
      await write(value);
    }
  } catch (error) {
    failure = error;
  }
  if (!decoder.destroyed) decoder.end();
  return failure;
}

async function* decodeOne(coding: Coding, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const source = body[Symbol.asyncIterator]();
  let decoder: Transform | undefined;
  try {
    const first = await source.next();
    if (first.done === true) return;
    decoder = openDecoder(coding, first.value);
    const fed = feed(first.value, source, decoder);
    try {
      yield* decoder as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw new Fault('TG_UPSTREAM_UNREADABLE', `the upstream's \`${coding}\` answer cannot be decoded`, error);
    }
    const failure = await fed;
    if (failure !== undefined) throw failure;
  } finally {
    decoder?.destroy();
    await source.return?.();
  }
}

/**
 * The plain bytes of a body, each as soon as it can be known. Reads no faster than it is read and leaves when its reader leaves.
 * Throws what `body` throws, after the bytes that came before, and a Fault `TG_UPSTREAM_UNREADABLE` on broken data.
 */
export function decodeBody(codings: readonly Coding[], body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return codings.reduce((plain, coding) => decodeOne(coding, plain), body);
}
