import { BOOL, type CelType, DOUBLE, DYN, INT, join, listOf, mapOf, NULL, STRING } from './cel-type.ts';
import { Broken, type Value } from './cel-value.ts';
import { compileCall } from './compile-call.ts';
import { compileMacro } from './compile-macro.ts';
import { compileName, compileSelect } from './compile-name.ts';
import type { Ast } from './condition-ast.ts';
import type { CelNode, Scope } from './scope.ts';

/** Checks and compiles one expression. Mistakes go to the scope; what comes back can always be built upon. */
export function compileNode(ast: Ast, scope: Scope): CelNode {
  switch (ast.kind) {
    case 'literal':
      return constant(ast.value);
    case 'name':
      return compileName(ast, scope);
    case 'select':
      return compileSelect(ast, scope);
    case 'call':
      return compileCall(ast, scope);
    case 'list':
      return list(ast.items.map((item) => compileNode(item, scope)));
    case 'map':
      return map(ast, scope);
    case 'macro':
      return compileMacro(ast, scope);
  }
}

const TYPES: Readonly<Record<string, CelType>> = {
  boolean: BOOL,
  number: DOUBLE,
  bigint: INT,
  string: STRING,
  object: NULL,
};

function constant(value: null | boolean | number | bigint | string): CelNode {
  const node: CelNode = { type: TYPES[typeof value] as CelType, cost: 1, run: () => value };
  if (typeof value === 'string') return { ...node, literal: value };
  if (typeof value === 'number') return { ...node, num: () => value, number: value };
  const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? { ...node, num: () => number, number } : node;
}

const total = (nodes: readonly CelNode[]): number => nodes.reduce((sum, n) => sum + n.cost, 1);

function list(nodes: readonly CelNode[]): CelNode {
  const runs = nodes.map((n) => n.run);
  const first = nodes[0]?.type ?? DYN;
  const type = listOf(nodes.reduce((t, n) => join(t, n.type), first));
  const cost = total(nodes);
  if (nodes.every(isConstant)) {
    const values = runs.map((run) => (run as unknown as () => Value)());
    return { type, cost, run: () => values };
  }
  return {
    type,
    cost,
    run: (c) => {
      const values: Value[] = [];
      for (const run of runs) {
        const value = run(c);
        if (value instanceof Broken) return value;
        values.push(value);
      }
      return values;
    },
  };
}

/** Literals only: such a list is built once, at load. */
const isConstant = (node: CelNode): boolean => node.cost === 1 && node.run.length === 0;

function map(ast: Ast & { kind: 'map' }, scope: Scope): CelNode {
  const names = new Set<string>();
  const entries = ast.entries.map(({ key, value }) => {
    if (key.kind !== 'literal' || typeof key.value !== 'string')
      scope.report(key.at, 'a member name of a map is a text literal');
    const name = key.kind === 'literal' ? String(key.value) : '';
    if (names.has(name)) scope.report(key.at, `the member \`${name}\` stands twice in the map`);
    names.add(name);
    return { name, node: compileNode(value, scope) };
  });
  const nodes = entries.map((e) => e.node);
  return {
    type: mapOf(nodes.reduce((t, n) => join(t, n.type), nodes[0]?.type ?? DYN)),
    cost: total(nodes),
    run: (c) => {
      const built: [string, Value][] = [];
      for (const { name, node } of entries) {
        const value = node.run(c);
        if (value instanceof Broken) return value;
        built.push([name, value]);
      }
      return Object.fromEntries(built);
    },
  };
}
