import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { epochMs } from '../../gateway/domain/scalars.ts';
import { openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { openRedis, type RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { keysContract } from './keys.ts';
import { ledgerContract, type OpenLedger } from './ledger.ts';
import { type OpenRates, ratesContract } from './rates.ts';

let redis: TestRedis;
const folder = mkdtempSync(join(tmpdir(), 'tollgate-gateway-'));
const idFile = join(folder, 'gateway-id');
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis.remove();
  rmSync(folder, { recursive: true });
});

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
// Before every lease of the suite: it tells itself when time passes.
let now = 1_789_000_000_000;
const clock = { now: () => epochMs(now), ticks: () => performance.now() };

async function open(): Promise<RedisStore> {
  const local = openEmbedded(':memory:', { clock });
  const store = await openRedis(redis.url, { clock, time: 'clock', idFile, log: quiet, runs: local.runs });
  return {
    ...store,
    async close() {
      await store.close();
      local.close();
    },
  };
}

async function fresh(): Promise<RedisStore> {
  const store = await open();
  const { Redis } = await import('ioredis');
  const client = new Redis(redis.url);
  await client.flushall();
  await client.quit();
  return store;
}

async function ledgerOf(opening: Promise<RedisStore>): Promise<OpenLedger> {
  const store = await opening;
  return {
    ledger: store.ledger,
    audit: () => store.audit(),
    reopen: async () => {
      await store.close();
      return ledgerOf(open());
    },
    close: () => store.close(),
  };
}

ledgerContract('redis', () => ledgerOf(fresh()), { unbudgeted: 'own' });

async function keysOf(
  opening: Promise<RedisStore>,
): Promise<{ keys: RedisStore['keys']; reopen(): ReturnType<typeof keysOf>; close(): Promise<void> }> {
  const store = await opening;
  return { keys: store.keys, close: () => store.close(), reopen: () => store.close().then(() => keysOf(open())) };
}

keysContract('redis', () => keysOf(fresh()));

async function ratesOf(opening: Promise<RedisStore>): Promise<OpenRates> {
  const store = await opening;
  const before = now;
  return {
    ledger: store.ledger,
    setNow: (ms) => {
      now = ms;
    },
    reopen: async () => {
      await store.close();
      return ratesOf(open());
    },
    close: async () => {
      now = before;
      await store.close();
    },
  };
}

ratesContract('redis', () => ratesOf(fresh()));
