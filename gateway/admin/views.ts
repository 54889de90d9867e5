import { nanoToUsd } from '../domain/money.ts';
import type { SealEntry } from '../domain/receipt.ts';
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
  return { ...summary, steps: found.receipts.map(callView) };
}

export type CallView = ReturnType<typeof callView>;
export type RunView = ReturnType<typeof runView>;
