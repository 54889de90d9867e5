import { hash } from 'node:crypto';
import type { Action, ToolRef } from '../domain/action.ts';
import { canonical } from '../domain/canonical.ts';
import type { PlacedFinding } from '../domain/finding.ts';
import type { Json } from '../domain/json.ts';
import type { Principal } from '../domain/principal.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import { ALLOWED, type Verdict } from '../domain/verdict.ts';
import { applyEdits } from '../policy/apply-edits.ts';
import type { RunSpace, ToolSighting } from '../ports/runs.ts';
import type { Noses } from './detect.ts';
import { type CallFacts, type ReplyFacts, selectionOf, snapshotOf } from './facts.ts';
import type { Gateway } from './gateway.ts';
import { actionIdentity } from './identities.ts';

/** What judging one call's actions needs; the same from its first action to its last. */
export interface Bench {
  readonly gate: Gateway;
  readonly noses: Noses;
  readonly principal: Principal;
  readonly space: RunSpace;
  readonly facts: CallFacts;
}

/** An action with its verdict, and the line it leaves in the receipt. */
export interface Judged {
  readonly action: Action;
  readonly verdict: Verdict;
  readonly record: JudgedAction;
}

/** How a target enters the action's identity, where that is not the target itself (a whole body enters by its digest). */
export interface JudgeOptions {
  readonly identityTarget?: Json | undefined;
  readonly reply?: ReplyFacts | undefined;
  /** findings already gathered, by a streaming review */
  readonly findings?: readonly PlacedFinding[] | undefined;
  /** this tool call is in its run's log already: seen on another plane, or judged before an edit */
  readonly inLog?: boolean | undefined;
}

/** The key under which a tool call is recognised when it comes again: tool and canonical arguments, the volatile ones left out. */
const sightingOf = ({ judge }: Gateway, { name, callId }: ToolRef, args: Json): ToolSighting => ({
  tool: name,
  callId,
  key: hash('sha256', `${name}\n${canonical(judge.steady(name, args))}`, 'base64'),
});

/** Gathers what the rules that could apply need, freezes it and asks the judge. Sync and total. */
export function judge(bench: Bench, action: Action, options: JudgeOptions = {}): Judged {
  const { gate, facts } = bench;
  const relevance = gate.judge.relevance(selectionOf(facts, action));
  const sighting =
    action.point === 'pre_tool_call' && action.tool && options.inLog !== true
      ? sightingOf(gate, action.tool, action.target)
      : undefined;
  let findings: readonly PlacedFinding[] = options.findings ?? [];
  let verdict: Verdict = ALLOWED;
  if (relevance.any || relevance.binding) {
    if (!options.findings) findings = bench.noses.gather(relevance.detectors, action.parts, bench);
    const { id } = bench.principal.run;
    if (relevance.redacts)
      findings = gate.tokens.place(bench.space, id, action.parts, findings, (kind) => gate.judge.keeps(kind));
    const run = sighting
      ? gate.runs.factsWith(bench.space, bench.principal.run.id, facts.now, sighting)
      : gate.runs.facts(bench.space, bench.principal.run.id, facts.now);
    const snapshot = snapshotOf(facts, action, run, findings, options.reply);
    const tokens = relevance.rehydrates ? gate.tokens.recall(bench.space, id, action.parts) : undefined;
    verdict = gate.judge.evaluate(tokens === undefined ? snapshot : { ...snapshot, tokens });
  }
  if (sighting) {
    const denied = verdict.decision === 'deny' || verdict.decision === 'escalate';
    if (denied) gate.runs.attempted(bench.space, bench.principal.run.id, sighting);
    else gate.runs.sight(bench.space, bench.principal.run.id, sighting, gate.clock.now());
  }
  enact(bench, verdict);
  return { action, verdict, record: recordOf(bench, action, verdict, findings, options.identityTarget) };
}

/** Halts and labels outlive the call: they are kept on the run. */
function enact(bench: Bench, verdict: Verdict): void {
  const { gate, principal, space, facts } = bench;
  try {
    if (verdict.halt === 'run') gate.runs.halt('run', `${space.tenant}/${space.key}/${principal.run.id}`);
    else if (verdict.halt === 'agent') gate.runs.halt('agent', `${space.tenant}/${principal.agent.id}`);
    else if (verdict.halt === 'human' && principal.human)
      gate.runs.halt('human', `${space.tenant}/${principal.human.id}`);
  } finally {
    // a halt that cannot be stored holds in this process all the same
    if (verdict.halt !== undefined) gate.halting.notify();
  }
  if (verdict.labels.length > 0) gate.runs.label(space, principal.run.id, verdict.labels, facts.now);
}

function recordOf(
  { principal }: Bench,
  action: Action,
  verdict: Verdict,
  findings: readonly PlacedFinding[],
  identityTarget: Json | undefined,
): JudgedAction {
  const input = actionIdentity(action, principal, identityTarget ?? action.target);
  const edited = verdict.decision === 'transform' && verdict.edits.length > 0 && identityTarget === undefined;
  return {
    point: action.point,
    plane: action.plane,
    tool: action.tool?.name,
    tool_call_id: action.tool?.callId,
    decision: verdict.decision,
    rule: verdict.rule,
    reason: verdict.reason,
    hits: verdict.hits,
    ...(findings.length > 0 && { findings: countKinds(findings) }),
    input_identity: input,
    ...(edited && {
      enforced_identity: actionIdentity(action, principal, applyEdits(action.target, verdict.edits)),
    }),
  };
}

function countKinds(findings: readonly PlacedFinding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of findings) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The message of a denial, for the agent that reads it: which rule, why, what to do next. */
export function denialText(verdict: Verdict, what: string): string {
  const rule = verdict.rule === undefined ? 'the default of the policy in force' : `rule \`${verdict.rule}\``;
  const reason = verdict.reason === undefined ? '' : ` (${verdict.reason})`;
  const message = verdict.message === undefined ? '' : `: ${verdict.message}`;
  const doc = verdict.doc === undefined ? '' : ` — see ${verdict.doc}`;
  return `tollgate denied ${what} by ${rule}${reason}${message}${doc}`;
}
