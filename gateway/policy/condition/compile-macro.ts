import { BOOL, type CelType, DYN, listOf, STRING, typeName } from './cel-type.ts';
import { Broken, isList, isMap, OUT_OF_STEPS, type Value } from './cel-value.ts';
import type { Ast } from './condition-ast.ts';
import type { EvalContext } from './eval-context.ts';
import { notBool } from './operators.ts';
import type { CelNode, OfVariable, Run, Scope } from './scope.ts';

const NOT_ITERABLE = new Broken('a macro needs a list or a map');

/** What one loop does: its slot, its range, its test and value, and what one turn costs. */
interface Loop {
  readonly slot: number;
  readonly over: Run;
  readonly test: Run;
  /** the test as a function of the element, where it looks at nothing else */
  readonly testOf: OfVariable | undefined;
  readonly value: Run;
  readonly turn: number;
}

function range(value: Value): readonly Value[] | Broken {
  if (isList(value)) return value;
  if (isMap(value)) return Object.keys(value);
  return value instanceof Broken ? value : NOT_ITERABLE;
}

/** Binds the next element and pays for the turn; false once the steps are gone. */
function turn(loop: Loop, c: EvalContext, item: Value): boolean {
  c.slots[loop.slot] = item;
  return c.spend(loop.turn);
}

/** `all` (until: false) and `exists` (until: true): errors count only if no element decides. */
function decides(loop: Loop, until: boolean): Run {
  const { over, test, testOf, slot, turn: steps } = loop;
  if (testOf) return decidesAlone(over, testOf, steps, until);
  return (c) => {
    const items = range(over(c));
    if (items instanceof Broken) return items;
    let broken: Broken | undefined;
    for (let i = 0; i < items.length; i += 1) {
      c.slots[slot] = items[i] as Value;
      c.left -= steps;
      if (c.left < 0) return OUT_OF_STEPS;
      const answer = test(c);
      if (answer === until) return until;
      if (answer !== !until) broken ??= notBool(answer);
    }
    return broken ?? !until;
  };
}

/** The same for a test of the element alone: it is handed over, not put in its slot. */
function decidesAlone(over: Run, { onText, otherwise }: OfVariable, steps: number, until: boolean): Run {
  return (c) => {
    const items = range(over(c));
    if (items instanceof Broken) return items;
    let broken: Broken | undefined;
    for (let i = 0; i < items.length; i += 1) {
      c.left -= steps;
      if (c.left < 0) return OUT_OF_STEPS;
      const item = items[i];
      const answer = typeof item === 'string' ? onText(c, item, null) : otherwise;
      if (answer === until) return until;
      if (answer !== !until) broken ??= notBool(answer);
    }
    return broken ?? !until;
  };
}

function existsOne(loop: Loop): Run {
  return (c) => {
    const items = range(loop.over(c));
    if (items instanceof Broken) return items;
    let count = 0;
    for (const item of items) {
      if (!turn(loop, c, item)) return OUT_OF_STEPS;
      const answer = loop.test(c);
      if (answer === true) count += 1;
      else if (answer !== false) return notBool(answer);
    }
    return count === 1;
  };
}

function collect(loop: Loop): Run {
  return (c) => {
    const items = range(loop.over(c));
    if (items instanceof Broken) return items;
    const kept: Value[] = [];
    for (const item of items) {
      if (!turn(loop, c, item)) return OUT_OF_STEPS;
      const answer = loop.test(c);
      if (answer === false) continue;
      if (answer !== true) return notBool(answer);
      const value = loop.value(c);
      if (value instanceof Broken) return value;
      kept.push(value);
    }
    return kept;
  };
}

export function compileMacro(ast: Ast & { kind: 'macro' }, scope: Scope): CelNode {
  const over = scope.compile(ast.over, scope);
  if (over.type.kind !== 'dyn' && over.type.kind !== 'list' && over.type.kind !== 'map') {
    return scope.report(ast.at, `\`${ast.name}\` needs a list or a map, not a ${typeName(over.type)}`);
  }
  const item: CelType = over.type.kind === 'list' ? over.type.of : over.type.kind === 'map' ? STRING : DYN;
  const inner: Scope = { ...scope, variables: [...scope.variables, { name: ast.variable, type: item }] };
  const test = ast.test && scope.compile(ast.test, inner);
  const value = ast.value && scope.compile(ast.value, inner);
  if (test && test.type.kind !== 'bool' && test.type.kind !== 'dyn') {
    scope.report(
      ast.test?.at ?? ast.at,
      `the test of \`${ast.name}\` is of type ${typeName(test.type)}; it must be true or false`,
    );
  }
  const slot = scope.variables.length;
  const loop: Loop = {
    slot,
    over: over.run,
    test: test?.run ?? (() => true),
    testOf: test?.of?.slot === slot ? test.of : undefined,
    value: value?.run ?? ((c) => c.slots[slot] as Value),
    turn: 1 + (test?.cost ?? 0) + (value?.cost ?? 0),
  };
  const cost = over.cost + 1;
  if (ast.name === 'map') return { type: listOf(value?.type ?? DYN), cost, run: collect(loop) };
  if (ast.name === 'filter') return { type: listOf(item), cost, run: collect(loop) };
  const run = ast.name === 'exists_one' ? existsOne(loop) : decides(loop, ast.name === 'exists');
  return { type: BOOL, cost, run };
}
