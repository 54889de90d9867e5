import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { Account, Reservation } from '../../gateway/ports/ledger.ts';
import { openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { openRedis, type RedisOptions, type RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { PATIENCE_MS } from './patience.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const clock = { now: () => epochMs(Date.now()), ticks: () => performance.now() };

/** Opening is not what these tests are about: a crowded machine may answer too late, and is asked again. */
async function patiently<T>(open: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** One gateway's shared store, with a state folder of its own unless one is given. */
export async function openShared(
  url: string,
  options: Partial<RedisOptions> & { readonly folder?: string } = {},
): Promise<RedisStore> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tollgate-shared-'));
  const local = openEmbedded(':memory:', { clock });
  const idFile = join(folder, 'gateway-id');
  const store = await patiently(() =>
    openRedis(url, { clock, idFile, log: quiet, runs: local.runs, timeoutMs: 1_000, ...options }),
  );
  return {
    ...store,
    async close() {
      await store.close();
      local.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const account = (id: string, limit: bigint, more: Partial<Account> = {}): Account => ({
  id,
  scope: 'run',
  window: 'total',
  limit: nano(limit),
  resetsAt: undefined,
  ...more,
});

let made = 0;
/** A call id that no other test used. */
export function freshCall(): CallId {
  made += 1;
  return `call_${`${process.pid}${String(made).padStart(10, '0')}`.padStart(26, '0')}` as CallId;
}

export function wanted(
  id: CallId,
  accounts: readonly Account[],
  amount: bigint,
  more: Partial<Reservation> = {},
): Reservation {
  const at = epochMs(Date.now());
  return { id, at, accounts, amount: nano(amount), least: nano(amount), lapsesAt: epochMs(at + 60_000), ...more };
}

/** Resolves once `holds`; throws where it does not within `ms`. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, ms = PATIENCE_MS): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting after ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
