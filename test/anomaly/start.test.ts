import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSpool } from '../../gateway/audit/spool.ts';
import { loadConfig } from '../../gateway/config/load.ts';
import type { BeginEntry } from '../../gateway/domain/receipt.ts';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import { startGateway } from '../../gateway/main.ts';
import { openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { createLog } from '../../gateway/telemetry/log.ts';
import { startTestGate, writeConfig } from '../support/gate.ts';

const upstreams = { openai: { base_url: 'http://127.0.0.1:1', dialects: ['openai-chat'] } };
const silent = createLog({ level: 'silent' });
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-start-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (config: Record<string, unknown>, more: { policy?: string } = {}) => {
  const file = writeConfig({ upstreams, folder, config, ...more });
  return startGateway(loadConfig(file, readFileSync(file, 'utf8'), process.env), { log: silent });
};

/** Both rooms can be opened by somebody else: nobody holds their locks. */
async function expectReleased(): Promise<void> {
  const spool = await openSpool(join(folder, 'data', 'spool'));
  await spool.close();
  openEmbedded(join(folder, 'data', 'tollgate.db'), {
    clock: { now: () => epochMs(Date.now()), ticks: () => 0 },
  }).close();
}

describe('a start that fails', () => {
  it.each([
    ['an unknown sink', { sinks: [{ type: 'carrier-pigeon' }] }, /sink `carrier-pigeon` is unknown/],
    ['two sinks of one name', { sinks: [{ type: 'stdout' }, { type: 'stdout' }] }, /two sinks are called `stdout`/],
    ['a sink without its options', { sinks: [{ type: 'stdout' }, { type: 'http' }] }, /url/],
  ])('for %s releases every room', async (_what, config, message) => {
    await expect(start(config)).rejects.toThrow(message);
    await expectReleased();
    await (await start({})).stop();
  });

  it('because the data port is taken leaves nothing behind', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as AddressInfo;
    for (const config of [{ listen: { port } }, { office: { port } }]) {
      await expect(start(config)).rejects.toThrow(
        `cannot listen on \`127.0.0.1:${port}\`: another program is listening there`,
      );
      await expectReleased();
    }
    await new Promise((resolve) => squatter.close(resolve));
    await (await start({})).stop();
  });

  it('because the store cannot be opened releases the spool', async () => {
    mkdirSync(join(folder, 'data', 'tollgate.db'), { recursive: true });
    await expect(start({})).rejects.toThrow();
    const spool = await openSpool(join(folder, 'data', 'spool'));
    await spool.close();
  });

  it('because another gate holds the state does not disturb that gate', async () => {
    const first = await startTestGate({ upstreams, folder });
    await expect(start({})).rejects.toThrow();
    expect((await fetch(`${first.office}/readyz`)).status).toBe(200);
    await first.stop();
  });

  it('names file, line and column of a mistake in a policy', async () => {
    await expect(
      start({}, { policy: 'policy: tollgate/v1\nname: x\ndefault: allow\nrules:\n  - id: a\n    verdict: maybe\n' }),
    ).rejects.toThrow(/policy\.yaml:6:\d+/);
    await expect(start({ policies: './nowhere' })).rejects.toThrow(/`policies: .*nowhere` cannot be read/);
    mkdirSync(join(folder, 'empty'));
    await expect(start({ pricing: './empty' })).rejects.toThrow(/there is no price table/);
    await expect(start({ policies: './empty' })).rejects.toThrow(/there is no policy/);
  });
});

describe('a reload that fails', () => {
  it('keeps the old rules whole', async () => {
    const running = await start({});
    const { policy } = running;
    writeFileSync(
      join(folder, 'policies', 'test', 'policy.yaml'),
      'policy: tollgate/v1\nname: x\ndefault: sometimes\n',
    );
    expect(() => running.reload()).toThrow(/policy\.yaml:3/);
    const metrics = await (await fetch(`http://127.0.0.1:${running.office.port}/metrics`)).text();
    expect(metrics).toMatch(/tollgate_reload[^\n]*\{[^\n]*(false|failed|refused|error)[^\n]*\} 1/);
    const refused = await fetch(`http://127.0.0.1:${running.data.port}/openai/v1/chat/completions`, {
      method: 'POST',
      body: '{}',
    });
    expect(refused.status).toBe(400);
    expect(running.policy).toBe(policy);
    await running.stop();
  });
});

describe('recovery', () => {
  const id = 'call_00000000000000000000000001' as CallId;
  const named = (name: string) => ({ id: name, source: 'test', assurance: 'keyed' }) as const;

  it.each([
    ['died before it settled', undefined, '0.002'],
    ['settled, and died before its receipt', 700_000n, '0.0007'],
  ])('of a call that %s: receipt and ledger agree', async (_what, settled, cost) => {
    const clock = { now: () => epochMs(Date.now()), ticks: () => 0 };
    const at = clock.now();
    const account = {
      id: 'tenant:local:total:0',
      scope: 'tenant',
      window: 'total',
      limit: nano(10n ** 9n),
      resetsAt: undefined,
    } as const;
    mkdirSync(join(folder, 'data'), { recursive: true });
    const spool = await openSpool(join(folder, 'data', 'spool'));
    const store = openEmbedded(join(folder, 'data', 'tollgate.db'), { clock });
    await store.ledger.reserve({
      id,
      at,
      accounts: [account],
      amount: nano(2_000_000n),
      least: nano(1n),
      lapsesAt: epochMs(at + 60_000),
    });
    const begin: BeginEntry = {
      kind: 'begin',
      id,
      at,
      principal: { tenant: named('local'), agent: named('a'), run: named('r'), conflicts: [] },
      step: 1,
      upstream: 'openai',
      dialect: 'openai-chat',
      model: 'gpt-4o',
      hold: { amount: '2000000', accounts: [account.id] },
    };
    await spool.append(begin);
    if (settled !== undefined) await store.ledger.settle(id, nano(settled), [account]);
    store.close();
    await spool.close();

    for (let start = 0; start < 2; start += 1) {
      const gate = await startTestGate({ upstreams, folder });
      expect(gate.running.recovered.lapsed).toBe(start === 0 ? 1 : 0);
      expect(await gate.calls()).toMatchObject([{ id, ending: 'lapsed', cost_usd: cost }]);
      await gate.stop();
    }
    const after = openEmbedded(join(folder, 'data', 'tollgate.db'), { clock });
    const [balance] = await after.ledger.balances([account]);
    expect(balance).toMatchObject({ spent: settled ?? 2_000_000n, held: 0n });
    after.close();
  });
});
