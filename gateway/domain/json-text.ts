import { isObject, type Json, type JsonText } from './json.ts';
import { type Pointer, pointerTokens } from './pointer.ts';

/** Why a text is not JSON that everybody reads alike. `at` is the UTF-16 offset. */
export class JsonFault extends SyntaxError {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.name = 'JsonFault';
    this.at = at;
  }
}

export interface JsonLimits {
  readonly depth: number;
}

const QUOTE = 34;
const BACKSLASH = 92;

/** The offset just behind the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  throw new JsonFault('a string does not end', start);
}

function skipSpace(text: string, at: number): number {
  let i = at;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return i;
    i += 1;
  }
}

/**
 * Parses JSON strictly: what two parsers could read differently is refused. Throws a JsonFault on malformed text, a member
 * name that an object has twice (RFC 8259 section 4), `__proto__` as a name, or nesting deeper than `limits.depth`.
 */
export function parseStrict(text: string, limits: JsonLimits = { depth: 128 }): JsonText {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new JsonFault('the text is not valid JSON', offsetOf(error));
  }
  refuseAmbiguous(text, limits.depth);
  return { text, value };
}

function offsetOf(error: unknown): number {
  const match = /position ([0-9]+)/.exec(error instanceof Error ? error.message : '');
  return match ? Number(match[1]) : 0;
}

/** Beyond so many members an object's names are looked up in a set. */
const FEW_NAMES = 12;

/** The member names of the objects that are open, innermost last. */
class OpenNames {
  /** names of all open objects, one after the other */
  readonly #names: string[] = [];
  /** where the names of each open container begin; -1 for an array */
  readonly #starts: number[] = [];
  readonly #sets: (Set<string> | undefined)[] = [];

  get depth(): number {
    return this.#starts.length;
  }

  get inObject(): boolean {
    return this.#starts.length > 0 && (this.#starts[this.#starts.length - 1] as number) >= 0;
  }

  open(object: boolean): void {
    this.#starts.push(object ? this.#names.length : -1);
    this.#sets.push(undefined);
  }

  close(): void {
    const start = this.#starts.pop();
    this.#sets.pop();
    if (start !== undefined && start >= 0) this.#names.length = start;
  }

  /** False where the innermost object has the name already. */
  add(name: string): boolean {
    const last = this.#starts.length - 1;
    const start = this.#starts[last] as number;
    const names = this.#names;
    if (names.length - start < FEW_NAMES) {
      for (let i = start; i < names.length; i += 1) if (names[i] === name) return false;
    } else {
      const set = this.#sets[last] ?? new Set(names.slice(start));
      this.#sets[last] = set;
      if (set.has(name)) return false;
      set.add(name);
    }
    names.push(name);
    return true;
  }
}

/** Walks text that is known to be JSON, jumping over string bodies. */
function refuseAmbiguous(text: string, maxDepth: number): void {
  const open = new OpenNames();
  let nameNext = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = stringEnd(text, i);
      if (nameNext) {
        refuseName(text, i, end, open);
        nameNext = false;
      }
      i = end - 1;
    } else if (c === 44) {
      nameNext = open.inObject;
    } else if (c === 123 || c === 91) {
      open.open(c === 123);
      if (open.depth > maxDepth) throw new JsonFault(`nesting is deeper than ${maxDepth} levels`, i);
      nameNext = c === 123;
    } else if (c === 125 || c === 93) {
      open.close();
      nameNext = false;
    }
  }
}

function refuseName(text: string, start: number, end: number, open: OpenNames): void {
  const raw = text.slice(start + 1, end - 1);
  const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  if (!open.add(name)) throw new JsonFault(`the member \`${name}\` stands twice in one object`, start);
  if (name === '__proto__') throw new JsonFault('`__proto__` is not accepted as a member name', start);
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The offset just behind the value that starts at `start`, in text known to be JSON. */
function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start);
  if (first !== 123 && first !== 91) {
    let i = start;
    while (i < text.length && !',]} \n\r\t'.includes(text.charAt(i))) i += 1;
    return i;
  }
  let depth = 0;
  for (let i = start; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = stringEnd(text, i) - 1;
    else if (c === 123 || c === 91) depth += 1;
    else if (c === 125 || c === 93) {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  throw new JsonFault('a value does not end', start);
}

interface Child {
  /** where its name or, in an array, its value begins */
  readonly start: number;
  readonly name?: string;
  readonly value: Span;
}

/** The members or elements of the object or array that starts at `start`, with their spans. */
export function* children(text: string, start: number): Generator<Child> {
  const isMap = text.charCodeAt(start) === 123;
  let i = skipSpace(text, start + 1);
  while (text.charCodeAt(i) !== 125 && text.charCodeAt(i) !== 93) {
    const head = i;
    let name: string | undefined;
    if (isMap) {
      const nameEnd = stringEnd(text, i);
      name = JSON.parse(text.slice(i, nameEnd)) as string;
      i = skipSpace(text, skipSpace(text, nameEnd) + 1);
    }
    const end = valueEnd(text, i);
    yield name === undefined
      ? { start: head, value: { start: i, end } }
      : { start: head, name, value: { start: i, end } };
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === 44) i = skipSpace(text, i + 1);
  }
}

function findChild(text: string, start: number, token: string): Span | undefined {
  const open = text.charCodeAt(start);
  if (open !== 123 && open !== 91) return undefined;
  let index = 0;
  for (const { name = String(index), value } of children(text, start)) {
    if (name === token) return value;
    index += 1;
  }
  return undefined;
}

/** Where the value that `pointer` names stands in `text`; undefined where there is none. `text` must be valid JSON. */
export function spanOf(text: string, pointer: Pointer): Span | undefined {
  const start = skipSpace(text, 0);
  let span: Span = { start, end: valueEnd(text, start) };
  for (const token of pointerTokens(pointer)) {
    const child = findChild(text, span.start, token);
    if (!child) return undefined;
    span = child;
  }
  return span;
}

/** Where each element of the array at `pointer` stands; undefined where there is none. `text` must be valid JSON. */
export function elementSpans(text: string, pointer: Pointer): readonly Span[] | undefined {
  const list = spanOf(text, pointer);
  if (!list || text.charCodeAt(list.start) !== 91) return undefined;
  return [...children(text, list.start)].map(({ value }) => value);
}

/** A document whose top level is an object, or a JsonFault that says so. */
export function requireObject(doc: JsonText): JsonText & { readonly value: { readonly [name: string]: Json } } {
  if (!isObject(doc.value)) throw new JsonFault('the body is not a JSON object', 0);
  return doc as JsonText & { readonly value: { readonly [name: string]: Json } };
}
