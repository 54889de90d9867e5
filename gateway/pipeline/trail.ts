import type { FaultCode } from '../domain/fault.ts';
import { nanoToUsd } from '../domain/money.ts';
import type { Cause, Cost, Quote } from '../domain/pricing.ts';
import type { Principal } from '../domain/principal.ts';
import type { DeferredTerms, Ending, JudgedAction, SealEntry } from '../domain/receipt.ts';
import { type CallId, type EpochMs, type Nano, nano } from '../domain/scalars.ts';
import type { Usage } from '../domain/usage.ts';
import { type Decision, severity } from '../domain/verdict.ts';
import type { Gateway } from './gateway.ts';

/**
 * What one call leaves behind, gathered as it goes and sealed once. It is written to by the corridor alone and read by nothing but
 * `entry`: no step takes its input from here.
 */
export class Trail {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly #gate: Gateway;
  readonly #startedTicks: number;
  readonly #actions: JudgedAction[] = [];
  readonly #notes: string[] = [];
  principal: Principal | undefined;
  step = 0;
  attempt = 1;
  upstream = '';
  dialect = '';
  model = '';
  servedModel: string | undefined;
  stream = false;
  status = 0;
  ending: Ending = 'refused';
  fault: FaultCode | undefined;
  quote: Quote | undefined;
  usage: Usage | undefined;
  cost: Cost | undefined;
  charged: Nano = nano(0n);
  causes: readonly Cause[] | undefined;
  clampedTo: number | undefined;
  /** what is left of the tightest budget, for the caller */
  budgetLeft: string | undefined;
  firstByteTicks: number | undefined;
  deferred: DeferredTerms | undefined;

  constructor(gate: Gateway) {
    this.#gate = gate;
    this.id = gate.ids.call();
    this.at = gate.clock.now();
    this.#startedTicks = gate.clock.ticks();
  }

  /** Adds a judged action and counts its decision. */
  readonly record = (action: JudgedAction): void => {
    this.#actions.push(action);
    this.#gate.metrics.decision(action.point, action.decision, action.rule);
  };

  note(text: string): void {
    this.#notes.push(text);
  }

  /** The strictest decision so far. */
  get decision(): Decision {
    return this.#actions.reduce<Decision>(
      (worst, a) => (severity(a.decision) > severity(worst) ? a.decision : worst),
      'allow',
    );
  }

  elapsedMs(): number {
    return this.#gate.clock.ticks() - this.#startedTicks;
  }

  /** The receipt as it stands now. */
  entry(): SealEntry {
    const { cost, quote, usage } = this;
    const ms = (ticks: number): number => Math.round(ticks * 1000) / 1000;
    return {
      kind: 'seal',
      id: this.id,
      at: this.at,
      principal: this.principal,
      step: this.step,
      attempt: this.attempt,
      upstream: this.upstream,
      dialect: this.dialect,
      model: this.model,
      served_model: this.servedModel,
      stream: this.stream,
      status: this.status,
      ending: this.ending,
      fault: this.fault,
      actions: this.#actions,
      usage: usage && { ...usage, reported: undefined },
      certainty: usage?.certainty,
      quote_usd: quote && nanoToUsd(quote.max),
      cost_usd: nanoToUsd(this.charged),
      cost_status: cost?.status,
      cost_lines: cost?.lines.map(({ amount, ...line }) => ({ ...line, pico: amount.toString() })),
      provider_cost_usd: cost?.ours === undefined ? undefined : nanoToUsd(cost.total),
      causes: this.causes?.map(({ step, source, tokens, amount, measured }) =>
        measured ? [step, source, tokens, `${amount}`, 'measured'] : [step, source, tokens, `${amount}`],
      ),
      clamped_to: this.clampedTo,
      latency_ms: ms(this.elapsedMs()),
      ttfb_ms: this.firstByteTicks === undefined ? undefined : ms(this.firstByteTicks - this.#startedTicks),
      policy: this.#gate.judge.digest,
      prices: this.#gate.cashier.digest,
      ...(this.#notes.length > 0 && { notes: this.#notes }),
      ...(this.deferred && { deferred: this.deferred }),
    };
  }
}
