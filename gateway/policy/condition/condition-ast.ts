import { ConditionFault } from './condition-fault.ts';

/** One node of a parsed condition. `at` is the UTF-16 offset in the text. */
export type Ast = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly value: null | boolean | number | bigint | string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'select'; readonly of: Ast; readonly field: string; readonly test: boolean }
  | { readonly kind: 'call'; readonly name: string; readonly on: Ast | undefined; readonly args: readonly Ast[] }
  | { readonly kind: 'list'; readonly items: readonly Ast[] }
  | { readonly kind: 'map'; readonly entries: readonly { readonly key: Ast; readonly value: Ast }[] }
  | {
      readonly kind: 'macro';
      readonly name: 'all' | 'exists' | 'exists_one' | 'map' | 'filter';
      readonly over: Ast;
      readonly variable: string;
      readonly test: Ast | undefined;
      readonly value: Ast | undefined;
    }
);

const MAX_DEPTH = 64;

/** `a && b && …` as a tree no deeper than it must be: a long chain is not a deep one. */
export function balanced(name: '_&&_' | '_||_', terms: readonly Ast[], at: number): Ast {
  const [first] = terms;
  if (terms.length <= 1) return first as Ast;
  const half = Math.ceil(terms.length / 2);
  const args = [terms.slice(0, half), terms.slice(half)].map((side) => balanced(name, side, at));
  return { at, kind: 'call', name, on: undefined, args };
}

/** A call; `has(a.b)` asks whether the member is there. */
export function has(name: string, args: readonly Ast[], at: number): Ast {
  const [asked] = args;
  if (name === 'has' && args.length === 1 && asked?.kind === 'select' && !asked.test)
    return { ...asked, at, test: true };
  return { at, kind: 'call', name, on: undefined, args };
}

/** A method call; `all`, `exists`, `exists_one`, `map` and `filter` over a variable have loops of their own. */
export function macro(name: string, on: Ast, args: readonly Ast[], at: number): Ast {
  const [variable, second, third] = args;
  const call: Ast = { at, kind: 'call', name, on, args };
  if (variable?.kind !== 'name' || second === undefined) return call;
  const base = { at, kind: 'macro', over: on, variable: variable.name } as const;
  if (name === 'map') {
    if (args.length === 2) return { ...base, name, test: undefined, value: second };
    return args.length === 3 ? { ...base, name, test: second, value: third } : call;
  }
  const own = name === 'existsOne' ? 'exists_one' : name;
  if (args.length !== 2 || !(own === 'all' || own === 'exists' || own === 'exists_one' || own === 'filter'))
    return call;
  return { ...base, name: own, test: second, value: undefined };
}

/** The parts of a node. */
function childrenOf(ast: Ast): readonly Ast[] {
  switch (ast.kind) {
    case 'select':
      return [ast.of];
    case 'call':
      return ast.on === undefined ? ast.args : [ast.on, ...ast.args];
    case 'list':
      return ast.items;
    case 'map':
      return ast.entries.flatMap(({ key, value }) => [key, value]);
    case 'macro':
      return [ast.over, ast.test, ast.value].filter((part) => part !== undefined);
    default:
      return [];
  }
}

/** Throws a ConditionFault where a condition is nested too deeply to be compiled and evaluated safely. */
export function depthCheck(ast: Ast, depth = 0): void {
  if (depth > MAX_DEPTH)
    throw new ConditionFault(`the condition is nested deeper than ${MAX_DEPTH} levels; split the rule`, ast.at);
  for (const child of childrenOf(ast)) depthCheck(child, depth + 1);
}

/** Where an expression begins; operators are placed at their sign. */
export function firstOffset(ast: Ast): number {
  switch (ast.kind) {
    case 'select':
      return firstOffset(ast.of);
    case 'call':
      return Math.min(ast.at, ...[ast.on, ...ast.args].filter((a) => a !== undefined).map(firstOffset));
    case 'macro':
      return firstOffset(ast.over);
    default:
      return ast.at;
  }
}
