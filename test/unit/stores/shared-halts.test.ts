import { expect, it } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Link } from '../../../gateway/stores/redis/link.ts';
import { SharedHalts } from '../../../gateway/stores/redis/shared-halts.ts';

/** A set of halts whose next answer waits until it is let go. */
function heldBack() {
  const told: string[] = [];
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const client = {
    hsetnx: async (_key: string, name: string) => told.push(name),
    publish: async () => 1,
    async hkeys() {
      reading.resolve();
      await answer.promise;
      return [...told];
    },
  };
  const link = { client, healthy: true, ask: (question: () => Promise<unknown>) => question() } as unknown as Link;
  return { told, reading: reading.promise, answer: answer.resolve, link };
}

const quiet = { info() {}, warn() {}, error() {} };
const clock = { now: () => epochMs(1_800_000_000_000), ticks: () => 0 };

it('what is halted while the halts are read is told with it, not a second later', async () => {
  const { told, reading, answer, link } = heldBack();
  const halts = new SharedHalts(link, quiet, clock);
  halts.add('run', 'local/open/first');
  await reading;
  halts.add('run', 'local/open/second');
  expect(told).toEqual(['run local/open/first']);
  answer();
  await halts.refresh();
  expect(told).toEqual(['run local/open/first', 'run local/open/second']);
  expect([halts.has('run', 'local/open/first'), halts.has('run', 'local/open/second')]).toEqual([true, true]);
});
