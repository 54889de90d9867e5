import { BOOL, type CelType, comparable, DYN, join, typeName } from './cel-type.ts';
import { Broken, MIN_INT, Span } from './cel-value.ts';
import { compileEquality, compileOrder } from './compile-comparison.ts';
import { type Ast, firstOffset } from './condition-ast.ts';
import { arithmetic, arithmeticKind, elementAt, notBool, within } from './operators.ts';
import type { CelNode, Run, Scope } from './scope.ts';

type Call = Ast & { kind: 'call' };
type Compile = (sign: string, ast: Call, nodes: readonly CelNode[], scope: Scope) => CelNode;

const cost = (nodes: readonly CelNode[]): number => nodes.reduce((sum, n) => sum + n.cost, 1);

/** Operators by the parser's name for them. */
const TABLE: Readonly<Record<string, readonly [string, Compile]>> = {
  '_&&_': ['&&', logic],
  '_||_': ['||', logic],
  '!_': ['!', not],
  '-_': ['-', negate],
  '_?_:_': ['?:', ternary],
  '_==_': ['==', compileEquality],
  '_!=_': ['!=', compileEquality],
  '_<_': ['<', compileOrder],
  '_<=_': ['<=', compileOrder],
  '_>_': ['>', compileOrder],
  '_>=_': ['>=', compileOrder],
  '_+_': ['+', math],
  '_-_': ['-', math],
  '_*_': ['*', math],
  '_/_': ['/', math],
  '_%_': ['%', math],
  '@in': ['in', membership],
  '_[_]': ['[]', index],
};

export const OPERATORS: ReadonlySet<string> = new Set(Object.keys(TABLE));

export function compileOperator(ast: Call, scope: Scope): CelNode {
  const [sign, compile] = TABLE[ast.name] as readonly [string, Compile];
  return compile(
    sign,
    ast,
    ast.args.map((arg) => scope.compile(arg, scope)),
    scope,
  );
}

const isBool = (node: CelNode): boolean => node.type.kind === 'bool' || node.type.kind === 'dyn';

/** `&&` and `||`: one side that decides absorbs an error on the other, whichever side it is on. */
function logic(sign: string, ast: Call, [left, right]: readonly CelNode[], scope: Scope): CelNode {
  for (const [i, side] of [left, right].entries()) {
    if (!side || isBool(side)) continue;
    const place = ast.args[i] ? firstOffset(ast.args[i]) : ast.at;
    return scope.report(place, `\`${sign}\` wants bool on both sides, not ${typeName(side.type)}`);
  }
  const decisive = sign === '||';
  const sides = [left as CelNode, right as CelNode];
  const parts = sides.flatMap((side) => (side.chain?.sign === sign ? side.chain.parts : [side.run]));
  const run = parts.length === 2 ? ofTwo(parts as [Run, Run], decisive) : ofMany(parts, decisive);
  return { type: BOOL, cost: cost(sides), run, chain: { sign, parts } };
}

function ofTwo([a, b]: readonly [Run, Run], decisive: boolean): Run {
  return (c) => {
    const l = a(c);
    if (l === decisive) return decisive;
    const r = b(c);
    if (r === decisive) return decisive;
    return l !== !decisive ? notBool(l) : r !== !decisive ? notBool(r) : !decisive;
  };
}

/** A chain of the same sign without its brackets: the grouping changes nothing but which of several errors is told. */
function ofMany(parts: readonly Run[], decisive: boolean): Run {
  return (c) => {
    let broken: Broken | undefined;
    for (let i = 0; i < parts.length; i += 1) {
      const value = (parts[i] as Run)(c);
      if (value === decisive) return decisive;
      if (value !== !decisive) broken ??= notBool(value);
    }
    return broken ?? !decisive;
  };
}

function not(_: string, ast: Call, [of]: readonly CelNode[], scope: Scope): CelNode {
  const node = of as CelNode;
  if (!isBool(node)) return scope.report(ast.at, `\`!\` wants bool, not ${typeName(node.type)}`);
  const { run } = node;
  return {
    type: BOOL,
    cost: node.cost + 1,
    run: (c) => {
      const value = run(c);
      return value === true ? false : value === false ? true : notBool(value);
    },
  };
}

const NOT_NUMBER = new Broken('`-` wants a number');

function negate(_: string, ast: Call, [of]: readonly CelNode[], scope: Scope): CelNode {
  const node = of as CelNode;
  const { kind } = node.type;
  if (kind !== 'int' && kind !== 'double' && kind !== 'dyn' && kind !== 'duration') {
    return scope.report(ast.at, `\`-\` wants a number, not ${typeName(node.type)}`);
  }
  const run: Run = (c) => {
    const value = node.run(c);
    if (typeof value === 'number') return -value;
    if (typeof value === 'bigint') return value === MIN_INT ? new Broken('integer overflow') : -value;
    return value instanceof Span ? new Span(-value.ms) : value instanceof Broken ? value : NOT_NUMBER;
  };
  return { type: node.type, cost: node.cost + 1, run };
}

function ternary(_: string, ast: Call, [test, yes, no]: readonly CelNode[], scope: Scope): CelNode {
  const [t, a, b] = [test as CelNode, yes as CelNode, no as CelNode];
  if (!isBool(t)) return scope.report(ast.at, `the test of \`? :\` wants bool, not ${typeName(t.type)}`);
  if (!comparable(a.type, b.type)) {
    return scope.report(
      ast.at,
      `both results of \`? :\` must have one type, not ${typeName(a.type)} and ${typeName(b.type)}`,
    );
  }
  return {
    type: join(a.type, b.type),
    cost: cost([t, a, b]),
    run: (c) => {
      const answer = t.run(c);
      return answer === true ? a.run(c) : answer === false ? b.run(c) : notBool(answer);
    },
  };
}

function math(sign: string, ast: Call, [left, right]: readonly CelNode[], scope: Scope): CelNode {
  const [l, r] = [left as CelNode, right as CelNode];
  const kind = arithmeticKind(sign, l.type.kind, r.type.kind);
  if (kind === undefined) {
    const mixed = [l.type.kind, r.type.kind].sort().join() === 'double,int';
    const help = mixed
      ? '; write the whole number with a decimal point, such as `2.0`, or convert with `double(…)`'
      : '';
    return scope.report(ast.at, `\`${sign}\` does not work on ${typeName(l.type)} and ${typeName(r.type)}${help}`);
  }
  const type: CelType = kind === 'list' ? join(l.type, r.type) : kind === 'dyn' ? DYN : ({ kind } as CelType);
  const shape = { type, cost: cost([l, r]) };
  if (kind === 'double' && l.num && r.num) {
    const [x, y] = [l.num, r.num];
    const num: NonNullable<CelNode['num']> = (c) => {
      const a = x(c);
      if (typeof a !== 'number') return a;
      const b = y(c);
      return typeof b === 'number' ? (sign === '+' ? a + b : sign === '-' ? a - b : sign === '*' ? a * b : a / b) : b;
    };
    return { ...shape, run: num, num };
  }
  const run: Run = (c) => {
    const a = l.run(c);
    if (a instanceof Broken) return a;
    const b = r.run(c);
    return b instanceof Broken ? b : arithmetic(sign, c, a, b);
  };
  return { ...shape, run };
}

function membership(_: string, ast: Call, [item, container]: readonly CelNode[], scope: Scope): CelNode {
  const [i, k] = [item as CelNode, container as CelNode];
  const type = k.type;
  if (type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'dyn') {
    return scope.report(ast.at, `\`in\` wants a list or a map on its right, not ${typeName(type)}`);
  }
  const of: CelType = type.kind === 'list' ? type.of : type.kind === 'map' ? { kind: 'string' } : DYN;
  if (!comparable(i.type, of))
    return scope.report(ast.at, `\`in\` looks for ${typeName(i.type)} in ${typeName(type)}: it is never there`);
  return {
    type: BOOL,
    cost: cost([i, k]),
    run: (c) => {
      const value = i.run(c);
      if (value instanceof Broken) return value;
      const box = k.run(c);
      return box instanceof Broken ? box : within(c, value, box);
    },
  };
}

function index(_: string, ast: Call, [of, key]: readonly CelNode[], scope: Scope): CelNode {
  const [o, k] = [of as CelNode, key as CelNode];
  const { type } = o;
  if (type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'dyn')
    return scope.report(ast.at, `a ${typeName(type)} has no elements`);
  const wants: CelType = type.kind === 'list' ? { kind: 'int' } : { kind: 'string' };
  if (type.kind !== 'dyn' && !comparable(k.type, wants)) {
    return scope.report(
      ast.at,
      `an element of a ${typeName(type)} is named by ${typeName(wants)}, not ${typeName(k.type)}`,
    );
  }
  const run: Run = (c) => {
    const container = o.run(c);
    if (container instanceof Broken) return container;
    const name = k.run(c);
    return name instanceof Broken ? name : elementAt(container, name);
  };
  return { type: type.kind === 'list' || type.kind === 'map' ? type.of : DYN, cost: cost([o, k]), run };
}
