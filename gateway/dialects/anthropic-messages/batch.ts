import { Fault } from '../../domain/fault.ts';
import { asString, isArray, isObject, type Json, type JsonText, member } from '../../domain/json.ts';
import { type Splice, splice } from '../../domain/json-splice.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { Member, Reading, ReplyReading, ResultLines, StatusReading } from '../../ports/dialect.ts';
import { NO_CAP } from '../_shared/plain-reading.ts';
import { badField } from './conversation.ts';
import { markOf } from './mark.ts';
import { readRequest } from './read-request.ts';
import { errorBody } from './saying.ts';

/** A batch ends within a day; two hours more are left to read its results. */
const WITHIN_MS = 26 * 3_600_000;

/** What a `POST /v1/messages/batches` body says: requests that each are read as a message of its own, at batch rates. */
export function readBatch(doc: JsonText, bytes: number): Reading {
  const requests = member(doc.value, 'requests');
  if (!isArray(requests) || requests.length === 0) throw badField('requests', 'an array of at least one request');
  const members = requests.map(memberOf);
  const models = [...new Set(members.map(({ reading }) => reading.model))];
  const model = models.length === 1 ? (models[0] as string) : 'several';
  return {
    doc,
    model,
    stream: false,
    tools: [...new Set(members.flatMap(({ reading }) => reading.tools))],
    bound: { model, bytes, choices: 1, tier: 'batch', opaque: [], serverTools: [] },
    cap: { at: NO_CAP, floor: 1 },
    parts: [],
    input: undefined,
    results: [],
    messages: [],
    issuedIds: [],
    asserted: members[0]?.reading.asserted ?? {},
    preparation: [],
    members,
  };
}

function memberOf(request: Json, i: number): Member {
  const id = asString(member(request, 'custom_id'));
  if (id === undefined || id === '') throw badField(`requests[${i}].custom_id`, 'a name for the request');
  const params = member(request, 'params');
  if (!isObject(params)) throw badField(`requests[${i}].params`, 'the body of a message request');
  const text = JSON.stringify(params);
  return { at: `/requests/${i}/params`, name: `request ${i + 1} (\`${id}\`)`, reading: reading(text, params, i) };
}

function reading(text: string, value: Json, i: number): Reading {
  try {
    const one = readRequest({ text, value }, Buffer.byteLength(text));
    return { ...one, stream: false, bound: { ...one.bound, tier: 'batch' } };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.code, error.message.replace(/^`/, `\`requests[${i}].params.`), error);
  }
}

/** The reply to a new batch: its usage comes with its results. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it is none. */
export function readBatchReply({ value }: JsonText): ReplyReading {
  const id = asString(member(value, 'id')) ?? '';
  if (id === '' || member(value, 'type') !== 'message_batch') throw noBatch();
  return {
    usage: { entries: [], certainty: 'floor' },
    servedModel: undefined,
    calls: [],
    parts: [],
    text: '',
    issuedIds: [id],
    mark: markOf('assistant', ''),
    deferred: { object: id, withinMs: WITHIN_MS },
  };
}

const noBatch = (): Fault => new Fault('TG_UPSTREAM_UNREADABLE', 'the answer of the upstream is no message batch');

/** The state of one batch or of a list of them. Clients follow `results_url`, which leads past the gate: it becomes a path below their base URL. */
export function readStatus({ value }: JsonText): StatusReading {
  const list = member(value, 'data');
  if (isArray(list)) return { free: false, edits: list.flatMap((batch, i) => link(batch, `/data/${i}`)) };
  if (member(value, 'type') !== 'message_batch') throw noBatch();
  const done = member(value, 'processing_status') === 'ended';
  const free = done && member(member(value, 'request_counts'), 'succeeded') === 0;
  return { free, edits: link(value, '') };
}

function link(batch: Json, at: Pointer): Splice[] {
  const url = asString(member(batch, 'results_url'));
  const id = asString(member(batch, 'id')) ?? '';
  if (url === undefined || id === '') return [];
  const query = URL.canParse(url) ? new URL(url).search : '';
  return [{ at: `${at}/results_url`, json: JSON.stringify(`/v1/messages/batches/${id}/results${query}`) }];
}

/** How a request may end without an answer; none of these is charged. */
const UNCHARGED = new Set(['errored', 'canceled', 'expired']);

/** The lines of `GET /v1/messages/batches/{id}/results`. */
export const results: ResultLines = {
  answerAt({ value }) {
    const type = asString(member(member(value, 'result'), 'type')) ?? '';
    if (type === 'succeeded') return '/result/message';
    if (UNCHARGED.has(type)) return undefined;
    throw new Fault(
      'TG_UPSTREAM_UNREADABLE',
      'a result of the batch is of a kind that the gate does not know, so it is withheld',
    );
  },
  withheld: ({ text }, saying) =>
    splice(text, { at: '/result', json: `{"type":"errored","error":${errorBody(saying)}}` }),
};
