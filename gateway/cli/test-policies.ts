import { dirname } from 'node:path';
import { judgeOf } from '../compose.ts';
import { detectors } from '../detectors/_all.ts';
import type { Problem, SourceFile } from '../domain/source.ts';
import { readPolicy } from '../policy/compile-policy.ts';
import { PolicyFault } from '../policy/policy-fault.ts';
import { type CaseResult, runCases } from '../policy/run-cases.ts';
import { scanAll } from './policy-files.ts';
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
}

/**
 * Runs cases against the bundle they stand beside, or against all bundles `together`. A bundle with a parent is never alone: it is
 * judged with all. Throws a CommandFailure where a bundle does not load.
 */
export function testPolicies({ files, cases }: Found, together: boolean): TestReport {
  const groups = together || files.some((f) => /^parent:/m.test(f.text)) ? [files] : files.map((f) => [f]);
  const parts = groups.map((group) => {
    const folders = new Set(group.map((f) => dirname(f.path)));
    return testGroup(
      group,
      cases.filter((c) => folders.has(dirname(c.path))),
    );
  });
  return {
    results: parts.flatMap((p) => p.results),
    problems: parts.flatMap((p) => p.problems),
    rules: parts.flatMap((p) => p.rules),
  };
}

function testGroup(files: readonly SourceFile[], cases: readonly SourceFile[]): TestReport {
  const judge = compiled(files);
  const reports = cases.map((source) => runCases(judge, source, scanAll));
  const results = reports.flatMap((r) => r.results);
  const rules = placesOf(files).map((place) => ({
    ...place,
    cases: results.filter((r) => r.verdict.hits.some((hit) => hit.rule === place.rule)).length,
    decided: results.filter((r) => r.verdict.rule === place.rule).length,
  }));
  return { results, problems: reports.flatMap((r) => r.problems), rules };
}

/** Every rule of a policy with the line its id stands on. The files must load. */
export function placesOf(
  files: readonly SourceFile[],
): readonly { readonly rule: string; readonly file: string; readonly line: number }[] {
  return readPolicy(files, detectors).bundles.flatMap((bundle) =>
    bundle.rules.map((rule, i) => {
      const { file, line } = bundle.file.problem(['rules', i, 'id'], '');
      return { rule: `${bundle.name}/${rule.id}`, file, line };
    }),
  );
}

function compiled(files: readonly SourceFile[]): ReturnType<typeof judgeOf> {
  try {
    return judgeOf(files);
  } catch (error) {
    if (error instanceof PolicyFault) throw new CommandFailure(1, error.message);
    throw error;
  }
}
