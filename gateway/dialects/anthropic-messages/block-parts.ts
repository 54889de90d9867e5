import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { blockType, isCallType, isProviderCallType, objectsOf } from './block.ts';
import { proseParts } from './prose-parts.ts';

/** The texts of a message's or a result's content: a string, or blocks. Pointers start with `at`, where the content stands. */
export function contentParts(content: Json | undefined, at: Pointer): TextPart[] {
  if (typeof content === 'string') return text(content, at);
  return objectsOf(content).flatMap(({ block, index }) => blockParts(block, `${at}/${index}`));
}

/** The texts of one content block. What its bytes must not change for (signatures, the provider's own results) is frozen. */
export function blockParts(block: JsonObject, at: Pointer): TextPart[] {
  const type = blockType(block);
  switch (type) {
    case 'text':
      return text(block['text'], `${at}/text`);
    case 'image':
      return [];
    case 'thinking':
      return text(block['thinking'], `${at}/thinking`, asString(block['signature']) ? 'signed thinking' : undefined);
    case 'redacted_thinking':
      return text(block['data'], `${at}/data`, 'encrypted thinking');
    case 'tool_result':
      return contentParts(block['content'], `${at}/content`);
    case 'document':
      return documentParts(block, at);
    case 'search_result':
      return [
        ...text(block['title'], `${at}/title`),
        ...text(block['source'], `${at}/source`),
        ...contentParts(block['content'], `${at}/content`),
      ];
    case 'compaction':
      return text(block['content'], `${at}/content`, signedSummary(block) ? 'signed compaction' : undefined);
    default:
      return otherParts(type, block, at);
  }
}

function otherParts(type: string, block: JsonObject, at: Pointer): TextPart[] {
  if (isCallType(type)) return stringParts(block['input'] ?? null, `${at}/input`);
  if (isProviderCallType(type)) return proseParts(block['input'] ?? null, `${at}/input`, 'provider-run tool call');
  if (type.endsWith('_tool_result')) return providerResultParts(block, at);
  return proseParts(block, at, `a \`${type}\` block`);
}

/** A fetched plain-text document is the one place where `data` holds prose. */
function providerResultParts(block: JsonObject, at: Pointer): TextPart[] {
  const frozen = 'provider-run tool result';
  const parts = proseParts(block['content'] ?? null, `${at}/content`, frozen);
  const source = member(member(member(block, 'content'), 'content'), 'source');
  const fetched = blockType(source) === 'text' ? member(source, 'data') : undefined;
  return [...parts, ...text(fetched, `${at}/content/content/source/data`, frozen)];
}

function documentParts(block: JsonObject, at: Pointer): TextPart[] {
  const source = block['source'];
  const kind = blockType(source);
  const body =
    kind === 'text'
      ? text(member(source, 'data'), `${at}/source/data`)
      : kind === 'content'
        ? contentParts(member(source, 'content'), `${at}/source/content`)
        : [];
  return [...text(block['title'], `${at}/title`), ...text(block['context'], `${at}/context`), ...body];
}

const signedSummary = (block: JsonObject): boolean =>
  asString(block['signature']) !== undefined || asString(block['encrypted_content']) !== undefined;

function text(value: Json | undefined, at: Pointer, frozen?: string): TextPart[] {
  if (typeof value !== 'string' || value === '') return [];
  return [{ at, text: value, ...(frozen !== undefined && { frozen }) }];
}

/** The texts of the `system` member: a string may be edited, the first block of an array never (attribution.md 8.4). */
export function systemParts(system: Json | undefined): TextPart[] {
  if (!isArray(system)) return text(system, '/system');
  return objectsOf(system).flatMap(({ block, index }) =>
    index === 0
      ? text(block['text'], '/system/0/text', 'first system block')
      : text(block['text'], `/system/${index}/text`),
  );
}
