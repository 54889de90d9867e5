import { dirname } from 'node:path';
import { judgeOf } from '../compose.ts';
import { type Problem, problemText, type SourceFile } from '../domain/source.ts';
import { readPolicy } from '../policy/compile-policy.ts';
import type { KnownDetector } from '../policy/known-detectors.ts';
import { PolicyFault } from '../policy/policy-fault.ts';
import { type CaseResult, runCases } from '../policy/run-cases.ts';
import { allKnown, scanAll } from './policy-files.ts';
import { CommandFailure } from './terminal.ts';

/** How well the cases cover one rule. */
export interface RuleCoverage {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  /** cases in which it matched */
  readonly cases: number;
  /** cases in which it gave the verdict */
  readonly decided: number;
}

export interface TestReport {
  readonly results: readonly CaseResult[];
  readonly problems: readonly Problem[];
  readonly rules: readonly RuleCoverage[];
}

interface Found {
  readonly files: readonly SourceFile[];
  readonly cases: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/**
 * Runs cases against the bundle they stand beside and what it extends, or against all bundles `together`. A bundle with a parent is
 * never alone: it is judged with all. Throws a CommandFailure where a bundle does not load.
 */
export function testPolicies(
  { files, cases, problems }: Found,
  together: boolean,
  remote: readonly KnownDetector[] = [],
): TestReport {
  if (problems.length > 0) throw new CommandFailure(1, problems.map(problemText).join('\n'));
  const all = together || files.some((f) => /^parent:/m.test(f.text));
  const groups = all ? [files] : files.filter((f) => !f.extended).map((f) => withBases(f, files));
  const parts = groups.map((group) => {
    const own = all ? group : group.slice(0, 1);
    const folders = new Set(own.map((f) => dirname(f.path)));
    return testGroup(
      remote,
      group,
      new Set(own.filter((f) => !f.extended).map((f) => f.path)),
      cases.filter((c) => folders.has(dirname(c.path))),
    );
  });
  return {
    results: parts.flatMap((p) => p.results),
    problems: parts.flatMap((p) => p.problems),
    rules: parts.flatMap((p) => p.rules),
  };
}

/** A file and all it extends, the file first. */
function withBases(file: SourceFile, files: readonly SourceFile[]): readonly SourceFile[] {
  const group = new Set([file]);
  for (const { extends: bases = [] } of group) for (const base of files) if (bases.includes(base.path)) group.add(base);
  return [...group];
}

/** `own`: the files whose rules the cases are to cover. */
function testGroup(
  remote: readonly KnownDetector[],
  files: readonly SourceFile[],
  own: ReadonlySet<string>,
  cases: readonly SourceFile[],
): TestReport {
  const judge = compiled(files, remote);
  const reports = cases.map((source) => runCases(judge, source, scanAll));
  const results = reports.flatMap((r) => r.results);
  const places = placesOf(files, remote).filter(({ file }) => own.has(file));
  const rules = places.map((place) => ({
    ...place,
    cases: results.filter((r) => r.verdict.hits.some((hit) => hit.rule === place.rule)).length,
    decided: results.filter((r) => r.verdict.rule === place.rule).length,
  }));
  return { results, problems: reports.flatMap((r) => r.problems), rules };
}

/** Every rule of a policy with the line its id stands on. The files must load. */
export function placesOf(
  files: readonly SourceFile[],
  remote: readonly KnownDetector[],
): readonly { readonly rule: string; readonly file: string; readonly line: number }[] {
  return readPolicy(files, allKnown(remote)).bundles.flatMap((bundle) =>
    bundle.rules.map((rule, i) => {
      const { file, line } = bundle.file.problem(['rules', i, 'id'], '');
      return { rule: `${bundle.name}/${rule.id}`, file, line };
    }),
  );
}

function compiled(files: readonly SourceFile[], remote: readonly KnownDetector[]): ReturnType<typeof judgeOf> {
  try {
    return judgeOf(files, remote);
  } catch (error) {
    if (error instanceof PolicyFault) throw new CommandFailure(1, error.message);
    throw error;
  }
}
