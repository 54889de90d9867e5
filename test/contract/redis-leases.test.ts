import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import { epochMs } from '../../gateway/domain/scalars.ts';
import type { Ledger } from '../../gateway/ports/ledger.ts';
import { openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { openRedis, type RedisOptions } from '../../gateway/stores/redis/open-redis.ts';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { ledgerContract, type OpenLedger } from './ledger.ts';

let redis: TestRedis;
let admin: Redis;
const folder = mkdtempSync(join(tmpdir(), 'tollgate-gateway-'));
beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
});
afterAll(async () => {
  admin.disconnect();
  await redis.remove();
  rmSync(folder, { recursive: true });
});

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
// Before every lease of the suite: it tells itself when time passes.
const clock = { now: () => epochMs(1_789_000_000_000), ticks: () => performance.now() };

/** The ledger with leases, each verb awaited until nothing is left to be said to Redis: leases are taken in the background. */
function settledDown(ledger: Ledger & { quiet(): Promise<void> }): Ledger {
  const then = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      await ledger.quiet();
    }
  };
  return {
    reserve: (request) => then(ledger.reserve(request)),
    extend: (...args) => then(ledger.extend(...args)),
    settle: (...args) => then(ledger.settle(...args)),
    release: (id) => then(ledger.release(id)),
    renew: (...args) => then(ledger.renew(...args)),
    lapse: (now) => then(ledger.lapse(now)),
    balances: (accounts) => ledger.balances(accounts),
  };
}

async function open(leases: NonNullable<RedisOptions['leases']>): Promise<OpenLedger> {
  const local = openEmbedded(':memory:', { clock });
  const idFile = join(folder, 'gateway-id');
  const store = await openRedis(redis.url, { clock, time: 'clock', idFile, log: silent, runs: local.runs, leases });
  const close = async (): Promise<void> => {
    await store.close();
    local.close();
  };
  return {
    ledger: settledDown(store.ledger),
    audit: () => store.audit(),
    reopen: () => close().then(() => open(leases)),
    close,
  };
}

async function fresh(leases: NonNullable<RedisOptions['leases']>): Promise<OpenLedger> {
  await admin.flushall();
  return open(leases);
}

const traits = { unbudgeted: 'own', spent: 'own' } as const;
ledgerContract('redis with leases', () => fresh({ ms: 60_000 }), traits);
// whatever is left is leased after every call: what is granted, refused and clamped stays the same
const GREEDY = { ms: 60_000, calls: 1_000, after: 1, share: 1, restMs: 0 };
ledgerContract('redis with greedy leases', () => fresh(GREEDY), traits);
