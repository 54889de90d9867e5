import { isArray, isObject, type Json, member } from '../domain/json.ts';
import { childPointer, type Pointer } from '../domain/pointer.ts';

/** Where requests keep what the system says, and after that what is said first. */
const SYSTEM = ['instructions', 'system', 'systemInstruction', 'system_instruction'];
const FIRST = ['messages', 'contents', 'input', 'prompt'];

/** Members that lead from a message to its text. */
const INWARD = ['content', 'parts', 'text'];

/**
 * Where a note to the model belongs in a request: at the beginning of the system text, or of the first message where there is none.
 * Undefined where the request holds neither.
 */
export function notePlace(request: Json): Pointer | undefined {
  if (typeof request === 'string') return '';
  for (const name of [...SYSTEM, ...FIRST]) {
    const value = member(request, name);
    const at = value === undefined ? undefined : firstText(value, childPointer('', name));
    if (at !== undefined) return at;
  }
  return undefined;
}

function firstText(value: Json, at: Pointer): Pointer | undefined {
  if (typeof value === 'string') return at;
  if (isArray(value)) {
    for (const [i, item] of value.entries()) {
      const found = firstText(item, childPointer(at, i));
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isObject(value)) return undefined;
  for (const name of INWARD) {
    const inner = member(value, name);
    const found = inner === undefined ? undefined : firstText(inner, childPointer(at, name));
    if (found !== undefined) return found;
  }
  return undefined;
}
