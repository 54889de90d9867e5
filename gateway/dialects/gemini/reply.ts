import { Fault } from '../../domain/fault.ts';
import { isObject, type Json, type JsonText } from '../../domain/json.ts';
import type { Reading, ReplyReading } from '../../ports/dialect.ts';
import { relayedCalls } from './call-book.ts';
import { Candidate, type CandidatePiece, candidateNumber } from './candidate.ts';
import { elements, fieldOf, pick } from './field.ts';
import { isUniqueId, modelMark, signatureId } from './mark.ts';
import { Meter } from './meter.ts';
import { groundingOf } from './server-tools.ts';

const NONE: ReadonlyMap<string, string> = new Map();

/** The candidates of a complete body, read. */
export function readCandidates(body: Json, meter?: Meter): CandidatePiece[] {
  const list = pick(body, 'candidates');
  return elements(list?.value, '/candidates').map(({ at, value }, place) => {
    const number = candidateNumber(value, place);
    const piece = new Candidate(number).take(value, at, 0);
    meter?.ground(number, groundingOf(value));
    meter?.wrote(piece.dense);
    return piece;
  });
}

/** Reads a complete reply. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it has neither candidates, feedback nor usage. */
export function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  const body = doc.value;
  const known = ['candidates', 'promptFeedback', 'usageMetadata'].some((name) => pick(body, name) !== undefined);
  if (!isObject(body) || !known)
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no generated content: it has no `candidates`');
  const meter = new Meter(reading);
  const stated = meter.take(body);
  const pieces = readCandidates(body, meter);
  const calls = pieces.flatMap(({ completes, candidate }) => [...completes, ...candidate.book.finish()]);
  const parts = pieces.flatMap(({ at, parts: list }) =>
    list.flatMap(({ at: place, text }) =>
      text === undefined || text.text === ''
        ? []
        : [{ at: at + place + text.at, text: text.text, ...(text.frozen && { frozen: text.frozen }) }],
    ),
  );
  const first = pieces[0]?.candidate;
  return {
    usage: meter.usage(stated),
    servedModel: meter.model,
    calls,
    parts,
    text: pieces
      .map(({ candidate }) => candidate.text)
      .filter((text) => text !== '')
      .join('\n'),
    issuedIds: issuedIds(pieces.map(({ candidate }) => candidate)),
    mark: modelMark(first?.text ?? '', relayedCalls(first?.book.calls ?? [], NONE, NONE)),
  };
}

/** Ids of calls and ends of signatures: what comes back only in a conversation that got this reply. */
export function issuedIds(candidates: readonly Candidate[]): string[] {
  const calls = candidates.flatMap(({ book }) => book.calls.map(({ callId }) => callId)).filter(isUniqueId);
  const signed = candidates.flatMap(({ issued }) => issued.map(signatureId)).filter((id) => id !== undefined);
  return [...new Set([...calls, ...signed])];
}

/** True where the provider refused the prompt: there will be no candidates. */
export const isBlocked = (body: Json): boolean => {
  const reason = fieldOf(fieldOf(body, 'promptFeedback'), 'blockReason');
  return reason !== undefined && reason !== 0 && reason !== 'BLOCK_REASON_UNSPECIFIED' && reason !== '';
};
