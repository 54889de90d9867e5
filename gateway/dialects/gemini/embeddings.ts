import type { TextPart } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { isObject, type Json, type JsonText } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { Headers, Reading, ReplyReading } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { plainReading } from '../_shared/plain-reading.ts';
import { badRequest, fieldOf, messagesIn, optionalObject, optionalString, pick } from './field.ts';
import { modelMark } from './mark.ts';
import { opaqueKind, partText } from './part.ts';
import { readableReply } from './route.ts';
import { geminiUsage } from './usage.ts';

const ROUTE = /\/models\/([^/:%?.][^/:%?]*)(?::|%3[aA])(?:embedContent|batchEmbedContents)$/;
const CLAIMED = new RegExp(String.raw`^(?:\/v[0-9]+[a-z0-9]*){0,2}${ROUTE.source}`);

/** True for both embedding methods of the Gemini API (https://ai.google.dev/api/embeddings). */
export const claimsEmbedding = (path: string): boolean => CLAIMED.test(path);

/** Reads one content, or many: nothing comes out but vectors, so the request alone bounds the cost. */
export function readEmbedding(doc: JsonText, bytes: number, headers: Headers, path = ''): Reading {
  const [place = '', query = ''] = path.split('?');
  const model = ROUTE.exec(place)?.[1];
  if (model === undefined) throw badRequest('path', 'must name a model: `/v1beta/models/<model>:embedContent`');
  readableReply(query, headers);
  if (!isObject(doc.value)) throw badRequest('body', 'must be a JSON object');
  const many = /batchEmbedContents$/.test(place);
  const requests = many ? messagesIn(doc.value, 'requests', '') : [{ at: '', value: doc.value }];
  const opaque = new Set<string>();
  const input: TextPart[] = [];
  for (const { at, value } of requests) {
    mustBe(model, value, at);
    append(input, textsOf(value, at, opaque));
  }
  const bound = { model, bytes, choices: 1, outputCap: 0, opaque: [...opaque], serverTools: [] };
  return plainReading(doc, { bound, input });
}

/** A request of a list repeats its model, which must be the one that is quoted. */
function mustBe(model: string, request: Json, at: Pointer): void {
  const named = optionalString(request, 'model', at);
  if (named !== undefined && named.replace(/^.*models\//, '') !== model)
    throw badRequest(`${at}/model`.slice(1), `must be the model of the path, \`models/${model}\``);
}

function textsOf(request: Json, at: Pointer, opaque: Set<string>): TextPart[] {
  const content = optionalObject(request, 'content', at);
  if (content === undefined) throw badRequest(`${at}/content`.slice(1), 'must be a content with parts');
  const title = optionalString(request, 'title', at) ?? '';
  const parts = messagesIn(content.value, 'parts', `${at}/${content.name}`).flatMap(({ at: place, value }) => {
    const kind = opaqueKind(value);
    if (kind !== undefined) opaque.add(kind);
    const text = partText(value);
    return text === undefined || text.text === '' ? [] : [{ at: place + text.at, text: text.text }];
  });
  return title === '' ? parts : [...parts, { at: `${at}/title`, text: title }];
}

/** Vectors. Where no usage is stated the bound of the input is the charge. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) for anything else. */
export function readVectors({ value }: JsonText, reading: Reading): ReplyReading {
  if (pick(value, 'embedding') === undefined && pick(value, 'embeddings') === undefined)
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no embedding: it has no `embedding`');
  const stated = geminiUsage(fieldOf(value, 'usageMetadata'));
  const entry = { model: reading.model, leaves: stated?.leaves ?? {} };
  const usage = {
    entries: [entry],
    certainty: stated?.complete ? ('exact' as const) : ('floor' as const),
    ...(stated?.estimated && { estimated: true }),
  };
  return { usage, servedModel: undefined, calls: [], parts: [], text: '', issuedIds: [], mark: modelMark('', []) };
}
