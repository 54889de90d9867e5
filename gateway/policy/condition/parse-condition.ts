import { type Ast, balanced, depthCheck, has, macro } from './condition-ast.ts';
import { ConditionFault } from './condition-fault.ts';
import { type Token, tokensOf, unreadable } from './condition-tokens.ts';

const MAX_CONDITION = 4096;
/** Levels of brackets and signs; what they hold may be nested less deep than that. */
const MAX_NESTING = 200;
const MAX_INT = 2n ** 63n;

const RELATIONS = new Set(['<', '<=', '>', '>=', '==', '!=']);
const KEYWORDS = new Set(['true', 'false', 'null', 'in']);
const RESERVED = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);

/** Parses CEL text. Throws a ConditionFault on bad syntax and on CEL that the policy language leaves out. */
export function parseCondition(text: string): Ast {
  if (text.length > MAX_CONDITION)
    throw new ConditionFault(`the condition is longer than ${MAX_CONDITION} characters; split the rule`, 0);
  if (text.trim() === '')
    throw new ConditionFault('the condition is empty; leave the field out for a rule without one', 0);
  const ast = new Parser(text).parse();
  depthCheck(ast);
  return ast;
}

/** Descends through the grammar of CEL, one method per rule. */
class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #i = 0;
  #nesting = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  parse(): Ast {
    const ast = this.#expression();
    if (this.#token.kind !== 'end') throw this.#unexpected();
    return ast;
  }

  get #token(): Token {
    return this.#tokens[this.#i] as Token;
  }

  #next(): Token {
    const token = this.#token;
    this.#i += 1;
    return token;
  }

  #isSign(text: string): boolean {
    const { kind, text: own } = this.#token;
    return kind === 'sign' && own === text;
  }

  #accept(text: string): boolean {
    if (!this.#isSign(text)) return false;
    this.#i += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#unexpected();
  }

  #unexpected(): ConditionFault {
    return unreadable(this.#text, this.#token.at);
  }

  /** Everything that nests comes through here. */
  #expression(): Ast {
    this.#nesting += 1;
    if (this.#nesting > MAX_NESTING) throw new ConditionFault('the condition is nested too deeply', this.#token.at);
    const { at } = this.#token;
    const test = this.#or();
    let ast = test;
    if (this.#accept('?')) {
      const yes = this.#or();
      this.#expect(':');
      ast = { at, kind: 'call', name: '_?_:_', on: undefined, args: [test, yes, this.#expression()] };
    }
    this.#nesting -= 1;
    return ast;
  }

  #or(): Ast {
    const { at } = this.#token;
    const terms = [this.#and()];
    while (this.#accept('||')) terms.push(this.#and());
    return balanced('_||_', terms, at);
  }

  #and(): Ast {
    const { at } = this.#token;
    const terms = [this.#relation()];
    while (this.#accept('&&')) terms.push(this.#relation());
    return balanced('_&&_', terms, at);
  }

  #relation(): Ast {
    let left = this.#sum();
    for (;;) {
      const { kind, text, at } = this.#token;
      const isIn = kind === 'name' && text === 'in';
      if (!isIn && !(kind === 'sign' && RELATIONS.has(text))) return left;
      this.#i += 1;
      left = binary(isIn ? '@in' : `_${text}_`, at, left, this.#sum());
    }
  }

  #sum(): Ast {
    let left = this.#product();
    while (this.#isSign('+') || this.#isSign('-')) {
      const { text, at } = this.#next();
      left = binary(`_${text}_`, at, left, this.#product());
    }
    return left;
  }

  #product(): Ast {
    let left = this.#unary();
    while (this.#isSign('*') || this.#isSign('/') || this.#isSign('%')) {
      const { text, at } = this.#next();
      left = binary(`_${text}_`, at, left, this.#unary());
    }
    return left;
  }

  /** Two of one sign undo each other; a single minus right before a number belongs to it. */
  #unary(): Ast {
    if (this.#minusOfNumber()) return this.#member(true);
    const { at } = this.#token;
    const sign = this.#isSign('!') ? '!' : this.#isSign('-') ? '-' : undefined;
    if (sign === undefined) return this.#member(false);
    let count = 0;
    while (this.#accept(sign)) count += 1;
    const of = this.#member(sign === '!' && this.#minusOfNumber());
    return count % 2 === 0 ? of : { at, kind: 'call', name: `${sign}_`, on: undefined, args: [of] };
  }

  /** Takes a minus that stands right before a number. */
  #minusOfNumber(): boolean {
    const next = this.#tokens[this.#i + 1];
    const isNumber = next?.kind === 'literal' && typeof next.value !== 'string' && next.at === this.#token.at + 1;
    return isNumber && this.#accept('-');
  }

  #member(negative: boolean): Ast {
    let of = this.#primary(negative);
    for (;;) {
      const { at } = this.#token;
      if (this.#accept('.')) of = this.#selected(of, at);
      else if (this.#accept('[')) {
        of = binary('_[_]', at, of, this.#expression());
        this.#expect(']');
      } else return of;
    }
  }

  #selected(of: Ast, at: number): Ast {
    const field = this.#token;
    if (field.kind !== 'name' || KEYWORDS.has(field.text)) throw this.#unexpected();
    this.#i += 1;
    if (this.#accept('(')) return macro(field.text, of, this.#list(')'), at);
    const ast: Ast = { at, kind: 'select', of, field: field.text, test: false };
    this.#refuseMessage(ast);
    return ast;
  }

  #primary(negative: boolean): Ast {
    const token = this.#next();
    const { at, text } = token;
    if (token.kind === 'literal') return literal(token.value, negative, at);
    if (token.kind === 'name' && !RESERVED.has(text) && text !== 'in') return this.#named(text, at);
    if (token.kind === 'sign') {
      switch (text) {
        case '(': {
          const inner = this.#expression();
          this.#expect(')');
          return inner;
        }
        case '[':
          return { at, kind: 'list', items: this.#list(']') };
        case '{':
          return { at, kind: 'map', entries: this.#entries() };
        case '.': {
          const name = this.#token;
          if (name.kind !== 'name' || KEYWORDS.has(name.text) || RESERVED.has(name.text)) break;
          this.#i += 1;
          return this.#named(name.text, at);
        }
      }
    }
    throw unreadable(this.#text, token.kind === 'sign' && text === '.' ? this.#token.at : at);
  }

  #named(text: string, at: number): Ast {
    if (text === 'true' || text === 'false') return { at, kind: 'literal', value: text === 'true' };
    if (text === 'null') return { at, kind: 'literal', value: null };
    if (this.#accept('(')) return has(text, this.#list(')'), at);
    const ast: Ast = { at, kind: 'name', name: text };
    this.#refuseMessage(ast);
    return ast;
  }

  #refuseMessage(ast: Ast): void {
    if (!this.#isSign('{')) return;
    const path: string[] = [];
    let of = ast;
    for (; of.kind === 'select'; of = of.of) path.unshift(of.field);
    if (of.kind !== 'name') throw this.#unexpected();
    const name = [of.name, ...path].join('.');
    throw new ConditionFault(`messages such as \`${name}{}\` are not part of the policy language`, of.at);
  }

  #list(end: string): Ast[] {
    const items: Ast[] = [];
    // a list may end with a comma, also an empty one
    const bare = end === ']' && this.#accept(',');
    if (!bare && this.#accept(end)) return items;
    while (!bare) {
      items.push(this.#expression());
      if (!this.#accept(',')) break;
      if (end === ']' && this.#isSign(end)) break;
    }
    this.#expect(end);
    return items;
  }

  #entries(): { readonly key: Ast; readonly value: Ast }[] {
    const entries: { readonly key: Ast; readonly value: Ast }[] = [];
    if (this.#accept(',')) {
      this.#expect('}');
      return entries;
    }
    while (!this.#accept('}')) {
      const key = this.#expression();
      this.#expect(':');
      entries.push({ key, value: this.#expression() });
      if (this.#accept(',')) continue;
      this.#expect('}');
      break;
    }
    return entries;
  }
}

const binary = (name: string, at: number, a: Ast, b: Ast): Ast => ({
  at,
  kind: 'call',
  name,
  on: undefined,
  args: [a, b],
});

function literal(value: number | bigint | string, negative: boolean, at: number): Ast {
  const own = negative && typeof value !== 'string' ? -value : value;
  if (typeof own === 'bigint' && (own >= MAX_INT || own < -MAX_INT))
    throw new ConditionFault(`\`${own}\` does not fit a 64-bit int`, negative ? at - 1 : at);
  return { at: negative ? at - 1 : at, kind: 'literal', value: own };
}
