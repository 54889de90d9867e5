import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CallId, epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { Account, Reservation } from '../../../gateway/ports/ledger.ts';
import type { RateAccount } from '../../../gateway/ports/rates.ts';
import { openEmbedded } from '../../../gateway/stores/embedded/open-embedded.ts';

const CHILD = resolve(import.meta.dirname, 'gateway-process.ts');
const T0 = 1_790_000_000_000;
const clock = { now: () => epochMs(T0), ticks: () => performance.now() };

let folder: string;
let path: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-embedded-rates-'));
  path = join(folder, 'store.db');
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const rate = (limit: number, unit: RateAccount['unit'] = 'requests'): RateAccount => ({
  id: `tenant:acme:minute:${unit}`,
  scope: 'tenant',
  window: 'minute',
  unit,
  limit,
});
const money: Account = { id: 'tenant', scope: 'tenant', window: 'total', limit: nano(100n), resetsAt: undefined };
const ask = (n: number, of: RateAccount, taking = 1, amount = 10n): Reservation => ({
  id: `call_${String(n).padStart(26, '0')}` as CallId,
  at: epochMs(T0),
  accounts: [money],
  rates: [{ account: of, amount: taking }],
  amount: nano(amount),
  least: nano(amount),
  lapsesAt: epochMs(T0 + 60_000),
});

it('looks, holds and takes in one turn of the loop: who asks in the same turn sees all of it', async () => {
  const store = openEmbedded(path, { clock });
  const { ledger } = store;
  // nobody waits for anybody
  const asked = [ledger.reserve(ask(1, rate(1))), ledger.balances([money]), ledger.reserve(ask(2, rate(1)))] as const;
  const given = [ledger.release(ask(1, rate(1)).id), ledger.reserve(ask(3, rate(1)))] as const;
  expect(await asked[0]).toMatchObject({ granted: true });
  expect(await asked[1]).toMatchObject([{ held: 10n }]);
  expect(await asked[2]).toMatchObject({ granted: false, rate: { left: 0 } });
  await given[0];
  expect(await given[1]).toMatchObject({ granted: true });
  store.close();
});

it('writes holds and counts in one transaction: kill -9 leaves them agreeing', { timeout: 30_000 }, async () => {
  child = spawn(process.execPath, [CHILD, path, join(folder, 'record')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let lines = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    lines += chunk.toString().split('\n').length - 1;
    if (lines >= 60) child?.kill('SIGKILL');
  });
  await once(child, 'exit');
  const db = new DatabaseSync(path);
  const one = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0]);
  const written = one('SELECT count(*) FROM holds');
  expect(written).toBeGreaterThan(500);
  expect(one("SELECT sum(amount) FROM rates WHERE account = 'day:requests'")).toBe(written);
  expect(one("SELECT sum(amount) FROM rates WHERE account = 'day:tokens'")).toBe(
    one('SELECT sum(CASE state WHEN 0 THEN amount ELSE charged END) FROM holds'),
  );
  // an open hold knows what to give back, a settled one nothing
  expect(one('SELECT count(*) FROM holds WHERE (state = 0) <> (rates IS NOT NULL)')).toBe(0);
  db.close();
});

it('corrects after a restart what a call took before it', async () => {
  const before = openEmbedded(path, { clock });
  const tokens = rate(100, 'tokens');
  await before.ledger.reserve(ask(1, tokens, 90));
  await before.ledger.reserve(ask(2, tokens, 10));
  before.close();
  const after = openEmbedded(path, { clock });
  await after.ledger.settle(ask(1, tokens).id, nano(1n), [], 40);
  await after.ledger.release(ask(2, tokens).id);
  expect(await after.ledger.reserve(ask(3, tokens, 61))).toMatchObject({ granted: false, rate: { left: 60 } });
  after.close();
});

it('charges nothing where the store cannot say what the call took', async () => {
  const before = openEmbedded(path, { clock });
  await before.ledger.reserve(ask(1, rate(100, 'tokens'), 90));
  before.close();
  const after = openEmbedded(path, { clock });
  const other = new DatabaseSync(path);
  other.exec('ALTER TABLE rates RENAME TO elsewhere');
  const settling = after.ledger.settle(ask(1, rate(1)).id, nano(1n), [money], 40);
  await expect(settling).rejects.toMatchObject({ code: 'TG_LEDGER_UNAVAILABLE' });
  expect(await after.ledger.balances([money])).toMatchObject([{ spent: 0n, held: 10n }]);
  other.exec('ALTER TABLE elsewhere RENAME TO rates');
  other.close();
  await after.ledger.settle(ask(1, rate(1)).id, nano(1n), [money], 40);
  const tokens = rate(100, 'tokens');
  expect(await after.ledger.reserve(ask(2, tokens, 61))).toMatchObject({ granted: false, rate: { left: 60 } });
  after.close();
});
