import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Account } from '../../gateway/ports/ledger.ts';
import type { RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { startTestGate, type TestGate, type TestGateOptions } from './gate.ts';
import { type LossyLink, startLossyLink } from './lossy-link.ts';
import { startRedis, type TestRedis } from './redis-server.ts';
import { freshCall, openShared, until, wanted } from './shared-store.ts';

/** A Redis for all tests of a file, empty before each; there from the first hook on. */
export interface RedisSuite {
  readonly redis: TestRedis;
  /** a connection of nobody's, to look and to stir */
  readonly admin: Redis;
}

/** A server for all tests of a file. */
function ownServer(): () => TestRedis {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.remove());
  return () => redis;
}

export function redisForSuite(): RedisSuite {
  const server = ownServer();
  let admin: Redis;
  beforeAll(() => {
    admin = new Redis(server().url);
    admin.on('error', () => undefined);
  });
  afterAll(() => admin.disconnect());
  beforeEach(async () => {
    await until(async () => (await admin.ping().catch(() => '')) === 'PONG', 'redis answers');
    await admin.flushall();
  });
  return {
    get redis() {
      return server();
    },
    get admin() {
      return admin;
    },
  };
}

/** A store whose way to the Redis of a suite loses what it is told to; a new one for each test of the block. */
export interface LossySuite {
  readonly link: LossyLink;
  readonly store: RedisStore;
  /** Everything passes again; resolves once everything is delivered. */
  heal(): Promise<void>;
}

/** `known`: an account the store has asked about before the test begins. */
export function lossyForSuite(suite: RedisSuite, known: Account): LossySuite {
  let link: LossyLink;
  let store: RedisStore;
  beforeEach(async () => {
    link = await startLossyLink(suite.redis.port);
    store = await openShared(`redis://127.0.0.1:${link.port}`);
    await store.ledger.reserve(wanted(freshCall(), [known], 0n));
  });
  afterEach(async () => {
    await store.close();
    await link.close();
  });
  return {
    get link() {
      return link;
    },
    get store() {
      return store;
    },
    async heal() {
      link.heal();
      await until(
        () => store.healthy() && store.ledger.pending() === 0,
        'the link is back and everything is delivered',
      );
    },
  };
}

/** Gates over one Redis that is new before each test; they end with the test. */
export interface GatesSuite {
  readonly redis: TestRedis;
  open(options: TestGateOptions): Promise<TestGate>;
}

export function gatesForSuite(): GatesSuite {
  const server = ownServer();
  const gates: TestGate[] = [];
  beforeEach(async () => {
    await server().kill();
    server().wipe();
    await server().start();
  });
  afterEach(async () => {
    for (const gate of gates.splice(0)) await gate.remove();
  });
  return {
    get redis() {
      return server();
    },
    async open(options) {
      const gate = await startTestGate(options);
      gates.push(gate);
      return gate;
    },
  };
}
