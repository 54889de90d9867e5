/**
 * One gateway process against a shared ledger, in miniature: reserves, begins, settles, releases, retries, replays, and after a crash
 * goes by its record. `node shared-worker.ts <redis url> <folder> <seed> <calls> <lease ms>`; the record is `<folder>/record`. Its last word
 * is how many calls were granted out of leases, and how many by asking.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../gateway/domain/fault.ts';
import { nanoToUsd } from '../../gateway/domain/money.ts';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import { settleLeft } from '../../gateway/pipeline/left-leases.ts';
import type { Reservation, ReserveAnswer } from '../../gateway/ports/ledger.ts';
import type { RateAccount } from '../../gateway/ports/rates.ts';
import type { SpoolLine } from '../../gateway/ports/spool.ts';
import { account, openShared, until, wanted } from './shared-store.ts';

const [url, folder, seed, calls, leaseMs] = process.argv.slice(2) as [string, string, string, string, string];
const record = join(folder, 'record');
const LIMITS = { tenant: 60_000n, run: 20_000n };
const RATES: readonly RateAccount[] = [
  { id: 'tenant:acme:day:requests', scope: 'tenant', window: 'day', unit: 'requests', limit: 500 },
  { id: 'tenant:acme:day:tokens', scope: 'tenant', window: 'day', unit: 'tokens', limit: 70_000 },
];
const RUNS = 4;

let state = Number(seed) * 2_654_435_761;
/** A number below `n`, the same for the same seed. */
function random(n: number): number {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((state / 2_147_483_648) * n);
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const lines = existsSync(record) ? readFileSync(record, 'utf8').split('\n').filter(Boolean) : [];
let written = lines.length;
const from = { lease: 0, store: 0 };
const store = await openShared(url, {
  folder,
  timeoutMs: 250,
  leases: { ms: Number(leaseMs), restMs: 100 },
  recordLine: () => written,
  onGrant: (where) => {
    from[where] += 1;
  },
});
const { ledger } = store;
await recover();
process.stdout.write('ready\n');

const end = lines.length + Number(calls);
let made = lines.length;
const crew = Array.from({ length: 40 }, async () => {
  while (made < end) {
    made += 1;
    await call(made);
  }
});
await Promise.all(crew);
await until(() => ledger.pending() === 0, 'everything is delivered');
await store.close();
process.stdout.write(`done ${from.lease} ${from.store}\n`);

/** What a gateway does on its start (gateway/pipeline/recover.ts). */
async function recover(): Promise<void> {
  const begun = new Map<string, bigint>();
  const sealed = new Map<string, bigint>();
  for (const line of lines) {
    const [kind, id, amount] = line.split(' ') as [string, string, string];
    if (kind !== 'void') (kind === 'begin' ? begun : sealed).set(id, BigInt(amount));
  }
  const named = lines.flatMap((line) => line.split(' ')[4]?.split(',') ?? []).filter(Boolean);
  await settleLeft(ledger.leases, { read: readRecord }, named, new Map());
  for (const id of await ledger.openHolds()) {
    const charged = sealed.get(id);
    if (charged !== undefined) await ledger.settle(id, nano(charged), []);
    else if (!begun.has(id)) await ledger.release(id);
  }
  for (const [id, amount] of begun) {
    if (sealed.has(id)) continue;
    const { charged } = await ledger.settle(id as CallId, nano(amount), []);
    seal(id, charged);
  }
}

/** The record as recovery reads it. */
async function* readRecord(seq: number): AsyncGenerator<SpoolLine> {
  for (const [i, line] of lines.entries()) {
    const [kind, id, amount, accounts = '', leases = ''] = line.split(' ') as [
      string,
      string,
      string,
      string?,
      string?,
    ];
    const hold = { amount, accounts: accounts.split(','), ...(leases && { leases: leases.split(',') }) };
    const entry = { kind, id, at: Date.now(), hold, cost_usd: nanoToUsd(nano(BigInt(amount))) };
    if (i + 1 >= seq) yield { seq: i + 1, hash: '', entry: entry as unknown as SpoolLine['entry'] };
  }
}

function write(line: string): void {
  appendFileSync(record, `${line}\n`);
  written += 1;
}

/** `void`: the receipt of a call that was never carried. */
function seal(id: string, charged: bigint, kind: 'seal' | 'void' = 'seal'): void {
  write(`${kind} ${id} ${charged}`);
  ledger.sealed(id as CallId);
}

async function call(n: number): Promise<void> {
  const id = `call_${`${seed}x${process.pid}x${n}`.padStart(26, '0')}` as CallId;
  const run = account(`run:acme/k1/${random(RUNS)}:total:0`, LIMITS.run);
  const accounts = [account('tenant:acme:total:0', LIMITS.tenant), run];
  const amount = BigInt(1 + random(400));
  const lapsesAt = epochMs(Date.now() + (random(10) === 0 ? 30 : 60_000));
  // a call comes to as many tokens as nano-dollars; one that counts against a rate always asks
  const rates = (Number(leaseMs) > 0 ? [] : RATES).map((of) => ({
    account: of,
    amount: of.unit === 'requests' ? 1 : Number(amount),
  }));
  const request = wanted(id, accounts, amount, { least: nano(amount / 2n), lapsesAt, rates });
  try {
    const answer = await reserved(request);
    if (!answer?.granted) return;
    if (random(6) === 0) {
      await ledger.release(id);
      return seal(id, 0n, 'void');
    }
    write(`begin ${id} ${answer.amount} ${accounts.map((one) => one.id).join(',')} ${answer.leases?.join(',') ?? ''}`);
    await pause(random(60));
    const charge = nano(BigInt(random(Number(answer.amount) + 1)));
    const { charged } = await ledger.settle(id, charge, accounts, Number(charge));
    seal(id, charged);
    if (random(8) === 0) await ledger.settle(id, nano(charge + 7n), accounts);
  } catch (error) {
    // a second settlement of a call that is over, while redis is away: there is nothing left to do
    if (!(error instanceof Fault)) throw error;
  }
}

/** As the corridor does it: what is not answered is given back. */
async function reserved(request: Reservation): Promise<ReserveAnswer | undefined> {
  try {
    const answer = await ledger.reserve(request);
    return random(8) === 0 ? await ledger.reserve(request) : answer;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    await ledger.release(request.id);
    await pause(20);
    return undefined;
  }
}
