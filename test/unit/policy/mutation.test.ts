import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { mutantCount } from './_mutants.ts';
import type { Fate } from './_mutation-trial.ts';
import type { Fates, Span } from './_mutation-worker.ts';

const FOLDER = 'policies/starter';

/** All mutants with `npm run test:mutation`, else every 997th: the same ones each time. */
const IS_EXHAUSTIVE = process.env['MUTATION'] === 'all';
const EVERY = IS_EXHAUSTIVE ? 1 : 997;

/** Tries spans of mutants in a thread until there is none left. */
function tried(spans: Span[], note: (fates: Fates) => void): Promise<void> {
  const worker = new Worker(new URL('./_mutation-worker.ts', import.meta.url), { workerData: { folder: FOLDER } });
  return new Promise<void>((resolve, reject) => {
    const next = (): void => {
      const span = spans.shift();
      if (span) worker.postMessage(span);
      else resolve();
    };
    worker.on('message', (fates: Fates) => {
      note(fates);
      next();
    });
    worker.once('error', reject);
    next();
  }).finally(() => worker.terminate());
}

it('no policy that the starter bundle becomes by one character loads, passes its cases and is another', {
  timeout: 7_200_000,
}, async () => {
  const total = mutantCount(readFileSync(`${FOLDER}/policy.yaml`, 'utf8'));
  const spans: Span[] = [];
  const size = IS_EXHAUSTIVE ? 500 : 1;
  for (let from = 0; from < total; from += size * EVERY) spans.push({ from, to: Math.min(from + size, total) });
  const counts: Partial<Record<Fate, number>> = {};
  const survivors: string[] = [];
  const note = (fates: Fates): void => {
    for (const [fate, n] of Object.entries(fates.counts)) counts[fate as Fate] = (counts[fate as Fate] ?? 0) + n;
    survivors.push(...fates.survivors);
    if (IS_EXHAUSTIVE) process.stderr.write(fates.survivors.map((s) => `survives: ${s}\n`).join(''));
  };
  await Promise.all(Array.from({ length: IS_EXHAUSTIVE ? availableParallelism() : 1 }, () => tried(spans, note)));
  if (IS_EXHAUSTIVE) process.stderr.write(`${JSON.stringify({ total, ...counts })}\n`);
  expect(survivors).toEqual([]);
  expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(Math.ceil(total / EVERY));
});
