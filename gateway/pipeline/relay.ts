import { Fault } from '../domain/fault.ts';
import type { Headers } from '../ports/dialect.ts';
import type { UpstreamReply, UpstreamRequest } from '../ports/upstream.ts';
import type { Claim } from './claim.ts';
import type { Gateway } from './gateway.ts';
import type { Permit } from './permit.ts';

/** A request on its way out; without a permit there is none. */
export interface Dispatch {
  readonly gate: Gateway;
  readonly claim: Claim;
  readonly method: string;
  readonly headers: Headers;
  /** the caller's credential belongs to the gate and must not travel on */
  readonly ownsGatewayKey: boolean;
  readonly permit: Permit;
  readonly signal: AbortSignal;
}

const ATTEMPTS = 3;
const PAUSE_MS = 50;

/**
 * Sends a permitted request. Tries again only where the upstream certainly did not get it. Throws the Fault of the last attempt;
 * `onAttempt` hears of every one.
 */
export async function dispatch(out: Dispatch, onAttempt: (n: number) => void): Promise<UpstreamReply> {
  const request = requestOf(out);
  for (let n = 1; ; n += 1) {
    onAttempt(n);
    try {
      return await out.gate.upstream.send(request);
    } catch (error) {
      const again =
        error instanceof Fault && error.code === 'TG_UPSTREAM_UNREACHABLE' && n < ATTEMPTS && !out.signal.aborted;
      if (!again) throw error;
      await pause(PAUSE_MS * 2 ** (n - 1), out.signal);
    }
  }
}

function requestOf({ claim, method, headers, ownsGatewayKey, permit, signal }: Dispatch): UpstreamRequest {
  const { destination, tongue } = claim;
  if (ownsGatewayKey && !destination.credential) {
    throw new Fault(
      'TG_UPSTREAM_UNREACHABLE',
      `upstream \`${destination.name}\` has no credential in the configuration to swap a gateway key for; add \`credential:\` to it`,
    );
  }
  const replaces = ownsGatewayKey || destination.credential !== undefined;
  return {
    origin: destination.origin,
    path: claim.upstreamPath,
    method,
    headers,
    drop: replaces ? [...tongue.credentialHeaders, 'authorization', 'x-tollgate-key'] : ['x-tollgate-key'],
    credential: destination.credential,
    body: permit.body,
    signal,
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
