import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';

/** A member under the name it was found by. */
export interface Field {
  readonly name: string;
  readonly value: Json;
}

/** A value with its place. */
export interface Placed {
  readonly at: Pointer;
  readonly value: Json;
}

const spellings = new Map<string, string>();

/** The protobuf name of a JSON name: servers read both (https://protobuf.dev/programming-guides/json/). */
function snake(name: string): string {
  let other = spellings.get(name);
  if (other === undefined) {
    other = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    spellings.set(name, other);
  }
  return other;
}

/** The member `name`, in either spelling; null counts as absent, as protobuf has it. */
export function pick(holder: Json | undefined, name: string): Field | undefined {
  const value = member(holder, name) ?? null;
  if (value !== null) return { name, value };
  const other = snake(name);
  if (other === name) return undefined;
  const old = member(holder, other) ?? null;
  return old === null ? undefined : { name: other, value: old };
}

/** The value of `pick`. */
export const fieldOf = (holder: Json | undefined, name: string): Json | undefined => pick(holder, name)?.value;

/** A request that the caller has to correct; the message names the field. */
export const badRequest = (field: string, should: string): Fault =>
  new Fault('TG_BAD_REQUEST', `\`${field}\` ${should}`);

/** The same as `pick` for a request. Throws a Fault where both spellings are there: two readers could take either. */
export function pickOne(holder: Json | undefined, name: string, field = name): Field | undefined {
  const found = pick(holder, name);
  const other = snake(name);
  if (found?.name === name && other !== name && (member(holder, other) ?? null) !== null)
    throw badRequest(field, `and \`${other}\` are both set; send only one of them`);
  return found;
}

/** The elements of a repeated field; servers take a single message for a list of one. */
export function elements(value: Json | undefined, at: Pointer): Placed[] {
  if (isArray(value)) return value.map((item, i) => ({ at: childPointer(at, i), value: item }));
  return isObject(value) ? [{ at, value }] : [];
}

/** The elements of a repeated message field of a request; each is an object. Throws a Fault that names what is none. */
export function messagesIn(
  holder: Json | undefined,
  name: string,
  at: Pointer,
): (Placed & { readonly value: JsonObject })[] {
  const field = pickOne(holder, name, fieldName(at, name));
  if (field === undefined) return [];
  const base = childPointer(at, field.name);
  if (!isArray(field.value) && !isObject(field.value)) throw badRequest(fieldName(at, field.name), 'must be a list');
  return elements(field.value, base).map((one) => {
    if (!isObject(one.value)) throw badRequest(one.at.slice(1), 'must be an object');
    return { at: one.at, value: one.value };
  });
}

/** A pointer as people write it. */
const fieldName = (at: Pointer, name: string): string => `${at}/${name}`.slice(1);

/** A count of a request that may be absent. Throws a Fault where it is no whole number of at least one. */
export function optionalCount(holder: Json | undefined, name: string, at: Pointer): Field | undefined {
  const field = pickOne(holder, name, fieldName(at, name));
  if (field === undefined) return undefined;
  if (typeof field.value === 'number' && Number.isSafeInteger(field.value) && field.value >= 1) return field;
  throw badRequest(fieldName(at, field.name), 'must be a whole number of at least 1');
}

/** The same for a string. */
export function optionalString(holder: Json | undefined, name: string, at: Pointer): string | undefined {
  const field = pickOne(holder, name, fieldName(at, name));
  if (field === undefined) return undefined;
  if (typeof field.value !== 'string') throw badRequest(fieldName(at, field.name), 'must be a string');
  return field.value;
}

/** The same for an object. */
export function optionalObject(holder: Json | undefined, name: string, at: Pointer): Field | undefined {
  const field = pickOne(holder, name, fieldName(at, name));
  if (field !== undefined && !isObject(field.value)) throw badRequest(fieldName(at, field.name), 'must be an object');
  return field;
}
