import { expect, it } from 'vitest';
import { nanoToUsd } from '../../../gateway/domain/money.ts';
import type { Entry } from '../../../gateway/domain/receipt.ts';
import { type CallId, epochMs, nano } from '../../../gateway/domain/scalars.ts';
import { type LeftLeases, settleLeft } from '../../../gateway/pipeline/left-leases.ts';
import type { DeferredCall } from '../../../gateway/ports/deferrals.ts';

const call = (n: number): CallId => `call_${String(n).padStart(26, '0')}` as CallId;

const begin = (n: number, amount: bigint, leases?: readonly string[]): Entry =>
  ({
    kind: 'begin',
    id: call(n),
    at: epochMs(1_000 + n),
    hold: { amount: `${amount}`, accounts: ['tenant:t', 'run:t/r'], ...(leases && { leases }) },
  }) as unknown as Entry;
const seal = (id: string, cost: bigint, more: object = {}): Entry =>
  ({ kind: 'seal', id, at: epochMs(1), cost_usd: nanoToUsd(nano(cost)), ...more }) as unknown as Entry;

/** What was said to the ledger, by a record of these lines; `lease_<n>_…` was taken when the record had n lines. */
async function said(
  lines: readonly Entry[],
  open: readonly string[],
  named: readonly string[],
  waiting: number[] = [],
) {
  const settled: Record<string, Record<string, bigint> & { on?: string }> = {};
  const takenOut: string[] = [];
  let readFrom = 0;
  const leases: LeftLeases = {
    open: async () => open,
    lineOf: (lease) => Number(lease.split('_')[1]),
    settle: async ({ id, account, calls }) => {
      settled[id] = { ...Object.fromEntries(calls), ...(account && { on: account }) } as never;
    },
    takeOut: async ({ id, amount, accounts, leases: of }) => {
      takenOut.push(`${id.at(-1)} ${amount} ${accounts.join()} ${of.join()}`);
    },
  };
  const read = async function* (from: number) {
    readFrom = from;
    for (const [i, entry] of lines.entries()) if (i + 1 >= from) yield { seq: i + 1, hash: '', entry };
  };
  const later = new Map(waiting.map((n) => [call(n), { call: call(n), until: epochMs(5) } as DeferredCall]));
  await settleLeft(leases, { read }, named, later);
  return { settled, takenOut, readFrom };
}

const [A, B, C] = ['lease_1_a', 'lease_2_b', 'lease_0_c'] as const;

it('charges each lease what its calls came to: their receipts, and their holds where there is none', async () => {
  const lines = [
    begin(9, 900n),
    begin(1, 100n, [A, B]),
    begin(2, 200n, [A, B]),
    seal(call(1), 40n),
    begin(3, 300n, [A, 'lease_4_ended']),
    seal(call(3), 350n),
    begin(4, 400n),
    seal(call(9), 1n),
  ];
  const { settled, readFrom } = await said(lines, [A, B], []);
  expect(settled).toEqual({
    [A]: { [call(1)]: 40n, [call(2)]: 200n, [call(3)]: 350n, on: 'tenant:t' },
    [B]: { [call(1)]: 40n, [call(2)]: 200n, on: 'run:t/r' },
  });
  expect(readFrom).toBe(2);
});

it('charges nothing for a lease that no call names, and reads nothing where there is no lease', async () => {
  expect(await said([begin(1, 100n)], [C], [])).toEqual({ settled: { [C]: {} }, takenOut: [], readFrom: 1 });
  expect(await said([begin(1, 100n, [A, B])], [], [])).toEqual({ settled: {}, takenOut: [], readFrom: 0 });
});

it('charges leases that the ledger knows nothing of, where calls name them', async () => {
  const { settled } = await said([begin(1, 100n, [C, C])], [], [C]);
  expect(settled).toEqual({ [C]: { [call(1)]: 100n, on: 'run:t/r' } });
});

it('takes a call out that is charged later, and charges one that was by the receipt that settles it', async () => {
  const lines = [
    begin(1, 100n, [C, C]),
    seal(call(1), 0n, { deferred: {} }),
    begin(2, 200n, [C, C]),
    seal(call(2), 0n, { deferred: {} }),
    seal(`${call(2)}_settled`, 70n, { settles: call(2) }),
  ];
  const { settled, takenOut } = await said(lines, [C], [], [1]);
  expect(settled).toEqual({ [C]: { [call(2)]: 70n, on: 'run:t/r' } });
  expect(takenOut).toEqual([`1 100 tenant:t,run:t/r ${C},${C}`]);
});
