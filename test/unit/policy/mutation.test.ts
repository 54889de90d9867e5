import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { detectors } from '../../../gateway/detectors/_all.ts';
import { mutants, slips, survivors } from './_mutants.ts';

const file = (path: string): { path: string; text: string } => ({ path, text: readFileSync(path, 'utf8') });
const POLICY = file('policies/starter/policy.yaml');
const CASES = file('policies/starter/cases.yaml');

/** Every mutant with `npm run test:mutation`, else every 37th: the same ones each time. */
const EVERY = process.env['MUTATION'] === 'all' ? 1 : 37;

/** Of the slips, which are a hundred for each character: every 29th with `npm run test:mutation`, else every 1999th. */
const EVERY_SLIP = process.env['MUTATION'] === 'all' ? 29 : 1999;

it('no change of one character in the starter bundle loads and passes its cases', { timeout: 600_000 }, () => {
  const all = mutants(POLICY.text);
  expect(all.length).toBeGreaterThan(2000);
  const chosen = all.filter((_, i) => i % EVERY === 0);
  expect(survivors(POLICY, CASES, detectors, chosen).map((m) => `${m.line}: ${m.what}`)).toEqual([]);
});

it('no slip of the hand in the starter bundle loads and passes its cases', { timeout: 1_200_000 }, () => {
  const all = slips(POLICY.text);
  expect(all.length).toBeGreaterThan(100_000);
  const chosen = all.filter((_, i) => i % EVERY_SLIP === 0);
  expect(survivors(POLICY, CASES, detectors, chosen).map((m) => `${m.line}: ${m.what}`)).toEqual([]);
});
