import type { JudgedAction } from '../domain/receipt.ts';
import type { Reading } from '../ports/dialect.ts';
import type { SpokenBody } from '../ports/socket-language.ts';
import { accountsOf } from './accounts.ts';
import { seal } from './conclude.ts';
import { type Decision, decide, decideAsking, type Plea } from './decide.ts';
import { callFacts } from './facts.ts';
import { digestOf } from './identities.ts';
import { refuse } from './say.ts';
import { type Line, speakerOf, trailOf } from './socket-line.ts';

/** The most actions that wait for the call that names them. */
const MOST_WAITING = 1000;

/** What a message that later responses read may carry: its text, and its body as it was judged. */
export interface ContextRuling {
  /** undefined: as it came */
  readonly text: string | undefined;
  readonly reading: Reading;
}

/**
 * Judges what a message adds to the context, before it is carried: at the points of a request, with the money as it stands. What is
 * allowed is named by the receipt of the next call; a denial has a receipt of its own. Throws the Fault of a denial.
 */
export async function judgeContext(line: Line, body: SpokenBody, raw: Uint8Array): Promise<ContextRuling> {
  const gate = line.gate();
  const { reading } = body;
  const trail = trailOf(line, gate, reading.model);
  const heard: JudgedAction[] = [];
  try {
    const { principal, space } = await speakerOf(gate, line, reading);
    trail.principal = principal;
    const { prices } = line.route.destination;
    const accounts = accountsOf(gate.budgets, principal, trail.at, { model: reading.model });
    const balances = accounts.length === 0 ? [] : await gate.ledger.balances(accounts);
    const quote = gate.cashier.quote(prices, reading.bound, trail.at, accounts.length > 0);
    const facts = callFacts(principal, line.arrival, line.route.upstreamPath, quote, balances, trail.at);
    const plea: Plea = {
      ...pleaOf(line, body, raw),
      first: false,
      quote,
      granted: quote.max,
      record: (action) => heard.push(action),
    };
    const bench = { gate, noses: line.noses, principal, space, facts };
    const decision = line.noses.asks ? await decideAsking(bench, plea) : decide(bench, plea);
    line.heard.push(...heard.slice(0, MOST_WAITING - line.heard.length));
    return { text: textOf(body, decision), reading: decision.reading };
  } catch (error) {
    for (const action of heard) trail.record(action);
    refuse(trail, error);
    await seal(gate, trail);
    throw error;
  }
}

/** What judging a body needs that is the same for calls and context. */
export function pleaOf(
  { route, arrival }: Line,
  body: SpokenBody,
  raw: Uint8Array,
): Pick<Plea, 'reading' | 'dialect' | 'headers' | 'path' | 'provider' | 'raw' | 'digest'> {
  return {
    reading: body.reading,
    dialect: { ...route.dialect, read: (doc, bytes) => body.read(doc, bytes) },
    headers: arrival.headers,
    path: route.upstreamPath,
    provider: route.destination.prices,
    raw,
    digest: digestOf(body.reading.doc.text),
  };
}

/** The message to carry: undefined where no verdict changed it, so that its bytes stay. */
export const textOf = (body: SpokenBody, { permit, reading }: Decision): string | undefined =>
  permit.edited ? body.message(reading.doc.text) : undefined;
