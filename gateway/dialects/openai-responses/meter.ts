import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import type { ChatUsage } from '../openai-chat/usage.ts';
import { callKind, itemTexts, itemType, rawPayload } from './item.ts';
import { countedFees, imageEntry, responseUsage } from './usage.ts';

/** States in which a response is over and its usage is the last word. */
const OVER = new Set(['completed', 'incomplete', 'failed', 'cancelled']);

/** Gathers what one response says about its own cost; the last statement holds. */
export class Meter {
  readonly #imageModel: string | undefined;
  #body: Json = {};
  #stated: ChatUsage | undefined;
  #over = false;

  /** `imageModel`: the one the request asked the image tool to use. */
  constructor(imageModel?: string) {
    this.#imageModel = imageModel;
  }

  get model(): string | undefined {
    return asString(member(this.#body, 'model')) || undefined;
  }

  /** Takes a `response` object. A queued or running one (`background`) states nothing final. */
  take(body: Json): void {
    this.#body = isObject(body) && isObject(this.#body) ? { ...this.#body, ...body } : body;
    const status = asString(member(body, 'status'));
    this.#over = status === undefined ? asString(member(body, 'object')) === 'response.compaction' : OVER.has(status);
    this.#stated = responseUsage(member(body, 'usage')) ?? this.#stated;
  }

  /**
   * `items`: what came out so far; `dense`: what the model wrote of it (least-tokens.ts). Without a final statement, or with less
   * output than was seen, it is a floor.
   */
  usage(items: readonly JsonObject[], dense: number): Usage {
    const stated = this.#over ? this.#stated : undefined;
    const { fees, estimated } = countedFees(items, stated?.fees ?? {}, this.#body);
    const tier = asString(member(this.#body, 'service_tier'));
    const own = { model: this.model, ...(Object.keys(fees).length > 0 && { fees }), tier };
    if (!stated) return { entries: [{ ...own, leaves: { output: leastTokens(dense) } }], certainty: 'floor' };
    const { output = 0, reasoning = 0 } = stated.leaves;
    const missing = Math.max(0, leastTokens(dense) - output - reasoning);
    const leaves = missing === 0 ? stated.leaves : { ...stated.leaves, output: output + missing };
    const images = imageEntry(this.#body, this.#imageModel);
    const exact = stated.complete && missing === 0;
    return {
      entries: [{ ...own, leaves }, ...(images ? [images.entry] : [])],
      certainty: exact ? 'exact' : 'floor',
      ...((stated.estimated || estimated || images?.estimated === true) && { estimated: true }),
      ...(exact && stated.reported !== undefined && { reported: stated.reported }),
    };
  }
}

/** Dense bytes (least-tokens.ts) of what the model certainly wrote in a finished item; what a program called was not written. */
export function denseItem(item: JsonObject): number {
  if (isProgram(item)) return 0;
  const texts = itemTexts(item).filter(({ kind }) => kind !== 'summary');
  const sum = texts.reduce((bytes, { text }) => bytes + denseBytes(text), 0);
  const kind = callKind(item);
  if (kind) return sum + denseBytes(kind.payload.form === 'members' ? '' : rawText(rawPayload(item, kind)));
  return sum + (itemType(item) === 'code_interpreter_call' ? denseBytes(asString(item['code']) ?? '') : 0);
}

export const isProgram = (item: JsonObject): boolean => member(item['caller'], 'type') === 'program';

/** Escapes and member names that the provider may have added are no tokens of the model. */
const rawText = (raw: string): string => raw.replace(/\\[nrtbf"\\/]|\\u[0-9a-fA-F]{4}|"[a-z_]+" ?:/g, '');
