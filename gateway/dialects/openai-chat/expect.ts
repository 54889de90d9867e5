import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';

/** A request that the caller has to correct; the message names the field. */
export const badRequest = (field: string, should: string): Fault =>
  new Fault('TG_BAD_REQUEST', `\`${field}\` ${should}`);

const given = (body: Json, name: string): Json | undefined => member(body, name) ?? undefined;

/** A member that may be absent or null. Throws a Fault that names it where it is anything else than a boolean. */
export function optionalBoolean(body: Json, name: string, field = name): boolean | undefined {
  const value = given(body, name);
  if (value !== undefined && typeof value !== 'boolean') throw badRequest(field, 'must be true or false');
  return value;
}

/** The same for a string. */
export function optionalString(body: Json, name: string, field = name): string | undefined {
  const value = given(body, name);
  if (value !== undefined && typeof value !== 'string') throw badRequest(field, 'must be a string');
  return value;
}

/** The same for a whole number of at least `least`. */
export function optionalCount(body: Json, name: string, least: number): number | undefined {
  const value = given(body, name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw badRequest(name, `must be a whole number of at least ${least}`);
}

/** The same for a list of objects; absent and null are an empty list. */
export function optionalObjects(body: Json, name: string, field = name): readonly JsonObject[] {
  const value = given(body, name);
  if (value === undefined) return [];
  if (!isArray(value)) throw badRequest(field, 'must be a list');
  return value.map((item, i) => {
    if (!isObject(item)) throw badRequest(`${field}[${i}]`, 'must be an object');
    return item;
  });
}

/** The same for an object. */
export function optionalObject(body: Json, name: string, field = name): JsonObject | undefined {
  const value = given(body, name);
  if (value !== undefined && !isObject(value)) throw badRequest(field, 'must be an object');
  return value;
}
