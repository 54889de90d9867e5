import { JsonFault } from '../../domain/json-text.ts';

/** What may come next. */
const VALUE = 0;
const VALUE_OR_END = 1;
const NAME_OR_END = 2;
const NAME = 3;
const COLON = 4;
const AFTER = 5;
const STRING = 6;
const WORD = 7;
const DONE = 8;

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const ESCAPES = '"\\/bfnrt';

/** What a string's character can be that needs a look: a quote, a backslash, a control character. */
const SPECIAL = /[^ !#-[\]-\uffff]/g;
/** A longer text is nothing that steers the protocol. */
const KEPT = 4_096;

interface Level {
  /** undefined: a list */
  readonly names: Set<string> | undefined;
  /** the member or element under way */
  name: string;
}

/** Hears what a document says as it passes: every member name, and every scalar of the first two levels as its source text. */
export interface JsonHearer {
  name(depth: number, name: string): void;
  scalar(path: readonly string[], source: string): void;
}

/**
 * Reads JSON as it comes, in pieces cut anywhere, as strictly as `parseStrict`: grammar, a member twice, `__proto__`, depth, number of
 * values, half characters. Keeps nothing but the names of what is open. Throws a JsonFault at the first character that is wrong.
 */
export class JsonGate {
  readonly #limits: { readonly depth: number; readonly nodes: number };
  readonly #hearer: JsonHearer;
  readonly #levels: Level[] = [];
  #state = VALUE;
  #isName = false;
  #escape = 0;
  #unicode = '';
  #high = false;
  #word = '';
  #keeps = false;
  #nodes = 0;
  #at = 0;

  constructor(limits: { readonly depth: number; readonly nodes: number }, hearer: JsonHearer) {
    this.#limits = limits;
    this.#hearer = hearer;
  }

  push(text: string): void {
    for (let i = 0; i < text.length; ) i = this.#step(text, i);
    this.#at += text.length;
  }

  /** The document is over. */
  end(): void {
    if (this.#state === WORD && this.#levels.length === 0) this.#endWord(0);
    if (this.#state !== DONE) this.#fail('the text is not valid JSON', 0);
  }

  #fail(why: string, i: number): never {
    throw new JsonFault(why, this.#at + i);
  }

  /** Takes one character, or as many of a string as need no look; returns where to go on. */
  #step(text: string, i: number): number {
    const c = text.charCodeAt(i);
    if (this.#state === STRING) return this.#inString(text, i, c);
    if (this.#state === WORD) {
      if (isWord(c)) this.#word += text.charAt(i);
      else this.#endWord(i);
      return this.#state === WORD ? i + 1 : i;
    }
    if (c === 32 || c === 10 || c === 13 || c === 9) return i + 1;
    this.#token(c, i, text);
    return i + 1;
  }

  #token(c: number, i: number, text: string): void {
    const state = this.#state;
    const level = this.#levels.at(-1);
    if (state === COLON && c === 58) this.#state = VALUE;
    else if (state === AFTER && c === 44) this.#state = level?.names ? NAME : VALUE;
    else if (c === 125 && level?.names && (state === AFTER || state === NAME_OR_END)) this.#close();
    else if (c === 93 && level && !level.names && (state === AFTER || state === VALUE_OR_END)) this.#close();
    else if (c === 34 && (state === NAME || state === NAME_OR_END)) this.#openString(true);
    else if (state === VALUE || state === VALUE_OR_END) this.#openValue(c, i, text);
    else this.#fail('the text is not valid JSON', i);
  }

  #openValue(c: number, i: number, text: string): void {
    this.#nodes += 1;
    if (this.#nodes > this.#limits.nodes) this.#fail(`there are more than ${this.#limits.nodes} values`, i);
    if (c === 34) this.#openString(false);
    else if (c === 123 || c === 91) {
      this.#levels.push({ names: c === 123 ? new Set() : undefined, name: '' });
      if (this.#levels.length > this.#limits.depth)
        this.#fail(`nesting is deeper than ${this.#limits.depth} levels`, i);
      this.#state = c === 123 ? NAME_OR_END : VALUE_OR_END;
    } else if (isWord(c)) {
      this.#word = text.charAt(i);
      this.#state = WORD;
    } else this.#fail('the text is not valid JSON', i);
  }

  #openString(isName: boolean): void {
    this.#state = STRING;
    this.#isName = isName;
    this.#keeps = isName || this.#levels.length <= 2;
    this.#word = '';
    this.#high = false;
  }

  #inString(text: string, i: number, c: number): number {
    if (this.#escape > 0) return this.#inEscape(text, i, c);
    if (c !== 34 && c !== 92 && c >= 32 && !this.#high) return this.#plain(text, i);
    if (c === 92) this.#escape = 1;
    else if (this.#high) this.#fail('a text holds half a character', i);
    else if (c === 34) {
      this.#endString(i);
      return i + 1;
    } else if (c < 32) this.#fail('the text is not valid JSON', i);
    if (this.#keeps) this.#word += text.charAt(i);
    return i + 1;
  }

  /** Jumps over what needs no look. */
  #plain(text: string, i: number): number {
    SPECIAL.lastIndex = i;
    const end = SPECIAL.exec(text)?.index ?? text.length;
    if (this.#keeps) this.#word += text.slice(i, end);
    if (this.#word.length > KEPT && !this.#isName) this.#keeps = false;
    return end;
  }

  #inEscape(text: string, i: number, c: number): number {
    if (this.#keeps) this.#word += text.charAt(i);
    if (this.#escape === 1) {
      if (c === 117) {
        this.#escape = 2;
        this.#unicode = '';
      } else {
        if (this.#high || !ESCAPES.includes(text.charAt(i))) this.#fail('the text is not valid JSON', i);
        this.#escape = 0;
      }
      return i + 1;
    }
    this.#unicode += text.charAt(i);
    if (this.#unicode.length < 4) return i + 1;
    this.#escape = 0;
    if (!/^[0-9a-fA-F]{4}$/.test(this.#unicode)) this.#fail('the text is not valid JSON', i);
    const unit = Number.parseInt(this.#unicode, 16);
    const low = unit >= 0xdc00 && unit < 0xe000;
    if (low !== this.#high) this.#fail('a text holds half a character', i);
    this.#high = unit >= 0xd800 && unit < 0xdc00;
    return i + 1;
  }

  #endString(i: number): void {
    if (!this.#isName) {
      if (this.#levels.length <= 2) this.#tell(this.#keeps ? `"${this.#word}"` : '"…"');
      this.#state = this.#levels.length === 0 ? DONE : AFTER;
      return;
    }
    const name = this.#word.includes('\\') ? (JSON.parse(`"${this.#word}"`) as string) : this.#word;
    const level = this.#levels.at(-1) as Level;
    if (level.names?.has(name)) this.#fail('a member stands twice in one object', i);
    if (name === '__proto__') this.#fail('`__proto__` is not accepted as a member name', i);
    level.names?.add(name);
    level.name = name;
    this.#hearer.name(this.#levels.length, name);
    this.#state = COLON;
  }

  #endWord(i: number): void {
    const word = this.#word;
    if (!NUMBER.test(word) && word !== 'true' && word !== 'false' && word !== 'null')
      this.#fail('the text is not valid JSON', i);
    this.#tell(word);
    this.#state = this.#levels.length === 0 ? DONE : AFTER;
  }

  #tell(source: string): void {
    if (this.#levels.length <= 2)
      this.#hearer.scalar(
        this.#levels.map(({ name }) => name),
        source,
      );
  }

  #close(): void {
    this.#levels.pop();
    this.#state = this.#levels.length === 0 ? DONE : AFTER;
  }
}

/** Letters, digits, `+`, `-` and `.`: what numbers, `true`, `false` and `null` are made of. */
const isWord = (c: number): boolean =>
  (c >= 48 && c <= 57) || (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 45 || c === 43 || c === 46;
