import type { IncomingMessage } from 'node:http';
import { Fault } from '../domain/fault.ts';

/** Reads a request body whole. Throws a Fault: `TG_TOO_LARGE` beyond `limit` bytes, `TG_BAD_REQUEST` where the caller broke off. */
export function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const tooLarge = (): Fault =>
    new Fault(
      'TG_TOO_LARGE',
      `the request body is larger than ${limit} bytes; raise \`limits.request_mb\` or send less`,
    );
  if (Number(request.headers['content-length'] ?? 0) > limit) {
    request.resume();
    return Promise.reject(tooLarge());
  }
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > limit) {
        chunks.length = 0;
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)));
    request.on('error', (error) => reject(error));
    request.on('aborted', () =>
      reject(new Fault('TG_BAD_REQUEST', 'the caller broke off before the request body was complete')),
    );
  });
}
