import { Fault } from '../domain/fault.ts';
import { isObject } from '../domain/json.ts';
import { JsonFault, parseStrict } from '../domain/json-text.ts';
import { nanoToNumber } from '../domain/money.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import type { ReplyReading } from '../ports/dialect.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import type { Carrier } from './carrier.ts';
import type { ChargeTerms } from './charge.ts';
import type { ReplyFacts } from './facts.ts';
import type { Outcome } from './outcome.ts';
import { type Hearing, reviewUnary } from './review-unary.ts';

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
    const doc = parseStrict(utf8.decode(bytes));
    if (!isObject(doc.value)) throw new Fault('TG_UPSTREAM_UNREADABLE', 'the answer of the upstream is no JSON object');
    reading = hearing.dialect.readReply(doc, hearing.asked);
    const text = reviewUnary(hearing, doc, reading, replyFacts(terms, reading.usage));
    return { outcome: outcomeOf(reading), body: text === doc.text ? bytes : new TextEncoder().encode(text) };
  } catch (error) {
    const refusal =
      error instanceof Fault
        ? error
        : error instanceof JsonFault || error instanceof TypeError
          ? new Fault(
              'TG_UPSTREAM_UNREADABLE',
              'the answer of the upstream is not readable JSON, so it cannot be metered',
              error,
            )
          : undefined;
    if (!refusal) throw error;
    return { outcome: reading ? outcomeOf(reading) : unread, body: new Uint8Array(0), refusal };
  }
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
    issuedIds: reading.issuedIds,
    deferred: reading.deferred,
  };
}
