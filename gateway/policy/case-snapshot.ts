import type { Action, TextPart } from '../domain/action.ts';
import { SCOPES } from '../domain/budget.ts';
import { type Finding, type PlacedFinding, type PlacedToken, TOKEN_LOOKALIKE } from '../domain/finding.ts';
import { isArray, isObject, type Json } from '../domain/json.ts';
import { childPointer, type Pointer } from '../domain/pointer.ts';
import { type EpochMs, epochMs } from '../domain/scalars.ts';
import type { BudgetFacts, Snapshot } from '../domain/snapshot.ts';
import type { CaseText } from './case-schema.ts';

/** Reads a text as the gate's detectors do. */
export type Scan = (text: string) => readonly Finding[];

/** Every text in a target, as the parts detectors read. */
function partsOf(target: Json, frozen: readonly Pointer[], at: Pointer = ''): TextPart[] {
  if (typeof target === 'string') {
    const held = frozen.some((f) => at === f || at.startsWith(`${f}/`));
    return [held ? { at, text: target, frozen: 'the case says so' } : { at, text: target }];
  }
  if (isArray(target)) return target.flatMap((item, i) => partsOf(item, frozen, childPointer(at, i)));
  if (!isObject(target)) return [];
  return Object.entries(target).flatMap(([name, value]) => partsOf(value, frozen, childPointer(at, name)));
}

function actionOf(c: CaseText): Action {
  const target = (c.target ?? c.args ?? c.result ?? c.text ?? {}) as Json;
  const tool =
    typeof c.tool === 'string'
      ? { name: c.tool }
      : c.tool && { name: c.tool.name, server: c.tool.server, priceUsd: c.tool.price_usd, pinned: c.tool.pinned };
  const model = typeof c.model === 'string' ? { name: c.model, provider: '', stream: false, tools: [] } : c.model;
  return {
    point: c.at,
    plane: c.plane,
    tool,
    model: model && {
      provider: model.provider,
      name: model.name,
      stream: model.stream,
      tools: model.tools,
      maxOutputTokens: 'max_output_tokens' in model ? model.max_output_tokens : undefined,
    },
    target,
    parts: partsOf(target, c.frozen),
  };
}

/** Throws a RangeError where a finding's text is not in the target. */
function findingsOf(c: CaseText, parts: readonly TextPart[], scan: Scan | undefined): PlacedFinding[] {
  const stated = c.findings.map((f): PlacedFinding => {
    const part = parts.find(
      (p) => (f.at === undefined || p.at === f.at) && (f.text === undefined || p.text.includes(f.text)),
    );
    if (f.status === 'unknown')
      return { kind: f.kind, at: f.at ?? '', start: 0, end: 0, confidence: 0, status: 'unknown' };
    if (!part)
      throw new RangeError(`the finding \`${f.kind}\` stands nowhere in the target; check its \`text\` and \`at\``);
    const start = f.text === undefined ? 0 : part.text.indexOf(f.text);
    return {
      kind: f.kind,
      at: part.at,
      start,
      end: start + (f.text ?? part.text).length,
      confidence: 1,
      status: 'found',
    };
  });
  const scanned = scan
    ? parts.flatMap((p) => scan(p.text).map((f): PlacedFinding => ({ ...f, at: p.at, status: 'found' })))
    : [];
  return [...stated, ...scanned];
}

const tokensOf = (known: CaseText['tokens'], parts: readonly TextPart[]): PlacedToken[] =>
  parts.flatMap(({ at, text }) =>
    [...text.matchAll(TOKEN_LOOKALIKE)].map((match) => ({
      token: match[0],
      word: match[1] as string,
      at,
      start: match.index,
      end: match.index + match[0].length,
      ...(Object.hasOwn(known, match[0]) && known[match[0]]),
    })),
  );

/** The unremarkable facts with those the case states. */
const over = <T extends object>(base: T, given: { readonly [K in keyof T]?: T[K] | undefined } | undefined): T => ({
  ...base,
  ...(Object.fromEntries(Object.entries(given ?? {}).filter(([, v]) => v !== undefined)) as Partial<T>),
});

type Facts = CaseText['facts'];

function runOf(run: Facts['run'], now: EpochMs): Snapshot['run'] {
  const cycle = { period: 0, repeats: 0 };
  const { calls, last, ...rest } = run ?? {};
  const base: Snapshot['run'] = {
    id: 'run',
    steps: 1,
    spent_usd: 0,
    elapsed_s: 0,
    labels: [],
    tools: [],
    identical_calls: 1,
    cycle,
    velocity_usd_per_min: 0,
    calls: new Map(Object.entries(calls ?? {})),
    last_at: new Map(Object.entries(last ?? {}).map(([name, seconds]) => [name, epochMs(now - seconds * 1000)])),
  };
  return over(base, rest);
}

function budgetOf(budget: Facts['budget']): Snapshot['budget'] {
  return Object.fromEntries(
    SCOPES.flatMap((scope): [string, BudgetFacts][] => {
      const b = budget?.[scope];
      return b ? [[scope, { ...b, left_usd: b.left_usd ?? Math.max(0, b.limit_usd - b.spent_usd - b.held_usd) }]] : [];
    }),
  );
}

/** The snapshot a case describes. Throws a RangeError that says what does not fit. */
export function caseSnapshot(c: CaseText, scan?: Scan): Snapshot {
  const action = actionOf(c);
  const { facts } = c;
  const now = epochMs(Date.parse(facts.now ?? '2026-01-05T12:00:00Z'));
  return {
    now,
    action,
    request: over<Snapshot['request']>({ headers: {}, path: '/', ip: '127.0.0.1' }, facts.request),
    agent: over<Snapshot['agent']>({ id: 'agent', name: 'agent', tier: '', verified: true }, facts.agent),
    human: over<Snapshot['human']>({ id: '', email: '', groups: [], verified: false }, facts.human),
    tenant: facts.tenant ?? { id: 'default' },
    delegation: over<Snapshot['delegation']>({ depth: 0, chain: [], scopes: [] }, facts.delegation),
    run: runOf(facts.run, now),
    budget: budgetOf(facts.budget),
    quote: over<Snapshot['quote']>({ max_usd: 0.01, expected_usd: 0.01, priced: true, bounded: true }, facts.quote),
    usage: over<Snapshot['usage']>({ input: 0, output: 0, cache_read: 0, cache_write: 0 }, facts.usage),
    cost_usd: facts.cost_usd ?? 0,
    findings: findingsOf(c, action.parts, scan),
    tokens: tokensOf(c.tokens, action.parts),
  };
}
