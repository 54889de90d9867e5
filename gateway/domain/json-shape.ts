import { isArray, isObject, type Json, type JsonObject, member } from './json.ts';
import { childPointer, type Pointer } from './pointer.ts';

const DEPTH = 32;
const LOOKS = 20_000;

/** What is left of the looks one check may take; a schema that needs more is taken for kept. */
interface Patience {
  looks: number;
}

/**
 * Where a value breaks what a schema plainly says of its types, required and further members, enumerations, lengths and ranges
 * (JSON Schema 2020-12); undefined: nowhere. References, patterns, formats and combinations are not looked into, so a value that
 * passes may still be wrong, and one that does not pass is.
 */
export function shapeFault(schema: Json | undefined, value: Json): Pointer | undefined {
  return fault(schema, value, '', 0, { looks: LOOKS });
}

function fault(
  schema: Json | undefined,
  value: Json,
  at: Pointer,
  depth: number,
  patience: Patience,
): Pointer | undefined {
  patience.looks -= 1;
  if (schema === false) return at;
  if (!isObject(schema) || depth > DEPTH || patience.looks <= 0) return undefined;
  if (!isOfType(schema['type'], value) || !isAmong(schema, value) || !isInRange(schema, value)) return at;
  if (isObject(value)) return inObject(schema, value, at, depth, patience);
  if (isArray(value)) {
    const items = schema['items'];
    for (const [i, item] of value.entries()) {
      const found = fault(items, item, childPointer(at, i), depth + 1, patience);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function inObject(
  schema: JsonObject,
  value: JsonObject,
  at: Pointer,
  depth: number,
  patience: Patience,
): Pointer | undefined {
  const { required, properties, additionalProperties, patternProperties } = schema;
  const missing = isArray(required) && required.find((name) => typeof name === 'string' && !Object.hasOwn(value, name));
  if (typeof missing === 'string') return childPointer(at, missing);
  for (const name of Object.keys(value)) {
    const inner = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const rest = inner === undefined && patternProperties === undefined ? additionalProperties : inner;
    const found = fault(rest, value[name] as Json, childPointer(at, name), depth + 1, patience);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isOfType(type: Json | undefined, value: Json): boolean {
  if (isArray(type)) return type.some((one) => isOfType(one, value));
  switch (type) {
    case 'null':
      return value === null;
    case 'object':
      return isObject(value);
    case 'array':
      return isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type;
    default:
      return true;
  }
}

function isAmong(schema: JsonObject, value: Json): boolean {
  const choices = schema['enum'];
  const only = schema['const'];
  if (typeof value === 'object' && value !== null) return true;
  if (isArray(choices) && !choices.includes(value)) return false;
  return only === undefined || only === value;
}

function isInRange(schema: JsonObject, value: Json): boolean {
  const bound = (name: string): number | undefined => {
    const limit = member(schema, name);
    return typeof limit === 'number' ? limit : undefined;
  };
  const within = (size: number, least: string, most: string): boolean =>
    size >= (bound(least) ?? Number.NEGATIVE_INFINITY) && size <= (bound(most) ?? Number.POSITIVE_INFINITY);
  if (typeof value === 'number') return within(value, 'minimum', 'maximum');
  if (typeof value === 'string') return within([...value].length, 'minLength', 'maxLength');
  return !isArray(value) || within(value.length, 'minItems', 'maxItems');
}
