import { hint } from '../../domain/nearest.ts';
import { BOOL, type CelType, DYN, listOf, STRING, typeName } from './cel-type.ts';
import { Broken, isMap, type Value } from './cel-value.ts';
import type { Ast } from './condition-ast.ts';
import type { EvalContext } from './eval-context.ts';
import { GROUPS, NAMES, type Name } from './names.ts';
import type { CelNode, Scope } from './scope.ts';

const WHOLE = 'an int fact is no whole number';

const ROOTS = [...new Set([...NAMES.keys(), 'lists'].map((path) => path.split('.')[0] as string))];

/** The dotted path an expression spells, or undefined where it is more than names and dots, or begins with a macro's variable. */
export function pathOf(ast: Ast, scope: Scope): string | undefined {
  if (ast.kind === 'name') return scope.variables.some((v) => v.name === ast.name) ? undefined : ast.name;
  if (ast.kind !== 'select' || ast.test) return undefined;
  const parent = pathOf(ast.of, scope);
  return parent === undefined ? undefined : `${parent}.${ast.field}`;
}

/** Where the field of a select stands: the parser places a select at its dot. */
const fieldAt = (ast: Ast & { kind: 'select' }, scope: Scope): number =>
  Math.max(ast.at, scope.text.indexOf(ast.field, ast.at));

export function compileName(ast: Ast & { kind: 'name' }, scope: Scope): CelNode {
  for (let slot = scope.variables.length - 1; slot >= 0; slot -= 1) {
    const variable = scope.variables[slot];
    if (variable?.name === ast.name) return { type: variable.type, cost: 1, slot, run: (c) => c.slots[slot] as Value };
  }
  const known = NAMES.get(ast.name);
  if (known) return factNode(ast.name, known, ast.at, scope);
  if (GROUPS.has(ast.name) || ast.name === 'lists') return groupFault(ast.name, ast.at, scope);
  return scope.report(
    ast.at,
    `unknown name \`${ast.name}\`${hint(ast.name, [...ROOTS, ...scope.variables.map((v) => v.name)])}`,
  );
}

const membersOf = (group: string): string[] => {
  const from = `${group}.`;
  return [
    ...new Set(
      [...NAMES.keys()].filter((p) => p.startsWith(from)).map((p) => p.slice(from.length).split('.')[0] as string),
    ),
  ];
};

function groupFault(group: string, at: number, scope: Scope): CelNode {
  const members = group === 'lists' ? Object.keys(scope.lists) : membersOf(group);
  const shown = members.slice(0, 4).map((m) => `\`${group}.${m}\``);
  return scope.report(
    at,
    `\`${group}\` is a group of facts, not a value${shown.length > 0 ? `; name one, such as ${shown.join(', ')}` : ''}`,
  );
}

/** Reads a fact; a rule asked at a point that lacks it must say so by looking at `point`. */
function factNode(path: string, name: Name, at: number, scope: Scope): CelNode {
  scope.reads.add(path);
  const missing = name.points ? scope.points.filter((p) => !name.points?.includes(p)) : [];
  if (missing.length > 0 && (missing.length === scope.points.length || !/\bpoint\b/.test(scope.text))) {
    const where = (name.points ?? []).map((p) => `\`${p}\``).join(' and ');
    return scope.report(
      at,
      `\`${path}\` is not known at \`${missing.join('`, `')}\`; it is known at ${where}: split the rule or test \`point\``,
    );
  }
  const { type, read } = name;
  if (scope.known && !scope.known.has(path)) return unknownNode(type);
  if (type.kind === 'double') return { type, cost: 1, run: read, num: read as (c: EvalContext) => number };
  if (type.kind !== 'int') return { type, cost: 1, run: read };
  return {
    type,
    cost: 1,
    num: read as (c: EvalContext) => number | Broken,
    run: (c) => wholeNumber(read(c)),
  };
}

const NOT_WHOLE = new Broken(WHOLE);
const UNKNOWN = new Broken('a fact is not known yet');

/** Stands for a value that is not known: `&&`, `||`, `exists` and `all` may do without it, everything else is as unknown. */
export function unknownNode(type: CelType): CelNode {
  const node: CelNode = { type, cost: 1, run: (_) => UNKNOWN };
  return type.kind === 'int' || type.kind === 'double' ? { ...node, num: () => UNKNOWN } : node;
}

/** A number that stands for an int, as the int. */
export const wholeNumber = (value: Value): Value =>
  typeof value !== 'number' ? value : Number.isSafeInteger(value) ? BigInt(value) : NOT_WHOLE;

/** `a.b`, as a fact, a list of the policy's, or a member of a value; or `has(a.b)`. */
export function compileSelect(ast: Ast & { kind: 'select' }, scope: Scope): CelNode {
  const parent = pathOf(ast.of, scope);
  if (parent === 'lists') return listNode(ast, scope);
  if (parent !== undefined && GROUPS.has(parent)) return memberFact(ast, `${parent}.${ast.field}`, parent, scope);
  const of = scope.compile(ast.of, scope);
  if (of.type.kind !== 'dyn' && of.type.kind !== 'map') {
    return scope.report(fieldAt(ast, scope), `a ${typeName(of.type)} has no member \`${ast.field}\``);
  }
  const members = of.type.kind === 'map' ? of.type.members : undefined;
  if (members && !Object.hasOwn(members, ast.field)) {
    return scope.report(fieldAt(ast, scope), `unknown member \`${ast.field}\`${hint(ast.field, Object.keys(members))}`);
  }
  if (ast.test) return presence(of, ast.field);
  const node = memberNode(of, ast.field, members?.[ast.field] ?? (of.type.kind === 'map' ? of.type.of : DYN));
  const path = pathOf(ast, scope);
  return path === undefined || !scope.paths ? node : readOnce(node, path, scope.paths);
}

function readOnce(node: CelNode, path: string, paths: Map<string, number>): CelNode {
  const slot = paths.get(path) ?? paths.size;
  paths.set(path, slot);
  const { run } = node;
  return { ...node, run: (c) => c.path(slot, run) };
}

function memberFact(ast: Ast & { kind: 'select' }, path: string, group: string, scope: Scope): CelNode {
  const known = NAMES.get(path);
  const isGroup = GROUPS.get(path);
  if (!known && !isGroup) {
    return scope.report(fieldAt(ast, scope), `unknown name \`${path}\`${hint(ast.field, membersOf(group))}`);
  }
  if (!ast.test)
    return known ? factNode(path, known, fieldAt(ast, scope), scope) : groupFault(path, fieldAt(ast, scope), scope);
  const has = known ? (known.has ?? GROUPS.get(group)) : isGroup;
  scope.reads.add(path);
  if (scope.known && !isKnown(path, scope.known)) return unknownNode(BOOL);
  return { type: BOOL, cost: 1, run: has ?? (() => true) };
}

/** True for a known fact, and for a group that has one: what is there of a principal or tool is there as a whole. */
const isKnown = (path: string, known: ReadonlySet<string>): boolean =>
  known.has(path) || [...known].some((name) => name.startsWith(`${path}.`));

function listNode(ast: Ast & { kind: 'select' }, scope: Scope): CelNode {
  const values = Object.hasOwn(scope.lists, ast.field) ? scope.lists[ast.field] : undefined;
  if (ast.test) return { type: BOOL, cost: 1, run: () => values !== undefined };
  if (!values)
    return scope.report(
      fieldAt(ast, scope),
      `unknown list \`lists.${ast.field}\`${hint(ast.field, Object.keys(scope.lists))}`,
    );
  const type: CelType = values.every((v) => typeof v === 'string') ? listOf(STRING) : listOf(DYN);
  return { type, cost: 1, run: () => values };
}

function memberNode(of: CelNode, field: string, type: CelType): CelNode {
  const { run } = of;
  const missing = new Broken(`there is no member \`${field}\``);
  const notMap = new Broken(`\`.${field}\` was asked of something that has no members`);
  return {
    type,
    cost: of.cost + 1,
    run: (c) => {
      const value = run(c);
      if (!isMap(value)) return value instanceof Broken ? value : notMap;
      return Object.hasOwn(value, field) ? (value[field] as Value) : missing;
    },
  };
}

function presence(of: CelNode, field: string): CelNode {
  const { run } = of;
  const notMap = new Broken(`\`has(….${field})\` was asked of something that has no members`);
  return {
    type: BOOL,
    cost: of.cost + 1,
    run: (c) => {
      const value = run(c);
      return isMap(value) ? Object.hasOwn(value, field) : value instanceof Broken ? value : notMap;
    },
  };
}
