import { nanoToUsd } from '../domain/money.ts';
import type { Principal } from '../domain/principal.ts';
import type { BeginEntry } from '../domain/receipt.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import { simHash } from '../domain/simhash.ts';
import { summarize } from '../domain/usage.ts';
import type { Conversation, RunSpace } from '../ports/runs.ts';
import { type ChargeTerms, chargeOf } from './charge.ts';
import { defer } from './deferred.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import type { Outcome } from './outcome.ts';
import { tokensOf } from './rates.ts';
import { tellThresholds } from './tell-thresholds.ts';
import type { Trail } from './trail.ts';

/** The write-ahead line; nothing is carried before it is durable. Throws a Fault (`TG_RECORD_UNAVAILABLE`). */
export async function begin(gate: Gateway, trail: Trail, principal: Principal, hold: Hold): Promise<void> {
  const entry: BeginEntry = {
    kind: 'begin',
    id: trail.id,
    at: trail.at,
    principal,
    step: trail.step,
    upstream: trail.upstream,
    dialect: trail.dialect,
    model: trail.model,
    hold: {
      amount: hold.amount.toString(),
      accounts: hold.accounts.map((a) => a.id),
      ...(hold.leases && { leases: hold.leases }),
    },
  };
  await gate.spool.append(entry);
}

/** Charges what the call came to. A ledger that does not answer keeps the hold, which lapses as a charge. Never throws. */
export async function settle(
  gate: Gateway,
  trail: Trail,
  hold: Hold,
  terms: ChargeTerms,
  outcome: Outcome,
): Promise<Nano> {
  trail.servedModel = outcome.servedModel;
  if (outcome.deferred && (await defer(gate, trail, hold, terms, outcome.deferred))) return nano(0n);
  const { amount, cost } = priced(gate, trail, terms, outcome);
  trail.cost = cost;
  trail.usage = outcome.usage;
  trail.charged = amount;
  return chargeHold(gate, trail, hold, amount, outcome.served ? tokensOf(outcome.usage) : 0);
}

/**
 * Books `amount` where `hold` was held and `tokens`, where they are certain, in the rates; says what passed the hold, and returns what is
 * charged: the hold where the ledger fails. Never throws.
 */
export async function chargeHold(
  gate: Gateway,
  trail: Trail,
  hold: Hold,
  amount: Nano,
  tokens?: number,
): Promise<Nano> {
  try {
    const { overrun } = await twice(() => gate.ledger.settle(trail.id, amount, hold.accounts, tokens));
    if (overrun > 0n && hold.accounts.length > 0) {
      gate.metrics.overrun(overrun);
      trail.note(`the charge passed its hold by $${nanoToUsd(overrun)}`);
    }
    tellThresholds(gate, hold, amount);
    return amount;
  } catch (error) {
    gate.log.error(
      { call: trail.id, error: reason(error) },
      'the ledger did not settle; the hold will lapse as a charge',
    );
    trail.note('the ledger did not settle; the hold is the charge');
    if (hold.accounts.length > 0 && hold.amount > amount) trail.charged = hold.amount;
    return trail.charged;
  }
}

/** What the outcome costs; a cashier that fails on it leaves the hold as the charge. */
function priced(gate: Gateway, trail: Trail, terms: ChargeTerms, outcome: Outcome): ReturnType<typeof chargeOf> {
  try {
    return chargeOf(terms, outcome);
  } catch (error) {
    gate.log.error({ call: trail.id, error: reason(error) }, 'a call could not be priced; its hold is the charge');
    trail.note('the usage could not be priced; the hold is the charge');
    return { amount: terms.held, cost: undefined };
  }
}

/** Every verb of the ledger is idempotent on the call's id, so a reply that was lost is asked for once more. */
async function twice<T>(verb: () => Promise<T>): Promise<T> {
  try {
    return await verb();
  } catch {
    // the second answer is the one that counts, and its failure is thrown
    return verb();
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');

/** Gives a hold back whole: nothing was carried. A ledger that does not answer lets it lapse as a charge of at most `held`. Never throws. */
export async function release(gate: Gateway, trail: Trail, held: Nano): Promise<void> {
  try {
    await twice(() => gate.ledger.release(trail.id));
  } catch (error) {
    gate.log.error(
      { call: trail.id, error: reason(error) },
      'the ledger did not release; the hold will lapse as a charge',
    );
    trail.note('the ledger did not release; the hold lapses as a charge');
    trail.charged = held;
  }
}

/** One call as its run knows it. */
export interface Turn {
  readonly space: RunSpace;
  readonly run: string;
  readonly conversation: Conversation;
  /** as given to `enter`: the same request again, unanswered, is the next attempt of its step */
  readonly requestHash: string;
}

/** What the turn read, where that is certain. */
function readOf({ usage }: Outcome): { readonly input: number; readonly uncached: number } | undefined {
  if (usage?.certainty !== 'exact') return undefined;
  const { input, cache_read, cache_write } = summarize(usage);
  return { input: input + cache_read + cache_write, uncached: input + cache_write };
}

/** What the run learns from a finished call. A memory that fails costs inference only. Never throws. */
export function remember(gate: Gateway, turn: Turn, outcome: Outcome, charged: Nano): void {
  const { space, run, conversation, requestHash } = turn;
  try {
    gate.runs.update(space, run, {
      at: gate.clock.now(),
      cost: charged,
      read: readOf(outcome),
      conversation,
      answer: outcome.answer,
      sketch: outcome.text && gate.judge.reads('run.near_duplicates') ? simHash(outcome.text()) : undefined,
      issuedIds: outcome.issuedIds,
      requestHash,
    });
  } catch (error) {
    gate.log.error(
      { error: reason(error) },
      'a run did not take in a finished call; what it knows of itself is behind',
    );
  }
}

/** Writes the receipt; called once per call, from one `finally`. A spool that fails is an alarm, not an answer. */
export async function seal(gate: Gateway, trail: Trail): Promise<void> {
  const entry = trail.entry();
  try {
    // nobody waits for it: the answer was said
    await gate.spool.append(entry, 'soon');
  } catch (error) {
    gate.metrics.spoolHealthy(false);
    gate.log.error(
      { call: trail.id, error: reason(error) },
      'a receipt could not be sealed; the gate is not ready until the record works again',
    );
  }
  const tokens = trail.usage ? summarize(trail.usage) : { input: 0, output: 0, cache_read: 0, cache_write: 0 };
  gate.metrics.call({
    upstream: trail.upstream,
    dialect: trail.dialect,
    model: trail.model,
    status: trail.status,
    ending: trail.ending,
    seconds: entry.latency_ms / 1000,
    cost: trail.charged,
    tokens,
    agent: trail.principal?.agent.id ?? '',
    tenant: trail.principal?.tenant.id ?? '',
  });
  if (trail.fault) gate.metrics.fault(trail.fault);
}
