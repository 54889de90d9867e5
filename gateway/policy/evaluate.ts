import type { PlacedFinding } from '../domain/finding.ts';
import type { Json } from '../domain/json.ts';
import type { Digest } from '../domain/scalars.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import { ALLOWED, type RuntimeError, type Verdict } from '../domain/verdict.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { conclude, type Match } from './conclude.ts';
import { Broken, OUT_OF_STEPS } from './condition/cel-value.ts';
import type { Condition } from './condition/compile-condition.ts';
import { EvalContext } from './condition/eval-context.ts';
import type { Judge, Prospect, Relevance, Selection, Sha256, ToolStanding } from './judge.ts';
import type { FindingFilter } from './known-detectors.ts';
import { type DenyingDefault, isAbout } from './layers.ts';
import { Collector, RuleIndex } from './match.ts';
import { reveal, unrevealed, withValues } from './rehydrate.ts';
import { IRRELEVANT, relevanceOf } from './relevance.ts';
import { isSettled, selects } from './selectors.ts';
import { SoloVerdicts } from './solo-verdicts.ts';
import { steadyArguments } from './steady-arguments.ts';
import type { ToolCatalogue } from './tool-catalogue.ts';
import { ToolStandings } from './tool-standing.ts';
import { TransformFailure } from './transform-failure.ts';

/** Steps one condition may take, and all conditions of one evaluation together. */
const CONDITION_STEPS = 100_000;
const EVALUATION_STEPS = 1_000_000;

/** Selections whose relevance is kept; agents, tools and models come again and again. */
const REMEMBERED = 4096;

/** What a judge is made of. */
export interface JudgeParts {
  readonly digest: Digest;
  readonly rules: readonly CompiledRule[];
  readonly tools: ToolCatalogue;
  /** the bundles that deny what no rule of their layer allows */
  readonly denying: readonly DenyingDefault[];
  readonly sha256: Sha256;
}

/** The judge over compiled rules. One evaluation at a time: it is synchronous, and its workspace is reused. */
export class RulesJudge implements Judge {
  readonly digest: Digest;
  readonly size: number;
  readonly #parts: JudgeParts;
  readonly #index: RuleIndex;
  readonly #candidates: Collector;
  readonly #context: EvalContext;
  readonly #solo: SoloVerdicts;
  /** by rule: its one condition, where that is all there is left to ask once the index has found it */
  readonly #plain: readonly (Condition | undefined)[];
  /** by rule: it has nothing left to ask at all */
  readonly #bare: readonly boolean[];
  /** no rule expires: what is relevant to a selection stays so */
  readonly #lasting: boolean;
  readonly #relevances = new Map<string, Relevance>();
  readonly #rehydrating: readonly CompiledRule[];
  /** every fact that some condition asks for */
  readonly #reads: ReadonlySet<string>;
  #standings: ToolStandings | undefined;
  #steps = 0;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.digest = parts.digest;
    this.size = parts.rules.length;
    this.#index = new RuleIndex(parts.rules);
    this.#candidates = new Collector(parts.rules.length);
    this.#plain = parts.rules.map((rule) => (isPlain(rule) ? rule.when : undefined));
    this.#bare = parts.rules.map((rule) => isPlain(rule) && rule.when === undefined);
    this.#context = new EvalContext(parts.tools);
    this.#solo = new SoloVerdicts(parts.denying, parts.sha256);
    this.#rehydrating = parts.rules.filter((rule) => rule.changes.some((c) => c.op === 'rehydrate'));
    this.#reads = new Set(
      parts.rules.flatMap(({ when, unless }) => [...(when?.reads ?? []), ...(unless?.reads ?? [])]),
    );
    this.#lasting = parts.rules.every((rule) => rule.expiresAt === Number.POSITIVE_INFINITY);
  }

  relevance(selection: Selection): Relevance {
    const name = this.#lasting ? selectionText(selection) : '';
    const known = name === '' ? undefined : this.#relevances.get(name);
    if (known) return known;
    const found = this.#select(selection);
    const denies = this.#parts.denying.some((d) => isAbout(d.tenants, selection.tenant));
    const relevance = found.length === 0 && !denies ? IRRELEVANT : relevanceOf(found, denies);
    if (name !== '') this.#remember(name, relevance);
    return relevance;
  }

  #remember(name: string, relevance: Relevance): void {
    this.#relevances.set(name, relevance);
    if (this.#relevances.size > REMEMBERED) this.#relevances.delete(this.#relevances.keys().next().value as string);
  }

  evaluate(snapshot: Snapshot): Verdict {
    try {
      const verdict = this.#judge(snapshot);
      return snapshot.tokens === undefined ? verdict : this.#onValues(snapshot, verdict);
    } catch {
      const message = 'the policy could not be evaluated; the call is denied to be safe, tell the operator of the gate';
      return { ...ALLOWED, decision: 'deny', reason: 'runtime_error:internal', message };
    }
  }

  steady(tool: string, args: Json): Json {
    return steadyArguments(args, this.#parts.tools.find(tool).volatile);
  }

  reads(fact: string): boolean {
    return this.#reads.has(fact);
  }

  keeps(kind: string): boolean {
    return this.#rehydrating.some((r) => r.changes.some((c) => c.op === 'rehydrate' && c.rehydration.covers(kind)));
  }

  /** Where a rule that matched puts values back in place of tokens, the call is judged with the values instead. */
  #onValues(snapshot: Snapshot, before: Verdict): Verdict {
    const matched = new Set(
      before.hits.filter((h) => h.mode === 'enforce' && h.error === undefined).map((h) => h.rule),
    );
    const rules = this.#rehydrating.filter((r) => matched.has(r.id));
    if (rules.length === 0) return before;
    try {
      const tool = this.#parts.tools.find(snapshot.action.tool?.name ?? '');
      const revealed = reveal(snapshot, rules, tool);
      return revealed ? withValues(this.#judge(revealed.snapshot), rules, revealed.edits) : before;
    } catch (error) {
      if (error instanceof TransformFailure) return unrevealed(before, error, rules);
      throw error;
    }
  }

  standing(prospect: Prospect): ToolStanding | undefined {
    this.#standings ??= new ToolStandings(this.#parts);
    return this.#standings.of(prospect);
  }

  #select(selection: Selection): CompiledRule[] {
    const { rules } = this.#parts;
    const found = this.#candidates;
    this.#index.collect(selection, found);
    const now = selection.now ?? Number.NEGATIVE_INFINITY;
    const selected: CompiledRule[] = [];
    for (let i = 0; i < found.length; i += 1) {
      const rule = rules[found.rules[i] as number] as CompiledRule;
      if (rule.expiresAt > now && selects(rule.selectors, selection)) selected.push(rule);
    }
    return selected;
  }

  #judge(snapshot: Snapshot): Verdict {
    const selection = selectionOf(snapshot);
    const found = this.#candidates;
    this.#index.collect(selection, found);
    this.#context.begin(snapshot);
    this.#steps = EVALUATION_STEPS;
    const { rules } = this.#parts;
    const plain = this.#plain;
    let matches: Match[] | undefined;
    for (let i = 0; i < found.length; i += 1) {
      const number = found.rules[i] as number;
      const condition = plain[number];
      const answer =
        condition === undefined
          ? this.#bare[number] === true || this.#ask(rules[number] as CompiledRule, snapshot, selection)
          : this.#test(condition);
      if (answer === false) continue;
      const match: Match = {
        rule: rules[number] as CompiledRule,
        broken: answer === true ? undefined : answer,
        error: answer === true ? undefined : errorOf(answer),
      };
      // most often it stays at one, and a list that begins with it keeps no room for more
      if (matches) matches.push(match);
      else matches = [match];
    }
    if (matches === undefined) return this.#parts.denying.length === 0 ? ALLOWED : this.#solo.ofNone(snapshot);
    const [first] = matches;
    if (matches.length === 1 && first !== undefined && first.broken === undefined) {
      const known = this.#solo.of(first.rule, snapshot);
      if (known) return known;
    }
    matches.sort((a, b) => a.rule.index - b.rule.index);
    return conclude(matches, snapshot, this.#parts);
  }

  /** Asks `detect`, `when` and `unless` of a rule; an answer that is certain whatever broke is an answer. */
  #ask(rule: CompiledRule, snapshot: Snapshot, selection: Selection): boolean | Broken {
    if (rule.expiresAt <= snapshot.now || !selects(rule.selectors, selection)) return false;
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

  #test(condition: Condition): boolean | Broken {
    const context = this.#context;
    const allowance = Math.min(this.#steps, CONDITION_STEPS);
    try {
      const answer = condition.test(context, allowance);
      this.#steps -= context.left > 0 ? allowance - context.left : allowance;
      return answer;
    } catch {
      this.#steps -= allowance;
      return THREW;
    }
  }
}

const isPlain = (rule: CompiledRule): boolean =>
  isSettled(rule.selectors) &&
  rule.needs === undefined &&
  rule.unless === undefined &&
  rule.expiresAt === Number.POSITIVE_INFINITY;

/** A failed detector counts as a finding, except for a rule that allows. */
const certain =
  ({ covers }: FindingFilter) =>
  (f: PlacedFinding): boolean =>
    f.status === 'found' && covers(f);

const THREW = new Broken('the data is nested too deeply or too large');

const errorOf = (broken: Broken): RuntimeError =>
  broken === OUT_OF_STEPS ? 'runtime_error:step_budget_exceeded' : 'runtime_error:condition_failed';

/** Everything of a selection that rules can look at, as one text; '' for one that has no plain form. */
function selectionText({
  point,
  tool,
  server,
  model,
  provider,
  agent,
  human,
  groups,
  tier,
  tenant,
}: Selection): string {
  if (groups !== undefined && groups.length > 0) return '';
  let text: string = point;
  for (const name of [tool, server, model, provider, agent, human, tier, tenant]) {
    // INVARIANT: no name holds the separator, so different selections have different texts.
    if (name?.includes('\n')) return '';
    text += `\n${name ?? ''}`;
  }
  return text;
}

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
