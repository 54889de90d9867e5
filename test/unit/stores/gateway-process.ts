/**
 * A gateway's ledger work in a process of its own, to be killed: `node gateway-process.ts <store> <record> [limit]`. As the
 * gateway does it writes the record first: a `begin` line before anything is carried, a `seal` line after it was settled.
 */
import { appendFileSync } from 'node:fs';
import type { RateUnit } from '../../../gateway/domain/budget.ts';
import { Fault } from '../../../gateway/domain/fault.ts';
import { type CallId, epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { Account } from '../../../gateway/ports/ledger.ts';
import type { RateAccount } from '../../../gateway/ports/rates.ts';
import { openEmbedded } from '../../../gateway/stores/embedded/open-embedded.ts';

const [path, record, most = 'Infinity'] = process.argv.slice(2) as [string, string, string?];
const clock = { now: () => epochMs(Date.now()), ticks: () => performance.now() };
const store = openEmbedded(path, { clock });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const write = (line: object): void => appendFileSync(record, `${JSON.stringify(line)}\n`);

const account = (id: string): Account => ({
  id,
  scope: 'run',
  window: 'total',
  limit: nano(10n ** 15n),
  resetsAt: undefined,
});

/** A call takes as many tokens of it as it holds nano-dollars, and comes to as many as it costs. */
const rate = (unit: RateUnit): RateAccount => ({
  id: `day:${unit}`,
  scope: 'tenant',
  window: 'day',
  unit,
  limit: 1e12,
});

let made = 0;
async function work(): Promise<void> {
  while (made < Number(most)) {
    made += 1;
    const n = made;
    const id = `call_${String(n).padStart(26, '0')}` as CallId;
    const accounts = [account('tenant'), account(`run-${n % 5}`)];
    const at = clock.now();
    const amount = nano(BigInt(1_000 + (n % 7)));
    const rates = [
      { account: rate('requests'), amount: 1 },
      { account: rate('tokens'), amount: Number(amount) },
    ];
    await store.ledger.reserve({ id, at, accounts, rates, amount, least: amount, lapsesAt: epochMs(at + 60_000) });
    await turn();
    write({ kind: 'begin', id, at, amount: String(amount), accounts: accounts.map((a) => a.id) });
    await turn();
    const cost = nano(BigInt(300 + (n % 11)));
    await store.ledger.settle(id, cost, accounts, Number(cost));
    await turn();
    write({ kind: 'seal', id, at, amount: String(cost) });
    if (n % 50 === 0) console.log(n);
  }
}

try {
  console.log('open');
  await Promise.all(Array.from({ length: 20 }, work));
  store.close();
  console.log('done');
} catch (error) {
  console.log(error instanceof Fault ? `fault ${error.code}` : `error ${String(error)}`);
  process.exitCode = 3;
}
