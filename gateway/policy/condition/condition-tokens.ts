import { ConditionFault } from './condition-fault.ts';
import { unescaped } from './string-escapes.ts';

/** One word of a condition. `at` is a UTF-16 offset in its text. */
export type Token = { readonly at: number } & (
  | { readonly kind: 'sign' | 'name' | 'end'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: string; readonly value: number | bigint | string }
);

const SPACE = /(?:[\t\n\f\r ]+|\/\/[^\r\n]*)*/y;
const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]*\.[0-9]+|[0-9]+(?=[eE][+-]?[0-9]))(?:[eE][+-]?[0-9]+)?|[0-9]+[uU]?/y;
const QUOTE = /([rR]?[bB]?|[bB][rR])("""|'''|"|')/y;
const SIGN = /&&|\|\||[=!<>]=|[-+*/%!<>?:.,()[\]{}]/y;
const LINE_END = /[\r\n]/;

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** What cannot begin or follow here. */
export function unreadable(text: string, at: number): ConditionFault {
  const found = at >= text.length ? 'the end' : `\`${/^(?:\w+|&&|\|\||[=!<>]=|.)/su.exec(text.slice(at))?.[0] ?? ''}\``;
  return new ConditionFault(
    `the condition can't be read from ${found} on; check quotes, brackets and what the operator needs`,
    at,
  );
}

/** Splits CEL text into words (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax). Throws a ConditionFault. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    match(SPACE, text, at);
    at = SPACE.lastIndex;
    if (at >= text.length) break;
    const token = quoted(text, at) ?? number(text, at) ?? word(text, at);
    if (token === undefined) throw unreadable(text, at);
    tokens.push(token.token);
    at = token.end;
  }
  tokens.push({ kind: 'end', at: text.length, text: '' });
  return tokens;
}

interface Read {
  readonly token: Token;
  readonly end: number;
}

function word(text: string, at: number): Read | undefined {
  const name = match(NAME, text, at)?.[0];
  const found = name ?? match(SIGN, text, at)?.[0];
  return found === undefined
    ? undefined
    : { token: { kind: name === undefined ? 'sign' : 'name', at, text: found }, end: at + found.length };
}

function number(text: string, at: number): Read | undefined {
  const found = match(NUMBER, text, at)?.[0];
  if (found === undefined) return undefined;
  if (/[uU]$/.test(found))
    throw new ConditionFault(
      `unsigned ints are not part of the policy language; write \`${BigInt(found.slice(0, -1))}\` without the \`u\``,
      at,
    );
  const whole = /^0[xX]|^[0-9]+$/.test(found);
  const value = whole ? BigInt(found) : Number(found);
  return { token: { kind: 'literal', at, text: found, value }, end: at + found.length };
}

function quoted(text: string, at: number): Read | undefined {
  const opening = match(QUOTE, text, at);
  if (!opening) return undefined;
  const [whole, prefix = '', quote = ''] = opening;
  if (/b/i.test(prefix)) throw new ConditionFault('bytes are not part of the policy language; write a text', at);
  const raw = prefix !== '';
  const start = at + whole.length;
  for (let i = start; i < text.length; i += 1) {
    const c = text[i] as string;
    if (text.startsWith(quote, i)) {
      const inner = text.slice(start, i);
      const value = raw ? inner : unescaped(inner, start);
      return { token: { kind: 'literal', at, text: text.slice(at, i + quote.length), value }, end: i + quote.length };
    }
    if (quote.length === 1 && LINE_END.test(c)) break;
    if (c === '\\' && !raw) i += 1;
  }
  throw unreadable(text, at);
}
