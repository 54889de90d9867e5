import {
  canonicalExact,
  type ExactJson,
  type ExactObject,
  isExactObject,
  parseExact,
  SourceNumber,
} from './exact-json.ts';
import { childPointer, type Pointer } from './pointer.ts';

/** What a server offers and a person approves. */
export type DefinitionKind = 'tool' | 'prompt' | 'resource' | 'instructions';

/** What is pinned of each kind (mcp-plane.md 8): what a model reads and a caller relies on. */
const PINNED: Readonly<Record<Exclude<DefinitionKind, 'instructions'>, readonly string[]>> = {
  tool: ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'],
  prompt: ['name', 'title', 'description', 'arguments'],
  resource: ['name', 'title', 'uri', 'uriTemplate', 'description', 'mimeType'],
};

/** A definition as canonical text (RFC 8785; numbers a double cannot hold as they were written). */
export interface DefinitionText {
  /** what the approved hash is of */
  readonly pinned: string;
  /** everything else, such as `icons` and `_meta`: hashed beside it, its changes are only noted */
  readonly beside: string;
}

/**
 * Splits one definition, as its server's list spelled it, into what is pinned and what is not. Two texts that differ only in white
 * space, order of members or spelling of numbers and strings give the same. Throws a SyntaxError or TypeError on what has no
 * canonical form.
 */
export function definitionText(kind: DefinitionKind, text: string): DefinitionText {
  const value = parseExact(text);
  if (kind === 'instructions' || !isExactObject(value)) return { pinned: canonicalExact(value), beside: '{}' };
  const fields = PINNED[kind];
  const part = (inside: boolean): ExactObject =>
    Object.fromEntries(Object.entries(value).filter(([name]) => fields.includes(name) === inside));
  return { pinned: canonicalExact(part(true)), beside: canonicalExact(part(false)) };
}

/** One text in a definition that a model or a person may read. */
export interface DefinitionString {
  readonly at: Pointer;
  readonly text: string;
  /** `name`: an identifier, of a tool, a parameter or an enum's value; its words may be glued together */
  readonly role: 'text' | 'name';
}

const NAME_MEMBERS = new Set(['name', 'enum', 'const', 'required', 'examples', 'default']);

/** Every string of a definition: titles, docs, names of parameters, enum values, defaults, at any depth. Order of the text. */
export function definitionStrings(text: string): readonly DefinitionString[] {
  const found: DefinitionString[] = [];
  const visit = (value: ExactJson, at: Pointer, role: DefinitionString['role']): void => {
    if (typeof value === 'string') found.push({ at, text: value, role });
    else if (Array.isArray(value))
      (value as readonly ExactJson[]).forEach((item, i) => {
        visit(item, childPointer(at, i), role);
      });
    else if (isExactObject(value)) {
      for (const [name, item] of Object.entries(value)) {
        const place = childPointer(at, name);
        found.push({ at: place, text: name, role: 'name' });
        visit(item, place, NAME_MEMBERS.has(name) ? 'name' : 'text');
      }
    }
  };
  visit(parseExact(text), '', 'text');
  return found;
}

const SCHEMA_PLACES = ['inputSchema', 'outputSchema'];

/** Names of all parameters of a tool, at any depth of its input schema; of a prompt, of its arguments. */
export function parameterNames(text: string): readonly string[] {
  const names: string[] = [];
  const visit = (value: ExactJson | undefined): void => {
    if (Array.isArray(value)) for (const item of value as readonly ExactJson[]) visit(item);
    else if (isExactObject(value)) {
      const { properties } = value;
      if (isExactObject(properties)) names.push(...Object.keys(properties));
      for (const item of Object.values(value)) visit(item);
    }
  };
  const definition = parseExact(text);
  if (!isExactObject(definition)) return names;
  for (const place of SCHEMA_PLACES) visit(definition[place]);
  if (Array.isArray(definition['arguments']))
    for (const argument of definition['arguments'] as readonly ExactJson[]) {
      const name = isExactObject(argument) ? argument['name'] : undefined;
      if (typeof name === 'string') names.push(name);
    }
  return names;
}

/** One difference between two definitions; values are canonical text. */
export interface DefinitionChange {
  readonly at: Pointer;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** What changed from one canonical text to another, place by place; lists are compared by position. */
export function definitionChanges(before: string, after: string): readonly DefinitionChange[] {
  const changes: DefinitionChange[] = [];
  const compare = (a: ExactJson | undefined, b: ExactJson | undefined, at: Pointer): void => {
    const [x, y] = [a === undefined ? undefined : canonicalExact(a), b === undefined ? undefined : canonicalExact(b)];
    if (x === y) return;
    const [left, right] = [membersOf(a), membersOf(b)];
    if (!left || !right || isArrayValue(a) !== isArrayValue(b)) {
      changes.push({ at, before: x, after: y });
      return;
    }
    for (const name of new Set([...left.keys(), ...right.keys()]))
      compare(left.get(name), right.get(name), childPointer(at, name));
  };
  compare(parseExact(before), parseExact(after), '');
  return changes;
}

const isArrayValue = (value: ExactJson | undefined): boolean => Array.isArray(value);

function membersOf(value: ExactJson | undefined): ReadonlyMap<string, ExactJson> | undefined {
  if (typeof value !== 'object' || value === null || value instanceof SourceNumber) return undefined;
  return new Map(Object.entries(value as ExactObject));
}
