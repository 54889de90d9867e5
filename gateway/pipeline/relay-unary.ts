import { Fault } from '../domain/fault.ts';
import { isObject, type JsonText } from '../domain/json.ts';
import { JsonFault, parseStrict } from '../domain/json-text.ts';
import { nanoToNumber } from '../domain/money.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import type { ReplyReading } from '../ports/dialect.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import type { Carrier } from './carrier.ts';
import type { ChargeTerms } from './charge.ts';
import type { ReplyFacts } from './facts.ts';
import type { Outcome } from './outcome.ts';
import { type Hearing, reviewUnary, reviewUnaryAsking } from './review-unary.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A reply read whole: what it came to, and what to say; `refusal` where it was withheld after it was served. */
export interface UnaryResult {
  readonly outcome: Outcome;
  readonly body: Uint8Array;
  readonly refusal?: Fault | undefined;
}

/** Reads a body to its end. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) beyond `limit` bytes. */
export async function readWhole(upstream: UpstreamReply, limit: number, carrier: Carrier): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of upstream.body) {
    chunks.push(chunk);
    size += chunk.length;
    if (carrier.callerLeft) carrier.drained(chunk.length);
    if (size > limit)
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        `the answer is larger than ${limit} bytes; raise \`limits.reply_mb\` or ask for a stream`,
      );
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** What rules may read about a reply's cost: that of the usage it shows so far. */
export function replyFacts(terms: ChargeTerms, usage: Usage): ReplyFacts {
  return { usage: summarize(usage), cost_usd: nanoToNumber(terms.price(usage).total) };
}

/** Meters and reviews a complete successful reply. Never throws for what the upstream sent: an unreadable answer is a refusal and the hold its charge. */
export function hearUnary(hearing: Hearing, terms: ChargeTerms, bytes: Uint8Array): UnaryResult {
  let reading: ReplyReading | undefined;
  try {
    const doc = parseReply(bytes);
    reading = hearing.dialect.readReply(doc, hearing.asked);
    return heard(reading, doc, reviewUnary(hearing, doc, reading, replyFacts(terms, reading.usage)), bytes);
  } catch (error) {
    return withheld(reading, error);
  }
}

/** As `hearUnary`, where remote detectors may have to be asked. */
export async function hearUnaryAsking(
  hearing: Hearing,
  terms: ChargeTerms,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<UnaryResult> {
  let reading: ReplyReading | undefined;
  try {
    const doc = parseReply(bytes);
    reading = hearing.dialect.readReply(doc, hearing.asked);
    const facts = replyFacts(terms, reading.usage);
    return heard(reading, doc, await reviewUnaryAsking(hearing, doc, reading, facts, signal), bytes);
  } catch (error) {
    return withheld(reading, error);
  }
}

function parseReply(bytes: Uint8Array): JsonText {
  const doc = parseStrict(utf8.decode(bytes));
  if (!isObject(doc.value)) throw new Fault('TG_UPSTREAM_UNREADABLE', 'the answer of the upstream is no JSON object');
  return doc;
}

const heard = (reading: ReplyReading, doc: JsonText, text: string, bytes: Uint8Array): UnaryResult => ({
  outcome: outcomeOf(reading),
  body: text === doc.text ? bytes : new TextEncoder().encode(text),
});

/** Throws on anything but a refusal and an answer that cannot be read. */
function withheld(reading: ReplyReading | undefined, error: unknown): UnaryResult {
  const unreadable = error instanceof JsonFault || error instanceof TypeError;
  if (!(error instanceof Fault || unreadable)) throw error;
  const refusal =
    error instanceof Fault
      ? error
      : new Fault(
          'TG_UPSTREAM_UNREADABLE',
          'the answer of the upstream is not readable JSON, so it cannot be metered',
          error,
        );
  return { outcome: reading ? outcomeOf(reading) : unread, body: new Uint8Array(0), refusal };
}

const unread: Outcome = {
  ending: 'upstream_broke',
  usage: undefined,
  served: true,
  outputFloor: 0,
  providerRuns: 0,
  issuedIds: [],
};

function outcomeOf(reading: ReplyReading): Outcome {
  return {
    ending: 'completed',
    usage: reading.usage,
    served: true,
    servedModel: reading.servedModel,
    outputFloor: 0,
    providerRuns: 0,
    answer: reading.mark,
    text: () => reading.text,
    issuedIds: reading.issuedIds,
    deferred: reading.deferred,
  };
}
