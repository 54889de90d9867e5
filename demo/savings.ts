import { usdText } from '../gateway/cli/feed/amounts.ts';
import type { Call } from '../gateway/cli/feed/call.ts';
import { usdToNano } from '../gateway/domain/money.ts';
import { type Nano, nano } from '../gateway/domain/scalars.ts';
import type { ToolAct } from './tools.ts';

/** What the gate did: for the agents, counted from the feed; for the MCP client, counted from what it was answered. */
export interface Tally {
  readonly carried: number;
  readonly spent: Nano;
  /** tool calls that a model proposed, and calls of MCP tools */
  readonly denied: number;
  readonly deniedOverMcp: number;
  readonly redacted: number;
  readonly redactedOverMcp: number;
  readonly quarantined: number;
  /** the run that its budget stopped */
  readonly halted:
    | { readonly run: string; readonly calls: number; readonly spent: Nano; readonly hourly: Nano }
    | undefined;
}

/** One call every three seconds: a usual pace for an agent on a large model. */
const CALLS_PER_HOUR = 1200n;

export const sumOf = (calls: readonly Call[]): Nano =>
  nano(calls.reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n));

export function tallyOf(calls: readonly Call[], acts: readonly ToolAct[]): Tally {
  const actions = calls.flatMap((call) => call.actions);
  const hidden = actions
    .filter(({ decision }) => decision === 'transform')
    .flatMap(({ findings }) => Object.values(findings));
  const stop = calls.find(({ fault }) => fault === 'TG_BUDGET_EXCEEDED');
  const looped = calls.filter(({ run, ending }) => stop !== undefined && run === stop.run && ending === 'completed');
  const last = looped.at(-1);
  const actsThat = (decision: ToolAct['decision']): number => acts.filter((act) => act.decision === decision).length;
  return {
    carried: calls.filter(({ ending }) => ending === 'completed').length,
    spent: sumOf(calls),
    denied: actions.filter(({ decision, point }) => decision === 'deny' && point === 'pre_tool_call').length,
    deniedOverMcp: actsThat('DENY'),
    redacted: hidden.reduce((sum, count) => sum + count, 0),
    redactedOverMcp: actsThat('redact'),
    quarantined: actsThat('HIDE'),
    halted:
      stop?.run && last
        ? {
            run: stop.run,
            calls: looped.length,
            spent: sumOf(looped),
            hourly: nano(usdToNano(last.cost_usd) * CALLS_PER_HOUR),
          }
        : undefined,
  };
}

const dollars = (amount: bigint): string => `$${(Number(amount) / 1e9).toFixed(2)}`;

/** The summary, one finding per line; fits 80 columns. */
export function savingsText(tally: Tally, limitUsd: string): readonly string[] {
  const { halted } = tally;
  const lines = [
    `model calls         ${tally.carried}, each judged, priced and recorded; ${usdText(tally.spent)} in all`,
    `tool calls denied   ${tally.denied} before the agent could see or run it, ${tally.deniedOverMcp} over MCP`,
    `secrets redacted    ${tally.redacted} before the provider could read it, ${tally.redactedOverMcp} in a tool result`,
    `tools quarantined   ${tally.quarantined}, whose description had changed`,
  ];
  if (halted) {
    lines.push(`runaway stopped     at ${usdText(halted.spent)} of its $${limitUsd}, after ${halted.calls} calls`);
    lines.push(
      `                    unchecked, a call every 3 s: ${dollars(halted.hourly)} an hour, ${dollars(halted.hourly * 24n)} a day`,
    );
  }
  return lines;
}
