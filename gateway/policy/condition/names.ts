import { POINTS, type Point } from '../../domain/action.ts';
import { SCOPES } from '../../domain/budget.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import type { BudgetFacts, Snapshot } from '../../domain/snapshot.ts';
import { BOOL, type CelType, DOUBLE, DYN, INT, listOf, mapOf, recordOf, STRING, TIMESTAMP } from './cel-type.ts';
import { Broken, Instant, type Value } from './cel-value.ts';
import type { EvalContext } from './eval-context.ts';

/** One name a condition may use. The table is the authority; the documentation of the language is generated from it. */
export interface Name {
  readonly type: CelType;
  readonly doc: string;
  /** a JS value; a fact of type `int` or `double` is read as a number */
  readonly read: (c: EvalContext) => Value;
  /** what `has(name)` answers; undefined: it is always there */
  readonly has?: ((c: EvalContext) => boolean) | undefined;
  /** undefined: known at every point */
  readonly points?: readonly Point[] | undefined;
}

const TOOL_POINTS: readonly Point[] = ['pre_tool_call', 'post_tool_call'];

const fact = (type: CelType, doc: string, read: Name['read'], more: Partial<Name> = {}): Name => ({
  type,
  doc,
  read,
  ...more,
});

const strings = listOf(STRING);
const NO_CAP = new Broken('the request sets no `model.max_output_tokens`; ask `has(model.max_output_tokens)` first');

const NO_PRICE = new Broken('no price of this tool is known; ask `has(tool.price_usd)` first');
const NO_AMOUNT = new Broken('this call has no `tool.amount`; ask `has(tool.amount)` first');
const NO_PIN = new Broken(
  'it is not known whether this tool is the one somebody approved; ask `has(tool.pinned)` first',
);

/** Money often travels as text, so that it keeps its decimals. */
const DECIMAL = /^-?[0-9]{1,15}(\.[0-9]{1,9})?$/;

function amountOf(c: EvalContext): Value {
  const { amount } = c.tool;
  const value = amount && resolvePointer(c.snapshot.action.target, amount.at);
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : NO_AMOUNT;
}

/** One closure per member, so that each place reads one member only. */
const FACTS_OF: Readonly<Record<(typeof SCOPES)[number], (s: Snapshot) => BudgetFacts | undefined>> = {
  run: (s) => s.budget.run,
  agent: (s) => s.budget.agent,
  human: (s) => s.budget.human,
  key: (s) => s.budget.key,
  tenant: (s) => s.budget.tenant,
  model: (s) => s.budget.model,
  tool: (s) => s.budget.tool,
  tag: (s) => s.budget.tag,
};

/** A scope without a budget has an endless one: comparisons with its amounts are true of what money can't stop. */
function budgetNames(scope: (typeof SCOPES)[number]): [string, Name][] {
  const factsOf = FACTS_OF[scope];
  const of = (
    key: Exclude<keyof BudgetFacts, 'window'>,
    absent: number,
    doc: string,
    amountIn: (facts: BudgetFacts) => number,
  ): [string, Name] => [
    `budget.${scope}.${key}`,
    fact(DOUBLE, doc, (c) => {
      const facts = factsOf(c.snapshot);
      return facts === undefined ? absent : amountIn(facts);
    }),
  ];
  const endless = Number.POSITIVE_INFINITY;
  return [
    of(
      'limit_usd',
      endless,
      `limit of the tightest budget per ${scope}; endless where there is none`,
      (f) => f.limit_usd,
    ),
    of('spent_usd', 0, `spent of it`, (f) => f.spent_usd),
    of('held_usd', 0, 'reserved by calls in flight', (f) => f.held_usd),
    of('left_usd', endless, 'what is left of it; endless where there is none', (f) => f.left_usd),
    of('resets_in_s', endless, 'seconds until its window ends', (f) => f.resets_in_s),
  ];
}

const FINDING = recordOf({ kind: STRING, status: STRING, at: STRING, confidence: DOUBLE });

const table: Readonly<Record<string, Name>> = {
  point: fact(STRING, `where the call is judged: ${POINTS.join(', ')}`, (c) => c.snapshot.action.point),
  plane: fact(STRING, 'llm, mcp or hook', (c) => c.snapshot.action.plane),
  target: fact(
    DYN,
    'what is judged: request body, arguments, result, response or text',
    (c) => c.snapshot.action.target,
  ),
  args: fact(DYN, "the tool call's arguments", (c) => c.snapshot.action.target, { points: ['pre_tool_call'] }),
  result: fact(DYN, "the tool's result", (c) => c.snapshot.action.target, { points: ['post_tool_call'] }),
  text: fact(STRING, 'all texts of the target, one per line', (c) => c.text),
  'request.headers': fact(mapOf(STRING), 'request headers, lower-case names', (c) => c.snapshot.request.headers),
  'request.path': fact(STRING, 'path of the request', (c) => c.snapshot.request.path),
  'request.ip': fact(STRING, 'address of the caller', (c) => c.snapshot.request.ip),
  'tool.name': fact(STRING, 'name of the tool', (c) => c.snapshot.action.tool?.name ?? '', { points: TOOL_POINTS }),
  'tool.server': fact(STRING, 'MCP server it belongs to, else empty', (c) => c.snapshot.action.tool?.server ?? '', {
    points: TOOL_POINTS,
  }),
  'tool.effect': fact(STRING, 'read, write, egress, money or identity', (c) => c.tool.effect, { points: TOOL_POINTS }),
  'tool.trust': fact(STRING, 'of its output: untrusted, internal or trusted', (c) => c.tool.trust, {
    points: TOOL_POINTS,
  }),
  'tool.secrecy': fact(STRING, 'of its output: public, internal, confidential or secret', (c) => c.tool.secrecy, {
    points: TOOL_POINTS,
  }),
  'tool.clearance': fact(STRING, 'highest secrecy it may carry', (c) => c.tool.clearance, { points: TOOL_POINTS }),
  'tool.destinations': fact(
    strings,
    'pointers of the arguments that say where its effect lands',
    (c) => c.tool.destinations,
    {
      points: TOOL_POINTS,
    },
  ),
  'tool.directory': fact(BOOL, 'its output vouches for the identifiers in it', (c) => c.tool.directory, {
    points: TOOL_POINTS,
  }),
  'tool.destination_kinds': fact(
    strings,
    'what each of them is: email, url, iban, path, user, phone, or empty',
    (c) => c.tool.destinationKinds,
    { points: TOOL_POINTS },
  ),
  'tool.resource': fact(
    strings,
    'pointers of the arguments that name what is read or written',
    (c) => c.tool.resource,
    {
      points: TOOL_POINTS,
    },
  ),
  'tool.amount': fact(DOUBLE, 'the number in the argument that the policy calls its amount', amountOf, {
    points: ['pre_tool_call'],
    has: (c) => !(amountOf(c) instanceof Broken),
  }),
  'tool.amount_unit': fact(STRING, 'unit of that amount, else empty', (c) => c.tool.amount?.unit ?? '', {
    points: TOOL_POINTS,
  }),
  'tool.undo': fact(STRING, 'the tool that reverses it, else empty', (c) => c.tool.undo, { points: TOOL_POINTS }),
  'tool.price_usd': fact(DOUBLE, 'what one call of it costs', (c) => c.snapshot.action.tool?.priceUsd ?? NO_PRICE, {
    points: TOOL_POINTS,
    has: (c) => c.snapshot.action.tool?.priceUsd !== undefined,
  }),
  'tool.pinned': fact(
    BOOL,
    'its definition is the one somebody approved; an error where that is not known',
    (c) => c.snapshot.action.tool?.pinned ?? NO_PIN,
    { points: TOOL_POINTS, has: (c) => c.snapshot.action.tool?.pinned !== undefined },
  ),
  'model.provider': fact(STRING, 'who serves the model', (c) => c.snapshot.action.model?.provider ?? ''),
  'model.name': fact(STRING, 'the model asked for', (c) => c.snapshot.action.model?.name ?? ''),
  'model.stream': fact(BOOL, 'the answer is to be streamed', (c) => c.snapshot.action.model?.stream ?? false),
  'model.tools': fact(strings, 'names of the tools the request declares', (c) => c.snapshot.action.model?.tools ?? []),
  'model.max_output_tokens': fact(
    INT,
    'the output cap the caller set',
    (c) => c.snapshot.action.model?.maxOutputTokens ?? NO_CAP,
    { has: (c) => c.snapshot.action.model?.maxOutputTokens !== undefined },
  ),
  'agent.id': fact(STRING, 'id of the agent', (c) => c.snapshot.agent.id),
  'agent.name': fact(STRING, 'name of the agent', (c) => c.snapshot.agent.name),
  'agent.tier': fact(STRING, 'trust tier of the agent', (c) => c.snapshot.agent.tier),
  'agent.verified': fact(BOOL, 'the agent is who it says, by its key', (c) => c.snapshot.agent.verified),
  'human.id': fact(STRING, 'for whom the agent acts, else empty', (c) => c.snapshot.human.id),
  'human.email': fact(STRING, 'e-mail of the human', (c) => c.snapshot.human.email),
  'human.groups': fact(strings, 'groups of the human', (c) => c.snapshot.human.groups),
  'human.verified': fact(BOOL, 'the human is who they say', (c) => c.snapshot.human.verified),
  'tenant.id': fact(STRING, 'id of the tenant', (c) => c.snapshot.tenant.id),
  'delegation.depth': fact(
    INT,
    'how many agents stand between the human and this one',
    (c) => c.snapshot.delegation.depth,
  ),
  'delegation.chain': fact(strings, 'those agents, first one first', (c) => c.snapshot.delegation.chain),
  'delegation.scopes': fact(strings, 'what was delegated', (c) => c.snapshot.delegation.scopes),
  'run.id': fact(STRING, 'id of the run', (c) => c.snapshot.run.id),
  'run.steps': fact(INT, 'steps so far', (c) => c.snapshot.run.steps),
  'run.spent_usd': fact(DOUBLE, 'US dollars spent so far', (c) => c.snapshot.run.spent_usd),
  'run.elapsed_s': fact(DOUBLE, 'seconds since the run began', (c) => c.snapshot.run.elapsed_s),
  'run.labels': fact(strings, 'labels the run carries', (c) => c.snapshot.run.labels),
  'run.tools': fact(strings, 'tools called so far, first call first', (c) => c.snapshot.run.tools),
  'run.identical_calls': fact(
    INT,
    'same tool with same arguments in a row, this one included',
    (c) => c.snapshot.run.identical_calls,
  ),
  'run.cycle.period': fact(INT, 'length of the cycle of calls the run is in', (c) => c.snapshot.run.cycle.period),
  'run.cycle.repeats': fact(INT, 'how often that cycle came', (c) => c.snapshot.run.cycle.repeats),
  'run.velocity_usd_per_min': fact(DOUBLE, 'spending rate', (c) => c.snapshot.run.velocity_usd_per_min),
  'run.no_progress': fact(
    INT,
    'how often this call, or the last one answered, brought the same result among the last 20',
    (c) => c.snapshot.run.no_progress ?? 0,
  ),
  'run.context_growth': fact(
    DOUBLE,
    'input of the last turn over that of five turns ago, where no new call explains it, else 1',
    (c) => c.snapshot.run.context_growth ?? 1,
  ),
  'run.uncached_ratio': fact(
    DOUBLE,
    'uncached input of the last turn over the median of those before, else 1',
    (c) => c.snapshot.run.uncached_ratio ?? 1,
  ),
  'run.near_duplicates': fact(
    INT,
    'how many of the last 20 answers say nearly the same as the last one, itself included; 0 before the first',
    (c) => c.snapshot.run.near_duplicates ?? 0,
  ),
  'run.retries': fact(
    INT,
    'how often this very request was sent before without an answer',
    (c) => c.snapshot.run.retries ?? 0,
  ),
  'run.fan_out_per_min': fact(
    INT,
    'sub-agents that this run, or the one that began it, began within a minute',
    (c) => c.snapshot.run.fan_out_per_min ?? 0,
  ),
  'run.depth': fact(
    INT,
    'how many runs stand above this one, as their callers said it; 32 where it stands above itself',
    (c) => c.snapshot.run.depth ?? 0,
  ),
  'quote.max_usd': fact(DOUBLE, 'the most this call can cost', (c) => c.snapshot.quote.max_usd),
  'quote.expected_usd': fact(DOUBLE, 'what it will probably cost', (c) => c.snapshot.quote.expected_usd),
  'quote.priced': fact(BOOL, 'a price is known', (c) => c.snapshot.quote.priced),
  'quote.bounded': fact(BOOL, 'the price has a ceiling', (c) => c.snapshot.quote.bounded),
  'usage.input': fact(INT, 'input tokens; zero before the answer', (c) => c.snapshot.usage.input),
  'usage.output': fact(INT, 'output tokens; zero before the answer', (c) => c.snapshot.usage.output),
  'usage.cache_read': fact(INT, 'tokens read from the cache', (c) => c.snapshot.usage.cache_read),
  'usage.cache_write': fact(INT, 'tokens written to the cache', (c) => c.snapshot.usage.cache_write),
  cost_usd: fact(DOUBLE, 'what the call cost; zero before the answer', (c) => c.snapshot.cost_usd),
  findings: fact(listOf(FINDING), 'what detectors found in the target', (c) => c.snapshot.findings as unknown as Value),
  now: fact(TIMESTAMP, 'when the call is judged, UTC', (c) => new Instant(c.snapshot.now)),
  ...Object.fromEntries(SCOPES.flatMap(budgetNames)),
};

/** Every name by its dotted path. `lists.<name>` comes from the policy itself. */
export const NAMES: ReadonlyMap<string, Name> = new Map(Object.entries(table));

/** Groups of names, by dotted path: a group is no value, only `has()` may ask for one. */
export const GROUPS: ReadonlyMap<string, (c: EvalContext) => boolean> = new Map(
  [...NAMES.keys()].flatMap((path) => {
    const parts = path.split('.');
    return parts
      .slice(1)
      .map((_, i): [string, (c: EvalContext) => boolean] => [
        parts.slice(0, i + 1).join('.'),
        present(parts.slice(0, i + 1)),
      ]);
  }),
);

function present(path: readonly string[]): (c: EvalContext) => boolean {
  const scope = path[1] as (typeof SCOPES)[number];
  return path[0] === 'budget' && path.length === 2 ? (c) => c.snapshot.budget[scope] !== undefined : () => true;
}
