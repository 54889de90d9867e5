import { join } from 'node:path';
import type { OpenSpool } from '../audit/file-spool.ts';
import { scanOpen } from '../audit/recovery.ts';
import { openSpool } from '../audit/spool.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Gateway } from '../pipeline/gateway.ts';
import { type Recovered, recover } from '../pipeline/recover.ts';
import { type EmbeddedStore, openEmbedded } from '../stores/embedded/open-embedded.ts';
import type { RedisStore } from '../stores/redis/open-redis.ts';
import { every } from './every.ts';
import type { Opened } from './opened.ts';

/** How often holds whose lease ran out become charges; a limit counts them as held until then. */
export const LAPSE_MS = 30_000;

/** Opens record and store, makes them agree, and keeps them so: receipts are indexed, leases that ran out are swept. */
export async function openRecords(
  opened: Opened,
  config: LoadedConfig,
  parts: Pick<Gateway, 'judge' | 'cashier' | 'clock' | 'log' | 'metrics'>,
): Promise<{ spool: OpenSpool; store: EmbeddedStore; shared: RedisStore | undefined; recovered: Recovered }> {
  const { judge, cashier, clock, log } = parts;
  const spool = await openSpool(join(config.state, 'spool'), { log });
  opened.add(() => spool.close());
  const store = openEmbedded(join(config.state, 'tollgate.db'), { clock });
  opened.add(() => store.close());
  const shared = await openShared(opened, config, parts, store, spool);
  const ledger = (shared ?? store).ledger;
  const { open: unsealed } = await scanOpen(spool, { since: spool.head().seq });
  const recovered = await recover({
    spool,
    open: unsealed,
    calls: store.calls,
    deferrals: store.deferrals,
    ledger,
    policy: judge.digest,
    prices: cashier.digest,
  });
  opened.add(
    every(LAPSE_MS, () =>
      ledger.lapse(clock.now()).catch((error: unknown) => {
        log.error(
          { error: error instanceof Error ? error.message : 'unknown' },
          'holds whose lease ran out could not be swept; they are tried again',
        );
      }),
    ),
  );
  opened.add(
    spool.subscribe(({ seq, entry }, json) => {
      if (entry.kind === 'seal') store.calls.add(seq, entry, json);
    }),
  );
  return { spool, store, shared, recovered };
}

/** Opens the store that several gateways share, where one is configured: ledger, keys and halts. Record and index stay this gateway's. */
async function openShared(
  opened: Opened,
  { store, state }: LoadedConfig,
  { clock, log, metrics }: Pick<Gateway, 'clock' | 'log' | 'metrics'>,
  { runs }: EmbeddedStore,
  spool: OpenSpool,
): Promise<RedisStore | undefined> {
  if (!store) return undefined;
  const { openRedis } = await import('../stores/redis/open-redis.ts');
  const shared = await openRedis(store.redis, {
    clock,
    log,
    runs,
    idFile: join(state, 'gateway-id'),
    timeoutMs: store.timeout_ms,
    replicas: store.replicas,
    allowance: store.allowance_usd,
    onAllowance: (amount) => metrics.allowance(amount),
    onHealth: (up) => metrics.sharedStore(up),
    leases: { ms: store.lease_ms },
    recordLine: () => spool.head().seq,
    onGrant: (from) => metrics.grant(from),
    onLeases: (open) => metrics.leases(open),
    onRecall: (returned) => metrics.recall(returned),
  });
  // heard until the store is closed: a lease ends when all its calls are in the record
  opened.add(
    spool.subscribe(({ entry }) => {
      if (entry.kind === 'seal' && !entry.deferred) shared.ledger.sealed(entry.settles ?? entry.id);
    }),
  );
  opened.add(() => shared.close());
  return shared;
}
