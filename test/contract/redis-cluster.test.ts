import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nano } from '../../gateway/domain/scalars.ts';
import type { RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { redisBinary, startRedis, type TestRedis } from '../support/redis-server.ts';
import { account, freshCall, openShared, until, wanted } from '../support/shared-store.ts';

const CLI = redisBinary().replace('server', 'cli');
let nodes: TestRedis[];
let store: RedisStore;

beforeAll(async () => {
  nodes = await Promise.all([1, 2, 3].map(() => startRedis('--cluster-enabled', 'yes')));
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  execFileSync(CLI, ['--cluster', 'create', ...addresses, '--cluster-yes']);
  const whole = (node: TestRedis): boolean =>
    execFileSync(CLI, ['-p', `${node.port}`, 'cluster', 'info']).includes('cluster_state:ok');
  await until(() => nodes.every(whole), 'the cluster is whole');
  store = await openShared(nodes[0]?.url ?? '', { timeoutMs: 2_000 });
}, 40_000);

afterAll(async () => {
  await store.close();
  for (const node of nodes) await node.remove();
});

describe('a cluster of three nodes', () => {
  it('holds, settles, releases and sums for tenants on every node', { timeout: 30_000 }, async () => {
    const tenants = Array.from({ length: 24 }, (_, n) => `tenant-${n}`);
    for (const tenant of tenants) {
      const accounts = [account(`tenant:${tenant}:total:0`, 100n), account(`run:${tenant}/k/r:total:0`, 50n)];
      const [one, two] = [freshCall(), freshCall()];
      expect(await store.ledger.reserve(wanted(one, accounts, 30n))).toMatchObject({ granted: true });
      expect(await store.ledger.reserve(wanted(freshCall(), accounts, 30n))).toMatchObject({
        granted: false,
        left: 20n,
      });
      expect(await store.ledger.reserve(wanted(two, accounts, 20n))).toMatchObject({ granted: true });
      expect(await store.ledger.extend(two, nano(21n), accounts)).toBe(false);
      expect(await store.ledger.settle(one, nano(7n), accounts)).toEqual({ charged: 7n, overrun: 0n });
      await store.ledger.release(two);
      expect(await store.ledger.balances(accounts)).toMatchObject([
        { spent: 7n, held: 0n },
        { spent: 7n, held: 0n },
      ]);
    }
    const keys = nodes.map(({ port }) => Number(execFileSync(CLI, ['-p', `${port}`, 'dbsize']).toString()));
    for (const count of keys) expect(count).toBeGreaterThan(0);
    expect(await store.audit()).toEqual([]);
  });

  it('gives 100 callers a cap for 10, exactly 10 times', async () => {
    const accounts = [account('tenant:crowd:total:0', 100n), account('run:crowd/k/r:total:0', 1_000n)];
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => store.ledger.reserve(wanted(freshCall(), accounts, 10n))),
    );
    expect(answers.filter(({ granted }) => granted)).toHaveLength(10);
  });

  it('leases money of tenants on every node, and gives it back to whoever asks', async () => {
    const leases = { ms: 60_000, after: 1, share: 1, calls: 1_000, restMs: 0 };
    const lessee = await openShared(nodes[1]?.url ?? '', { timeoutMs: 5_000, leases });
    for (let n = 0; n < 6; n += 1) {
      const on = [account(`tenant:leased-${n}:total:0`, 1_000n)];
      const id = freshCall();
      await lessee.ledger.reserve(wanted(id, on, 10n));
      await lessee.ledger.settle(id, nano(10n), on);
      await lessee.ledger.quiet();
      expect(await store.ledger.balances(on)).toMatchObject([{ spent: 10n, held: 990n }]);
      expect(await store.ledger.reserve(wanted(freshCall(), on, 990n))).toMatchObject({ granted: true, amount: 990n });
    }
    await lessee.close();
    expect(await store.audit()).toEqual([]);
  });

  it('holds over two tenants on different nodes in both or in none', async () => {
    const both = [account('tenant:left:total:0', 100n), account('tenant:right:total:0', 50n)];
    expect(await store.ledger.reserve(wanted(freshCall(), both, 60n))).toMatchObject({ granted: false });
    expect(await store.ledger.balances(both)).toMatchObject([{ held: 0n }, { held: 0n }]);
  });

  it('shares keys and halts', async () => {
    const other = await openShared(nodes[2]?.url ?? '', { timeoutMs: 2_000 });
    await store.keys.add('h1', { id: 'key_1', tenant: 't', agent: 'a', createdAt: 1 as never });
    expect(await other.keys.find('h1')).toMatchObject({ id: 'key_1' });
    store.runs.halt('run', 't/k/r');
    const halted = () => other.runs.halted({ tenant: 't', key: 'k' }, 'r', 'a', undefined) === 'run';
    await until(halted, 'the other gateway heard of the halt');
    await other.close();
  });
});
