/** CPU time of one reserve and its settle on two accounts, at several numbers of calls under way. `node bench/ledger.ts` */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallId, epochMs, nano } from '../gateway/domain/scalars.ts';
import type { Account } from '../gateway/ports/ledger.ts';
import { openEmbedded } from '../gateway/stores/embedded/open-embedded.ts';

const PAIRS = 40_000;
const RUNS = 200;

const account = (scope: Account['scope'], id: string): Account => ({
  id,
  scope,
  window: 'total',
  limit: nano(10n ** 18n),
  resetsAt: undefined,
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const now = () => epochMs(Date.now());

let made = 0;
async function call(ledger: ReturnType<typeof openEmbedded>['ledger'], turns: number): Promise<void> {
  made += 1;
  const id = `call_${String(made).padStart(26, '0')}` as CallId;
  const accounts = [account('tenant', 'tenant:default:day'), account('run', `run:default/k1/${made % RUNS}:total`)];
  const at = now();
  const asked = { id, at, accounts, amount: nano(1_000n), least: nano(10n), lapsesAt: epochMs(at + 600_000) };
  const answer = await ledger.reserve(asked);
  if (!answer.granted) throw new Error('the bench ran out of money');
  for (let i = 0; i < turns; i += 1) await turn();
  await ledger.settle(id, nano(700n), accounts);
}

async function measure(underWay: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const store = openEmbedded(join(folder, 'store.db'), { clock: { now, ticks: () => performance.now() } });
  let left = PAIRS;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await call(store.ledger, 3);
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: underWay }, worker));
  store.close();
  const { user, system } = process.cpuUsage(before);
  rmSync(folder, { recursive: true });
  return (user + system) / PAIRS;
}

await measure(16);
const result: Record<string, number> = {};
for (const underWay of [1, 16, 64, 256]) {
  result[underWay] = Number((await measure(underWay)).toFixed(1));
  console.log(`${String(underWay).padStart(4)} calls under way: ${result[underWay]} µs CPU per reserve + settle`);
}
console.log(JSON.stringify({ pair_us: result }));
