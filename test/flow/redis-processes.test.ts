import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { epochMs } from '../../gateway/domain/scalars.ts';
import type { RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { account, openShared, until } from '../support/shared-store.ts';

const WORKER = resolve(import.meta.dirname, '../support/shared-worker.ts');
const ACCOUNTS = [
  account('tenant:acme:total:0', 60_000n),
  ...[0, 1, 2, 3].map((run) => account(`run:acme/k1/${run}:total:0`, 20_000n)),
];
const RATES = { requests: 500, tokens: 70_000 };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let redis: TestRedis;
let root: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  redis = await startRedis();
  root = mkdtempSync(join(tmpdir(), 'tollgate-processes-'));
});
afterAll(async () => {
  await redis.remove();
  rmSync(root, { recursive: true });
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

interface Worker {
  readonly child: ChildProcess;
  readonly folder: string;
  /** resolves with the exit code; null where it was killed */
  readonly gone: Promise<number | null>;
  /** how many calls it was granted out of leases, by its last word */
  leased(): number;
}

async function start(folder: string, seed: number, calls: number, leaseMs: number): Promise<Worker> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    WORKER,
    redis.url,
    folder,
    `${seed}`,
    `${calls}`,
    `${leaseMs}`,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const gone = once(child, 'exit').then(([code]) => code as number | null);
  let said = '';
  child.stdout?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await until(() => said.includes('ready'), 'the worker is ready');
  return { child, folder, gone, leased: () => Number(/done (\d+)/.exec(said)?.[1] ?? 0) };
}

/** What is counted of each rate, straight from Redis. */
async function counted(admin: Redis): Promise<{ requests: number; tokens: number }> {
  const sum = async (unit: string): Promise<number> =>
    (await admin.hvals(`tollgate:{t.acme}:rate:tenant:acme:day:${unit}`)).reduce((all, n) => all + Number(n), 0);
  return { requests: await sum('requests'), tokens: await sum('tokens') };
}

/** Watches every total and rate until told to stop. Returns how often it looked and where a limit was passed. */
function watch(store: RedisStore): { stop(): Promise<{ looks: number; passed: string[] }> } {
  const admin = new Redis(redis.url);
  admin.on('error', () => undefined);
  let on = true;
  let looks = 0;
  const passed: string[] = [];
  const watching = (async () => {
    while (on) {
      const balances = await store.ledger.balances(ACCOUNTS).catch(() => []);
      if (balances.length > 0) looks += 1;
      for (const { account: where, spent, held } of balances) {
        if (spent + held > where.limit || spent < 0n || held < 0n) passed.push(`${where.id}: ${spent} + ${held}`);
      }
      const { requests, tokens } = await counted(admin).catch(() => ({ requests: 0, tokens: 0 }));
      if (requests > RATES.requests || tokens > RATES.tokens || requests < 0 || tokens < 0)
        passed.push(`${requests} requests, ${tokens} tokens`);
      await pause(1);
    }
  })();
  return {
    async stop() {
      on = false;
      await watching;
      admin.disconnect();
      return { looks, passed };
    },
  };
}

/** What the records say was charged, and for how many calls. */
function receipts(folders: readonly string[]): { readonly charged: bigint; readonly calls: number } {
  let sum = 0n;
  let calls = 0;
  for (const folder of folders) {
    const file = join(folder, 'record');
    const sealed = new Map<string, bigint>();
    for (const line of existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []) {
      const [kind, id, amount] = line.split(' ');
      if (kind === 'seal') sealed.set(id as string, BigInt(amount as string));
    }
    for (const charged of sealed.values()) sum += charged;
    calls += sealed.size;
  }
  return { charged: sum, calls };
}

describe('three processes and one redis', () => {
  const cases = [
    { name: 'undisturbed', trouble: async () => undefined },
    {
      name: 'scripts forgotten, redis frozen, killed and started again',
      trouble: async () => {
        const admin = new Redis(redis.url);
        admin.on('error', () => undefined);
        await pause(150);
        await admin.script('FLUSH');
        await pause(100);
        redis.freeze();
        await pause(500);
        redis.thaw();
        await pause(400);
        await redis.kill();
        await pause(300);
        await redis.start();
        admin.disconnect();
      },
    },
  ];

  const both = [0, 400].flatMap((leaseMs) => cases.map((one) => ({ ...one, leaseMs })));
  it.each(both)(
    '$name, leases of $leaseMs ms: never more than the limit, and in the end what the receipts say',
    { timeout: 60_000 },
    async ({ name, trouble, leaseMs }) => {
      const admin = new Redis(redis.url);
      await admin.flushall();
      await admin.quit();
      const store = await openShared(redis.url);
      const eye = watch(store);
      const folders = [1, 2, 3].map((n) => mkdtempSync(join(root, `gateway-${n}-`)));
      const seed = name.length;
      const workers = await Promise.all(folders.map((folder, n) => start(folder, seed * 10 + n, 700, leaseMs)));
      const troubled = trouble();
      // one gateway dies in mid-call and starts again on its own record
      await pause(250);
      const [first, ...others] = workers as [Worker, ...Worker[]];
      first.child.kill('SIGKILL');
      expect(await first.gone).toBeNull();
      await troubled;
      const again = await start(first.folder, seed * 10 + 7, 300, leaseMs);
      expect(await Promise.all([again, ...others].map(({ gone }) => gone))).toEqual([0, 0, 0]);

      const { looks, passed } = await eye.stop();
      expect(passed).toEqual([]);
      expect(looks).toBeGreaterThan(50);
      await store.ledger.lapse(epochMs(Date.now()));
      expect(await store.audit()).toEqual([]);
      const [tenant, ...runs] = await store.ledger.balances(ACCOUNTS);
      expect(tenant?.held).toBe(0n);
      const sealed = receipts(folders);
      expect(tenant?.spent).toBe(sealed.charged);
      const counter = new Redis(redis.url);
      const rates = await counted(counter);
      counter.disconnect();
      // every call that was carried took one request; a call that nobody knows the end of counts at its most
      if (leaseMs === 0) expect(rates.requests).toBe(sealed.calls);
      if (leaseMs === 0) expect(rates.tokens).toBeGreaterThanOrEqual(Number(sealed.charged));
      expect(runs.reduce((sum, { spent }) => sum + spent, 0n)).toBe(tenant?.spent);
      // the limits were reached, else this showed nothing
      expect(tenant?.spent).toBeGreaterThan(30_000n);
      const leased = others.reduce((sum, worker) => sum + worker.leased(), 0);
      if (leaseMs > 0) expect(leased).toBeGreaterThan(20);
      else {
        expect(leased).toBe(0);
        expect(rates.requests).toBeGreaterThan(RATES.requests - 30);
      }
      await store.close();
    },
  );
});
