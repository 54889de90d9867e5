/**
 * What one reserve and its settle cost on a shared Redis, with money alone, with rates beside it and with money leased: time, CPU and round
 * trips. `npm run bench:redis [-- <redis url>]`
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallId, epochMs, nano } from '../gateway/domain/scalars.ts';
import type { Account } from '../gateway/ports/ledger.ts';
import type { RateAccount, RateWant } from '../gateway/ports/rates.ts';
import { openEmbedded } from '../gateway/stores/embedded/open-embedded.ts';
import { openRedis, type RedisStore } from '../gateway/stores/redis/open-redis.ts';

const RUNS = 200;
const LEASE_MS = 30_000;
const clock = { now: () => epochMs(Date.now()), ticks: () => performance.now() };
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const account = (scope: Account['scope'], id: string): Account => ({
  id,
  scope,
  window: 'total',
  limit: nano(10n ** 18n),
  resetsAt: undefined,
});

const rate = (unit: RateAccount['unit'], amount: number): RateWant => ({
  account: { id: `tenant:default:hour:${unit}`, scope: 'tenant', window: 'hour', unit, limit: 1e12 },
  amount,
});
/** What the tenant may have of requests and tokens an hour. */
const RATES = [rate('requests', 1), rate('tokens', 2_000)];

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A server of our own; `everysec` is what most people run. */
async function ownRedis(folder: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes'];
  const child = spawn('redis-server', [...args, '--appendfsync', 'everysec'], { stdio: 'ignore' });
  await pause(500);
  return { url: `redis://127.0.0.1:${port}`, child };
}

let made = 0;
/** each measurement has runs that nobody knows yet */
let series = 0;
/** What reserves took: ms, and questions on their way. */
interface Reserves {
  readonly times: number[];
  readonly asked: number[];
}

async function call({ ledger }: RedisStore, rates: readonly RateWant[], { times, asked }: Reserves): Promise<void> {
  made += 1;
  const id = `call_${`${process.pid}${String(made).padStart(12, '0')}`.padStart(26, '0')}` as CallId;
  const accounts = [
    account('tenant', 'tenant:default:total:0'),
    account('run', `run:default/k${series}/${made % RUNS}:total:0`),
  ];
  const at = clock.now();
  const begun = performance.now();
  const wanted = { id, at, accounts, rates, amount: nano(1_000n), least: nano(10n), lapsesAt: epochMs(at + 600_000) };
  const answer = await ledger.reserve(wanted);
  times.push(performance.now() - begun);
  if (!answer.granted) throw new Error('the bench ran out of money');
  asked.push(answer.leases ? 0 : 1);
  await ledger.settle(id, nano(700n), accounts, 1_400);
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0;

async function measure(
  store: RedisStore,
  underWay: number,
  pairs: number,
  rates: readonly RateWant[],
  leaseMs: number,
): Promise<Record<string, number>> {
  series += 1;
  let left = pairs;
  const reserves: Reserves = { times: [], asked: [] };
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call(store, rates, reserves);
    }
  };
  const asked = store.asked();
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await Promise.all(Array.from({ length: underWay }, worker));
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const [times, onTheWay] = [reserves.times, reserves.asked].map((list) => list.sort((a, b) => a - b)) as [
    number[],
    number[],
  ];
  return {
    lease_ms: leaseMs,
    rates: rates.length,
    calls_under_way: underWay,
    pairs_per_s: Math.round(pairs / seconds),
    reserve_p50_us: Math.round(quantile(times, 0.5) * 1000),
    reserve_p99_us: Math.round(quantile(times, 0.99) * 1000),
    gateway_cpu_us_per_pair: Number(((user + system) / pairs).toFixed(1)),
    reserve_round_trips_p50: quantile(onTheWay, 0.5),
    reserves_that_asked: onTheWay.reduce((sum, one) => sum + one, 0),
    // reserve, settle and what is said of leases beside them
    round_trips_per_call: Number(((store.asked() - asked) / pairs).toFixed(3)),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-redis-'));
const own = process.argv[2] === undefined ? await ownRedis(folder) : undefined;
const local = openEmbedded(':memory:', { clock });
const options = { clock, log: quiet, runs: local.runs, idFile: join(folder, 'gateway-id') };
const rows: Record<string, number>[] = [];
try {
  for (const [leaseMs, rates] of [
    [0, []],
    [0, RATES],
    [LEASE_MS, []],
  ] as const) {
    const store = await openRedis(process.argv[2] ?? own?.url ?? '', { ...options, leases: { ms: leaseMs } });
    await measure(store, 16, 2_000, rates, leaseMs);
    for (const underWay of [1, 16, 64, 256]) {
      rows.push(await measure(store, underWay, underWay === 1 ? 3_000 : 10_000, rates, leaseMs));
      console.log(JSON.stringify(rows.at(-1)));
    }
    await store.close();
  }
  console.log(JSON.stringify({ redis: rows }));
} finally {
  local.close();
  own?.child.kill();
  rmSync(folder, { recursive: true });
}
