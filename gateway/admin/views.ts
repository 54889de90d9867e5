import { nanoToUsd, usdToNano } from '../domain/money.ts';
import type { SealEntry } from '../domain/receipt.ts';
import { nano } from '../domain/scalars.ts';
import { summarize } from '../domain/usage.ts';
import type { RunSummary } from '../ports/calls.ts';

/** A call as `/api/calls` shows it; the names are pinned. */
export function callView(receipt: SealEntry) {
  return {
    id: receipt.id,
    at: new Date(receipt.at).toISOString(),
    tenant: receipt.principal?.tenant.id ?? null,
    human: receipt.principal?.human?.id ?? null,
    agent: receipt.principal?.agent.id ?? null,
    run: receipt.principal?.run.id ?? null,
    step: receipt.step,
    attempt: receipt.attempt,
    upstream: receipt.upstream,
    dialect: receipt.dialect,
    model: receipt.served_model ?? receipt.model,
    stream: receipt.stream,
    status: receipt.status,
    ending: receipt.ending,
    fault: receipt.fault ?? null,
    actions: receipt.actions.map((action) => ({
      point: action.point,
      tool: action.tool ?? null,
      decision: action.decision,
      rule: action.rule ?? null,
      reason: action.reason ?? null,
      findings: action.findings ?? {},
    })),
    usage: receipt.usage ? summarize(receipt.usage) : { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    certainty: receipt.certainty ?? null,
    cost_usd: receipt.cost_usd,
    cost_status: receipt.cost_status ?? null,
    latency_ms: receipt.latency_ms,
    ttfb_ms: receipt.ttfb_ms ?? null,
  };
}

export function runSummaryView(run: RunSummary) {
  return {
    id: run.id,
    tenant: run.tenant,
    human: run.human ?? null,
    agent: run.agent,
    calls: run.calls,
    steps: run.steps,
    cost_usd: nanoToUsd(run.cost),
    first_at: new Date(run.firstAt).toISOString(),
    last_at: new Date(run.lastAt).toISOString(),
  };
}

/** A run with its calls, oldest first, as `/api/runs/<id>` shows it. */
export function runView(found: { readonly summary: RunSummary; readonly receipts: readonly SealEntry[] }) {
  const { steps: _count, ...summary } = runSummaryView(found.summary);
  const caused = causedBy(found.receipts);
  return { ...summary, steps: found.receipts.map(callView), caused: causedView(caused) };
}

interface Share {
  tokens: number;
  amount: bigint;
  /** by counts of the provider alone in every call */
  measured: boolean;
  /** how many calls read it */
  reads: number;
}

/** step → source → what the run's calls were charged for it. Σ is the run's cost, to the nano-dollar. */
function causedBy(receipts: readonly SealEntry[]): Map<number, Map<string, Share>> {
  const steps = new Map<number, Map<string, Share>>();
  for (const { step: own, causes, cost_usd, certainty } of receipts) {
    const whole = certainty === 'exact' ? 'measured' : undefined;
    for (const [step, source, tokens, amount, basis] of causes ?? [
      [own, 'call', 0, usdToNano(cost_usd).toString(), whole] as const,
    ]) {
      const sources = steps.get(step) ?? new Map<string, Share>();
      steps.set(step, sources);
      const share = sources.get(source) ?? { tokens: 0, amount: 0n, measured: true, reads: 0 };
      share.tokens += tokens;
      share.measured &&= basis === 'measured';
      share.amount += BigInt(amount);
      share.reads += 1;
      sources.set(source, share);
    }
  }
  return steps;
}

/** The dearest step first: which step caused what, by which of the things it brought. */
function causedView(steps: ReadonlyMap<number, ReadonlyMap<string, Share>>) {
  const usd = (amount: bigint): string => nanoToUsd(nano(amount));
  const sumOf = (sources: ReadonlyMap<string, Share>): bigint =>
    [...sources.values()].reduce((sum, { amount }) => sum + amount, 0n);
  return [...steps]
    .map(([step, sources]) => ({ step, sources, sum: sumOf(sources) }))
    .sort((a, b) => (b.sum > a.sum ? 1 : b.sum < a.sum ? -1 : a.step - b.step))
    .map(({ step, sources, sum }) => ({
      step,
      caused_usd: usd(sum),
      by: [...sources]
        .sort(([, a], [, b]) => (b.amount > a.amount ? 1 : -1))
        .map(([source, { tokens, amount, measured, reads }]) => ({
          source,
          usd: usd(amount),
          tokens_read: tokens,
          reads,
          basis: measured ? 'measured' : 'apportioned',
        })),
    }));
}

export type CallView = ReturnType<typeof callView>;
export type RunView = ReturnType<typeof runView>;
