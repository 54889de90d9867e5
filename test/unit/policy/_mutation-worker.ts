import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { detectors } from '../../../gateway/detectors/_all.ts';
import { mutantAt } from './_mutants.ts';
import { type Fate, MutationTrial } from './_mutation-trial.ts';

/** The mutants from one number to before another. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** How many mutants had which fate, and those that survived. */
export interface Fates {
  readonly counts: Partial<Record<Fate, number>>;
  readonly survivors: readonly string[];
}

const { folder } = workerData as { readonly folder: string };
const file = (name: string): { path: string; text: string } => {
  const path = `${folder}/${name}`;
  return { path, text: readFileSync(path, 'utf8') };
};
const policy = file('policy.yaml');
const trial = new MutationTrial(policy, file('cases.yaml'), detectors);

parentPort?.on('message', ({ from, to }: Span) => {
  const counts: Partial<Record<Fate, number>> = {};
  const survivors: string[] = [];
  for (let number = from; number < to; number += 1) {
    const { line, what, text } = mutantAt(policy.text, number);
    const fate = trial.fate(text);
    counts[fate] = (counts[fate] ?? 0) + 1;
    if (fate === 'survives') survivors.push(`${line}: ${what}`);
  }
  parentPort?.postMessage({ counts, survivors } satisfies Fates);
});
