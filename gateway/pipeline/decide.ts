import type { ModelRef } from '../domain/action.ts';
import { Fault } from '../domain/fault.ts';
import { isArray } from '../domain/json.ts';
import type { Splice } from '../domain/json-splice.ts';
import { JsonFault, parseStrict } from '../domain/json-text.ts';
import type { Quote } from '../domain/pricing.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import type { Digest, Nano } from '../domain/scalars.ts';
import { severity, type Verdict } from '../domain/verdict.ts';
import type { Dialect, Headers, Reading } from '../ports/dialect.ts';
import { affordableTokens } from '../price/quote.ts';
import { ask } from './ask.ts';
import { actionIdentity, bodyTarget, digestTarget } from './identities.ts';
import { type Bench, denialText, type Judged, judge } from './judgement.ts';
import { editsOfTexts, land, splicesAt } from './landing.ts';
import type { Arriving } from './passed-results.ts';
import type { Permit } from './permit.ts';
import { arrivingActions, modelCallAction, modelOf, type PlacedAction } from './request-actions.ts';

export interface Decision {
  readonly permit: Permit;
  /** the request as it will be carried, read again where a verdict edited it */
  readonly reading: Reading;
  /** the strictest decision, for the header */
  readonly decision: Verdict['decision'];
}

/** The request side of one call, ready to be judged. */
export interface Plea {
  readonly reading: Reading;
  readonly dialect: Dialect;
  readonly headers: Headers;
  /** what the upstream is asked for, query included */
  readonly path: string;
  readonly provider: string;
  readonly raw: Uint8Array;
  /** SHA-256 of `raw` */
  readonly digest: Digest;
  readonly first: boolean;
  readonly quote: Quote;
  /** what the ledger granted; less than the quote where the output must be clamped */
  readonly granted: Nano;
  /** called with every judged action, denied ones included */
  readonly record: (action: JudgedAction) => void;
  /** what is carried where the request as it is read is not what travels (a form) */
  readonly encode?: ((text: string) => Uint8Array) | undefined;
}

const utf8 = new TextEncoder();

/**
 * Judges every action of a request, lands what the verdicts change, and mints the permit. Throws a Fault: `TG_POLICY_DENIED` with the
 * rule that decided, `TG_BUDGET_EXCEEDED` where a clamp cannot be written.
 */
export function decide(bench: Bench, plea: Plea): Decision {
  const model = modelOf(plea.reading, plea.provider);
  const heard = arrivingIn(bench, plea, model).map((placed) => hear(bench, plea, placed));
  return decideModelCall(bench, plea, settleEdits(bench, plea, plea.reading, heard), heard);
}

/** As `decide`, where remote detectors may have to be asked before each step. */
export async function decideAsking(bench: Bench, plea: Plea): Promise<Decision> {
  const model = modelOf(plea.reading, plea.provider);
  const arriving = arrivingIn(bench, plea, model);
  await ask(
    bench,
    arriving.map(({ action }) => action),
  );
  const heard = arriving.map((placed) => hear(bench, plea, placed));
  const reading = settleEdits(bench, plea, plea.reading, heard);
  await ask(bench, [modelCallAction(reading, modelOf(reading, plea.provider)).action]);
  return decideModelCall(bench, plea, reading, heard);
}

/** What the request brings that this run did not bring before, or that is judged each time. */
function arrivingIn(bench: Bench, { reading, path, first }: Plea, model: ModelRef): readonly Arriving[] {
  const { gate, noses, space, principal } = bench;
  const arriving = arrivingActions(reading, model, principal, first);
  const digestOf = (text: string): string | undefined => noses.digestOf(text, bench);
  return gate.passed.fresh({ space, principal, model, path, digestOf }, arriving);
}

function decideModelCall(bench: Bench, plea: Plea, arrived: Reading, heard: readonly Heard[]): Decision {
  const { judged: call, carried: reading } = hearModelCall(bench, plea, arrived);
  bench.gate.passed.passed(heard);
  const body = reading.preparation.length === 0 ? reading.doc.text : land(reading.doc.text, reading.preparation);
  return { permit: permitOf(plea, body), reading, decision: strictest([...heard.map((h) => h.judged), call]) };
}

/** The permit for a body all of whose actions were judged. */
export function permitOf(plea: Plea, body: string): Permit {
  const edited = body !== plea.reading.doc.text;
  const bytes = edited ? (plea.encode?.(body) ?? utf8.encode(body)) : plea.raw;
  return { body: bytes, edited } as Permit;
}

/** An open route is declared by the operator and is not read: the declaration is its permit. */
export function permitOpenRoute(raw: Uint8Array | undefined): Permit {
  return { body: raw, edited: false } as Permit;
}

/** A judged action and where its target stands in the body. */
export interface Heard {
  readonly judged: Judged;
  readonly base: PlacedAction['base'];
  /** by which a result is remembered where it passes */
  readonly key?: string | undefined;
}

/** Judges the model call as it would be sent and lands what its verdict changes; the receipt names what is carried in the end. */
function hearModelCall(bench: Bench, plea: Plea, reading: Reading): { judged: Judged; carried: Reading } {
  const { action, base } = modelCallAction(reading, modelOf(reading, plea.provider));
  const judged = judge(bench, action, { identityTarget: digestTarget(plea.digest) });
  let carried = reading;
  try {
    carried = settleEdits(bench, plea, reading, [{ judged, base }], capSplices(plea, reading, judged.verdict));
  } finally {
    const { text } = carried.doc;
    const edited = text !== plea.reading.doc.text;
    const enforced_identity = edited ? actionIdentity(action, bench.principal, bodyTarget(text)) : undefined;
    plea.record({ ...judged.record, ...(enforced_identity && { enforced_identity }) });
  }
  return { judged, carried };
}

/** Judges one arriving action and records it, unless this run brought the same result before. */
export function hear(bench: Bench, plea: Plea, { action, base, key }: Arriving): Heard {
  const judged = judge(bench, action);
  const old = action.point === 'post_tool_call' && !isFresh(bench, judged);
  if (!old || judged.verdict.decision === 'deny') plea.record(judged.record);
  return { judged, base, key };
}

/** A result that this run brought before and that is judged again (`PassedResults`) is not a new action. */
function isFresh({ gate, space, principal }: Bench, { action, record }: Judged): boolean {
  const run = principal.run.id;
  const fresh = gate.runs.firstSight(space, run, `${action.tool?.callId}:${record.input_identity}`);
  if (fresh && action.tool?.callId !== undefined)
    gate.runs.returned(space, run, action.tool.callId, record.input_identity);
  return fresh;
}

/** Refuses the request where a verdict denies it, else lands all edits and reads the result again. */
export function settleEdits(
  bench: Bench,
  plea: Plea,
  reading: Reading,
  heard: readonly Heard[],
  more: readonly Splice[] = [],
): Reading {
  const denied = heard.find(
    ({ judged }) => judged.verdict.decision === 'deny' || judged.verdict.decision === 'escalate',
  );
  if (denied) throw denial(denied.judged.verdict, describe(denied.judged));
  const splices: Splice[] = [];
  try {
    for (const { judged, base } of heard) {
      const { edits } = judged.verdict;
      const made = isArray(base)
        ? splicesAt('', editsOfTexts(base as readonly string[], edits))
        : splicesAt(base as string, edits);
      for (const one of made) splices.push(one);
    }
    for (const one of more) splices.push(one);
    if (splices.length === 0) return reading;
    const text = land(reading.doc.text, splices);
    return plea.dialect.read(parseStrict(text), utf8.encode(text).length, plea.headers, plea.path);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof JsonFault || error instanceof Fault)) throw error;
    bench.gate.log.warn({ error: error.message }, 'an edit could not land');
    const rule = heard.find(({ judged }) => judged.verdict.edits.length > 0)?.judged.verdict.rule;
    const why = 'an edit of this rule could not land in the request, so the call is refused';
    throw new Fault('TG_POLICY_DENIED', `tollgate denied the request: ${why}`, error, {
      rule,
      reason: 'runtime_error:transform_failed',
    });
  }
}

/** Bytes that a cap adds where the caller wrote none: its name, what it stands in, and a number. */
const growthOf = ({ bound, cap }: Reading): number => (bound.outputCap === undefined ? cap.at.length + 32 : 0);

/** What a clamp by the ledger and a `cap` by policy write into the caller's own output cap field. */
export function capSplices(plea: Plea, reading: Reading, verdict: Verdict): Splice[] {
  const limits: number[] = [];
  const affordable = (): number => affordableTokens(plea.quote, plea.granted, growthOf(reading));
  if (plea.granted < plea.quote.max) limits.push(affordable());
  if (verdict.cap === 'affordable') limits.push(affordable());
  else if (verdict.cap !== undefined) limits.push(verdict.cap);
  if (limits.length === 0) return [];
  const wanted = Math.min(...limits);
  if (reading.bound.outputCap !== undefined && reading.bound.outputCap <= wanted) return [];
  if (wanted < Math.max(1, reading.cap.floor)) {
    throw new Fault(
      'TG_BUDGET_EXCEEDED',
      `tollgate denied the request: what is left pays for ${wanted} output tokens and this request needs at least ${Math.max(1, reading.cap.floor)}; lower its thinking budget or raise the limit`,
      undefined,
      { rule: verdict.cap === undefined ? 'budget/clamp' : verdict.rule, reason: 'budget_exceeded' },
    );
  }
  return [{ at: reading.cap.at, json: reading.cap.json?.(wanted) ?? String(wanted) }];
}

export function denial(verdict: Verdict, what: string): Fault {
  return new Fault('TG_POLICY_DENIED', denialText(verdict, what), undefined, {
    rule: verdict.rule,
    reason: verdict.reason,
  });
}

/** What a judged action is, for people. */
export function describe({ action }: Judged): string {
  switch (action.point) {
    case 'agent_startup':
      return 'the start of this run';
    case 'input':
      return 'the input of this request';
    case 'post_tool_call':
      return action.tool?.name ? `the result of tool \`${action.tool.name}\`` : 'a tool result';
    default:
      return 'the model call';
  }
}

/** The strictest decision of several. */
export function strictest(judged: readonly Judged[]): Verdict['decision'] {
  return judged.reduce<Verdict['decision']>(
    (worst, { verdict }) => (severity(verdict.decision) > severity(worst) ? verdict.decision : worst),
    'allow',
  );
}
