import type { Point } from '../../domain/action.ts';
import { DYN, typeName } from './cel-type.ts';
import { Broken, OUT_OF_STEPS, type Value } from './cel-value.ts';
import { compileNode } from './compile-node.ts';
import { type Ast, firstOffset } from './condition-ast.ts';
import { ConditionFault } from './condition-fault.ts';
import type { EvalContext } from './eval-context.ts';
import { parseCondition } from './parse-condition.ts';
import type { CelNode, Scope } from './scope.ts';

/** A condition that was parsed, checked and compiled. */
export interface Condition {
  readonly text: string;
  /** true, false, or why it could not be answered. Takes its steps from the context, at most `steps`. */
  readonly test: (c: EvalContext, steps: number) => boolean | Broken;
  /** dotted names and functions it reads, e.g. `run.steps`, `findings` */
  readonly reads: ReadonlySet<string>;
  /**
   * The same question where only these facts are known. Sound: `true` is true or broken, and `false` false or broken, whatever the others
   * are; broken says nothing. Compiled anew by every call of this.
   */
  readonly knowing: (known: ReadonlySet<string>) => Condition['test'];
}

export interface ConditionMistake {
  /** UTF-16 offset in the condition's text */
  readonly at: number;
  readonly message: string;
}

export interface Setting {
  readonly lists: Readonly<Record<string, readonly Value[]>>;
  /** the points the condition is asked at */
  readonly points: readonly Point[];
  /** what other conditions of the same policy read and how they parsed; what this one adds is added */
  readonly shared?: Shared | undefined;
}

/** What the conditions of one policy have in common, so that each text is parsed once and each path is read once per evaluation. */
export class Shared {
  readonly paths = new Map<string, number>();
  readonly parsed = new Map<string, Ast>();
}

const NOT_BOOL = new Broken('the condition is no truth value');

/** Compiles CEL text to a closure, or says everything that is wrong with it. */
export function compileCondition(text: string, setting: Setting): Condition | readonly ConditionMistake[] {
  const mistakes: ConditionMistake[] = [];
  const reads = new Set<string>();
  const { lists, points, shared } = setting;
  const scope: Scope = {
    lists,
    points,
    paths: shared?.paths,
    text,
    variables: [],
    reads,
    compile: compileNode,
    report: (at, message) => {
      mistakes.push({ at, message });
      return { type: DYN, cost: 1, run: () => NOT_BOOL };
    },
  };
  let ast: Ast;
  try {
    ast = shared?.parsed.get(text) ?? parseCondition(text);
    shared?.parsed.set(text, ast);
  } catch (error) {
    if (error instanceof ConditionFault) return [{ at: error.at, message: error.message }];
    throw error;
  }
  const node = compileNode(ast, scope);
  if (mistakes.length === 0 && node.type.kind !== 'bool' && node.type.kind !== 'dyn') {
    scope.report(firstOffset(ast), `the condition is of type ${typeName(node.type)}; it must be true or false`);
  }
  if (mistakes.length > 0) return mistakes;
  const knowing = (known: ReadonlySet<string>): Condition['test'] =>
    testOf(compileNode(ast, { ...scope, known, paths: undefined, reads: new Set() }));
  return { text, reads, test: testOf(node), knowing };
}

function testOf({ run, cost }: CelNode): Condition['test'] {
  return (c: EvalContext, steps: number): boolean | Broken => {
    c.left = steps - cost;
    const value = c.left < 0 ? OUT_OF_STEPS : run(c);
    if (c.left < 0) return OUT_OF_STEPS;
    if (value === true || value === false) return value;
    return value instanceof Broken ? value : NOT_BOOL;
  };
}
