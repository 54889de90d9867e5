import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Principal } from '../../gateway/domain/principal.ts';
import type { SealEntry } from '../../gateway/domain/receipt.ts';
import { type CallId, type Digest, epochMs, pico } from '../../gateway/domain/scalars.ts';
import type { Calls } from '../../gateway/ports/calls.ts';

export interface OpenCalls {
  readonly calls: Calls;
  reopen(): Promise<OpenCalls>;
  close(): Promise<void>;
}

const T0 = 1_790_000_000_000;

export function principal(run: string, key: string | null = 'k1', tenant = 'acme', human = 'ada'): Principal {
  return {
    tenant: { id: tenant, source: 'key', assurance: 'keyed' },
    human: { id: human, source: 'key', assurance: 'keyed' },
    agent: { id: 'coder', source: 'key', assurance: 'keyed' },
    key: key ?? undefined,
    run: { id: run, source: 'header:x-tollgate-run', assurance: 'asserted' },
    conflicts: [],
  };
}

export function receipt(n: number, more: Partial<SealEntry> = {}): SealEntry {
  return {
    kind: 'seal',
    id: `call_${String(n).padStart(26, '0')}` as CallId,
    at: epochMs(T0 + n * 1_000),
    principal: principal('run-1'),
    step: n,
    attempt: 1,
    upstream: 'openai',
    dialect: 'openai-chat',
    model: 'gpt-5',
    stream: false,
    status: 200,
    ending: 'completed',
    actions: [],
    usage: { entries: [{ leaves: { input: 10, output: 2 } }], certainty: 'exact' },
    cost_usd: '0.000000001',
    latency_ms: 12,
    policy: 'sha256:p' as Digest,
    prices: 'sha256:q' as Digest,
    ...more,
  };
}

// A principal without a key loses the member on its way through JSON.
const asJson = (entry: SealEntry): SealEntry => JSON.parse(JSON.stringify(entry)) as SealEntry;

/** What every index of calls does (gateway/ports/calls.ts). */
export function callsContract(name: string, open: () => Promise<OpenCalls>): void {
  describe(`calls: ${name}`, () => {
    let store: OpenCalls;
    let calls: Calls;
    beforeEach(async () => {
      store = await open();
      calls = store.calls;
    });
    afterEach(() => store.close());

    const ids = (entries: readonly SealEntry[]): number[] => entries.map(({ id }) => Number(id.slice(5)));

    it('gives receipts back as they were sealed, newest first, at once and after a restart', async () => {
      const entries = [1, 2, 3].map((n) => receipt(n));
      for (const [i, entry] of entries.entries()) calls.add(10 + i, entry);
      expect(calls.list({ limit: 10 })).toEqual(entries.toReversed());
      expect(ids(calls.list({ limit: 2 }))).toEqual([3, 2]);
      expect(calls.list({ limit: 0 })).toEqual([]);
      store = await store.reopen();
      expect(store.calls.list({ limit: 10 })).toEqual(entries.toReversed());
    });

    it('finds the receipt of one call by its id, and nothing for another', async () => {
      calls.add(1, receipt(1));
      calls.add(2, receipt(2));
      expect(calls.find(receipt(2).id)).toEqual(receipt(2));
      expect(calls.find(receipt(3).id)).toBeUndefined();
      store = await store.reopen();
      expect(store.calls.find(receipt(1).id)).toEqual(receipt(1));
    });

    it('keeps the provider’s own picodollars whole', () => {
      const usage = { entries: [], certainty: 'exact', reported: pico(9_007_199_254_740_993n) } as const;
      calls.add(1, receipt(1, { usage }));
      expect(calls.list({ limit: 1 })[0]?.usage).toEqual(usage);
    });

    it('adds a receipt once, by its id', async () => {
      calls.add(1, receipt(1));
      calls.add(1, receipt(1));
      await calls.flush();
      calls.add(1, receipt(1));
      calls.add(2, receipt(1));
      expect(calls.list({ limit: 10 })).toHaveLength(1);
      expect(calls.run('run-1')?.summary).toMatchObject({ calls: 1, cost: 1n });
    });

    it('knows how far it has come', async () => {
      expect(calls.indexedTo()).toBe(0);
      calls.add(7, receipt(1));
      calls.add(9, receipt(2));
      await calls.flush();
      expect(calls.indexedTo()).toBe(9);
      store = await store.reopen();
      expect(store.calls.indexedTo()).toBe(9);
    });

    it('lists one run', () => {
      for (let n = 1; n <= 6; n += 1) calls.add(n, receipt(n, { principal: principal(n % 2 ? 'odd' : 'even') }));
      expect(ids(calls.list({ run: 'odd', limit: 10 }))).toEqual([5, 3, 1]);
      expect(ids(calls.list({ run: 'odd', limit: 1 }))).toEqual([5]);
      expect(calls.list({ run: 'none', limit: 10 })).toEqual([]);
    });

    it('sums up a run: calls, steps, cost, first and last', () => {
      calls.add(1, receipt(1, { cost_usd: '1.5', step: 1 }));
      calls.add(2, receipt(2, { cost_usd: '0', step: 2, attempt: 1, ending: 'upstream_error', status: 503 }));
      calls.add(3, receipt(3, { cost_usd: '0.000000007', step: 2, attempt: 2 }));
      const run = calls.run('run-1');
      expect(run?.summary).toEqual({
        id: 'run-1',
        tenant: 'acme',
        key: 'k1',
        human: 'ada',
        agent: 'coder',
        calls: 3,
        steps: 2,
        cost: 1_500_000_007n,
        firstAt: T0 + 1_000,
        lastAt: T0 + 3_000,
      });
      expect(ids(run?.receipts ?? [])).toEqual([1, 2, 3]);
      expect(calls.run('run-2')).toBeUndefined();
    });

    it('keeps runs with equal ids of several keys apart, and shows the newest', () => {
      calls.add(1, receipt(1, { cost_usd: '1' }));
      calls.add(2, receipt(2, { cost_usd: '2', principal: principal('run-1', 'k2') }));
      calls.add(3, receipt(3, { cost_usd: '4', principal: principal('run-1', null) }));
      calls.add(4, receipt(4, { cost_usd: '8', principal: principal('run-1', 'k2', 'other') }));
      calls.add(5, receipt(5, { cost_usd: '16', principal: principal('run-1', 'k2') }));
      const { summary, receipts } = calls.run('run-1') ?? {};
      expect(summary).toMatchObject({ tenant: 'acme', key: 'k2', cost: 18_000_000_000n, calls: 2 });
      expect(ids(receipts ?? [])).toEqual([2, 5]);
      expect(calls.runs(10)).toHaveLength(4);
    });

    it('names no key where access was open', () => {
      calls.add(1, receipt(1, { principal: principal('run-1', null) }));
      expect(calls.run('run-1')).toMatchObject({ summary: { key: undefined } });
      expect(calls.run('run-1')?.receipts).toEqual([asJson(receipt(1, { principal: principal('run-1', null) }))]);
    });

    it('lists runs by their last call, newest first', () => {
      for (const [n, run] of [
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
        [4, 'a'],
      ] as const) {
        calls.add(n, receipt(n, { principal: principal(run) }));
      }
      expect(calls.runs(2).map(({ id }) => id)).toEqual(['a', 'c']);
    });

    it('keeps a call that nobody was identified for, in no run', () => {
      calls.add(1, receipt(1, { principal: undefined, ending: 'refused', status: 401 }));
      expect(ids(calls.list({ limit: 10 }))).toEqual([1]);
      expect(calls.runs(10)).toEqual([]);
    });

    it('refuses a cost that is no amount, before anything is stored', () => {
      expect(() => calls.add(1, receipt(1, { cost_usd: '1e3' }))).toThrow(RangeError);
      expect(() => calls.add(1, receipt(1, { cost_usd: '99999999999999999999' }))).toThrow(RangeError);
      expect(calls.list({ limit: 10 })).toEqual([]);
    });
  });
}
