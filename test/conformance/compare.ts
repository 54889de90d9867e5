import { normalise } from './normalise.ts';
import type { Reviewed } from './reviewed.ts';
import { passes, type Results } from './suites.ts';

/** One thing that is not the same through the gate. */
export interface Difference {
  readonly scenario: string;
  /** JSON Pointer below the check: `sep-1699/details/headers/x-tollgate-run`; `` for the scenario as a whole */
  readonly at: string;
  readonly direct: unknown;
  readonly through: unknown;
}

/** What comparing one suite showed; what `open` holds nobody has looked at yet. */
export interface Comparison {
  readonly suite: string;
  readonly scenarios: number;
  readonly passedDirect: number;
  readonly passedThrough: number;
  readonly differences: readonly Difference[];
  readonly open: readonly Difference[];
}

/** Every difference between two runs of a suite, and which of them are not on the reviewed list. */
export function compare(suite: string, direct: Results, through: Results, reviewed: Reviewed): Comparison {
  const names = [...new Set([...direct.keys(), ...through.keys()])].toSorted();
  const differences = names.flatMap((name) => ofScenario(name, direct, through));
  return {
    suite,
    scenarios: names.length,
    passedDirect: [...direct.values()].filter(passes).length,
    passedThrough: [...through.values()].filter(passes).length,
    differences,
    open: differences.filter((one) => !reviewed.covers(one)),
  };
}

function ofScenario(scenario: string, direct: Results, through: Results): Difference[] {
  const [a, b] = [direct.get(scenario), through.get(scenario)];
  if (a === undefined || b === undefined)
    return [{ scenario, at: '', direct: a ? 'run' : 'not run', through: b ? 'run' : 'not run' }];
  const ids = (checks: typeof a): string => checks.map(({ id }) => id).join(', ');
  if (ids(a) !== ids(b)) return [{ scenario, at: '', direct: ids(a), through: ids(b) }];
  return a.flatMap((check, i) => {
    const found: Difference[] = [];
    const note = (at: string, left: unknown, right: unknown): void => {
      found.push({ scenario, at: `${check.id}${at}`, direct: left, through: right });
    };
    below(normalise(check), normalise(b[i] as typeof check), '', note);
    return found;
  });
}

type Note = (at: string, direct: unknown, through: unknown) => void;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Calls `note` with the pointer of every value that differs; of an absent member the other side is undefined. */
function below(a: unknown, b: unknown, at: string, note: Note): void {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i += 1) below(a[i], b[i], `${at}/${i}`, note);
  } else if (isObject(a) && isObject(b)) {
    for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted())
      below(a[name], b[name], `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, note);
  } else if (a !== b) note(at, a, b);
}
