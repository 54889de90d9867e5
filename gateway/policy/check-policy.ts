import { POINTS } from '../domain/action.ts';
import type { Problem, SourceFile } from '../domain/source.ts';
import type { Bundle } from './bundle.ts';
import type { Scan } from './case-snapshot.ts';
import { compilePolicy, readPolicy } from './compile-policy.ts';
import type { CompiledRule } from './compiled-rule.ts';
import type { KnownDetector } from './known-detectors.ts';
import { runCases } from './run-cases.ts';

/** What `tollgate check` says about a policy. */
export interface PolicyCheck {
  /** mistakes: the policy can't be loaded, or a case does not hold */
  readonly problems: readonly Problem[];
  /** what loads and is probably not meant */
  readonly warnings: readonly Problem[];
  readonly bundles: readonly { readonly name: string; readonly rules: number }[];
  readonly cases: number;
}

/**
 * Checks policy files and, where given, the `cases.yaml` beside them: all mistakes, rules that can never decide, rules said twice and
 * rules without a case. What is only extended is tested where it is kept.
 */
export function checkPolicy(
  files: readonly SourceFile[],
  detectors: readonly KnownDetector[],
  cases: readonly SourceFile[] = [],
  scan?: Scan,
): PolicyCheck {
  const { bundles, rules, problems } = readPolicy(files, detectors);
  const shape = bundles.map((b) => ({ name: b.name, rules: b.rules.length }));
  if (problems.length > 0 || files.length === 0) return { problems, warnings: [], bundles: shape, cases: 0 };
  const judge = compilePolicy(files, () => '', detectors);
  const reports = cases.map((source) => runCases(judge, source, scan));
  const failed = reports.flatMap((r) => r.results).filter((r) => r.failures.length > 0);
  const covered = new Set(reports.flatMap((r) => r.covered));
  const warnings = placed(bundles).flatMap(({ bundle, place, rule }) => {
    const warn = (field: string, message: string): Problem => bundle.file.problem(['rules', place, field], message);
    return [
      ...doubts(rules[rule] as CompiledRule, rules, warn),
      ...(bundle.extended || covered.has(rules[rule]?.id ?? '') ? [] : [untested(warn)]),
    ];
  });
  return {
    problems: [
      ...reports.flatMap((r) => r.problems),
      ...failed.map((r) => ({ file: r.file, line: r.line, column: 1, message: caseMessage(r.name, r.failures) })),
    ],
    warnings,
    bundles: shape,
    cases: reports.reduce((sum, r) => sum + r.results.length, 0),
  };
}

type Warn = (field: string, message: string) => Problem;

const caseMessage = (name: string, failures: readonly string[]): string =>
  `the case \`${name}\` does not hold: ${failures.join('; ')}`;
const untested = (warn: Warn): Problem => warn('id', 'no case in `cases.yaml` makes this rule match; add one');

/** The rules of all bundles in their common numbering. */
function placed(
  bundles: readonly Bundle[],
): { readonly bundle: Bundle; readonly place: number; readonly rule: number }[] {
  let rule = 0;
  return bundles.flatMap((bundle) => bundle.rules.map((_, place) => ({ bundle, place, rule: rule++ })));
}

/** What is odd about a rule: it can never match, says what another says, or waits behind one that always denies. */
function doubts(rule: CompiledRule, all: readonly CompiledRule[], warn: Warn): Problem[] {
  const found: Problem[] = [];
  if (rule.when?.text === 'false' || rule.unless?.text === 'true')
    found.push(warn('id', 'this rule can never match; remove it or correct its condition'));
  const twin = all.find((other) => other.index < rule.index && sameRule(other, rule));
  if (twin) found.push(warn('id', `this rule says what \`${twin.id}\` says; remove one`));
  const wall = all.find((other) => other !== rule && always(other) && rule.verdict !== 'deny' && covers(other, rule));
  if (wall) found.push(warn('id', `\`${wall.id}\` denies every call this rule could match, so it never decides`));
  const denies =
    rule.verdict === 'deny' &&
    rule.mode === 'enforce' &&
    always(rule) &&
    rule.selectors.by.length === 0 &&
    rule.selectors.groups === undefined;
  if (denies)
    found.push(
      warn(
        'verdict',
        `this rule denies everything at ${rule.points.length === POINTS.length ? 'every point' : rule.points.map((p) => `\`${p}\``).join(', ')}; give it a condition or a selector`,
      ),
    );
  return found;
}

const always = (rule: CompiledRule): boolean =>
  rule.verdict === 'deny' &&
  rule.mode === 'enforce' &&
  rule.when === undefined &&
  rule.unless === undefined &&
  rule.needs === undefined &&
  !Number.isFinite(rule.expiresAt);

const key = (rule: CompiledRule): string => JSON.stringify(rule.selectors);

const sameRule = (a: CompiledRule, b: CompiledRule): boolean =>
  key(a) === key(b) &&
  [...a.points].sort().join() === [...b.points].sort().join() &&
  a.when?.text === b.when?.text &&
  a.unless?.text === b.unless?.text &&
  a.verdict === b.verdict &&
  a.detectors.join() === b.detectors.join() &&
  a.needs?.names.join() === b.needs?.names.join() &&
  JSON.stringify(a.changes) === JSON.stringify(b.changes);

/** True where every call the second rule selects is selected by the first. */
const covers = (a: CompiledRule, b: CompiledRule): boolean =>
  b.points.every((p) => a.points.includes(p)) &&
  ((a.selectors.by.length === 0 && a.selectors.groups === undefined) || key(a) === key(b));
