import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';
import { stringParts } from '../_shared/string-parts.ts';

/** A block of content with its place. */
export interface PlacedBlock {
  readonly at: Pointer;
  readonly block: JsonObject;
}

/** The blocks of a list of content; what is no object is left out. */
export function blocksOf(content: Json | undefined, at: Pointer): PlacedBlock[] {
  if (!isArray(content)) return [];
  return content.flatMap((block, i) => (isObject(block) ? [{ at: childPointer(at, i), block }] : []));
}

const part = (text: Json | undefined, at: Pointer, frozen?: string): TextPart[] =>
  typeof text === 'string' && text !== '' ? [{ at, text, ...(frozen !== undefined && { frozen }) }] : [];

/** The texts of one block; signed or encrypted reasoning is frozen. */
export function blockParts({ at, block }: PlacedBlock): TextPart[] {
  const reasoning = member(block['reasoningContent'], 'reasoningText');
  const signed = asString(member(reasoning, 'signature')) === undefined ? undefined : 'signed thinking';
  return [
    ...part(block['text'], `${at}/text`),
    ...part(member(member(block['guardContent'], 'text'), 'text'), `${at}/guardContent/text/text`),
    ...part(member(reasoning, 'text'), `${at}/reasoningContent/reasoningText/text`, signed),
    ...stringParts(member(block['toolUse'], 'input') ?? null, `${at}/toolUse/input`),
    ...resultParts(member(block['toolResult'], 'content'), `${at}/toolResult/content`),
    ...documentParts(block['document'], `${at}/document`),
    ...stringParts(member(block['searchResult'], 'content') ?? null, `${at}/searchResult/content`),
    ...blocksOf(member(block['citationsContent'], 'content'), `${at}/citationsContent/content`).flatMap(blockParts),
  ];
}

/** The texts of a tool result's content: prose and JSON. */
export function resultParts(content: Json | undefined, at: Pointer): TextPart[] {
  return blocksOf(content, at).flatMap((placed) => [
    ...blockParts(placed),
    ...stringParts(placed.block['json'] ?? null, `${placed.at}/json`),
  ]);
}

function documentParts(document: Json | undefined, at: Pointer): TextPart[] {
  const source = member(document, 'source');
  return [
    ...part(member(document, 'context'), `${at}/context`),
    ...part(member(source, 'text'), `${at}/source/text`),
    ...blocksOf(member(source, 'content'), `${at}/source/content`).flatMap(blockParts),
  ];
}

const OPAQUE: Readonly<Record<string, string>> = { image: 'image', video: 'video', audio: 'audio', document: 'file' };

/** What stands in a block whose size in tokens its bytes do not show. */
export function opaqueKinds({ block }: PlacedBlock): string[] {
  const own = Object.keys(OPAQUE).filter((name) => isObject(block[name]));
  const inside = blocksOf(member(block['toolResult'], 'content'), '').flatMap(opaqueKinds);
  return [...own.map((name) => OPAQUE[name] as string), ...inside];
}

/** The lifetime a cache point asks for. */
export function cachePoint(block: JsonObject): '5m' | '1h' | undefined {
  const point = block['cachePoint'];
  if (!isObject(point)) return undefined;
  return point['ttl'] === '1h' ? '1h' : '5m';
}
