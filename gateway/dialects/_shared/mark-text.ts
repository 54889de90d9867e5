import { hash } from 'node:crypto';
import { canonical } from '../../domain/canonical.ts';
import { isArray, isObject, type Json } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';

/** A mark whose text is worked out when somebody asks: a run that has a name is not looked for by its words. */
class LazyMark implements MessageMark {
  readonly role: MessageMark['role'];
  readonly #value: () => Json;
  #text: string | undefined;

  constructor(role: MessageMark['role'], value: () => Json) {
    this.role = role;
    this.#value = value;
  }

  get canonical(): string {
    this.#text ??= markText(this.#value());
    return this.#text;
  }
}

export const markOf = (role: MessageMark['role'], value: () => Json): MessageMark => new LazyMark(role, value);

/** Longer texts stand as their hash: to hash one costs less than to write it out. */
const WRITTEN_OUT = 512;
const shorten = (text: string): string | undefined =>
  text.length < WRITTEN_OUT ? undefined : hash('sha256', text, 'base64');

/** Text by which a message mark is told from others. Total: a lone surrogate, which RFC 8785 refuses, is read as U+FFFD. */
export function markText(value: Json): string {
  try {
    return canonical(value, shorten);
  } catch (error) {
    if (error instanceof TypeError) return canonical(wellFormed(value), shorten);
    throw error;
  }
}

function wellFormed(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (isArray(value)) return value.map(wellFormed);
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name.toWellFormed(), wellFormed(item)]));
  return value;
}
