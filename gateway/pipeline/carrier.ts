import type { Gateway } from './gateway.ts';
import { LONGEST_TIMER } from './heartbeat.ts';
import { CLOSING, type Reply } from './reply.ts';

/** The upstream side of a call whose caller may leave: cancels at once or lets it finish for a while, as configured. */
export interface Carrier {
  /** aborts the upstream request */
  readonly signal: AbortSignal;
  readonly callerLeft: boolean;
  abort(): void;
  /** Counts bytes read after the caller left; aborts when there were enough. */
  drained(bytes: number): void;
  close(): void;
}

export function openCarrier({ limits }: Gateway, reply: Reply): Carrier {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let left = reply.gone.aborted;
  let drained = 0;
  const onGone = (): void => {
    left = true;
    if (limits.onAbort === 'cancel' || reply.gone.reason === CLOSING) controller.abort();
    else timer = setTimeout(() => controller.abort(), Math.min(limits.drainMs, LONGEST_TIMER));
  };
  if (left) onGone();
  else reply.gone.addEventListener('abort', onGone, { once: true });
  return {
    signal: controller.signal,
    get callerLeft() {
      return left;
    },
    abort: () => controller.abort(),
    drained(bytes) {
      drained += bytes;
      if (drained > limits.drainBytes) controller.abort();
    },
    close() {
      reply.gone.removeEventListener('abort', onGone);
      clearTimeout(timer);
    },
  };
}
