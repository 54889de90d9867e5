import type { Quote } from '../domain/pricing.ts';
import { nano } from '../domain/scalars.ts';
import type { Reading } from '../ports/dialect.ts';
import type { SpokenBody } from '../ports/socket-language.ts';
import { accountsOf } from './accounts.ts';
import { begin, release, seal, settle } from './conclude.ts';
import { type Decision, decide, decideAsking } from './decide.ts';
import { enter, held, termsOf } from './exchange.ts';
import { callFacts } from './facts.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import { digestOf } from './identities.ts';
import type { Bench } from './judgement.ts';
import { NOT_SERVED } from './outcome.ts';
import { modelOf } from './request-actions.ts';
import { refit } from './reserve.ts';
import { refuse } from './say.ts';
import { type CallTerms, SocketCall } from './socket-call.ts';
import { pleaOf, textOf } from './socket-context.ts';
import { type Line, type Speaker, speakerOf, spoke, trailOf } from './socket-line.ts';
import type { Trail } from './trail.ts';

/** What asks for a response. */
export interface Ask {
  readonly body: SpokenBody;
  /** the message as it came */
  readonly raw: Uint8Array;
  readonly lane: string;
  readonly clientId: string | undefined;
  /** makes two equal messages two requests */
  readonly ordinal: string;
}

/** A call whose write-ahead line stands. */
export interface OpenCall {
  readonly call: SocketCall;
  /** the message to carry; undefined: as it came */
  readonly text: string | undefined;
  /** the request as it is carried */
  readonly reading: Reading;
  /** why it should not have been: only of a response that the provider began by itself */
  readonly refusal?: unknown;
}

/**
 * From a request for a response to its write-ahead line: identify → quote → reserve → decide → begin. Throws what refuses it, after the
 * receipt is sealed and the hold given back.
 */
export const openCall = (line: Line, ask: Ask): Promise<OpenCall> => opened(line, ask, false);

/**
 * The same for a response that the provider began by itself: a refusal comes too late to cost nothing, so the call is open all the same
 * and is charged what it used. Throws where not even its write-ahead line can be written.
 */
export const openUnasked = (line: Line, ask: Ask): Promise<OpenCall> => opened(line, ask, true);

async function opened(line: Line, ask: Ask, unasked: boolean): Promise<OpenCall> {
  const gate = line.gate();
  const trail = trailOf(line, gate, ask.body.reading.model);
  gate.metrics.inFlight(1);
  try {
    return await beats(line, gate, trail, ask, unasked);
  } catch (error) {
    refuse(trail, error);
    gate.metrics.inFlight(-1);
    await seal(gate, trail);
    throw error;
  }
}

/** What the beats before the write-ahead line came to. */
interface Judged {
  readonly speaker: Speaker;
  readonly bench: Bench;
  readonly hold: Hold;
  readonly quote: Quote;
  readonly requestHash: string;
  readonly decision?: Decision | undefined;
  readonly refusal?: unknown;
}

async function beats(line: Line, gate: Gateway, trail: Trail, ask: Ask, unasked: boolean): Promise<OpenCall> {
  for (const action of line.heard.splice(0)) trail.record(action);
  const { lane, clientId, body } = ask;
  const judged = await judgedCall(line, gate, trail, ask, unasked);
  const { speaker, hold, decision, refusal } = judged;
  const { principal } = speaker;
  const reading = decision?.reading ?? body.reading;
  const terms = termsOf(gate, line.route.destination.prices, reading, trail, hold, judged.quote);
  let call: SocketCall | undefined;
  try {
    // INVARIANT: whatever can fail comes before the write-ahead line; after it there is a call that ends in a receipt
    const text = decision && textOf(body, decision);
    call = new SocketCall({ gate, trail, hold, terms, lane, clientId, ...partsOf(line, judged, reading, trail, lane) });
    await begin(gate, trail, principal, hold);
    spoke(line, speaker);
    return { call, text, reading, ...(refusal !== undefined && { refusal }) };
  } catch (error) {
    call?.abandon();
    // what the provider began by itself has been served: nobody meters it, so its hold is the charge
    if (unasked) await settle(gate, trail, hold, terms, { ...NOT_SERVED, served: true, ending: 'cut' });
    else await release(gate, trail, hold.amount);
    throw error;
  }
}

/** What reads and reviews the response. */
function partsOf(
  { route, session }: Line,
  { speaker, bench, requestHash }: Judged,
  reading: Reading,
  trail: Trail,
  lane: string,
): Pick<CallTerms, 'turn' | 'hearing' | 'reader'> {
  const { dialect, destination } = route;
  const { run } = speaker.principal;
  const conversation = {
    dialect: dialect.name,
    messages: run.assurance === 'inferred' ? reading.messages : [],
    issuedIds: reading.issuedIds,
  };
  return {
    turn: { space: speaker.space, run: run.id, conversation, requestHash },
    hearing: { bench, dialect, model: modelOf(reading, destination.prices), asked: reading, record: trail.record },
    reader: session.openReader(reading, lane),
  };
}

async function judgedCall(line: Line, gate: Gateway, trail: Trail, ask: Ask, unasked: boolean): Promise<Judged> {
  const { body, raw, ordinal } = ask;
  const { reading } = body;
  const provider = line.route.destination.prices;
  const model = modelOf(reading, provider);
  const requestHash = digestOf(`${ordinal}\n${reading.doc.text}`);
  const quote = gate.cashier.quote(provider, reading.bound, trail.at, gate.budgets.length > 0);
  trail.quote = quote;
  let speaker = line.opener;
  let hold: Hold = { amount: nano(0n), accounts: [], balances: [] };
  let holds = false;
  const benchOf = (): Bench => {
    const { principal, space } = speaker;
    const facts = callFacts(principal, line.arrival, line.route.upstreamPath, quote, hold.balances, trail.at);
    return { gate, noses: line.noses, principal, space, facts };
  };
  try {
    speaker = await speakerOf(gate, line, reading);
    const { principal, space } = speaker;
    const ticket = enter(gate, trail, space, principal, model, line.arrival, requestHash);
    hold = await held(gate, trail, principal, quote, model);
    holds = true;
    const bench = benchOf();
    const plea = { ...pleaOf(line, body, raw), first: ticket.first, quote, granted: hold.amount, record: trail.record };
    const decision = line.noses.asks ? await decideAsking(bench, plea) : decide(bench, plea);
    const edited = decision.reading !== reading;
    const after = edited ? gate.cashier.quote(provider, decision.reading.bound, trail.at, true) : quote;
    if (hold.amount < quote.max) trail.clampedTo = decision.reading.bound.outputCap;
    hold = await refit(gate, trail, principal, hold, after, model);
    return { speaker, bench, hold, quote, requestHash, decision };
  } catch (error) {
    if (!unasked) {
      if (holds) await release(gate, trail, hold.amount);
      throw error;
    }
    trail.principal = speaker.principal;
    // what was not held is charged on the same accounts
    if (!holds)
      hold = { ...hold, accounts: accountsOf(gate.budgets, speaker.principal, trail.at, { model: reading.model }) };
    return { speaker, bench: benchOf(), hold, quote, requestHash, refusal: error };
  }
}
