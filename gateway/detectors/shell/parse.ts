/** One word of a command: quotes and escapes gone; substitutions stand in `value` as `$()` and in `inner` as scripts. */
export interface Word {
  readonly value: string;
  readonly start: number;
  readonly end: number;
  /** `$(…)`, backticks, `<(…)` */
  readonly inner: readonly Script[];
  readonly quoted: boolean;
}

export interface Redirect {
  /** `>`, `>>`, `<`, `<<<`, `>&` … without a file descriptor */
  readonly op: string;
  readonly target: Word;
}

export interface Command {
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
  /** what a here-document or here-string feeds it */
  readonly input: string | undefined;
  readonly start: number;
  readonly end: number;
}

export type Pipeline = readonly Command[];
export type Script = readonly Pipeline[];

interface MutableCommand {
  words: Word[];
  redirects: Redirect[];
  input: string | undefined;
  end: number;
}

const DEEPEST = 12;
const BLANK = new Set([32, 9, 13, 160]);
/** Characters that end a word. */
const META = new Set([...' \t\r\n;|&()<>'].map((char) => char.charCodeAt(0)));
const RESERVED = new Set('if then else elif fi while until do done { } ! time esac coproc'.split(' '));
const REDIRECT = /(?:\d{0,2}|&)(?:>>|>\||>&|<&|<>|>|<<<|<)/y;
const HEREDOC = /<<(-?)[ \t]*(['"]?)([\w.!-]{1,64})\2/y;

const LETTER = /\p{L}/u;

type Opener = 'double' | 'single' | 'backtick' | 'paren';

/**
 * A parser of what POSIX shells and bash read, in one pass. Texts that are no shell parse too: an opener that nothing closes is read
 * as an ordinary character, and from then on all of its kind are, so that the time stays linear.
 */
export class ShellParser {
  readonly #text: string;
  readonly #hopeless = new Set<Opener>();
  #at = 0;
  #depth = 0;
  #heredocs: { mark: string; tabs: boolean; command: MutableCommand; at: number }[] = [];
  #unclosed: number;

  constructor(text: string) {
    this.#text = text;
    this.#unclosed = text.length;
  }

  /** Where the first opener stands that nothing closes: more text may read differently from there on. The text's length where none does. */
  get unclosed(): number {
    return this.#heredocs.reduce((first, { at }) => Math.min(first, at), this.#unclosed);
  }

  parse(): Script {
    const script: Pipeline[] = [];
    while (this.#at < this.#text.length) {
      for (const pipeline of this.#script('')) script.push(pipeline);
      this.#at += 1;
    }
    return script;
  }

  /** Reads pipelines up to `close`, which stays unread, or the end. */
  #script(close: string): Script {
    const script: Pipeline[] = [];
    let pipeline: Command[] = [];
    for (;;) {
      const command = this.#command(close);
      if (command !== undefined) pipeline.push(command);
      const char = this.#text.charAt(this.#at);
      if (char === '|' && this.#text.charAt(this.#at + 1) !== '|') {
        this.#at += this.#text.charAt(this.#at + 1) === '&' ? 2 : 1;
        continue;
      }
      if (pipeline.length > 0) script.push(pipeline);
      pipeline = [];
      if (char === '' || (close !== '' && char === close) || (close === '' && char === ')')) return script;
      this.#separator(char);
    }
  }

  #separator(char: string): void {
    this.#at += 1;
    if (char === '\n' && this.#heredocs.length > 0) this.#readHeredocs();
  }

  /** Reads the bodies that wait behind this line. */
  #readHeredocs(): void {
    for (const { mark, tabs, command, at } of this.#heredocs.splice(0)) {
      const from = this.#at;
      let end = this.#text.length;
      for (;;) {
        const newline = this.#text.indexOf('\n', this.#at);
        const stop = newline === -1 ? this.#text.length : newline;
        const line = this.#text.slice(this.#at, Math.min(stop, this.#at + 128));
        if ((tabs ? line.trimStart() : line).trimEnd() === mark) end = this.#at;
        this.#at = Math.min(this.#text.length, stop + 1);
        if (end < this.#text.length || newline === -1) break;
      }
      if (end === this.#text.length) this.#unclosed = Math.min(this.#unclosed, at);
      command.input = this.#text.slice(from, end);
    }
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (BLANK.has(code)) this.#at += 1;
      else if (code === 92 && this.#text.charAt(this.#at + 1) === '\n') this.#at += 2;
      else return;
    }
  }

  /** Reads one simple command; stands behind it on a separator, or on `close`. */
  #command(close: string): Command | undefined {
    const command: MutableCommand = { words: [], redirects: [], input: undefined, end: this.#at };
    let start = -1;
    for (;;) {
      this.#skipBlanks();
      const at = this.#at;
      const char = this.#text.charAt(at);
      if (char === '' || char === close) break;
      if (char === '#') {
        const newline = this.#text.indexOf('\n', at);
        this.#at = newline === -1 ? this.#text.length : newline;
        break;
      }
      if (this.#text.startsWith('```', at)) {
        if (command.words.length > 0) break;
        this.#at += 3;
        continue;
      }
      if (this.#redirect(command, close)) {
        if (start === -1) start = at;
        command.end = this.#at;
        continue;
      }
      if (META.has(this.#text.charCodeAt(at)) && !this.#opensProcess(at)) break;
      const word = this.#word(close);
      if (command.words.length === 0 && !word.quoted && RESERVED.has(word.value)) continue;
      if (start === -1) start = at;
      command.words.push(word);
      command.end = this.#at;
    }
    if (start === -1) return undefined;
    const built = command as MutableCommand & { start: number };
    built.start = start;
    return built;
  }

  readonly #opensProcess = (at: number): boolean =>
    '<>'.includes(this.#text.charAt(at)) && this.#substitutes(this.#text.charAt(at), at);

  #redirect(command: MutableCommand, close: string): boolean {
    HEREDOC.lastIndex = this.#at;
    const heredoc = this.#text.charAt(this.#at + 2) === '<' ? null : HEREDOC.exec(this.#text);
    if (heredoc !== null) {
      this.#heredocs.push({ mark: heredoc[3] ?? '', tabs: heredoc[1] === '-', command, at: this.#at });
      this.#at = HEREDOC.lastIndex;
      return true;
    }
    REDIRECT.lastIndex = this.#at;
    const match = REDIRECT.exec(this.#text);
    if (match === null || this.#opensProcess(this.#at)) return false;
    const op = match[0].replace(/^[\d&]+/, '');
    this.#at = REDIRECT.lastIndex;
    this.#skipBlanks();
    const target = this.#word(close);
    if (op === '<<<') command.input = target.value;
    else command.redirects.push({ op, target });
    return true;
  }

  #word(close: string): Word {
    const start = this.#at;
    const inner: Script[] = [];
    let value = '';
    let quoted = false;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) break;
      const char = this.#text.charAt(this.#at);
      if (char === close) break;
      if (char === '\\') {
        value += this.#text.charAt(this.#at + 1) === '\n' ? '' : this.#text.charAt(this.#at + 1);
        this.#at = Math.min(this.#text.length, this.#at + 2);
        quoted = true;
      } else if (char === "'" && this.#closesSingle()) {
        const end = this.#text.indexOf("'", this.#at + 1);
        value += this.#text.slice(this.#at + 1, end);
        this.#at = end + 1;
        quoted = true;
      } else if (char === '"' && !this.#hopeless.has('double')) {
        const text = this.#double(inner);
        value += text ?? '"';
        quoted ||= text !== undefined;
      } else if (this.#substitutes(char, this.#at)) {
        value += this.#substitution(inner) ? '$()' : char;
      } else if (META.has(code)) break;
      else {
        value += char;
        this.#at += 1;
      }
    }
    return { value, start, end: this.#at, inner, quoted };
  }

  /** True where a single quote has its partner. Between two letters it has to be in the same line: else it is the apostrophe of a word. */
  #closesSingle(): boolean {
    if (this.#hopeless.has('single')) return false;
    const at = this.#at;
    const end = this.#text.indexOf("'", at + 1);
    const inWord = LETTER.test(this.#text.charAt(at - 1)) && LETTER.test(this.#text.charAt(at + 1));
    const apostrophe = inWord && this.#text.slice(at, end === -1 ? undefined : end).includes('\n');
    if (end !== -1) return !apostrophe;
    if (apostrophe) this.#hopeless.add('single');
    else this.#giveUp('single', at);
    return false;
  }

  #giveUp(opener: Opener, at: number): void {
    this.#hopeless.add(opener);
    this.#unclosed = Math.min(this.#unclosed, at);
  }

  #substitutes(char: string, at: number): boolean {
    if (this.#depth >= DEEPEST) return false;
    if (char === '`') return !this.#hopeless.has('backtick') && !this.#text.startsWith('```', at);
    return '$<>'.includes(char) && this.#text.charAt(at + 1) === '(' && !this.#hopeless.has('paren');
  }

  /** Reads `$(…)`, `<(…)` or backticks; where nothing closes them, only the first character. */
  #substitution(inner: Script[]): boolean {
    const start = this.#at;
    const backtick = this.#text.charAt(start) === '`';
    const close = backtick ? '`' : ')';
    this.#at += backtick ? 1 : 2;
    this.#depth += 1;
    const script = this.#script(close);
    this.#depth -= 1;
    if (this.#text.charAt(this.#at) !== close) {
      this.#giveUp(backtick ? 'backtick' : 'paren', start);
      this.#at = start + 1;
      return false;
    }
    this.#at += 1;
    inner.push(script);
    return true;
  }

  /** Reads a double-quoted text; undefined where nothing closes it: then only the quote was read. */
  #double(inner: Script[]): string | undefined {
    const start = this.#at;
    const before = inner.length;
    let value = '';
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === '"') {
        this.#at += 1;
        return value;
      }
      if (char === '\\') {
        const next = this.#text.charAt(this.#at + 1);
        value += '"\\$`\n'.includes(next) ? next : char + next;
        this.#at += 2;
      } else if (this.#substitutes(char, this.#at) && char !== '<' && char !== '>') {
        value += this.#substitution(inner) ? '$()' : char;
      } else {
        value += char;
        this.#at += 1;
      }
    }
    this.#giveUp('double', start);
    this.#at = start + 1;
    inner.length = before;
    return undefined;
  }
}
