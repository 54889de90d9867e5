import type { CallId } from '../../domain/scalars.ts';

/** What a call weighs in a lease, in nano-dollars. */
interface Part {
  /** kept for it: what the record could still say it came to */
  readonly weight: bigint;
  /** what it holds, or is charged once it is over */
  readonly held: bigint;
  readonly charged: bigint;
  readonly over: boolean;
}

const PREFIX = 'lease_';

/** True for the id of a lease, which is a hold like that of a call. */
export const isLease = (id: string): boolean => id.startsWith(PREFIX);

/** An id for a lease. `line`: where the record stood when it was taken; the calls granted from it begin behind that. */
export const leaseId = (line: number, chance: string): CallId => `${PREFIX}${line}_${chance}` as CallId;

/** The line of the record behind which calls may name the lease; 0 where the id does not say. */
export const lineOfLease = (id: string): number => Number(/^lease_(\d{1,15})_/.exec(id)?.[1] ?? 0);

/**
 * Money of one account that Redis holds for this gateway, and what its calls make of it: what they are charged, what they need, and room
 * for more. The first two are sums over calls, to the nano-dollar.
 */
export class Lease {
  readonly id: CallId;
  /** by the monotonic clock, in ms, like the other times of a lease */
  readonly bornAt: number;
  /** when a call last took of it */
  usedAt: number;
  /** from when on it took no more calls */
  closedAt: number | undefined;
  /** what Redis holds for it, as last heard */
  amount = 0n;
  /** Redis turned it into a charge */
  lapsed = false;
  /** Redis may hold something else than `amount` */
  stale = false;
  /** and that may be less: it lost the lease, or a call came to more than there was room for */
  mayGrow = false;
  readonly #parts = new Map<CallId, Part>();
  #over = 0;
  #weight = 0n;
  #held = 0n;
  #charged = 0n;
  #final = 0n;

  constructor(id: CallId, bornAt: number) {
    this.id = id;
    this.bornAt = bornAt;
    this.usedAt = bornAt;
  }

  /** the calls that are part of it: under way, or over and not yet in the record */
  get calls(): readonly CallId[] {
    return [...this.#parts.keys()];
  }

  get isEmpty(): boolean {
    return this.#parts.size === 0;
  }

  /** calls are over and not yet in the record: what they give back is still kept */
  get isWaiting(): boolean {
    return this.#over > 0;
  }

  /** what it has to hold */
  get used(): bigint {
    return this.#final + this.#weight;
  }

  get room(): bigint {
    return this.amount - this.used;
  }

  /** what the calls came to that are over and in the record: its charge, once there are no others */
  get charge(): bigint {
    return this.#final;
  }

  /** what all its calls are charged, and hold */
  get spent(): bigint {
    return this.#final + this.#charged;
  }

  get held(): bigint {
    return this.#held;
  }

  put(id: CallId, part: Part): void {
    this.leave(id);
    this.#parts.set(id, part);
    this.#add(part, 1n);
  }

  /** The call is over and in the record. */
  end(id: CallId): void {
    const charged = this.#parts.get(id)?.charged ?? 0n;
    this.leave(id);
    this.#final += charged;
  }

  /** The call is no part of it any more. */
  leave(id: CallId): void {
    const part = this.#parts.get(id);
    if (!part) return;
    this.#parts.delete(id);
    this.#add(part, -1n);
  }

  #add({ weight, held, charged, over }: Part, sign: 1n | -1n): void {
    this.#weight += sign * weight;
    this.#held += sign * held;
    this.#charged += sign * charged;
    if (over) this.#over += Number(sign);
  }
}
