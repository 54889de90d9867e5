import { Fault } from '../domain/fault.ts';
import type { Ending } from '../domain/receipt.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { Frame, Saying, StreamReader } from '../ports/dialect.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import type { Carrier } from './carrier.ts';
import type { ChargeTerms } from './charge.ts';
import { type HaltedKind, type HaltWatch, haltText } from './halting.ts';
import { heartbeat } from './heartbeat.ts';
import { denialText } from './judgement.ts';
import type { Outcome } from './outcome.ts';
import { replyFacts } from './relay-unary.ts';
import type { Reply } from './reply.ts';
import { StreamHearing } from './review-stream.ts';
import type { Hearing } from './review-unary.ts';
import { saying } from './saying.ts';

export interface StreamRelay {
  readonly hearing: Hearing;
  readonly terms: ChargeTerms;
  readonly reader: StreamReader;
  readonly reply: Reply;
  readonly carrier: Carrier;
  readonly halt: HaltWatch;
  /** called when the first bytes go to the caller */
  readonly onFirstByte: () => void;
}

/** Why a stream was ended before its end. */
interface Cut {
  readonly ending: Ending;
  readonly saying?: Saying;
}

/** Carries a streamed reply: meters it, reviews it, lets it flow. The head has been sent. Never throws for what the upstream did. */
export async function relayStream(relay: StreamRelay, upstream: UpstreamReply): Promise<Outcome> {
  const { reader, reply, carrier, hearing } = relay;
  const { gate } = hearing.bench;
  const stream = new StreamHearing(hearing, reader);
  let lastWrite = gate.clock.ticks();
  let writing = false;
  let sent: Uint8Array | undefined;
  const write = async (pieces: readonly Uint8Array[]): Promise<void> => {
    if (pieces.length === 0 || carrier.callerLeft) return;
    relay.onFirstByte();
    lastWrite = gate.clock.ticks();
    if (pieces[0] !== hearing.dialect.keepAlive) sent = pieces.at(-1);
    writing = true;
    await reply.write(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
    writing = false;
  };
  // a reader that takes nothing needs no sign of life
  const silent = (): boolean =>
    stream.review.holding && !writing && gate.clock.ticks() - lastWrite >= gate.limits.keepAliveMs;
  const stop = heartbeat(gate.limits.keepAliveMs / 2, () => {
    if (!silent()) return;
    write([hearing.dialect.keepAlive]).catch((error: unknown) => {
      gate.log.warn({ error: error instanceof Error ? error.message : 'unknown' }, 'a keep-alive could not be written');
    });
  });
  let cut: Cut | undefined;
  try {
    cut = await pump(relay, stream, upstream, write);
  } catch (error) {
    cut = broken(relay, error);
  } finally {
    stop();
  }
  if (!cut && stream.review.holding && !reader.finished()) {
    cut = {
      ending: 'upstream_broke',
      saying: saying(
        'TG_UPSTREAM_BROKE',
        'the upstream ended its answer in the middle; what was incomplete is withheld',
      ),
    };
  }
  if (cut) carrier.abort();
  const said = cut?.saying && (reader.errorEvents?.(cut.saying, sent) ?? hearing.dialect.errorEvents(cut.saying));
  if (said && !carrier.callerLeft) await write([said]);
  // what cannot say that it was cut must not seem whole
  if (carrier.callerLeft || said?.length === 0) reply.cut();
  else reply.end();
  return outcomeOf(reader, cut, carrier);
}

async function pump(
  relay: StreamRelay,
  stream: StreamHearing,
  upstream: UpstreamReply,
  write: (pieces: readonly Uint8Array[]) => Promise<void>,
): Promise<Cut | undefined> {
  const { reader, carrier, terms, halt } = relay;
  const { asks } = relay.hearing.bench.noses;
  let closed = false;
  const stop = (cut: Cut): Cut => {
    if (!closed) stream.close(replyFacts(terms, reader.usage()));
    closed = true;
    return cut;
  };
  const advance = (frames: ReturnType<StreamReader['push']>, over: boolean): { out: Uint8Array[]; cut?: Cut } => {
    const out = stream.review.take(frames);
    if (!closed && (over || reader.finished()) && !stream.review.refused) {
      closed = true;
      stream.close(replyFacts(terms, reader.usage()));
      if (!stream.denied) out.push(...stream.review.end());
    }
    const verdict = stream.denied;
    if (verdict || stream.review.refused) return { out, cut: denied(verdict) };
    return { out };
  };
  try {
    for await (const chunk of upstream.body) {
      const frames = reader.push(chunk);
      if (asks) await stream.ask(frames, reader.finished(), carrier.signal);
      const { out, cut } = advance(frames, false);
      await write(out);
      const stopped = cut ?? (halt.what && haltCut(halt.what));
      if (stopped) return stop(stopped);
      if (carrier.callerLeft) {
        carrier.drained(chunk.length);
        if (reader.finished() && reader.usage().certainty === 'exact') break;
      }
    }
  } catch (error) {
    // a halt aborts the upstream, so that a stream that is silent ends too
    if (halt.what === undefined) throw error;
    return stop(haltCut(halt.what));
  }
  const rest = stream.review.binding ? reader.end().filter(isWhole) : reader.end();
  if (asks) await stream.ask(rest, true, carrier.signal);
  const { out, cut } = advance(rest, true);
  await write(out);
  return cut;
}

/** An event is whole once its blank line has come; clients drop what is not. White space behind the end of a reply says nothing. */
function isWhole({ bytes }: Frame): boolean {
  if (bytes.length > 0 && bytes.every((byte) => byte <= 0x20)) return true;
  const end = bytes.subarray(-4);
  return /(?:\n|\r\n|\r)(?:\n|\r\n|\r)$/.test(String.fromCharCode(...end));
}

function denied(verdict: Verdict | undefined): Cut {
  const message = verdict
    ? denialText(verdict, 'the rest of this answer')
    : 'tollgate withheld the rest of this answer';
  return { ending: 'cut', saying: saying('TG_POLICY_DENIED', message, verdict?.rule, verdict?.reason) };
}

/** A run, agent or human that was halted meanwhile. */
const haltCut = (what: HaltedKind): Cut => ({
  ending: 'cut',
  saying: saying('TG_POLICY_DENIED', haltText(what), `halt/${what}`, 'halted'),
});

/** The upstream broke or the reader failed in mid-stream. */
function broken({ carrier, hearing }: StreamRelay, error: unknown): Cut {
  if (carrier.callerLeft) return { ending: 'client_left' };
  if (error instanceof Fault) return { ending: 'upstream_broke', saying: saying(error.code, error.message) };
  hearing.bench.gate.log.error({ error }, 'reading a stream failed; it was cut and its hold is the charge');
  return {
    ending: 'cut',
    saying: saying('TG_INTERNAL', 'tollgate could not read this stream any further, so it was cut'),
  };
}

function outcomeOf(reader: StreamReader, cut: Cut | undefined, carrier: Carrier): Outcome {
  const complete = reader.finished();
  const ending =
    cut?.ending ??
    (carrier.callerLeft
      ? 'client_left'
      : complete
        ? 'completed'
        : reader.failed()
          ? 'upstream_error'
          : 'upstream_broke');
  return {
    ending,
    usage: reader.usage(),
    served: true,
    fault: cut?.saying?.code,
    servedModel: reader.servedModel(),
    outputFloor: reader.outputFloor(),
    providerRuns: reader.providerRuns(),
    ...(complete ? { answer: reader.mark(), text: () => reader.text() } : { deferred: reader.deferred?.() }),
    issuedIds: reader.issuedIds(),
  };
}
