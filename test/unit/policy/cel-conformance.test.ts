import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { Broken, equal, type Value } from '../../../gateway/policy/condition/cel-value.ts';
import { compileNode } from '../../../gateway/policy/condition/compile-node.ts';
import { ConditionFault } from '../../../gateway/policy/condition/condition-fault.ts';
import { EvalContext } from '../../../gateway/policy/condition/eval-context.ts';
import { parseCondition } from '../../../gateway/policy/condition/parse-condition.ts';
import type { CelNode, Scope } from '../../../gateway/policy/condition/scope.ts';
import { ToolCatalogue } from '../../../gateway/policy/tool-catalogue.ts';
import { snapshot } from './_judging.ts';

// The CEL specification's own cases (https://github.com/google/cel-spec/tree/master/tests/simple), as the parser's package ships them.

interface SpecValue {
  readonly kind: { readonly case: string; readonly value: unknown };
}
interface SpecTest {
  readonly original: {
    readonly expr: string;
    readonly container: string;
    readonly bindings: object;
    readonly resultMatcher: { readonly case: string | undefined; readonly value: unknown };
  };
}
interface SpecSuite {
  readonly name: string;
  readonly suites: readonly SpecSuite[];
  readonly tests: readonly SpecTest[];
}

const require = createRequire(createRequire(import.meta.url).resolve('@bufbuild/cel'));
const { getConformanceSuite } = require('@bufbuild/cel-spec/testdata/tests.js') as { getConformanceSuite(): SpecSuite };

/** A value of the suite as ours; undefined where the language has no such value (bytes, unsigned, messages, maps by number). */
function ours(value: unknown): Value | undefined {
  const { kind } = value as SpecValue;
  switch (kind.case) {
    case 'nullValue':
      return null;
    case 'boolValue':
    case 'stringValue':
    case 'doubleValue':
    case 'int64Value':
      return kind.value as Value;
    case 'listValue': {
      const items = (kind.value as { values: unknown[] }).values.map(ours);
      return items.includes(undefined) ? undefined : (items as Value[]);
    }
    case 'mapValue': {
      const entries = (kind.value as { entries: { key: unknown; value: unknown }[] }).entries.map((e) => [
        ours(e.key),
        ours(e.value),
      ]);
      return entries.every(([k, v]) => typeof k === 'string' && v !== undefined)
        ? Object.fromEntries(entries)
        : undefined;
    }
    default:
      return undefined;
  }
}

type Outcome = 'agrees' | 'refused at load' | 'differs' | 'not of this language';

function run({ original }: SpecTest): Outcome {
  const { expr, resultMatcher: matcher } = original;
  if (Object.keys(original.bindings).length > 0 || original.container !== '') return 'not of this language';
  const wantsError = matcher.case === 'evalError';
  const want = matcher.case === 'value' ? ours(matcher.value) : matcher.case === undefined ? true : undefined;
  if (!wantsError && want === undefined) return 'not of this language';
  const mistakes: string[] = [];
  const refuse = (message: string): CelNode => {
    mistakes.push(message);
    return { type: { kind: 'dyn' }, cost: 1, run: () => new Broken(message) };
  };
  const scope: Scope = {
    text: expr,
    lists: {},
    points: ['pre_tool_call'],
    variables: [],
    reads: new Set(),
    compile: compileNode,
    report: (_, message) => refuse(message),
  };
  let node: CelNode;
  try {
    node = compileNode(parseCondition(expr), scope);
  } catch (error) {
    if (!(error instanceof ConditionFault)) throw error;
    node = refuse(error.message);
  }
  if (mistakes.length > 0) return wantsError ? 'agrees' : 'refused at load';
  const context = new EvalContext(new ToolCatalogue([]));
  context.begin(snapshot());
  context.left = 1_000_000;
  const got = node.run(context);
  if (wantsError) return got instanceof Broken ? 'agrees' : 'differs';
  if (got instanceof Broken || typeof got !== typeof want) return 'differs';
  const same = equal(context, got, want as Value) || (Number.isNaN(got) && Number.isNaN(want));
  return same ? 'agrees' : 'differs';
}

const tests: { readonly name: string; readonly test: SpecTest }[] = [];
function gather(suite: SpecSuite, path: string): void {
  for (const test of suite.tests) tests.push({ name: `${path}: ${test.original.expr}`, test });
  for (const inner of suite.suites) gather(inner, `${path}/${inner.name}`);
}
gather(getConformanceSuite(), '');

/** An int and a double are compared by their exact values; the specification's runners convert the int to a double first. */
const EXACT = [
  'dyn(9223372036854775807) < 9223372036854775808.0',
  'dyn(9223372036854775808.0) > 9223372036854775807',
  'dyn(9223372036854775808.0) <= 9223372036854775807',
  'dyn(9223372036854775807) >= 9223372036854775808.0',
];

describe('the specification of CEL', () => {
  const outcomes = tests.map(({ name, test }) => ({ name, expr: test.original.expr, outcome: run(test) }));

  it('is never contradicted: a case agrees or is refused when the policy loads', () => {
    const differing = outcomes.filter((o) => o.outcome === 'differs' && !EXACT.includes(o.expr));
    expect(differing.map((o) => o.name)).toEqual([]);
  });

  it('is covered as far as it was', () => {
    expect(outcomes.filter((o) => o.outcome === 'agrees').length).toBeGreaterThanOrEqual(775);
  });

  it.each(['basic', 'fp_math', 'integer_math', 'lists', 'logic', 'macros', 'parse', 'plumbing', 'string'])(
    '%s: hardly anything is refused',
    (suite) => {
      const mine = outcomes.filter((o) => o.name.startsWith(`/${suite}/`) && o.outcome !== 'not of this language');
      const agreeing = mine.filter((o) => o.outcome === 'agrees');
      expect(mine.length).toBeGreaterThan(0);
      expect(agreeing.length / mine.length).toBeGreaterThan(0.75);
    },
  );
});
