import { isObject, type Json, type JsonObject } from '../../domain/json.ts';

/** The object that an event's data is; undefined where it is no JSON, or no object. */
export function objectIn(data: string): JsonObject | undefined {
  try {
    const value = JSON.parse(data) as Json;
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
