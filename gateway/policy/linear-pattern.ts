import { RE2JS } from 're2js';

/** A regular expression that is matched in time linear in the text (RE2 syntax), unanchored. */
export interface LinearPattern {
  test(text: string): boolean;
  /** what every match contains; '' where nothing is certain */
  readonly needed: string;
  /** Every match replaced by `by`, taken literally. */
  replaceAll(text: string, by: string): string;
}

const MAX_PATTERN = 1024;
const MAX_PROGRAM = 20_000;

/** Compiles a pattern. Throws a SyntaxError that says what RE2 does not accept. */
export function compilePattern(pattern: string): LinearPattern {
  if (pattern.length > MAX_PATTERN) throw new SyntaxError(`the pattern is longer than ${MAX_PATTERN} characters`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    const said = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    throw new SyntaxError(`${said} (patterns are RE2: linear time, no look-around, no back-references)`);
  }
  if (compiled.programSize() > MAX_PROGRAM)
    throw new SyntaxError('the pattern is too large; use smaller repeat counts');
  const needed = requiredText(pattern);
  const test = (text: string): boolean => text.includes(needed) && compiled.test(text);
  return {
    test,
    needed,
    replaceAll: (text, by) => (test(text) ? compiled.matcher(text).replaceAll(RE2JS.quoteReplacement(by)) : text),
  };
}

const isSyntax = (c: string): boolean => '.^$'.includes(c);

/**
 * The longest text that every match must contain, '' where none is certain. Looks only at plain characters outside groups
 * and classes; gives up at a flag, a quotation or an
 * alternative outside groups.
 */
export function requiredText(pattern: string): string {
  if (/\(\?(?!:|P?<)|\\[QE]/.test(pattern)) return '';
  let best = '';
  let run = '';
  let depth = 0;
  const close = (): void => {
    if (run.length > best.length) best = run;
    run = '';
  };
  for (let i = 0; i < pattern.length; i += 1) {
    let c = pattern.charAt(i);
    let plain = depth === 0 && !isSyntax(c);
    if (c === '|' && depth === 0) return '';
    if (c === '\\') {
      i += 1;
      c = pattern.charAt(i);
      plain = depth === 0 && /[^\w\s]/.test(c) && c.charCodeAt(0) < 128;
      if (/[pPx]/.test(c) && pattern.charAt(i + 1) === '{') i = pattern.indexOf('}', i);
      else if (/[pP]/.test(c)) i += 1;
      else if (c === 'x') i += 2;
      else if (/[0-7]/.test(c)) while (/[0-7]/.test(pattern.charAt(i + 1))) i += 1;
    } else if (c === '[') {
      i = classEnd(pattern, i);
      plain = false;
    } else if (c === '(' || c === ')') {
      depth += c === '(' ? 1 : -1;
      plain = false;
    } else if (c.charCodeAt(0) >= 128) {
      plain = false;
    } else if ('?*+{'.includes(c)) {
      if (c !== '+' && depth === 0) run = run.slice(0, -1);
      if (c === '{') i = Math.max(i, pattern.indexOf('}', i));
      plain = false;
    }
    if (plain) run += c;
    else close();
  }
  close();
  return best;
}

function classEnd(pattern: string, open: number): number {
  let i = open + 1;
  if (pattern[i] === '^') i += 1;
  if (pattern[i] === ']') i += 1;
  while (i < pattern.length && pattern[i] !== ']') {
    if (pattern[i] === '\\') i += 1;
    else if (pattern.startsWith('[:', i)) i = Math.max(i, pattern.indexOf(':]', i) + 1);
    i += 1;
  }
  return i;
}
