import { aloneAt, context, type DigitLook, opens } from './digit-look.ts';

/** One country's number of a person. */
export interface IdentityRule {
  readonly kind: string;
  /** Sticky; from the beginning of the word. */
  readonly pattern: RegExp;
  /** Gets the match in upper case without spaces, dots, dashes and slashes. */
  readonly valid: (id: string) => boolean;
  /** words that stand before it */
  readonly words: RegExp;
  /** the form alone is telling, so that no word has to stand before: how sure it is then */
  readonly alone?: number | ((written: string) => number | undefined);
  readonly letters?: true;
}

/** Looks for the rule's number. A valid checksum beside its own name is certain. */
export function identityLook({ kind, pattern, valid, words, alone, letters }: IdentityRule): DigitLook {
  return (text, at, token) => {
    const start = letters === true ? token : at;
    if ((letters === true) !== token < at || !opens(text, start)) return undefined;
    const match = aloneAt(text, start, pattern);
    if (match === undefined) return undefined;
    const written = match[0];
    if (!valid(written.replace(/[ ./-]/g, '').toUpperCase())) return undefined;
    const own = typeof alone === 'function' ? alone(written) : alone;
    const confidence = context(text, start, words) ? 1 : own;
    return confidence === undefined ? undefined : { kind, start, end: start + written.length, confidence };
  };
}
