import { isArray, type Json } from '../domain/json.ts';

/**
 * True where a text or name holds half a surrogate pair: no Unicode, so it has no canonical form and no identity (RFC 7493 2.1). A text
 * without a character beyond U+00FF is not read for it.
 */
export function holdsHalfCharacter(value: Json): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  if (isArray(value)) return value.some(holdsHalfCharacter);
  for (const name in value) if (!name.isWellFormed() || holdsHalfCharacter(value[name] as Json)) return true;
  return false;
}
