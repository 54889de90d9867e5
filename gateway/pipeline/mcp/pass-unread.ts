import { createHash } from 'node:crypto';
import { Fault } from '../../domain/fault.ts';
import { member } from '../../domain/json.ts';
import type { PassingAnswer } from '../../ports/mcp-wire.ts';
import { selectionOf } from '../facts.ts';
import { judge } from '../judgement.ts';
import type { Leg } from './leg.ts';
import type { Relayed } from './relayed.ts';
import { MAY_ASK } from './request-state.ts';

/** A larger answer than this is not waited for where nobody has to see it whole. */
export const PASS_FROM = 256 * 1024;

/** True where no rule, pin or price needs the answer to this leg's request. */
export function mayPassUnread({ request, seat, countsResult }: Leg): boolean {
  if (!request || countsResult === true || !MAY_ASK.has(request.method)) return false;
  const { bench, server } = seat;
  const tool = { name: nameOf(request), server };
  const relevance = bench.gate.judge.relevance(selectionOf(bench.facts, { point: 'post_tool_call', tool }));
  return !relevance.any && !relevance.binding;
}

function nameOf({ method, doc }: NonNullable<Leg['request']>): string {
  const name = method === 'tools/call' ? member(doc.value['params'], 'name') : undefined;
  return typeof name === 'string' ? name : method;
}

/** An answer on its way through: checked as it passes, and broken off where it turns out to be no good. */
export class PassingRelay {
  readonly #leg: Leg;
  readonly #passing: PassingAnswer;
  readonly #digest = createHash('sha256');
  #size = 0;

  constructor(leg: Leg) {
    const { room } = leg.seat;
    this.#leg = leg;
    this.#passing = room.wire.openPassing(leg.request?.id ?? '', room.limits.message);
  }

  /** Its beginning shows that it is a plain result, which may pass. Anything else, an error or a question, is read whole. */
  begins(pieces: readonly Uint8Array[]): boolean {
    try {
      for (const piece of pieces) this.check(piece);
    } catch (error) {
      if (error instanceof Fault) return false;
      throw error;
    }
    return this.#passing.isResult;
  }

  /** Takes a piece of the answer. Throws a Fault where it cannot be accepted. */
  check(bytes: Uint8Array): void {
    const limit = this.#leg.seat.room.limits.message.bytes;
    this.#size += bytes.length;
    if (this.#size > limit)
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        `the server sent a message larger than ${limit} bytes; raise \`mcp.limits.message_mb\``,
      );
    this.#digest.update(bytes);
    this.#passing.push(bytes);
  }

  /** It is over: recorded by the digest of its bytes. Throws a Fault where it is cut short. */
  end(): Relayed {
    const { failed } = this.#passing.end();
    const { seat, request } = this.#leg;
    const tool = { name: request ? nameOf(request) : '', server: seat.server };
    const action = { point: 'post_tool_call' as const, plane: 'mcp' as const, tool, target: null, parts: [] };
    seat.trail.record(judge(seat.bench, action, { identityTarget: { sha256: this.#digest.digest('hex') } }).record);
    return { ending: 'completed', failed, unread: true };
  }
}
