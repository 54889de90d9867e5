import type { Snapshot } from '../domain/snapshot.ts';
import { type Decision, type RuleHit, type RuntimeError, severity, type Verdict } from '../domain/verdict.ts';
import type { CompiledRule } from './compiled-rule.ts';
import type { Broken } from './condition/cel-value.ts';
import type { Sha256 } from './judge.ts';
import { type DenyingDefault, isAbout } from './layers.ts';
import { transform } from './transform.ts';
import { TransformFailure } from './transform-failure.ts';

/** One rule that matched, or whose condition broke. */
export interface Match {
  readonly rule: CompiledRule;
  readonly broken: Broken | undefined;
  error: RuntimeError | undefined;
}

interface Draft {
  readonly decision: Decision;
  readonly match: Match | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

/** What is left of the policy once its rules have answered. */
export interface Conclusion {
  /** the bundles that deny what no rule of their layer allows */
  readonly denying: readonly DenyingDefault[];
  readonly sha256: Sha256;
}

/** One verdict out of all rules that matched, in document order: the strictest decides, transforms compose, all are reported. */
export function conclude(matches: readonly Match[], snapshot: Snapshot, { denying, sha256 }: Conclusion): Verdict {
  const enforced = matches.filter((m) => m.rule.mode === 'enforce');
  let draft = decide(
    enforced,
    denying.filter((d) => isAbout(d.tenants, snapshot.tenant.id)),
  );
  let edits: Verdict['edits'] = [];
  let cap: Verdict['cap'];
  if (draft.decision === 'transform') {
    try {
      const rules = enforced.filter((m) => m.rule.verdict === 'transform').map((m) => m.rule);
      ({ edits, cap } = transform(snapshot, rules, sha256));
    } catch (error) {
      if (!(error instanceof TransformFailure)) throw error;
      draft = transformDenial(error, enforced);
    }
  }
  return finish(draft, matches, enforced, edits, cap);
}

/** What a match amounts to: a broken deny, escalate or transform denies, a broken allow allows nothing, a broken warn warns. */
function effect({ rule, broken }: Match): Decision | undefined {
  if (!broken) return rule.verdict;
  return rule.verdict === 'allow' ? undefined : rule.verdict === 'warn' ? 'warn' : 'deny';
}

function decide(enforced: readonly Match[], denying: readonly DenyingDefault[]): Draft {
  let strictest: Match | undefined;
  let decision: Decision = 'allow';
  for (const match of enforced) {
    const its = effect(match);
    if (its === undefined) continue;
    if (strictest !== undefined && severity(its) <= severity(decision)) continue;
    [strictest, decision] = [match, its];
  }
  const unmet = denying.find((d) => !enforced.some((m) => m.rule.layer.name === d.layer && effect(m) === 'allow'));
  if (unmet && decision !== 'deny' && decision !== 'escalate') {
    const message = `no rule allows this, and the bundle \`${unmet.bundle}\` denies what no rule allows`;
    return { decision: 'deny', match: undefined, reason: 'default_deny', message };
  }
  if (strictest === undefined) return { decision: 'allow', match: undefined, reason: undefined, message: undefined };
  if (decision === 'escalate') return approvalDenial(strictest);
  return {
    decision,
    match: strictest,
    reason: strictest.error ?? strictest.rule.reason,
    message: messageOf(strictest),
  };
}

/**
 * The one place where an escalation ends while the gate has nobody to ask: a denial that says who would have to agree. Approvals
 * (issue "approvals") replace this function.
 */
function approvalDenial(match: Match): Draft {
  match.error = 'runtime_error:approval_resolver_missing';
  const { approvers, message } = match.rule;
  const who = approvers.length > 0 ? ` by ${approvers.join(', ')}` : '';
  const needs = `this call needs approval${who}, and this gate has no way to ask for one, so it is denied`;
  return { decision: 'deny', match, reason: match.error, message: message ? `${message}; ${needs}` : needs };
}

function messageOf({ rule, broken }: Match): string | undefined {
  if (!broken) return rule.message;
  return `the condition of \`${rule.id}\` could not be answered (${broken.why}), so ${rule.verdict === 'warn' ? 'it warns' : 'the call is denied to be safe'}`;
}

function transformDenial(failure: TransformFailure, enforced: readonly Match[]): Draft {
  const match = enforced.find((m) => m.rule.index === failure.rule);
  if (match) match.error = failure.reason;
  const message = `the change that \`${match?.rule.id}\` asks for can't be made (${failure.message}), so the call is denied`;
  return { decision: 'deny', match, reason: failure.reason, message };
}

function finish(
  draft: Draft,
  matches: readonly Match[],
  enforced: readonly Match[],
  edits: Verdict['edits'],
  cap: Verdict['cap'],
): Verdict {
  const rule = draft.match?.rule;
  const sound = enforced.filter((m) => !m.broken);
  const halts = (kind: Verdict['halt']): boolean => sound.some((m) => m.rule.halt === kind);
  const halt = draft.decision === 'deny' ? (['human', 'agent', 'run'] as const).find(halts) : undefined;
  return {
    decision: draft.decision,
    rule: rule?.id,
    reason: draft.reason,
    message: draft.message,
    doc: rule?.doc,
    hits: matches.map(hitOf),
    edits: draft.decision === 'transform' ? edits : [],
    cap: draft.decision === 'transform' ? cap : undefined,
    labels: [...new Set(sound.flatMap((m) => m.rule.labels))],
    halt,
  };
}

function hitOf({ rule, error }: Match): RuleHit {
  return { rule: rule.id, decision: rule.verdict, reason: rule.reason, mode: rule.mode, error };
}
