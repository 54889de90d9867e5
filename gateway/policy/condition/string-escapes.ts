import { ConditionFault } from './condition-fault.ts';

const PLAIN: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '?': '?',
  '"': '"',
  "'": "'",
  '`': '`',
};
const CODE = /\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/y;

/**
 * The text a quoted literal stands for. Throws a ConditionFault on an escape that CEL does not have: `"\s"` is a mistake, and a pattern
 * that silently lost its backslash would be one nobody sees. `start`: where the literal's inside begins.
 */
export function unescaped(inner: string, start: number): string {
  if (!inner.includes('\\')) return inner;
  let out = '';
  for (let i = 0; i < inner.length; ) {
    const c = inner[i] as string;
    if (c !== '\\') {
      out += c;
      i += 1;
      continue;
    }
    const next = inner[i + 1] ?? '';
    CODE.lastIndex = i;
    const code = CODE.exec(inner);
    if (code) {
      out += character(code, start + i);
      i += code[0].length;
    } else if (Object.hasOwn(PLAIN, next)) {
      out += PLAIN[next];
      i += 2;
    } else throw unknownEscape(inner, i, start);
  }
  return out;
}

function character([whole, x, u, U, octal]: RegExpExecArray, at: number): string {
  const point = octal === undefined ? Number.parseInt(x ?? u ?? U ?? '', 16) : Number.parseInt(octal, 8);
  if (point > 0x10_ffff || (point >= 0xd800 && point < 0xe000))
    throw new ConditionFault(`\`${whole}\` is no character`, at);
  return String.fromCodePoint(point);
}

function unknownEscape(inner: string, i: number, start: number): ConditionFault {
  const said = [...inner.slice(i, i + 3)].slice(0, 2).join('');
  return new ConditionFault(
    `\`${said}\` is no escape of CEL; write \`\\${said}\`, or put an \`r\` before the quotes: r"…" takes backslashes as they are`,
    start + i,
  );
}
