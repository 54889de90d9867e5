import type { Point } from '../../domain/action.ts';
import type { CelType } from './cel-type.ts';
import type { Broken, Value } from './cel-value.ts';
import type { Ast } from './condition-ast.ts';
import type { EvalContext } from './eval-context.ts';

export type Run = (c: EvalContext) => Value;

/** A compiled expression. */
export interface CelNode {
  readonly type: CelType;
  readonly run: Run;
  /** the same value as a JS number, where it is a number at all: comparisons need no bigint */
  readonly num?: ((c: EvalContext) => number | Broken) | undefined;
  /** steps of one evaluation, loops not counted */
  readonly cost: number;
  /** the text of a string literal */
  readonly literal?: string | undefined;
  /** the value of a number literal */
  readonly number?: number | undefined;
  /** the place of a macro's variable */
  readonly slot?: number | undefined;
  /** the parts of a chain of one logical sign, in order */
  readonly chain?: { readonly sign: string; readonly parts: readonly Run[] } | undefined;
  /** where the value depends on one macro variable only */
  readonly of?: OfVariable | undefined;
}

/** An expression over one macro variable, as a function of that variable's value. */
export interface OfVariable {
  /** the place of the variable */
  readonly slot: number;
  readonly onText: (c: EvalContext, text: string, unused: null) => Value;
  /** the value where the variable is no text */
  readonly otherwise: Value;
}

/** What is known while a condition is compiled. */
export interface Scope {
  readonly text: string;
  readonly lists: Readonly<Record<string, readonly Value[]>>;
  readonly points: readonly Point[];
  /** variables of the macros around, outermost first; the place is the slot */
  readonly variables: readonly { readonly name: string; readonly type: CelType }[];
  readonly reads: Set<string>;
  /** dotted paths below facts by number, common to all conditions of a policy: each is read once per evaluation */
  readonly paths?: Map<string, number> | undefined;
  /** the only facts whose values are known; what depends on others is broken. undefined: all of them */
  readonly known?: ReadonlySet<string> | undefined;
  /** Checks and compiles a part of the expression. */
  compile(ast: Ast, scope: Scope): CelNode;
  /** Notes a mistake and returns a node to go on with, so that all mistakes are found at once. */
  report(at: number, message: string): CelNode;
}
