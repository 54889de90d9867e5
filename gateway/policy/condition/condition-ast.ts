/** One node of a parsed condition, reduced to what this language has. `at` is the UTF-16 offset in the text. */
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
