import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { RunSpace } from '../../../gateway/ports/runs.ts';
import {
  type EmbeddedOptions,
  type EmbeddedStore,
  openEmbedded,
  openKeys,
  openReadOnly,
} from '../../../gateway/stores/embedded/open-embedded.ts';
import { principal, receipt } from '../../contract/calls.ts';

const T0 = 1_790_000_000_000;
const clock = { now: () => epochMs(T0), ticks: () => performance.now() };
const SPACE: RunSpace = { tenant: 'acme', key: 'k1' };

let folder: string;
let path: string;
let store: EmbeddedStore;
const open = (options: Partial<EmbeddedOptions> = {}): EmbeddedStore => openEmbedded(path, { clock, ...options });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-embedded-'));
  path = join(folder, 'store.db');
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

describe('beside a running gateway', () => {
  it('the index can be read, new calls too', async () => {
    store.calls.add(1, receipt(1));
    await store.calls.flush();
    const beside = openReadOnly(path);
    expect(beside.calls.list({ limit: 5 })).toEqual([receipt(1)]);
    store.calls.add(2, receipt(2));
    await store.calls.flush();
    expect(beside.calls.run('run-1')?.summary.calls).toBe(2);
    expect(beside.calls.indexedTo()).toBe(2);
    beside.close();
  });

  it('a key can be made and revoked, and counts at once', async () => {
    const record = { id: 'key_1', tenant: 'acme', agent: 'coder', createdAt: epochMs(T0) };
    const beside = openKeys(path);
    await beside.keys.add('hash', record);
    expect(await store.keys.find('hash')).toMatchObject(record);
    await beside.keys.revoke('key_1', epochMs(T0 + 5));
    expect(await store.keys.find('hash')).toMatchObject({ revokedAt: T0 + 5 });
    beside.close();
  });

  it('there must have been one', () => {
    expect(() => openReadOnly(join(folder, 'none.db'))).toThrow(/none\.db` does not answer/);
    new DatabaseSync(join(folder, 'empty.db')).close();
    expect(() => openReadOnly(join(folder, 'empty.db'))).toThrow(/start the gateway once/);
  });

  it('the index of a stopped one can be read', () => {
    store.calls.add(1, receipt(1));
    store.close();
    const alone = openReadOnly(path);
    expect(alone.calls.list({ limit: 5 })).toEqual([receipt(1)]);
    alone.close();
    store = open();
  });
});

describe('a run met again', () => {
  const again = (): EmbeddedStore => {
    store.close();
    store = open();
    return store;
  };

  it('has its steps, its spending and its beginning after a restart', () => {
    store.calls.add(1, receipt(1, { cost_usd: '1.5', step: 1 }));
    store.calls.add(2, receipt(2, { cost_usd: '0.5', step: 2 }));
    const { runs } = again();
    const now = epochMs(T0 + 11_000);
    expect(runs.facts(SPACE, 'run-1', now)).toMatchObject({ steps: 2, spent_usd: 2, elapsed_s: 10 });
    expect(runs.enter(SPACE, 'run-1', now, 'h', false)).toEqual({ step: 3, attempt: 1, first: false });
    expect(runs.facts({ ...SPACE, key: 'k2' }, 'run-1', now).steps).toBe(0);
    expect(runs.facts({ ...SPACE, key: 'open' }, 'run-1', now).steps).toBe(0);
  });

  it('is still to be judged at its start where none of its calls was carried', () => {
    store.calls.add(1, receipt(1, { ending: 'denied', status: 403 }));
    expect(again().runs.enter(SPACE, 'run-1', epochMs(T0), 'h', false)).toMatchObject({ step: 2, first: true });
  });

  it('counts receipts that are not yet written, each once, also where access is open', async () => {
    const open = { tenant: 'acme', key: 'open' };
    store.calls.add(1, receipt(1, { cost_usd: '1', principal: principal('run-1', null) }));
    await store.calls.flush();
    store.calls.add(2, receipt(2, { cost_usd: '2', principal: principal('run-1', null) }));
    expect(store.calls.past(open, 'run-1')).toMatchObject({ steps: 2, spent: nano(3_000_000_000n), carried: true });
    await store.calls.flush();
    expect(store.calls.past(open, 'run-1')).toMatchObject({ steps: 2, spent: nano(3_000_000_000n) });
  });
});

describe('bounds', () => {
  const say = (run: string, space = SPACE): void => {
    const conversation = { dialect: 'chat', messages: [{ role: 'user', canonical: run }], issuedIds: [] } as const;
    store.runs.update(space, run, {
      at: epochMs(T0),
      cost: nano(0n),
      conversation,
      answer: { role: 'assistant', canonical: 'ok' },
      issuedIds: [`id-${run}`],
    });
  };
  const infer = (run: string, space = SPACE): string | undefined =>
    store.runs.infer(space, { dialect: 'chat', messages: [], issuedIds: [`id-${run}`] });

  it('forget the run of the space that was not used for longest', () => {
    store.close();
    store = open({ runsPerSpace: 3 });
    for (const run of ['a', 'b', 'c']) say(run);
    store.runs.facts(SPACE, 'a', epochMs(T0));
    say('d');
    expect(['a', 'b', 'c', 'd'].map((run) => infer(run))).toEqual(['a', undefined, 'c', 'd']);
    say('b', { ...SPACE, key: 'k2' });
    expect(infer('a')).toBe('a');
  });

  it('forget across spaces too', () => {
    store.close();
    store = open({ runs: 3 });
    const key = (n: number): RunSpace => ({ tenant: 'acme', key: `k${n}` });
    for (const n of [1, 2, 3, 4, 5]) say(`r${n}`, key(n));
    expect([1, 2, 3, 4, 5].map((n) => infer(`r${n}`, key(n)))).toEqual([undefined, undefined, 'r3', 'r4', 'r5']);
  });
});

it('what one space forgot leaves room for others', () => {
  store.close();
  store = open({ runsPerSpace: 2, runs: 3 });
  const spend = (run: string, key: string): void => {
    store.runs.enter({ tenant: 'acme', key }, run, epochMs(T0), 'h', false);
  };
  for (const run of ['a', 'b', 'c', 'd']) spend(run, 'k1');
  spend('x', 'k2');
  const steps = (run: string, key: string) => store.runs.facts({ tenant: 'acme', key }, run, epochMs(T0)).steps;
  expect([steps('d', 'k1'), steps('c', 'k1'), steps('x', 'k2')]).toEqual([1, 1, 1]);
});

it('a lifted halt is gone, also after a restart', () => {
  store.runs.halt('agent', 'acme/a');
  store.runs.halt('agent', 'acme/b');
  expect(store.runs.resume('agent', 'acme/a')).toBe(true);
  expect(store.runs.resume('agent', 'acme/a')).toBe(false);
  store.close();
  store = open();
  expect(store.runs.halted(SPACE, 'r', 'a', undefined)).toBeUndefined();
  expect(store.runs.halted(SPACE, 'r', 'b', undefined)).toBe('agent');
});

it('works with no file at all', async () => {
  const memory = openEmbedded(':memory:', { clock });
  memory.calls.add(1, receipt(1));
  expect(memory.calls.list({ limit: 1 })).toEqual([receipt(1)]);
  expect(memory.ledger.audit()).toEqual([]);
  memory.close();
});
