import { breakOff, type Sim, startUpstream, writePaced } from './simulated-upstream.ts';

/** One recorded answer and how it is played. */
export interface Tape {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  /** bytes per write */
  readonly chunkSize: number;
  /** bytes from here on are never sent */
  readonly cutAt?: number | undefined;
  /** after the last byte: an orderly end, or the connection breaks without one */
  readonly ending: 'end' | 'destroy';
  /** 200 unless told */
  readonly status?: number | undefined;
  readonly chunkDelayMs?: number | undefined;
}

export interface ReplaySim extends Sim {
  /** What is played from the next request on; one simulator serves many recordings. */
  load(tape: Tape): void;
}

/** An upstream that answers every request with the loaded recording, whatever was asked. */
export async function startReplaySim(first: Tape): Promise<ReplaySim> {
  let tape = first;
  const sim = await startUpstream(async (_seen, response) => {
    const { bytes, contentType, chunkSize, cutAt, ending, status = 200, chunkDelayMs } = tape;
    response.socket?.setNoDelay(true);
    response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-cache' });
    response.flushHeaders();
    const open = await writePaced(response, [bytes.subarray(0, cutAt)], { chunkSize, chunkDelayMs });
    if (!open) return;
    if (ending === 'end') response.end();
    else await breakOff(response);
  });
  return {
    url: sim.url,
    seen: sim.seen,
    get aborted() {
      return sim.aborted;
    },
    close: () => sim.close(),
    load: (next) => {
      tape = next;
    },
  };
}
