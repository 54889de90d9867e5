import { parse } from '@bufbuild/cel';
import type { Ast } from './condition-ast.ts';
import { ConditionFault } from './condition-fault.ts';
import { refuseUnknownEscapes } from './string-escapes.ts';

const MAX_CONDITION = 4096;
const MAX_DEPTH = 64;

type Parsed = ReturnType<typeof parse>;
type Expr = Parsed['expr'];
type Info = NonNullable<Parsed['sourceInfo']>;

/** Parses CEL text. Throws a ConditionFault on bad syntax, on an escape that CEL does not have, and on CEL that the policy language leaves out. */
export function parseCondition(text: string): Ast {
  if (text.length > MAX_CONDITION)
    throw new ConditionFault(`the condition is longer than ${MAX_CONDITION} characters; split the rule`, 0);
  if (text.trim() === '')
    throw new ConditionFault('the condition is empty; leave the field out for a rule without one', 0);
  refuseUnknownEscapes(text);
  let parsed: Parsed;
  try {
    parsed = parse(text);
  } catch (error) {
    throw syntaxFault(error, text);
  }
  return read(parsed.expr, parsed.sourceInfo as Info, 0);
}

function syntaxFault(error: unknown, text: string): ConditionFault {
  if (error instanceof RangeError && /call stack/i.test(error.message))
    return new ConditionFault('the condition is nested too deeply', 0);
  const said = error instanceof Error ? error.message : String(error);
  const at = (error as { location?: { start?: { offset?: number } } }).location?.start?.offset ?? 0;
  if (!/^<input>/.test(said)) return new ConditionFault(`a literal can't be read: ${said}`, 0);
  const found = at >= text.length ? 'the end' : `\`${/^(?:\w+|&&|\|\||[=!<>]=|.)/su.exec(text.slice(at))?.[0] ?? ''}\``;
  return new ConditionFault(
    `the condition can't be read from ${found} on; check quotes, brackets and what the operator needs`,
    at,
  );
}

function read(expr: Expr | undefined, info: Info, depth: number): Ast {
  const at = Number(info.positions[String(expr?.id)] ?? 0);
  if (depth > MAX_DEPTH)
    throw new ConditionFault(`the condition is nested deeper than ${MAX_DEPTH} levels; split the rule`, at);
  const next = (e: Expr | undefined): Ast => read(e, info, depth + 1);
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case 'constExpr':
      return { at, kind: 'literal', value: literal(kind.value, at) };
    case 'identExpr':
      return { at, kind: 'name', name: kind.value.name };
    case 'selectExpr':
      return { at, kind: 'select', of: next(kind.value.operand), field: kind.value.field, test: kind.value.testOnly };
    case 'callExpr':
      return {
        at,
        kind: 'call',
        name: kind.value.function,
        on: kind.value.target && next(kind.value.target),
        args: kind.value.args.map(next),
      };
    case 'listExpr':
      return { at, kind: 'list', items: kind.value.elements.map(next) };
    case 'structExpr':
      if (kind.value.messageName !== '')
        throw new ConditionFault(
          `messages such as \`${kind.value.messageName}{}\` are not part of the policy language`,
          at,
        );
      return {
        at,
        kind: 'map',
        entries: kind.value.entries.map((e) => {
          if (e.keyKind.case !== 'mapKey') throw new ConditionFault('a map is written `{"name": value}`', at);
          return { key: next(e.keyKind.value), value: next(e.value) };
        }),
      };
    case 'comprehensionExpr':
      return macro(kind.value, String(expr?.id), at, info, next);
    default:
      throw new ConditionFault('this form is not part of the policy language', at);
  }
}

type Constant = Extract<NonNullable<Expr['exprKind']>, { case: 'constExpr' }>['value'];

function literal(constant: Constant, at: number): null | boolean | number | bigint | string {
  const { constantKind } = constant;
  switch (constantKind.case) {
    case 'nullValue':
      return null;
    case 'int64Value':
      if (constantKind.value >= 2n ** 63n || constantKind.value < -(2n ** 63n))
        throw new ConditionFault(`\`${constantKind.value}\` does not fit a 64-bit int`, at);
      return constantKind.value;
    case 'boolValue':
    case 'doubleValue':
    case 'stringValue':
      return constantKind.value;
    case 'uint64Value':
      throw new ConditionFault(
        `unsigned ints are not part of the policy language; write \`${constantKind.value}\` without the \`u\``,
        at,
      );
    default:
      throw new ConditionFault('bytes are not part of the policy language; write a text', at);
  }
}

type Comprehension = Extract<NonNullable<Expr['exprKind']>, { case: 'comprehensionExpr' }>['value'];

const argsOf = (e: Expr | undefined): readonly Expr[] => (e?.exprKind.case === 'callExpr' ? e.exprKind.value.args : []);
const itemsOf = (e: Expr | undefined): readonly Expr[] =>
  e?.exprKind.case === 'listExpr' ? e.exprKind.value.elements : [];

/** The parser expands macros into folds; this reads them back, so that each has a loop of its own. */
function macro(c: Comprehension, id: string, at: number, info: Info, next: (e: Expr | undefined) => Ast): Ast {
  const call = info.macroCalls[id]?.exprKind;
  const name = call?.case === 'callExpr' ? call.value.function.replace('existsOne', 'exists_one') : '';
  const step = argsOf(c.loopStep);
  const base = { at, kind: 'macro', over: next(c.iterRange), variable: c.iterVar } as const;
  switch (name) {
    case 'all':
    case 'exists':
      return { ...base, name, test: next(step[1]), value: undefined };
    case 'exists_one':
    case 'filter':
      return { ...base, name, test: next(step[0]), value: undefined };
    case 'map': {
      const filtered = step.length === 3;
      const push = filtered ? argsOf(step[1]) : step;
      return { ...base, name, test: filtered ? next(step[0]) : undefined, value: next(itemsOf(push[1])[0]) };
    }
    default:
      throw new ConditionFault(`the macro \`${name}\` is not part of the policy language`, at);
  }
}
