import { BOOL, type CelType, comparable, type Kind, typeName } from './cel-type.ts';
import { Broken, equal } from './cel-value.ts';
import type { Ast } from './condition-ast.ts';
import type { EvalContext } from './eval-context.ts';
import { compare } from './operators.ts';
import type { CelNode, Run, Scope } from './scope.ts';

type Call = Ast & { kind: 'call' };

/** `==` and `!=`. */
export function compileEquality(sign: string, ast: Call, [left, right]: readonly CelNode[], scope: Scope): CelNode {
  const [l, r] = [left as CelNode, right as CelNode];
  if (!comparable(l.type, r.type)) return scope.report(ast.at, mismatch(sign, l.type, r.type));
  const yes = sign === '==';
  const shape = { type: BOOL, cost: l.cost + r.cost + 1 };
  if (l.num && r.num) {
    const [x, y] = [l.num, r.num];
    return {
      ...shape,
      run: (c) => {
        const a = x(c);
        if (typeof a !== 'number') return a;
        const b = y(c);
        return typeof b === 'number' ? (a === b) === yes : b;
      },
    };
  }
  if (r.literal !== undefined) return { ...shape, ...equalsText(l, r.literal, yes) };
  if (l.literal !== undefined) return { ...shape, ...equalsText(r, l.literal, yes) };
  const x: Run = l.num ?? l.run;
  const y: Run = r.num ?? r.run;
  return {
    ...shape,
    run: (c) => {
      const a = x(c);
      if (a instanceof Broken) return a;
      const b = y(c);
      return b instanceof Broken ? b : equal(c, a, b) === yes;
    },
  };
}

/** A literal is short: comparing with it takes no steps of its own. */
function equalsText({ run, slot }: CelNode, literal: string, yes: boolean): Pick<CelNode, 'run' | 'of'> {
  const onText = (_: EvalContext, text: string): boolean => (text === literal) === yes;
  return {
    run: (c) => {
      const a = run(c);
      if (typeof a === 'string') return (a === literal) === yes;
      return a instanceof Broken ? a : !yes;
    },
    of: slot === undefined ? undefined : { slot, onText, otherwise: !yes },
  };
}

const mismatch = (sign: string, a: CelType, b: CelType): string =>
  `\`${sign}\` compares ${typeName(a)} with ${typeName(b)}: these are never equal`;

const ORDERED: readonly Kind[] = ['int', 'double', 'string', 'bool', 'timestamp', 'duration', 'dyn'];

/** `<`, `<=`, `>` and `>=`. */
export function compileOrder(sign: string, ast: Call, [left, right]: readonly CelNode[], scope: Scope): CelNode {
  const [l, r] = [left as CelNode, right as CelNode];
  if (!ORDERED.includes(l.type.kind) || !ORDERED.includes(r.type.kind) || !comparable(l.type, r.type)) {
    return scope.report(ast.at, `\`${sign}\` can't order ${typeName(l.type)} and ${typeName(r.type)}`);
  }
  const shape = { type: BOOL, cost: l.cost + r.cost + 1 };
  if (l.num && r.num)
    return {
      ...shape,
      run: r.number === undefined ? numericOrder(sign, l.num, r.num) : orderAgainst(sign, l.num, r.number),
    };
  const x: Run = l.num ?? l.run;
  const y: Run = r.num ?? r.run;
  return {
    ...shape,
    run: (c) => {
      const a = x(c);
      if (a instanceof Broken) return a;
      const b = y(c);
      return b instanceof Broken ? b : compare(sign, a, b);
    },
  };
}

type Num = NonNullable<CelNode['num']>;

/** One closure per sign, so that the comparison itself stands in it; an error on either side is the answer. */
function numericOrder(sign: string, x: Num, y: Num): Run {
  switch (sign) {
    case '<':
      return (c) => {
        const a = x(c);
        const b = typeof a === 'number' ? y(c) : a;
        return typeof b === 'number' ? (a as number) < b : b;
      };
    case '<=':
      return (c) => {
        const a = x(c);
        const b = typeof a === 'number' ? y(c) : a;
        return typeof b === 'number' ? (a as number) <= b : b;
      };
    case '>':
      return (c) => {
        const a = x(c);
        const b = typeof a === 'number' ? y(c) : a;
        return typeof b === 'number' ? (a as number) > b : b;
      };
    default:
      return (c) => {
        const a = x(c);
        const b = typeof a === 'number' ? y(c) : a;
        return typeof b === 'number' ? (a as number) >= b : b;
      };
  }
}

/** The same against a literal. */
function orderAgainst(sign: string, x: Num, limit: number): Run {
  switch (sign) {
    case '<':
      return (c) => {
        const a = x(c);
        return typeof a === 'number' ? a < limit : a;
      };
    case '<=':
      return (c) => {
        const a = x(c);
        return typeof a === 'number' ? a <= limit : a;
      };
    case '>':
      return (c) => {
        const a = x(c);
        return typeof a === 'number' ? a > limit : a;
      };
    default:
      return (c) => {
        const a = x(c);
        return typeof a === 'number' ? a >= limit : a;
      };
  }
}
