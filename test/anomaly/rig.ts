import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cashierOf, judgeOf } from '../../gateway/compose.ts';
import { detectors as allDetectors } from '../../gateway/detectors/_all.ts';
import { dialects } from '../../gateway/dialects/_all.ts';
import type { Budget } from '../../gateway/domain/budget.ts';
import type { Entry, SealEntry } from '../../gateway/domain/receipt.ts';
import { epochMs, nano } from '../../gateway/domain/scalars.ts';
import { createIdentity } from '../../gateway/identity/identity.ts';
import { BudgetWatch } from '../../gateway/pipeline/budget-watch.ts';
import { Noses } from '../../gateway/pipeline/detect.ts';
import { exchange } from '../../gateway/pipeline/exchange.ts';
import type { Destination, Gateway, Limits } from '../../gateway/pipeline/gateway.ts';
import { Halting } from '../../gateway/pipeline/halting.ts';
import { PassedResults } from '../../gateway/pipeline/passed-results.ts';
import { Proposals } from '../../gateway/pipeline/proposals.ts';
import type { Reply } from '../../gateway/pipeline/reply.ts';
import { RunTokens } from '../../gateway/pipeline/run-tokens.ts';
import type { Dialect, StreamReader } from '../../gateway/ports/dialect.ts';
import type { Account, Reservation } from '../../gateway/ports/ledger.ts';
import type { Log } from '../../gateway/ports/log.ts';
import type { Metrics } from '../../gateway/ports/metrics.ts';
import type { Spool } from '../../gateway/ports/spool.ts';
import type { UpstreamReply, UpstreamRequest } from '../../gateway/ports/upstream.ts';
import { openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { createIds, systemClock } from '../../gateway/telemetry/clock.ts';
import { Saboteur } from './sabotage.ts';

const PRICING = resolve(import.meta.dirname, '../../pricing');
const cashier = cashierOf(
  readdirSync(PRICING)
    .filter((f) => /\.ya?ml$/.test(f))
    .map((f) => ({ path: f, text: readFileSync(join(PRICING, f), 'utf8') })),
);

const KEY = ['tg_', 'k'.repeat(40)].join('');

const RULES = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-root-delete
    at: pre_tool_call
    tools: [bash]
    when: args.command.startsWith("rm -rf /")
    verdict: deny
    reason: destructive_command
  - id: hide-secrets
    at: [input, post_model_call, output]
    detect: [secrets]
    verdict: transform
    transform: [{ redact: [secret.*], as: token }]
`;

const judge = judgeOf([{ path: 'policy.yaml', text: RULES }]);

export interface RigOptions {
  readonly saboteur?: Saboteur;
  readonly policy?: string;
  readonly limit?: bigint;
  readonly limits?: Partial<Limits>;
  readonly send: (request: UpstreamRequest) => Promise<UpstreamReply>;
}

/** What a client of the fake reply saw. */
export interface Seen {
  status: number;
  headers: Readonly<Record<string, string | readonly string[]>>;
  bytes: Uint8Array[];
  ending: 'open' | 'ended' | 'cut';
  text(): string;
}

/** A way back that remembers what it was given; `onWrite` hears of every piece. */
export function fakeReply(gone: AbortController, onWrite: () => void = () => {}): { reply: Reply; seen: Seen } {
  const seen: Seen = {
    status: 0,
    headers: {},
    bytes: [],
    ending: 'open',
    text: () => Buffer.concat(seen.bytes).toString(),
  };
  const reply: Reply = {
    gone: gone.signal,
    get started() {
      return seen.status !== 0;
    },
    head(status, headers) {
      if (seen.status !== 0) throw new Error('a second head');
      seen.status = status;
      seen.headers = headers;
    },
    write(bytes) {
      if (seen.ending !== 'open') throw new Error('a write after the end');
      seen.bytes.push(bytes);
      onWrite();
      return undefined;
    },
    end(bytes) {
      if (seen.ending === 'ended') throw new Error('a second end');
      if (seen.ending === 'cut') return;
      if (bytes) seen.bytes.push(bytes);
      seen.ending = 'ended';
    },
    cut() {
      seen.ending = 'cut';
    },
  };
  return { reply, seen };
}

/** A spool in memory that keeps the port's contract. */
function memorySpool(lines: Entry[]): Spool {
  return {
    async append(entry) {
      await undefined;
      lines.push(entry);
      return { seq: lines.length, hash: '', entry };
    },
    async *read() {},
    head: () => ({ seq: lines.length, hash: '' }),
    subscribe: () => () => {},
    healthy: () => true,
    close: async () => {},
  };
}

function sabotaged(saboteur: Saboteur, dialect: Dialect): Dialect {
  return saboteur.wrap('dialect', {
    ...dialect,
    openStream: (...args: Parameters<Dialect['openStream']>): StreamReader =>
      saboteur.wrap('reader', dialect.openStream(...args)),
  });
}

export interface Rig {
  readonly gate: Gateway;
  readonly lines: Entry[];
  /** what happened at the edges, in order: `begin`, `seal`, `sent` */
  readonly journal: string[];
  readonly alarms: string[];
  readonly inFlight: () => number;
  readonly spoolHealthy: () => boolean;
  readonly seals: () => SealEntry[];
  /** money of the whole tenant, straight from the ledger */
  money(): Promise<{ spent: bigint; held: bigint }>;
  /** every hold's lease runs out */
  lapse(): Promise<void>;
  carry(url: string, body: string, headers: Record<string, string>, reply: Reply): Promise<void>;
  close(): void;
}

/** A whole gateway in memory: real rooms behind sabotaged ports, a hand-made upstream, no sockets and no files. */
export async function rig(options: RigOptions): Promise<Rig> {
  const saboteur = options.saboteur ?? new Saboteur();
  const clock = systemClock();
  const store = openEmbedded(':memory:', { clock });
  await store.keys.add(hash('sha256', KEY, 'hex'), {
    id: 'key_1',
    tenant: 'acme',
    agent: 'tester',
    createdAt: clock.now(),
  });
  const lines: Entry[] = [];
  const journal: string[] = [];
  const alarms: string[] = [];
  let inFlight = 0;
  let healthy = true;
  const spool = memorySpool(lines);
  const noted: Spool = {
    ...spool,
    append: async (entry) => {
      const line = await spool.append(entry);
      journal.push(entry.kind);
      return line;
    },
  };
  let accounts: readonly Account[] = [];
  const ledger = new Proxy(store.ledger, {
    get: (target, name) => {
      const verb = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (name === 'reserve') accounts = (args[0] as Reservation).accounts;
        return verb.apply(target, args);
      };
    },
  });
  const metrics = new Proxy({} as Metrics, {
    get: (_t, name) => (value: never) => {
      if (name === 'inFlight') inFlight += value;
      if (name === 'spoolHealthy') healthy = value;
    },
  });
  const alarm = (_fields: unknown, message: string): void => void alarms.push(message);
  const log: Log = { info: () => {}, warn: alarm, error: alarm };
  const spoken = dialects.map((d) => sabotaged(saboteur, d));
  const destination = (name: string, dialect: string, prices: string): [string, Destination] => [
    name,
    {
      name,
      origin: 'http://upstream.test',
      basePath: '',
      dialects: [spoken.find((d) => d.name === dialect) as Dialect],
      credential: { bearer: 'own' },
      prices,
      routes: [{ name: 'models', methods: ['GET'] }],
    },
  ];
  const identity = createIdentity('keys', saboteur.wrap('keys', store.keys, ['find']), clock);
  const detectors = new Map(allDetectors.map((d) => [d.name, saboteur.wrap('detector', d)]));
  const gate: Gateway = {
    destinations: new Map([
      destination('openai', 'openai-chat', 'openai'),
      destination('anthropic', 'anthropic-messages', 'anthropic'),
    ]),
    budgets: [{ scope: 'tenant', window: 'total', limit: nano(options.limit ?? 10_000_000_000n) } as Budget],
    rates: [],
    judge: saboteur.wrap(
      'judge',
      options.policy === undefined ? judge : judgeOf([{ path: 'policy.yaml', text: options.policy }]),
    ),
    cashier: saboteur.wrap('cashier', cashier),
    detectors,
    identity: saboteur.wrap('identity', identity, ['authenticate']),
    ledger: saboteur.wrap('ledger', ledger, ['reserve', 'settle', 'release', 'renew', 'lapse', 'balances', 'extend']),
    runs: saboteur.wrap('runs', store.runs),
    halting: new Halting(log),
    proposals: new Proposals(),
    passed: new PassedResults(),
    watch: new BudgetWatch(),
    tokens: new RunTokens(),
    calls: saboteur.wrap('calls', store.calls),
    deferrals: saboteur.wrap('deferrals', store.deferrals),
    spool: saboteur.wrap('spool', noted, ['append']),
    upstream: saboteur.wrap(
      'upstream',
      {
        send: (r: UpstreamRequest) => {
          journal.push('sent');
          return options.send(r);
        },
        close: async () => {},
      },
      ['send'],
    ),
    clock,
    ids: saboteur.wrap('ids', createIds(clock)),
    metrics,
    log,
    limits: {
      requestBytes: 1e6,
      replyBytes: 1e6,
      minUseful: 16,
      leaseMs: 600_000,
      keepAliveMs: 15_000,
      onAbort: 'drain',
      drainMs: 1000,
      drainBytes: 1e6,
      ...options.limits,
    },
    unpoliced: false,
  };
  const noses = new Noses(detectors, log);
  return {
    gate,
    lines,
    journal,
    alarms,
    inFlight: () => inFlight,
    spoolHealthy: () => healthy,
    seals: () => lines.filter((l): l is SealEntry => l.kind === 'seal'),
    async money() {
      const [balance] = await store.ledger.balances(accounts);
      return { spent: balance?.spent ?? 0n, held: balance?.held ?? 0n };
    },
    lapse: async () => void (await store.ledger.lapse(epochMs(clock.now() + 10 * 600_000))),
    carry: (url, body, headers, reply) =>
      exchange(
        gate,
        noses,
        {
          arrival: {
            method: 'POST',
            url,
            headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
            ip: '127.0.0.1',
          },
          body: Buffer.from(body),
        },
        reply,
      ),
    close: () => store.close(),
  };
}
