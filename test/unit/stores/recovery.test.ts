import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CallId, epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { RecordedHold, RecordedSettlement } from '../../../gateway/stores/embedded/ledger.ts';
import { type EmbeddedStore, openEmbedded } from '../../../gateway/stores/embedded/open-embedded.ts';

const CHILD = resolve(import.meta.dirname, 'gateway-process.ts');
const T0 = 1_790_000_000_000;
const clock = { now: () => epochMs(T0), ticks: () => performance.now() };

let folder: string;
let path: string;
let record: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-recovery-'));
  path = join(folder, 'store.db');
  record = join(folder, 'record');
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(...args: readonly string[]): Promise<ChildProcess> {
  const started = spawn(process.execPath, [CHILD, path, record, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  return new Promise((ready, fail) => {
    started.stdout.once('data', () => ready(started));
    started.once('exit', (code) => fail(new Error(`the child left with ${code}`)));
  });
}

async function killAfterLines(gateway: ChildProcess, lines: number): Promise<void> {
  const gone = new Promise((left) => gateway.once('exit', left));
  let seen = 0;
  gateway.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk.toString().split('\n').length - 1;
    if (seen >= lines) gateway.kill('SIGKILL');
  });
  await gone;
}

interface Line {
  readonly kind: 'begin' | 'seal';
  readonly id: CallId;
  readonly at: number;
  readonly amount: string;
  readonly accounts: readonly string[];
}

// A torn last line was never durable: the spool drops it too.
function readRecord(): { holds: RecordedHold[]; settlements: RecordedSettlement[] } {
  const text = readFileSync(record, 'utf8');
  const lines = text
    .slice(0, text.lastIndexOf('\n'))
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const told = ({ id, at, amount }: Line) => ({ id, at: epochMs(at), amount: nano(BigInt(amount)) });
  return {
    holds: lines.filter(({ kind }) => kind === 'begin').map((line) => ({ ...told(line), accounts: line.accounts })),
    settlements: lines.filter(({ kind }) => kind === 'seal').map(told),
  };
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);
const total = (id: string) =>
  ({ id, scope: 'run', window: 'total', limit: nano(10n ** 15n), resetsAt: undefined }) as const;

async function spent(store: EmbeddedStore): Promise<bigint> {
  const [tenant] = await store.ledger.balances([total('tenant')]);
  expect(tenant?.held).toBe(0n);
  const runs = await store.ledger.balances([0, 1, 2, 3, 4].map((n) => total(`run-${n}`)));
  expect(sum(runs.map((balance) => balance.spent))).toBe(tenant?.spent);
  return tenant?.spent ?? -1n;
}

it.each([1, 4, 9])(
  'a killed gateway (%s) loses no money: what was sealed is charged, what was begun lapses',
  async (lines) => {
    await killAfterLines(await start(), lines);
    const { holds, settlements } = readRecord();
    expect(settlements.length).toBeGreaterThan(20);

    const store = openEmbedded(path, { clock });
    expect(store.ledger.audit()).toEqual([]);
    store.ledger.restore(holds, settlements);
    const begun = new Set(holds.map(({ id }) => id));
    const neverCarried = store.ledger.openHolds().filter((id) => !begun.has(id));
    for (const id of neverCarried) await store.ledger.release(id);
    const lapsed = store.ledger.lapseAll();
    expect(store.ledger.openHolds()).toEqual([]);
    expect(store.ledger.audit()).toEqual([]);

    const sealed = new Map(settlements.map(({ id, amount }) => [id, amount]));
    const inDoubt = holds.filter(({ id }) => !sealed.has(id));
    const charged = await spent(store);
    // A call settled but not yet sealed keeps its exact charge; every other one in doubt costs its whole hold.
    expect(charged).toBeGreaterThanOrEqual(sum([...sealed.values(), ...lapsed.map(({ amount }) => amount)]));
    expect(charged).toBeLessThanOrEqual(sum([...sealed.values(), ...inDoubt.map(({ amount }) => amount)]));
    expect(charged).toBeGreaterThan(sum([...sealed.values()]) - 1n);

    store.ledger.restore(holds, settlements);
    expect(await spent(store)).toBe(charged);
    store.close();
  },
);

it('a store that is gone altogether is rebuilt from the record', async () => {
  await killAfterLines(await start(), 5);
  const { holds, settlements } = readRecord();
  path = join(folder, 'another.db');
  const store = openEmbedded(path, { clock });
  store.ledger.restore(holds, settlements);
  store.ledger.lapseAll();
  const sealed = new Set(settlements.map(({ id }) => id));
  const inDoubt = holds.filter(({ id }) => !sealed.has(id));
  expect(await spent(store)).toBe(sum([...settlements, ...inDoubt].map(({ amount }) => amount)));
  expect(store.ledger.audit()).toEqual([]);
  store.close();
});

it('a closed gateway leaves nothing to recover', async () => {
  const gateway = await start('100');
  await new Promise((left) => gateway.once('exit', left));
  const store = openEmbedded(path, { clock });
  expect(store.ledger.openHolds()).toEqual([]);
  expect(await spent(store)).toBe(sum(readRecord().settlements.map(({ amount }) => amount)));
  store.close();
});

it('a second gateway on the same file is refused while the first one lives', async () => {
  const gateway = await start();
  expect(() => openEmbedded(path, { clock })).toThrow(/another gateway uses `.*store\.db`/);
  gateway.kill('SIGKILL');
  await new Promise((left) => gateway.once('exit', left));
  openEmbedded(path, { clock }).close();
});

it('a full disk refuses new calls, and nothing is half applied', async () => {
  // No file of the store may pass 512 kB; the signal is ignored so that the write itself fails.
  const limited = `trap '' XFSZ; ulimit -f 512; exec "$0" "$@"`;
  const args = ['-c', limited, process.execPath, CHILD, path, '/dev/null', '200000'];
  const full = spawn('bash', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child = full;
  let said = '';
  full.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise((left) => full.once('exit', left));
  expect(said).toContain('fault TG_LEDGER_UNAVAILABLE');
  const store = openEmbedded(path, { clock });
  expect(store.ledger.audit()).toEqual([]);
  store.ledger.lapseAll();
  expect(await spent(store)).toBeGreaterThan(0n);
  store.close();
});
