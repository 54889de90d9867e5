import { canonical } from '../../domain/canonical.ts';
import { isArray, isObject, type Json } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';

/** A mark whose text is worked out when somebody asks: a run that has a name is not looked for by its words. */
export function markOf(role: MessageMark['role'], value: () => Json): MessageMark {
  let text: string | undefined;
  return {
    role,
    get canonical() {
      text ??= markText(value());
      return text;
    },
  };
}

/** Canonical text of a message mark. Total: a lone surrogate, which RFC 8785 refuses, is read as U+FFFD. */
export function markText(value: Json): string {
  try {
    return canonical(value);
  } catch (error) {
    if (error instanceof TypeError) return canonical(wellFormed(value));
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
