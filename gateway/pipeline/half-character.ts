import { isArray, isObject, type Json } from '../domain/json.ts';

/** True where a text or name holds half a surrogate pair: no Unicode, so it has no canonical form and no identity (RFC 7493 2.1). */
export function holdsHalfCharacter({ text, value }: { readonly text: string; readonly value: Json }): boolean {
  // the bytes were valid UTF-8, so only an escape can have made one
  return /\\u[dD][89a-fA-F]/.test(text) && half(value);
}

function half(value: Json): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (isArray(value)) return value.some(half);
  return isObject(value) && Object.entries(value).some(([name, inner]) => !name.isWellFormed() || half(inner));
}
