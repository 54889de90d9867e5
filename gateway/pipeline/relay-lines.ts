import { Fault } from '../domain/fault.ts';
import type { Json } from '../domain/json.ts';
import { splice } from '../domain/json-splice.ts';
import { JsonFault, parseStrict, spanOf } from '../domain/json-text.ts';
import type { ResultLines } from '../ports/dialect.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import type { Carrier } from './carrier.ts';
import type { ChargeTerms } from './charge.ts';
import { replyFacts } from './relay-unary.ts';
import type { Reply } from './reply.ts';
import { type Hearing, reviewUnary, reviewUnaryAsking } from './review-unary.ts';
import { sayingOfFault } from './saying.ts';
import { Tally } from './tally.ts';

export interface LinesRelay {
  readonly hearing: Hearing;
  readonly terms: ChargeTerms;
  readonly results: ResultLines;
  readonly reply: Reply;
  readonly carrier: Carrier;
  /** the longest line */
  readonly limit: number;
  readonly onFirstByte: () => void;
}

/** What the results came to; `whole` where every line was read to the end. */
export interface LinesOutcome {
  readonly tally: Tally;
  readonly lines: number;
  readonly whole: boolean;
}

const NEWLINE = 10;
const utf8 = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

/**
 * Carries results as they come, line by line: each answer is metered and judged like the reply of its own request; one that is
 * withheld leaves an error in its place. The head has been sent. Throws a Fault where the upstream breaks or a line is no JSON.
 */
export async function relayLines(relay: LinesRelay, upstream: UpstreamReply): Promise<LinesOutcome> {
  const { carrier, reply, limit } = relay;
  const tally = new Tally();
  let lines = 0;
  let whole = true;
  let rest: Uint8Array[] = [];
  let waiting = 0;
  const take = async (pieces: readonly Uint8Array[], end: string): Promise<void> => {
    const text = decoded(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
    if (text.trim() === '') return;
    const { said, known } = await hearLine(relay, tally, text);
    lines += 1;
    whole &&= known;
    if (carrier.callerLeft) return;
    relay.onFirstByte();
    await reply.write(encoder.encode(said + end));
  };
  for await (const chunk of upstream.body) {
    if (carrier.callerLeft) carrier.drained(chunk.length);
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      await take([...rest, chunk.subarray(from, at)], '\n');
      rest = [];
      waiting = 0;
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
    waiting += chunk.length - from;
    if (waiting > limit)
      throw unreadable(`a line of the results is longer than ${limit} bytes; raise \`limits.reply_mb\``);
  }
  if (rest.length > 0) await take(rest, '');
  return { tally, lines, whole };
}

function decoded(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw unreadable('a line of the results is not valid UTF-8', error);
  }
}

const unreadable = (message: string, error?: unknown): Fault => new Fault('TG_UPSTREAM_UNREADABLE', message, error);

interface Line {
  readonly said: string;
  readonly known: boolean;
}

/** What to say of one line; `known` is false where what it costs cannot be told. */
async function hearLine(relay: LinesRelay, tally: Tally, text: string): Promise<Line> {
  const { results, hearing, terms, carrier } = relay;
  let line: ReturnType<typeof parseStrict>;
  try {
    line = parseStrict(text);
  } catch (error) {
    throw error instanceof JsonFault ? unreadable('a line of the results is not readable JSON', error) : error;
  }
  let metered = false;
  try {
    const at = results.answerAt(line);
    if (at === undefined) return { said: text, known: true };
    const span = spanOf(text, at);
    if (!span) throw unreadable('a result has no answer in it');
    const answer = text.slice(span.start, span.end);
    const doc = { text: answer, value: JSON.parse(answer) as Json };
    const reading = hearing.dialect.readReply(doc);
    tally.add(reading.usage, terms.price(reading.usage));
    metered = true;
    const model = { ...hearing.model, name: reading.servedModel ?? hearing.model.name };
    const facts = replyFacts(terms, reading.usage);
    const said = hearing.bench.noses.asks
      ? await reviewUnaryAsking({ ...hearing, model }, doc, reading, facts, carrier.signal)
      : reviewUnary({ ...hearing, model }, doc, reading, facts);
    return { said: said === answer ? text : splice(text, { at, json: said }), known: true };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { said: results.withheld(line, sayingOfFault(error)), known: metered };
  }
}
