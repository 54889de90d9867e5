import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { startRedis, type TestRedis } from '../support/redis-server.ts';
import { account, openShared, until } from '../support/shared-store.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const TENANT = account('tenant:local:total:0', 0n);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An address that stays while who answers there changes. */
async function address(port: number): Promise<{ readonly url: string; moveTo(port: number): void }> {
  let target = port;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const up = connect(target, '127.0.0.1');
    for (const end of [socket, up]) {
      open.add(end);
      end.on('error', () => undefined);
      end.on('close', () => {
        open.delete(end);
        socket.destroy();
        up.destroy();
      });
    }
    socket.pipe(up).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    moveTo(next) {
      target = next;
      for (const socket of open) socket.destroy();
    },
  };
}

async function pair(): Promise<readonly [TestRedis, TestRedis]> {
  const first = await startRedis('--repl-diskless-sync-delay', '0');
  closers.push(() => first.remove());
  const second = await startRedis('--replicaof', '127.0.0.1', `${first.port}`, '--repl-diskless-sync-delay', '0');
  closers.push(() => second.remove());
  const client = new Redis(first.port);
  await until(async () => /slave0:.*state=online/.test(await client.info('replication')), 'the replica follows');
  await client.quit();
  return [first, second];
}

const USAGE = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
const ask = (gate: TestGate): Promise<Response> =>
  fetch(`${gate.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer own' },
    body: JSON.stringify({ model: 'gpt-4o', max_tokens: 50, messages: [{ role: 'user', content: 'go' }] }),
  });

const LEASES = [0, 2_000];
it.each(LEASES)(
  'a failover to a replica loses no hold and no charge where the gate waits for it (leases of %d ms)',
  { timeout: 60_000 },
  async (leaseMs) => {
    const [first, second] = await pair();
    const where = await address(first.port);
    const upstream: TestUpstream = await startUpstream((_r, response) => {
      setTimeout(() => json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')), 40);
    });
    closers.push(() => upstream.close());
    const gate = await startTestGate({
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
      config: {
        budgets: [{ scope: 'tenant', limit_usd: 0.2 }],
        store: { redis: where.url, timeout_ms: 500, replicas: 1, lease_ms: leaseMs },
      },
    });
    closers.push(() => gate.remove());
    for (let i = 0; i < 5; i += 1) expect((await ask(gate)).status).toBe(200);

    // calls are under way when the first server dies for good
    const underWay = Array.from({ length: 20 }, () => ask(gate));
    await until(async () => upstream.received.length >= 15, 'calls are carried');
    await first.kill();
    const ended = (await Promise.all(underWay)).map(({ status }) => status);
    expect(ended.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    // what is leased may still be spent
    if (leaseMs > 0) await until(async () => (await ask(gate)).status === 503, 'the lease is used up or over');
    else expect((await ask(gate)).status).toBe(503);

    const client = new Redis(second.port);
    await client.replicaof('NO', 'ONE');
    await client.quit();
    // the new first server has no replica of its own yet: the gate goes on refusing until it has one
    where.moveTo(second.port);
    const third = await startRedis('--replicaof', '127.0.0.1', `${second.port}`);
    closers.push(() => third.remove());
    await until(async () => (await ask(gate)).status === 200, 'calls pass again');

    // everything that was carried is charged on the new server, to the nano-dollar, and nothing stays held
    const store = await openShared(`redis://127.0.0.1:${second.port}`);
    closers.push(() => store.close());
    await until(async () => (await store.ledger.balances([TENANT]))[0]?.held === 0n, 'nothing is held');
    // nobody waits for the last receipt: it is written after its answer was said
    const answered = async () => (await gate.calls('&limit=1000')).filter(({ status }) => status === 200);
    await until(async () => (await answered()).length === upstream.received.length, 'every receipt is written');
    const carried = await answered();
    expect(carried).toHaveLength(upstream.received.length);
    const spent = carried.reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n);
    expect(await store.ledger.balances([TENANT])).toMatchObject([{ spent, held: 0n }]);
  },
);
