import type { PlacedFinding } from '../domain/finding.ts';
import type { Digest } from '../domain/scalars.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import { ALLOWED, type Decision, type RuleHit, type RuntimeError, severity, type Verdict } from '../domain/verdict.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { Broken, OUT_OF_STEPS } from './condition/cel-value.ts';
import { EvalContext } from './condition/eval-context.ts';
import type { Judge, Relevance, Selection, Sha256 } from './judge.ts';
import type { FindingFilter } from './known-detectors.ts';
import { Collector, RuleIndex } from './match.ts';
import { IRRELEVANT, relevanceOf } from './relevance.ts';
import { selects } from './selectors.ts';
import type { ToolCatalogue } from './tool-catalogue.ts';
import { transform } from './transform.ts';
import { TransformFailure } from './transform-failure.ts';

/** Steps one condition may take, and all conditions of one evaluation together. */
export const CONDITION_STEPS = 100_000;
export const EVALUATION_STEPS = 1_000_000;

/** What a judge is made of. */
export interface JudgeParts {
  readonly digest: Digest;
  readonly rules: readonly CompiledRule[];
  readonly tools: ToolCatalogue;
  /** the bundle that denies what no rule allows, if one does */
  readonly denying: string | undefined;
  readonly sha256: Sha256;
}

/** One rule that matched, or whose condition broke. */
interface Match {
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

/** The judge over compiled rules. One evaluation at a time: it is synchronous, and its workspace is reused. */
export class RulesJudge implements Judge {
  readonly digest: Digest;
  readonly size: number;
  readonly #parts: JudgeParts;
  readonly #index: RuleIndex;
  readonly #candidates: Collector;
  readonly #context: EvalContext;
  #steps = 0;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.digest = parts.digest;
    this.size = parts.rules.length;
    this.#index = new RuleIndex(parts.rules);
    this.#candidates = new Collector(parts.rules.length);
    this.#context = new EvalContext(parts.tools);
  }

  relevance(selection: Selection): Relevance {
    const found = this.#select(selection);
    const denies = this.#parts.denying !== undefined;
    return found.length === 0 && !denies ? IRRELEVANT : relevanceOf(found, denies);
  }

  evaluate(snapshot: Snapshot): Verdict {
    try {
      return this.#judge(snapshot);
    } catch {
      const message = 'the policy could not be evaluated; the call is denied to be safe, tell the operator of the gate';
      return { ...ALLOWED, decision: 'deny', reason: 'runtime_error:internal', message };
    }
  }

  #select(selection: Selection): CompiledRule[] {
    const { rules } = this.#parts;
    const found = this.#candidates;
    this.#index.collect(selection, found);
    const selected: CompiledRule[] = [];
    for (let i = 0; i < found.length; i += 1) {
      const rule = rules[found.rules[i] as number] as CompiledRule;
      if (selects(rule.selectors, selection)) selected.push(rule);
    }
    return selected;
  }

  #judge(snapshot: Snapshot): Verdict {
    const selection = selectionOf(snapshot);
    const found = this.#candidates;
    this.#index.collect(selection, found);
    this.#context.begin(snapshot);
    this.#steps = EVALUATION_STEPS;
    let matches: Match[] | undefined;
    for (let i = 0; i < found.length; i += 1) {
      const rule = this.#parts.rules[found.rules[i] as number] as CompiledRule;
      if (rule.expiresAt <= snapshot.now || !selects(rule.selectors, selection)) continue;
      const answer = this.#ask(rule, snapshot);
      if (answer === false) continue;
      matches ??= [];
      matches.push({
        rule,
        broken: answer === true ? undefined : answer,
        error: answer === true ? undefined : errorOf(answer),
      });
    }
    if (matches === undefined) return this.#parts.denying === undefined ? ALLOWED : this.#conclude([], snapshot);
    return this.#conclude(
      matches.sort((a, b) => a.rule.index - b.rule.index),
      snapshot,
    );
  }

  /** Asks `detect`, `when` and `unless` of a rule; an answer that is certain whatever broke is an answer. */
  #ask(rule: CompiledRule, snapshot: Snapshot): boolean | Broken {
    if (
      rule.needs !== undefined &&
      !snapshot.findings.some(rule.verdict === 'allow' ? certain(rule.needs) : rule.needs.covers)
    )
      return false;
    const when = rule.when === undefined ? true : this.#test(rule.when);
    if (when === false || rule.unless === undefined) return when;
    const unless = this.#test(rule.unless);
    if (unless === true) return false;
    return when === true && unless === false ? true : when instanceof Broken ? when : unless;
  }

  #test(condition: NonNullable<CompiledRule['when']>): boolean | Broken {
    const allowance = Math.min(CONDITION_STEPS, this.#steps);
    let answer: boolean | Broken;
    try {
      answer = condition.test(this.#context, allowance);
    } catch {
      answer = THREW;
    }
    this.#steps -= allowance - Math.max(0, this.#context.left);
    return answer;
  }

  #conclude(matches: readonly Match[], snapshot: Snapshot): Verdict {
    const enforced = matches.filter((m) => m.rule.mode === 'enforce');
    let draft = decide(enforced, this.#parts.denying);
    let edits: Verdict['edits'] = [];
    let cap: Verdict['cap'];
    if (draft.decision === 'transform') {
      try {
        const done = transform(
          snapshot,
          enforced.filter((m) => m.rule.verdict === 'transform').map((m) => m.rule),
          this.#parts.sha256,
        );
        ({ edits, cap } = done);
      } catch (error) {
        if (!(error instanceof TransformFailure)) throw error;
        draft = transformDenial(error, enforced);
      }
    }
    return finish(draft, matches, enforced, edits, cap);
  }
}

/** A failed detector counts as a finding, except for a rule that allows. */
const certain =
  ({ covers }: FindingFilter) =>
  (f: PlacedFinding): boolean =>
    f.status === 'found' && covers(f);

const THREW = new Broken('the data is nested too deeply or too large');

const errorOf = (broken: Broken): RuntimeError =>
  broken === OUT_OF_STEPS ? 'runtime_error:step_budget_exceeded' : 'runtime_error:condition_failed';

function selectionOf({ action, agent, human, tenant }: Snapshot): Selection {
  return {
    point: action.point,
    tool: action.tool?.name,
    server: action.tool?.server,
    model: action.model?.name,
    provider: action.model?.provider,
    agent: agent.id,
    human: human.id,
    groups: human.groups,
    tier: agent.tier,
    tenant: tenant.id,
  };
}

/** What a match amounts to: a broken deny, escalate or transform denies, a broken allow allows nothing, a broken warn warns. */
function effect({ rule, broken }: Match): Decision | undefined {
  if (!broken) return rule.verdict;
  return rule.verdict === 'allow' ? undefined : rule.verdict === 'warn' ? 'warn' : 'deny';
}

function decide(enforced: readonly Match[], denying: string | undefined): Draft {
  let strictest: Match | undefined;
  let decision: Decision = 'allow';
  let allowed = denying === undefined;
  for (const match of enforced) {
    const its = effect(match);
    if (its === undefined) continue;
    if (its === 'allow') allowed = true;
    if (strictest !== undefined && severity(its) <= severity(decision)) continue;
    [strictest, decision] = [match, its];
  }
  if (!allowed && decision !== 'deny' && decision !== 'escalate') {
    const message = `no rule allows this, and the bundle \`${denying}\` denies what no rule allows`;
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
  const halts = draft.decision === 'deny' ? sound.map((m) => m.rule.halt).filter((h) => h !== undefined) : [];
  const halt = (['human', 'agent', 'run'] as const).find((kind) => halts.includes(kind));
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
