import { hash } from 'node:crypto';
import { definitionText } from '../../domain/tool-definition.ts';
import type { Definition } from '../../ports/pins.ts';
import { keyOf } from './approval-id.ts';

/** One definition may have this many characters; what is longer waits and cannot be approved. */
export const MAX_TEXT = 1_048_576;
const REMEMBERED = 5_000;

/** What is hashed of a definition, and the hashes. */
export interface HashedText {
  readonly hash: string;
  readonly beside: string;
  /** the pinned canonical text */
  readonly text: string;
}

const sha256 = (text: string): string => hash('sha256', text, 'hex');

/** Canonical texts of definitions; a list that comes again as it was is not read again. */
export class DefinitionTexts {
  readonly #last = new Map<string, { readonly source: string; readonly hashed: HashedText | undefined }>();

  /** Undefined: too long, or without a canonical form. */
  of(server: string, { kind, name, doc }: Definition): HashedText | undefined {
    if (doc.text.length > MAX_TEXT) return undefined;
    const key = keyOf({ server, kind, name });
    const last = this.#last.get(key);
    if (last?.source === doc.text) return last.hashed;
    const hashed = hashedText(kind, doc.text);
    if (this.#last.size >= REMEMBERED) this.#last.clear();
    this.#last.set(key, { source: doc.text, hashed });
    return hashed;
  }
}

function hashedText(kind: Definition['kind'], source: string): HashedText | undefined {
  try {
    const { pinned, beside } = definitionText(kind, source);
    return { hash: sha256(pinned), beside: sha256(beside), text: pinned };
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
