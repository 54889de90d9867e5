import type { Point } from '../domain/action.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { Broken } from './condition/cel-value.ts';
import type { Condition } from './condition/compile-condition.ts';
import { EvalContext } from './condition/eval-context.ts';
import { globMatches } from './glob.ts';
import type { Prospect, Selection, ToolStanding } from './judge.ts';
import { type DenyingDefault, isAbout } from './layers.ts';
import { Collector, RuleIndex } from './match.ts';
import { selects } from './selectors.ts';
import type { ToolCatalogue } from './tool-catalogue.ts';

/** Facts that are the same for every call one principal makes of one tool. */
const KNOWN: ReadonlySet<string> = new Set([
  'point',
  'plane',
  'tool.name',
  'tool.server',
  'tool.effect',
  'tool.trust',
  'tool.secrecy',
  'tool.clearance',
  'tool.destinations',
  'tool.directory',
  'tool.destination_kinds',
  'tool.resource',
  'tool.amount_unit',
  'tool.undo',
  'tool.pinned',
  'agent.id',
  'agent.name',
  'agent.tier',
  'agent.verified',
  'human.id',
  'human.email',
  'human.groups',
  'human.verified',
  'tenant.id',
  'delegation.depth',
  'delegation.chain',
  'delegation.scopes',
]);

const STEPS = 100_000;

interface StandingParts {
  readonly rules: readonly CompiledRule[];
  readonly tools: ToolCatalogue;
  readonly denying: readonly DenyingDefault[];
}

/** What a rule says of all calls at once. `perhaps`: of some it may say yes, of others no. */
type Answer = 'always' | 'never' | 'perhaps';

/** Answers `Judge.standing` over compiled rules: three-valued logic, where what is not known yet is neither true nor false. */
export class ToolStandings {
  readonly #parts: StandingParts;
  readonly #index: RuleIndex;
  readonly #candidates: Collector;
  readonly #context: EvalContext;
  readonly #tests = new Map<Condition, Condition['test']>();

  constructor(parts: StandingParts) {
    this.#parts = parts;
    this.#index = new RuleIndex(parts.rules);
    this.#candidates = new Collector(parts.rules.length);
    this.#context = new EvalContext(parts.tools);
  }

  of(prospect: Prospect): ToolStanding | undefined {
    return this.#denied(prospect) ?? this.#hidden(prospect);
  }

  #denied(prospect: Prospect): ToolStanding | undefined {
    const rules = this.#enforced(prospect, 'pre_tool_call');
    const allowing = new Set<string>();
    let escalates = false;
    for (const rule of rules) {
      const answer = this.#ask(rule);
      if (answer === 'never') continue;
      if (rule.verdict === 'deny' && answer === 'always')
        return { by: 'denied', rule: rule.id, reason: rule.reason, message: rule.message };
      if (rule.verdict === 'allow') allowing.add(rule.layer.name);
      escalates ||= rule.verdict === 'escalate';
    }
    // An escalation outranks the default that denies, and somebody may agree.
    if (escalates) return undefined;
    const unmet = this.#parts.denying.find((d) => isAbout(d.tenants, prospect.tenant.id) && !allowing.has(d.layer));
    if (unmet === undefined) return undefined;
    const message = `no rule allows this, and the bundle \`${unmet.bundle}\` denies what no rule allows`;
    return { by: 'denied', reason: 'default_deny', message };
  }

  #hidden(prospect: Prospect): ToolStanding | undefined {
    const names = [prospect.tool.name, ...prospect.names];
    for (const rule of this.#enforced(prospect, 'pre_model_call')) {
      if (rule.verdict !== 'transform') continue;
      const globs = rule.changes.flatMap((change) => (change.op === 'hide' ? change.tools : []));
      if (!globs.some((glob) => names.some((name) => globMatches(glob, name)))) continue;
      if (this.#ask(rule) === 'always')
        return { by: 'hidden', rule: rule.id, reason: rule.reason, message: rule.message };
    }
    return undefined;
  }

  /** The enforced rules that select this caller and tool at a point, in document order; conditions may be asked from here on. */
  #enforced(prospect: Prospect, point: Point): readonly CompiledRule[] {
    const selection = selectionOf(prospect, point);
    const found = this.#candidates;
    this.#index.collect(selection, found);
    this.#context.begin(snapshotOf(prospect, point));
    return found.rules
      .slice(0, found.length)
      .map((number) => this.#parts.rules[number] as CompiledRule)
      .filter((r) => r.mode === 'enforce' && r.expiresAt > prospect.now && selects(r.selectors, selection))
      .sort((a, b) => a.index - b.index);
  }

  #ask(rule: CompiledRule): Answer {
    const when = rule.when === undefined ? true : this.#test(rule.when);
    const unless = rule.unless === undefined ? false : this.#test(rule.unless);
    if (when === false || unless === true) return 'never';
    return when === true && unless === false && rule.needs === undefined ? 'always' : 'perhaps';
  }

  #test(condition: Condition): boolean | Broken {
    let test = this.#tests.get(condition);
    if (test === undefined) {
      test = condition.knowing(KNOWN);
      this.#tests.set(condition, test);
    }
    try {
      return test(this.#context, STEPS);
    } catch {
      return THREW;
    }
  }
}

const THREW = new Broken('the facts are nested too deeply or too large');

function selectionOf({ tool, agent, human, tenant }: Prospect, point: Point): Selection {
  return {
    point,
    ...(point === 'pre_tool_call' && { tool: tool.name, server: tool.server }),
    agent: agent.id,
    human: human.id,
    groups: human.groups,
    tier: agent.tier,
    tenant: tenant.id,
  };
}

/** What is known, among blanks that no condition reads: every other fact was compiled away. */
function snapshotOf({ now, agent, human, tenant, delegation, tool }: Prospect, point: Point): Snapshot {
  return {
    now,
    action: { point, plane: 'mcp', ...(point === 'pre_tool_call' && { tool }), target: null, parts: [] },
    request: { headers: {}, path: '', ip: '' },
    agent,
    human,
    tenant,
    delegation,
    run: {
      id: '',
      steps: 0,
      spent_usd: 0,
      elapsed_s: 0,
      labels: [],
      tools: [],
      calls: new Map(),
      identical_calls: 0,
      cycle: { period: 0, repeats: 0 },
      velocity_usd_per_min: 0,
    },
    budget: {},
    quote: { max_usd: 0, expected_usd: 0, priced: false, bounded: false },
    usage: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    cost_usd: 0,
    findings: [],
  };
}
