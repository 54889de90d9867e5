import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { stopwatch } from '../../support/stopwatch.ts';

it('counts waiting', async () => {
  const took = stopwatch();
  await sleep(500);
  const ms = took();
  expect(ms).toBeGreaterThan(100);
  expect(ms).toBeLessThan(600);
});

it('counts work that holds the loop', () => {
  const took = stopwatch();
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < 300_000);
  expect(took()).toBeGreaterThanOrEqual(300);
});

it('does not count what the machine kept from the process', () => {
  const took = stopwatch();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  expect(took()).toBeLessThan(200);
});
