import { ConditionFault } from './condition-fault.ts';

const OPENING = /([rR]?[bB]?|[bB][rR])("""|'''|"|')|\/\/[^\r\n]*/g;
const ESCAPE = /\\(?:[abfnrtv\\?"'`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})/y;

/**
 * Throws a ConditionFault on an escape that CEL does not have (its language definition, "String and Bytes Values").
 * The library takes `"\s"` for `s`, and a pattern that silently lost its backslash is one nobody sees.
 */
export function refuseUnknownEscapes(text: string): void {
  if (!text.includes('\\')) return;
  OPENING.lastIndex = 0;
  for (let found = OPENING.exec(text); found; found = OPENING.exec(text)) {
    const [, prefix = '', quote] = found;
    if (quote !== undefined) OPENING.lastIndex = literalEnd(text, OPENING.lastIndex, quote, /r/i.test(prefix));
  }
}

/** Behind the literal whose inside begins at `start`; a literal that does not end is left to the parser. */
function literalEnd(text: string, start: number, quote: string, raw: boolean): number {
  for (let i = start; i < text.length; ) {
    if (text.startsWith(quote, i)) return i + quote.length;
    if (text[i] !== '\\' || raw) {
      i += 1;
      continue;
    }
    ESCAPE.lastIndex = i;
    if (!ESCAPE.test(text)) throw unknownEscape(text, i);
    i = ESCAPE.lastIndex;
  }
  return text.length;
}

function unknownEscape(text: string, at: number): ConditionFault {
  const said = [...text.slice(at, at + 3)].slice(0, 2).join('');
  return new ConditionFault(
    `\`${said}\` is no escape of CEL; write \`\\${said}\`, or put an \`r\` before the quotes: r"…" takes backslashes as they are`,
    at,
  );
}
