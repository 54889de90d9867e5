import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import { type Problem, readSource, type Source, type SourceFile } from '../domain/source.ts';
import type { Verdict } from '../domain/verdict.ts';
import { applyEdits } from './apply-edits.ts';
import { CASES, type CaseText, knownCaseFields } from './case-schema.ts';
import { caseSnapshot, type Scan } from './case-snapshot.ts';
import { eachCase } from './each-case.ts';
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

/** One example of a `cases.yaml`, ready to be judged. */
export interface ReadyCase {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly snapshot: Snapshot;
  /** What differs from the expectation in a verdict; none: the case holds. */
  failures(verdict: Verdict): readonly string[];
}

/**
 * Reads a `cases.yaml`. Never throws: whatever is wrong is a problem with a place, and then there is no case. `scan` lets the gate's
 * own detectors look at the targets; stated findings count as well.
 */
export function readCases(
  source: SourceFile,
  scan?: Scan,
): { readonly problems: readonly Problem[]; readonly cases: readonly ReadyCase[] } {
  const file = readSource(source.path, source.text, 'the policy language');
  if (file.problems.length > 0) return { problems: file.problems, cases: [] };
  const parsed = CASES.safeParse(file.value ?? {});
  if (!parsed.success) return { problems: schemaProblems(file, parsed.error.issues, knownCaseFields), cases: [] };
  const bundle = parsed.data.bundle ?? source.path.split(/[\\/]/).at(-2) ?? '';
  const problems: Problem[] = [];
  const cases = parsed.data.cases.flatMap((entry, i) => readyCases(entry, i, bundle, file, scan, problems));
  return { problems, cases: problems.length > 0 ? [] : cases };
}

function readyCases(
  entry: CaseText,
  index: number,
  bundle: string,
  file: Source,
  scan: Scan | undefined,
  problems: Problem[],
): ReadyCase[] {
  const path = ['cases', index];
  const tried = <T>(field: string, make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(file.problem([...path, field], error.message));
      return undefined;
    }
  };
  const { line } = file.problem(path, '');
  return (tried('name', () => eachCase(entry)) ?? []).flatMap((c) => {
    const snapshot = tried('findings', () => caseSnapshot(c, scan));
    const failures = (verdict: Verdict): readonly string[] =>
      snapshot ? differences(c.expect, verdict, snapshot, bundle) : [];
    return snapshot ? [{ name: c.name, file: file.file, line, snapshot, failures }] : [];
  });
}

/** Judges every case of a `cases.yaml`. `scan` as for `readCases`. */
export function runCases(judge: Judge, source: SourceFile, scan?: Scan): CaseReport {
  const { problems, cases } = readCases(source, scan);
  const results = cases.map(({ name, file, line, snapshot, failures }): CaseResult => {
    const verdict = judge.evaluate(snapshot);
    return { name, file, line, failures: failures(verdict), verdict };
  });
  const covered = [...new Set(results.flatMap((r) => r.verdict.hits.map((h) => h.rule)))].sort();
  return { problems, results, covered };
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
