import { hint } from '../../domain/nearest.ts';
import { BOOL, type CelType, type Kind, kindOf, typeName } from './cel-type.ts';
import { Broken, type Value } from './cel-value.ts';
import { pathOf, unknownNode, wholeNumber } from './compile-name.ts';
import { compileOperator, OPERATORS } from './compile-operator.ts';
import type { Ast } from './condition-ast.ts';
import type { EvalContext } from './eval-context.ts';
import { type CelFunction, FUNCTIONS, type Work } from './functions.ts';
import type { CelNode, Run, Scope } from './scope.ts';

type Call = Ast & { kind: 'call' };

const MACROS = ['all', 'exists', 'exists_one', 'map', 'filter'];

/** An operator, a function of the table, or a method of it. */
export function compileCall(ast: Call, scope: Scope): CelNode {
  if (ast.on === undefined && OPERATORS.has(ast.name)) return compileOperator(ast, scope);
  const onRun = ast.on !== undefined && pathOf(ast.on, scope) === 'run';
  const form = ast.on === undefined ? 'function' : onRun ? 'run' : 'method';
  const found = FUNCTIONS.find((f) => f.name === ast.name && f.form === form);
  if (!found) return unknown(ast, form, scope);
  const args = (ast.on && !onRun ? [ast.on, ...ast.args] : ast.args).map((arg) => scope.compile(arg, scope));
  const own = form === 'method' ? 1 : 0;
  if (args.length !== found.params.length) {
    const wants = found.params.length - own;
    return scope.report(
      nameAt(ast, scope),
      `\`${ast.name}\` takes ${wants} argument${wants === 1 ? '' : 's'}, not ${args.length - own}`,
    );
  }
  for (const [i, arg] of args.entries()) {
    const allowed = found.params[i] as readonly Kind[];
    if (!fits(arg.type, allowed)) {
      const what = form === 'method' && i === 0 ? `\`${ast.name}\` works on` : `\`${ast.name}\` wants`;
      return scope.report(nameAt(ast, scope), `${what} ${allowed.join(' or ')}, not ${typeName(arg.type)}`);
    }
  }
  if (found.reads) scope.reads.add(found.reads);
  scope.reads.add(`${ast.name}()`);
  if (scope.known && (form === 'run' || found.reads)) return unknownNode({ kind: found.result });
  return node(ast, found, args, scope);
}

const fits = (type: CelType, allowed: readonly Kind[]): boolean =>
  type.kind === 'dyn' || allowed.includes('dyn') || allowed.includes(type.kind);

/** Where the function's name stands. */
const nameAt = (ast: Call, scope: Scope): number => {
  const after = scope.text.indexOf(ast.name, ast.at);
  return after === -1 ? Math.max(0, scope.text.lastIndexOf(ast.name, ast.at)) : after;
};

function unknown(ast: Call, form: CelFunction['form'], scope: Scope): CelNode {
  const at = nameAt(ast, scope);
  if (MACROS.includes(ast.name)) return scope.report(at, `\`${ast.name}\` is written \`list.${ast.name}(x, …)\``);
  if (ast.name === 'has') return scope.report(at, '`has` asks for one member: `has(args.name)`');
  const other = FUNCTIONS.find((f) => f.name === ast.name);
  if (other) {
    const form =
      other.form === 'function'
        ? `${ast.name}(…)`
        : other.form === 'run'
          ? `run.${ast.name}(…)`
          : `text.${ast.name}(…)`;
    return scope.report(at, `\`${ast.name}\` is written \`${form}\``);
  }
  const names = [
    ...new Set([...FUNCTIONS.filter((f) => f.form === form).map((f) => f.name), ...(form === 'method' ? MACROS : [])]),
  ];
  return scope.report(at, `unknown function \`${ast.name}\`${hint(ast.name, names)}`);
}

function node(ast: Call, fn: CelFunction, args: readonly CelNode[], scope: Scope): CelNode {
  let work = fn.work;
  const last = args.at(-1)?.literal;
  if (fn.withLiteral && last !== undefined) {
    const subject = args[0] as CelNode;
    const cost = subject.cost + 2 + (last.length >> 6);
    return { type: BOOL, cost, ...onTextOf(fn, subject, fn.withLiteral(last)) };
  }
  if (fn.prepare) {
    const literal = args.at(-1)?.literal;
    const place = ast.args.at(-1)?.at ?? ast.at;
    if (literal === undefined)
      return scope.report(
        place,
        `the last argument of \`${fn.name}\` is a text literal, so that it can be checked when the policy loads`,
      );
    try {
      work = fn.prepare(literal);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return scope.report(place, error.message);
    }
  }
  const prepared = fn.prepare && fn.params.length === 2 && fn.params[0]?.join() === 'string';
  const onText = prepared ? onTextOf(fn, args[0] as CelNode, work) : undefined;
  const raw = onText?.run ?? invoke(fn, work, args);
  const cost = args.reduce((sum, a) => sum + a.cost, 1);
  const type: CelType = { kind: fn.result };
  if (fn.result === 'double') return { type, cost, run: raw, num: raw as (c: EvalContext) => number | Broken };
  if (fn.result !== 'int') return { type, cost, run: raw, of: onText?.of };
  return { type, cost, run: (c) => wholeNumber(raw(c)), num: (c) => asNumber(raw(c)) };
}

const asNumber = (value: Value): number | Broken => (value instanceof Broken ? value : Number(value));

/** The work on one text, the other argument being a literal the work already knows. */
function onTextOf(fn: CelFunction, subject: CelNode, work: Work): Pick<CelNode, 'run' | 'of'> {
  const { run, slot } = subject;
  const wrong = new Broken(`\`${fn.name}\` wants string`);
  if (slot !== undefined) {
    return {
      run: (c) => {
        const a = c.slots[slot];
        return typeof a === 'string' ? work(c, a, null) : wrong;
      },
      of: { slot, onText: work, otherwise: wrong },
    };
  }
  return {
    run: (c) => {
      const a = run(c);
      if (typeof a === 'string') return work(c, a, null);
      return a instanceof Broken ? a : wrong;
    },
  };
}

/** Evaluates the arguments, checks what was only `dyn` at load, and does the work. */
function invoke(fn: CelFunction, work: Work, args: readonly CelNode[]): Run {
  const [first, second] = args;
  const guardA = first && guard(fn, 0, first);
  const guardB = second && guard(fn, 1, second);
  if (!first || !guardA) return (c) => work(c, null, null);
  if (!second || !guardB) {
    return (c) => {
      const a = guardA(first.run(c));
      return a instanceof Broken ? a : work(c, a, null);
    };
  }
  return (c) => {
    const a = guardA(first.run(c));
    if (a instanceof Broken) return a;
    const b = guardB(second.run(c));
    return b instanceof Broken ? b : work(c, a, b);
  };
}

function guard(fn: CelFunction, index: number, arg: CelNode): (value: Value) => Value {
  const allowed = fn.params[index] as readonly Kind[];
  if (arg.type.kind !== 'dyn' || allowed.includes('dyn')) return (value) => value;
  const wrong = new Broken(`\`${fn.name}\` wants ${allowed.join(' or ')}`);
  return (value) => {
    const kind = kindOf(value);
    return kind === 'broken' || allowed.includes(kind) ? value : wrong;
  };
}
