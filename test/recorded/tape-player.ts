import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { CallView } from '../../gateway/admin/views.ts';
import type { TestGate } from '../support/gate.ts';

/** An answer as it came over the wire. */
export interface PlayableTape {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface TapePlayer {
  /** Asks the gate for a tape at several chunk sizes, expects its bytes each time, and returns the sealed calls. */
  whole(index: number, request: TapeRequest): Promise<CallView[]>;
  /** Asks for a tape that ends or breaks off behind so many bytes, in turns, and returns the sealed calls. */
  cut(index: number, request: TapeRequest, cuts: readonly number[]): Promise<CallView[]>;
  remove(): Promise<void>;
}

export interface TapeRequest {
  readonly path: string;
  readonly body: string;
}

/** A simulated provider that plays tapes, and a gate in front of it. */
export async function startTapePlayer(
  tapes: readonly PlayableTape[],
  startGate: (baseUrl: string) => Promise<TestGate>,
): Promise<TapePlayer> {
  const provider = createServer((request, response) => {
    request.resume();
    const { bytes, type } = tapes[Number(request.headers['x-tape'])] as PlayableTape;
    const cut = Number(request.headers['x-cut'] ?? bytes.length);
    const size = Number(request.headers['x-chunk'] ?? 1 << 20);
    response.writeHead(200, { 'content-type': type });
    for (let at = 0; at < cut; at += size) response.write(bytes.subarray(at, Math.min(cut, at + size)));
    if (request.headers['x-ending'] === 'destroy') setTimeout(() => response.destroy(), 5);
    else response.end();
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const gate = await startGate(`http://127.0.0.1:${(provider.address() as AddressInfo).port}`);
  /** `x-cut`: bytes that the provider sends; `x-chunk`: in pieces of how many; `x-ending: destroy`: it breaks off. */
  const play = async (index: number, { path, body }: TapeRequest, headers: Readonly<Record<string, string>>) => {
    const own = { 'content-type': 'application/json', 'x-tape': `${index}`, 'x-tollgate-run': `r${index}` };
    const reply = await fetch(gate.url + path, { method: 'POST', headers: { ...own, ...headers }, body });
    expect(reply.status).toBe(200);
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
    } catch (error) {
      // a cut that the upstream made may reach the caller as one
      if (headers['x-ending'] !== 'destroy') throw error;
    }
    return { id: reply.headers.get('x-tollgate-call') as string, bytes: Buffer.concat(chunks) };
  };
  const receipts = async (index: number, ids: readonly string[]): Promise<CallView[]> => {
    for (let i = 0; i < 300; i += 1) {
      const calls = (await gate.calls(`&run=r${index}`)).filter((call) => ids.includes(call.id));
      if (calls.length >= ids.length) return calls;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`not all of ${ids.length} calls of run r${index} were sealed`);
  };
  return {
    async whole(index, request) {
      const ids: string[] = [];
      for (const headers of [{}, { 'x-chunk': '1000' }, { 'x-chunk': '61' }]) {
        const { id, bytes } = await play(index, request, headers);
        expect(bytes.equals((tapes[index] as PlayableTape).bytes)).toBe(true);
        ids.push(id);
      }
      return await receipts(index, ids);
    },
    async cut(index, request, cuts) {
      const ids: string[] = [];
      for (const [i, cut] of cuts.entries()) {
        const { id } = await play(index, request, { 'x-cut': `${cut}`, 'x-ending': i % 2 === 0 ? 'end' : 'destroy' });
        ids.push(id);
      }
      return await receipts(index, ids);
    },
    async remove() {
      await gate.remove();
      await new Promise((resolve) => {
        provider.close(resolve);
        provider.closeAllConnections();
      });
    },
  };
}

/** At most so many of the places where a tape may be cut, the first and the last among them. */
export function someOf(ends: readonly number[], most: number): number[] {
  const step = Math.max(1, Math.ceil(ends.length / most));
  return [...new Set([...ends.filter((_, i) => i % step === 0), ...ends.slice(-3)])];
}
