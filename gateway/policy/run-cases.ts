import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import { type Problem, readSource, type Source, type SourceFile } from '../domain/source.ts';
import type { Verdict } from '../domain/verdict.ts';
import { applyEdits } from './apply-edits.ts';
import { CASES, type CaseText, knownCaseFields } from './case-schema.ts';
import { caseSnapshot, type Scan } from './case-snapshot.ts';
import type { Judge } from './judge.ts';
import { schemaProblems } from './schema-problems.ts';

/** How one case went. */
export interface CaseResult {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** what differs from the expectation; none: the case holds */
  readonly failures: readonly string[];
  readonly verdict: Verdict;
}

export interface CaseReport {
  /** mistakes in the file itself; no case was run where there are any */
  readonly problems: readonly Problem[];
  readonly results: readonly CaseResult[];
  /** ids of the rules that matched in some case */
  readonly covered: readonly string[];
}

/** Judges every case of a `cases.yaml`. `scan` lets the gate's own detectors look at the targets; stated findings count as well. */
export function runCases(judge: Judge, source: SourceFile, scan?: Scan): CaseReport {
  const file = readSource(source.path, source.text, 'the policy language');
  const fail = (problems: readonly Problem[]): CaseReport => ({ problems, results: [], covered: [] });
  if (file.problems.length > 0) return fail(file.problems);
  const parsed = CASES.safeParse(file.value ?? {});
  if (!parsed.success) return fail(schemaProblems(file, parsed.error.issues, knownCaseFields));
  const bundle = parsed.data.bundle ?? source.path.split(/[\\/]/).at(-2) ?? '';
  const problems: Problem[] = [];
  const results: CaseResult[] = [];
  for (const [i, c] of parsed.data.cases.entries()) {
    const result = runCase(judge, c, i, bundle, file, scan, problems);
    if (result) results.push(result);
  }
  const covered = [...new Set(results.flatMap((r) => r.verdict.hits.map((h) => h.rule)))].sort();
  return problems.length > 0 ? fail(problems) : { problems, results, covered };
}

function runCase(
  judge: Judge,
  c: CaseText,
  index: number,
  bundle: string,
  file: Source,
  scan: Scan | undefined,
  problems: Problem[],
): CaseResult | undefined {
  let snapshot: Snapshot;
  try {
    snapshot = caseSnapshot(c, scan);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push(file.problem(['cases', index, 'findings'], error.message));
    return undefined;
  }
  const verdict = judge.evaluate(snapshot);
  const { line } = file.problem(['cases', index], '');
  return { name: c.name, file: file.file, line, failures: differences(c.expect, verdict, snapshot, bundle), verdict };
}

function differences(expect: CaseText['expect'], verdict: Verdict, snapshot: Snapshot, bundle: string): string[] {
  const full = (rule: string): string => (rule.includes('/') ? rule : `${bundle}/${rule}`);
  const failures: string[] = [];
  const compare = (what: string, wanted: Json | undefined, got: Json | undefined): void => {
    if (wanted !== undefined && canonical(wanted) !== canonical(got ?? null)) {
      failures.push(`${what} is ${show(got)}, expected ${show(wanted)}`);
    }
  };
  compare('decision', expect.decision, verdict.decision);
  compare('rule', expect.rule && full(expect.rule), verdict.rule);
  compare('reason', expect.reason, verdict.reason);
  compare(
    'hits',
    expect.hits?.map(full),
    verdict.hits.map((h) => h.rule),
  );
  compare('labels', expect.labels, verdict.labels);
  compare('cap', expect.cap, verdict.cap);
  compare('halt', expect.halt, verdict.halt);
  if (expect.target !== undefined)
    compare('target', expect.target as Json, applyEdits(snapshot.action.target, verdict.edits));
  return failures;
}

const show = (value: Json | undefined): string => (value === undefined ? 'nothing' : `\`${canonical(value)}\``);
