import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';
import type { CarriedResult, MessageMark } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { badRequest, optionalString } from '../openai-chat/expect.ts';
import { assistantMark, isUniqueId, type MarkedCall, toolMark, userMark } from '../openai-chat/mark.ts';
import { callIdOf, callKind, isVisible, itemTexts, itemType, markedCall, partText, toolOf } from './item.ts';
import { type DeclaredTool, declaredTools } from './tools.ts';

/** What `input` says. */
export interface Input {
  readonly parts: TextPart[];
  readonly results: CarriedResult[];
  readonly marks: MessageMark[];
  readonly issuedIds: Set<string>;
  readonly opaque: Set<string>;
  /** tools that the conversation itself brings along */
  readonly tools: DeclaredTool[];
  /** the user's parts since the model last spoke */
  user: TextPart[];
}

/** Consecutive items of the model are one answer, as they were when they were sent. */
interface Answer {
  text: string;
  readonly calls: MarkedCall[];
}

const OUTPUT = /_call_output$/;
const OPAQUE: Readonly<Record<string, string>> = {
  input_image: 'image',
  computer_screenshot: 'image',
  input_file: 'file',
  input_audio: 'audio',
};

/** Reads `input`: a text, or a list of items. Throws a Fault that names the field where one is not what the gate relies on. */
export function readInput(input: Json | undefined): Input {
  const found: Input = {
    parts: [],
    results: [],
    marks: [],
    issuedIds: new Set(),
    opaque: new Set(),
    tools: [],
    user: [],
  };
  if (input === undefined || input === null) return found;
  if (typeof input === 'string') {
    append(found.parts, stringParts(input, '/input'));
    append(found.user, found.parts);
    found.marks.push(userMark(() => contentMark(input)));
    return found;
  }
  if (!isArray(input)) throw badRequest('input', 'must be a string or a list of items');
  const reader = new ItemReader(found);
  for (const [i, item] of input.entries()) {
    if (!isObject(item)) throw badRequest(`input[${i}]`, 'must be an object');
    reader.read(item, i);
  }
  reader.endAnswer();
  return found;
}

/** Reads items in order, because a result is named by a call before it. */
class ItemReader {
  readonly #found: Input;
  readonly #tools = new Map<string, string>();
  #answer: Answer | undefined;

  constructor(found: Input) {
    this.#found = found;
  }

  read(item: JsonObject, i: number): void {
    const at = `/input/${i}`;
    optionalString(item, 'type', `input[${i}].type`);
    const type = itemType(item);
    const id = optionalString(item, 'id', `input[${i}].id`) ?? '';
    const callId = optionalString(item, 'call_id', `input[${i}].call_id`) ?? '';
    for (const issued of [id, callId]) if (isUniqueId(issued)) this.#found.issuedIds.add(issued);
    if (type === 'message') this.#message(item, i, at);
    else if (type === 'item_reference') this.#found.opaque.add('stored_context');
    else if (OUTPUT.test(type) || type === 'tool_search_output') this.#result(item, type, at);
    else this.#modelItem(item, type, at);
  }

  endAnswer(): void {
    if (this.#answer) this.#found.marks.push(assistantMark(this.#answer.text, this.#answer.calls));
    this.#answer = undefined;
  }

  #message(item: JsonObject, i: number, at: Pointer): void {
    const role = member(item, 'role');
    if (typeof role !== 'string' || role === '') throw badRequest(`input[${i}].role`, 'must be a string');
    const content = contentOf(item, i);
    const texts = this.#content(content, `${at}/content`);
    append(this.#found.parts, texts);
    if (role === 'assistant') {
      const visible = itemTexts({ type: 'message', content }).filter(isVisible);
      this.#speaks().text += visible.map(({ text }) => text).join('');
      return;
    }
    this.endAnswer();
    if (role !== 'user') return;
    append(this.#found.user, texts);
    this.#found.marks.push(userMark(() => contentMark(content)));
  }

  /** What the model, or the provider for it, said or did: calls, reasoning, its own tools' runs. */
  #modelItem(item: JsonObject, type: string, at: Pointer): void {
    const { parts, opaque, tools } = this.#found;
    if (type === 'reasoning' || type === 'compaction') {
      this.#speaks();
      const sealed = (item['encrypted_content'] ?? null) !== null;
      if (type === 'compaction') opaque.add('stored_context');
      const frozen = sealed ? { frozen: 'the provider encrypted this reasoning' } : {};
      append(
        parts,
        itemTexts(item).map(({ at: place, text }) => ({ at: at + place, text, ...frozen })),
      );
      return;
    }
    if (type === 'additional_tools') append(tools, declaredTools(item['tools'], `${at}/tools`));
    if (type === 'image_generation_call') opaque.add('image');
    append(parts, itemStrings(item, at));
    if (type === 'mcp_approval_response' || type === 'additional_tools' || type === 'configuration_update') return;
    const answer = this.#speaks();
    const kind = callKind(item);
    if (!kind) return;
    this.#tools.set(callIdOf(item), toolOf(item, kind));
    answer.calls.push(markedCall(item, kind));
  }

  #result(item: JsonObject, type: string, at: Pointer): void {
    const name = type === 'tool_search_output' ? 'tools' : 'output';
    const content = item[name] ?? null;
    const callId = callIdOf(item);
    // a call that is only known to the provider (`previous_response_id`) has no name here, unless its kind is a tool by itself
    const own = callKind({ type: type.replace(/_output$/, ''), execution: 'client' })?.tool ?? '';
    const tool = this.#tools.get(callId) ?? own;
    if (type === 'tool_search_output') append(this.#found.tools, declaredTools(content, `${at}/tools`));
    this.endAnswer();
    const parts = this.#content(content, '');
    append(
      this.#found.parts,
      parts.map((part) => ({ ...part, at: `${at}/${name}${part.at}` })),
    );
    this.#found.results.push({
      callId,
      tool,
      at: `${at}/${name}`,
      content,
      parts,
      isError: item['status'] === 'failed',
    });
    this.#found.marks.push(toolMark(tool, () => contentMark(content)));
  }

  #speaks(): Answer {
    this.#found.user = [];
    this.#answer ??= { text: '', calls: [] };
    return this.#answer;
  }

  /** The texts of a content (a string, a list of parts, a screenshot); what has no text in it is noted as opaque. */
  #content(content: Json, at: Pointer): TextPart[] {
    if (!isArray(content)) {
      const kind = OPAQUE[asString(member(content, 'type')) ?? ''];
      if (kind !== undefined) this.#found.opaque.add(kind);
      return kind === undefined ? stringParts(content, at) : [];
    }
    return content.flatMap((part, j): TextPart[] => {
      const type = asString(member(part, 'type'));
      const read = partText(part);
      if (read) return stringParts(read.text, `${at}/${j}/${read.member}`);
      if (type === undefined) return stringParts(part, `${at}/${j}`);
      const kind = OPAQUE[type];
      if (kind === undefined && type !== 'function' && type !== 'namespace') this.#found.opaque.add(type);
      else if (kind !== undefined) this.#found.opaque.add(kind);
      return kind === undefined ? stringParts(part, `${at}/${j}`) : [];
    });
  }
}

/** A message's content: a string, or a list of parts with a type each. */
function contentOf(item: JsonObject, i: number): Json {
  const content = item['content'] ?? null;
  if (content === null || typeof content === 'string') return content;
  const field = `input[${i}].content`;
  if (!isArray(content)) throw badRequest(field, 'must be a string or a list of parts');
  for (const [j, part] of content.entries()) {
    if (!isObject(part)) throw badRequest(`${field}[${j}]`, 'must be an object');
    const type = optionalString(part, 'type', `${field}[${j}].type`);
    if (type === undefined) throw badRequest(`${field}[${j}].type`, 'is missing');
    if (type.endsWith('_text') && typeof part['text'] !== 'string')
      throw badRequest(`${field}[${j}].text`, 'must be a string');
  }
  return content;
}

/** Members that name or carry something else than what a model reads as text. */
const NOT_TEXT = new Set(['id', 'type', 'status', 'call_id', 'encrypted_content', 'container_id', 'fingerprint']);

function itemStrings(item: JsonObject, at: Pointer): TextPart[] {
  const image = item['type'] === 'image_generation_call';
  return Object.entries(item)
    .filter(([name]) => !NOT_TEXT.has(name) && !(image && name === 'result'))
    .flatMap(([name, value]) => stringParts(value, childPointer(at, name)));
}

/** Content reduced to what identifies it: texts as texts, other parts by value, without cache markers. */
function contentMark(content: Json): Json {
  if (!isArray(content)) return content === null || content === '' ? [] : [content];
  return content.map((part) => {
    const read = partText(part);
    if (read) return read.text;
    if (!isObject(part)) return part;
    const { prompt_cache_breakpoint: _, ...kept } = part;
    return kept;
  });
}
