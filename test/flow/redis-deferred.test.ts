import { afterEach, describe, expect, it } from 'vitest';
import type { TestGate } from '../support/gate.ts';
import { gatesForSuite } from '../support/redis-suite.ts';
import { account, openShared, until } from '../support/shared-store.ts';
import { json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const TENANT = account('tenant:local:total:0', 0n);
const USAGE = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };

let upstream: TestUpstream;
// the gates, which ask it, end before it
afterEach(() => upstream.close());
const suite = gatesForSuite();

function open(folder?: string): Promise<TestGate> {
  return suite.open({
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-responses'] } },
    config: { budgets: [{ scope: 'tenant', limit_usd: 1 }], store: { redis: suite.redis.url, timeout_ms: 2_000 } },
    ...(folder !== undefined && { folder }),
  });
}

const poll = (gate: TestGate): Promise<Response> => fetch(`${gate.url}/openai/v1/responses/resp_1`);

describe('a background response, its hold on redis', () => {
  it('outlives a restart of its gate, is not charged by another one, and is charged once by its own', async () => {
    let status = 'queued';
    upstream = await startUpstream((_request, response) => {
      const usage = status === 'completed' ? USAGE : null;
      json(response, 200, { id: 'resp_1', object: 'response', status, model: 'gpt-4o-mini', output: [], usage });
    });
    const first = await open();
    const body = JSON.stringify({ model: 'gpt-4o-mini', input: 'go', background: true, max_output_tokens: 100 });
    expect((await fetch(`${first.url}/openai/v1/responses`, { method: 'POST', body })).status).toBe(200);
    await first.sealed(1);
    const store = await openShared(suite.redis.url);
    const balance = async () => (await store.ledger.balances([TENANT]))[0];
    const held = (await balance())?.held ?? 0n;
    expect(held).toBeGreaterThan(0n);
    await first.stop();
    const own = await open(first.folder);
    const other = await open();
    expect(await balance()).toMatchObject({ spent: 0n, held });
    status = 'completed';
    expect((await poll(other)).status).toBe(200);
    await other.sealed(1);
    expect(await balance()).toMatchObject({ spent: 0n, held });
    expect((await Promise.all([poll(own), poll(own)])).map((reply) => reply.status)).toEqual([200, 200]);
    await until(async () => (await balance())?.held === 0n, 'it is settled');
    expect(await balance()).toMatchObject({ spent: 210_000n, held: 0n });
    await store.close();
  });
});
