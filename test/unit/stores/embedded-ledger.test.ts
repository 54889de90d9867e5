import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../../gateway/domain/fault.ts';
import { type CallId, epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { Account, Reservation } from '../../../gateway/ports/ledger.ts';
import {
  type EmbeddedOptions,
  type EmbeddedStore,
  openEmbedded,
} from '../../../gateway/stores/embedded/open-embedded.ts';
import { receipt } from '../../contract/calls.ts';

const DAY = 86_400_000;
const T0 = 1_790_000_000_000;
const clock = { now: () => epochMs(T0), ticks: () => performance.now() };
const call = (n: number): CallId => `call_${String(n).padStart(26, '0')}` as CallId;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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

const account = (id: string, resetsAt?: number): Account => ({
  id,
  scope: 'run',
  window: resetsAt === undefined ? 'total' : 'day',
  limit: nano(10_000n),
  resetsAt: resetsAt === undefined ? undefined : epochMs(resetsAt),
});
const ask = (n: number, accounts: readonly Account[], amount = 100n, at = T0): Reservation => ({
  id: call(n),
  at: epochMs(at),
  accounts,
  amount: nano(amount),
  least: nano(amount),
  lapsesAt: epochMs(at + 60_000),
});
const code = (work: Promise<unknown>): Promise<unknown> => work.then(String, (error: unknown) => (error as Fault).code);
const codeOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error instanceof Fault ? error.code : error;
  }
};

/** Runs `work` while somebody else has the file locked for writing. */
async function whileLocked(work: () => Promise<void>): Promise<void> {
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  try {
    await work();
  } finally {
    other.exec('ROLLBACK');
    other.close();
  }
}

const rows = (sql: string): unknown[] => {
  const reader = new DatabaseSync(path, { readOnly: true });
  try {
    return reader
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    reader.close();
  }
};

describe('when SQLite does not take a write', () => {
  it('refuses new holds, still settles and releases old ones, and is whole again once it does', async () => {
    const run = account('run');
    const { ledger } = store;
    await ledger.reserve(ask(1, [run]));
    await ledger.reserve(ask(2, [run]));
    await store.calls.flush();
    expect(store.healthy()).toBe(true);
    await whileLocked(async () => {
      await ledger.reserve(ask(3, [run]));
      await wait(400);
      expect(store.healthy()).toBe(false);
      expect(await code(ledger.reserve(ask(4, [run])))).toBe('TG_LEDGER_UNAVAILABLE');
      expect(codeOf(() => ledger.audit())).toBe('TG_LEDGER_UNAVAILABLE');
      expect(await ledger.settle(call(1), nano(70n), [run])).toEqual({ charged: 70n, overrun: 0n });
      await ledger.release(call(2));
      expect(await ledger.balances([run])).toMatchObject([{ spent: 70n, held: 100n }]);
    });
    await wait(200);
    expect(store.healthy()).toBe(true);
    expect(rows("SELECT spent, held FROM accounts WHERE id = 'run'")).toEqual([{ spent: 70, held: 100 }]);
    expect(await ledger.reserve(ask(4, [run]))).toMatchObject({ granted: true });
    expect(ledger.audit()).toEqual([]);
  });

  it('undoes a transaction that fails half-way, tries again by itself, and keeps one room’s trouble from another', async () => {
    const run = account('run');
    const meddle = (sql: string): void => {
      const other = new DatabaseSync(path);
      other.exec(sql);
      other.close();
    };
    meddle("CREATE TRIGGER full BEFORE INSERT ON holds BEGIN SELECT RAISE(ABORT, 'no'); END");
    await store.ledger.reserve(ask(1, [run]));
    store.calls.add(1, receipt(1));
    await store.calls.flush();
    expect(rows('SELECT seq FROM calls')).toEqual([{ seq: 1 }]);
    expect(rows('SELECT id FROM accounts')).toEqual([]);
    expect(store.healthy()).toBe(false);
    expect(await code(store.ledger.reserve(ask(2, [run])))).toBe('TG_LEDGER_UNAVAILABLE');
    meddle('DROP TRIGGER full');
    await wait(250);
    expect(store.healthy()).toBe(true);
    expect(rows('SELECT id, held FROM accounts')).toEqual([{ id: 'run', held: 100 }]);

    meddle("CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'no'); END");
    store.calls.add(2, receipt(2));
    await expect(store.calls.flush()).rejects.toThrow('cannot be written');
    expect(await store.ledger.reserve(ask(2, [run]))).toMatchObject({ granted: true });
    expect(store.ledger.audit()).toEqual([]);
    expect(store.calls.indexedTo()).toBe(1);
    meddle('DROP TRIGGER full');
    await store.calls.flush();
    expect(store.calls.indexedTo()).toBe(2);
  });

  it('answers every verb with a Fault once it is closed', async () => {
    const run = account('run');
    const { ledger, calls } = store;
    await ledger.reserve(ask(1, [run]));
    store.close();
    for (const work of [
      ledger.reserve(ask(2, [run])),
      ledger.settle(call(1), nano(1n), [run]),
      ledger.release(call(1)),
      ledger.renew(call(1), epochMs(T0)),
      ledger.lapse(epochMs(T0)),
      ledger.balances([run]),
    ]) {
      expect(await code(work)).toBe('TG_LEDGER_UNAVAILABLE');
    }
    expect(codeOf(() => calls.list({ limit: 1 }))).toBe('TG_RECORD_UNAVAILABLE');
    store = open();
    expect(await store.ledger.balances([run])).toMatchObject([{ spent: 0n, held: 100n }]);
  });

  it('says which file is not a store', () => {
    store.close();
    writeFileSync(join(folder, 'text.db'), 'this is no database, only text that is long enough to look at'.repeat(40));
    expect(() => openEmbedded(join(folder, 'text.db'), { clock })).toThrow(
      /text\.db` does not answer: file is not a database/,
    );
    expect(codeOf(() => openEmbedded(join(folder, 'text.db'), { clock }))).toBe('TG_LEDGER_UNAVAILABLE');
    expect(codeOf(() => openEmbedded(join(folder, 'no/such/folder.db'), { clock }))).toBe('TG_LEDGER_UNAVAILABLE');
  });

  it('leaves a file of a later version alone', () => {
    store.close();
    const later = new DatabaseSync(path);
    const { user_version: now } = later.prepare('PRAGMA user_version').get() as { user_version: number };
    later.exec('PRAGMA user_version = 99');
    later.close();
    expect(() => open()).toThrow(/has schema 99/);
    const back = new DatabaseSync(path);
    back.exec(`PRAGMA user_version = ${now}`);
    back.close();
    store = open();
  });
});

describe('the records', () => {
  it('show a total that was changed behind the ledger, and restore it', async () => {
    const [run, day] = [account('run'), account('day')];
    await store.ledger.reserve(ask(1, [run, day]));
    await store.ledger.reserve(ask(2, [run]));
    await store.ledger.settle(call(2), nano(30n), [run]);
    store.close();
    const meddler = new DatabaseSync(path);
    meddler.exec("UPDATE accounts SET spent = 7, held = 8 WHERE id = 'run'; DELETE FROM accounts WHERE id = 'day'");
    meddler.close();
    store = open();
    const wrong = [
      { account: 'day', spent: 0n, held: 0n, recordedSpent: 0n, recordedHeld: 100n },
      { account: 'run', spent: 7n, held: 8n, recordedSpent: 30n, recordedHeld: 100n },
    ];
    expect(store.ledger.audit()).toEqual(wrong);
    expect(await store.ledger.balances([run])).toMatchObject([{ spent: 7n, held: 8n }]);
    expect(store.ledger.rebuild()).toEqual(wrong);
    expect(store.ledger.audit()).toEqual([]);
    expect(await store.ledger.balances([run, day])).toMatchObject([
      { spent: 30n, held: 100n },
      { spent: 0n, held: 100n },
    ]);
  });

  it('are folded into the totals when they are old, and ended windows go', async () => {
    const { ledger } = store;
    const run = account('run');
    for (let n = 0; n < 1_200; n += 1) {
      await ledger.reserve(ask(n, [run, account('day:1', T0 + DAY)], 1n));
      if (n > 0) await ledger.settle(call(n), nano(2n), []);
    }
    await ledger.reserve(ask(9_000, [run, account('day:30', T0 + 31 * DAY)], 5n, T0 + 30 * DAY));
    await ledger.renew(call(0), epochMs(T0 + 50 * DAY));
    for (let step = 0; step < 5; step += 1) await ledger.lapse(epochMs(T0 + 34 * DAY + step * 61_000));
    expect(rows('SELECT count(*) AS n FROM holds')).toEqual([{ n: 1_201 }]);
    for (let step = 0; step < 5; step += 1) await ledger.lapse(epochMs(T0 + 40 * DAY + step * 61_000));
    expect(rows('SELECT count(*) AS n FROM holds')).toEqual([{ n: 2 }]);
    expect(rows('SELECT id FROM accounts ORDER BY id')).toEqual([{ id: 'day:1' }, { id: 'day:30' }, { id: 'run' }]);
    expect(await ledger.balances([run])).toMatchObject([{ spent: 2_403n, held: 1n }]);
    expect(ledger.audit()).toEqual([]);
    await ledger.settle(call(0), nano(0n), []);
    for (let step = 0; step < 3; step += 1) await ledger.lapse(epochMs(T0 + 41 * DAY + step * 61_000));
    expect(rows('SELECT id FROM accounts ORDER BY id')).toEqual([{ id: 'day:30' }, { id: 'run' }]);
    expect(await ledger.balances([account('day:1')])).toMatchObject([{ spent: 0n, held: 0n }]);
    expect(ledger.audit()).toEqual([]);
  });

  it('that were folded are not charged again by a replay of the whole record', async () => {
    const run = account('run');
    await store.ledger.reserve(ask(1, [run]));
    await store.ledger.settle(call(1), nano(40n), [run]);
    await store.ledger.lapse(epochMs(T0 + 36 * DAY));
    expect(rows('SELECT id FROM holds')).toEqual([]);
    store.close();
    store = open();
    const told = { id: call(1), at: epochMs(T0), amount: nano(100n) };
    store.ledger.restore([{ ...told, accounts: ['run'] }], [{ ...told, amount: nano(40n) }]);
    expect(await store.ledger.balances([run])).toMatchObject([{ spent: 40n, held: 0n }]);
    expect(store.ledger.audit()).toEqual([]);
  });
});

describe('restore', () => {
  const hold = { id: call(1), at: epochMs(T0), amount: nano(100n), accounts: ['run', 'day'] };
  const paid = { id: call(1), at: epochMs(T0), amount: nano(60n) };
  const both = [account('run'), account('day')];

  it('makes a lost hold again, which lapses, and learns the window from the next call', async () => {
    store.ledger.restore([hold], []);
    store.ledger.restore([hold], []);
    expect(await store.ledger.balances(both)).toMatchObject([{ held: 100n }, { held: 100n }]);
    expect(store.ledger.openHolds()).toEqual([call(1)]);
    expect(store.ledger.lapseAll()).toEqual([{ id: call(1), amount: 100n }]);
    await store.ledger.reserve(ask(2, [account('day', T0 + DAY)]));
    await store.calls.flush();
    expect(store.ledger.audit()).toEqual([]);
    expect(rows("SELECT resets_at FROM accounts WHERE id = 'day'")).toEqual([{ resets_at: T0 + DAY }]);
  });

  it('settles what is open or lapsed, and leaves what is settled', async () => {
    store.ledger.restore([hold], [paid]);
    expect(await store.ledger.balances(both)).toMatchObject([{ spent: 60n, held: 0n }, { spent: 60n }]);
    store.ledger.restore([hold], [{ ...paid, amount: nano(90n) }]);
    expect(await store.ledger.balances(both)).toMatchObject([{ spent: 60n, held: 0n }, { spent: 60n }]);
    store.ledger.restore([{ ...hold, id: call(2) }], []);
    store.ledger.lapseAll();
    store.ledger.restore([], [{ ...paid, id: call(2) }]);
    expect(await store.ledger.balances(both)).toMatchObject([{ spent: 120n, held: 0n }, { spent: 120n }]);
  });

  it('leaves a released hold released where the record says that it cost nothing', async () => {
    await store.ledger.reserve(ask(1, both));
    await store.ledger.release(call(1));
    store.ledger.restore([hold], [{ ...paid, amount: nano(0n) }]);
    expect(await store.ledger.balances(both)).toMatchObject([{ spent: 0n, held: 0n }, { spent: 0n }]);
    expect(store.ledger.openHolds()).toEqual([]);
  });
});

it('forgets idle accounts and reads them again, without losing a nano-dollar', async () => {
  store.close();
  store = open({ cachedAccounts: 10 });
  for (let n = 0; n < 500; n += 1) {
    const accounts = [account('tenant'), account(`run-${n % 100}`)];
    await store.ledger.reserve(ask(n, accounts, 10n));
    if (n % 3) await store.ledger.settle(call(n), nano(7n), accounts);
    if (n % 40 === 0) await store.calls.flush();
    await store.ledger.balances([account(`asked-${n}`)]);
  }
  expect(await store.ledger.balances([account('tenant')])).toMatchObject([{ spent: 2_331n, held: 1_670n }]);
  expect(store.ledger.audit()).toEqual([]);
  expect(rows("SELECT count(*) AS n FROM accounts WHERE id LIKE 'asked%'")).toEqual([{ n: 0 }]);
});

it('refuses a time that is none', async () => {
  const never = { ...ask(1, [account('run')]), lapsesAt: epochMs(Number.POSITIVE_INFINITY) };
  expect(await code(store.ledger.reserve(never))).toBe('TG_INTERNAL');
  expect(await code(store.ledger.reserve({ ...ask(2, []), at: epochMs(Number.NaN) }))).toBe('TG_INTERNAL');
  expect(await store.ledger.reserve({ ...ask(3, []), at: epochMs(T0 + 0.5) })).toMatchObject({ granted: true });
  expect(store.ledger.audit()).toEqual([]);
});
