import { PolicyFault } from '../policy/policy-fault.ts';
import type { Log } from '../ports/log.ts';
import { PriceFault } from '../price/price-fault.ts';
import type { Gateway } from './gateway.ts';

/** Why rules and prices are read again: somebody `asked` for it, or a `file` changed. */
type ReloadCause = 'asked' | 'file';

interface Reloadable<Sources> {
  readonly gate: () => Gateway;
  /** swaps everything or throws */
  readonly reload: (sources: Sources) => void;
}

const because = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/**
 * Reads rules and prices again and swaps them whole. Where they are refused the old ones stay, it is counted, logged once per
 * distinct problem, and returned.
 */
export function reloading<Sources>(
  house: Reloadable<Sources>,
  log: Log,
  read: () => Sources,
): (cause: ReloadCause) => Error | undefined {
  let lastRefusal: string | undefined;
  return (cause) => {
    const before = house.gate();
    try {
      house.reload(read());
    } catch (thrown) {
      const error = because(thrown);
      const what = error instanceof PriceFault ? 'prices' : 'policy';
      before.metrics.reload(what, false);
      if (error.message !== lastRefusal) {
        const kind = error instanceof PolicyFault || error instanceof PriceFault ? 'mistakes in a file' : 'unreadable';
        log.error(
          { error: error.message, kind, policy: before.judge.digest },
          'the reload was refused; the old rules and prices stay in force',
        );
      }
      lastRefusal = error.message;
      return error;
    }
    lastRefusal = undefined;
    told(house.gate(), before, log, cause);
    return undefined;
  };
}

/** Counts, logs and records what is in force now. */
function told(now: Gateway, before: Gateway, log: Log, cause: ReloadCause): void {
  const { judge, cashier, metrics, spool, clock } = now;
  const digests = { policy: judge.digest, prices: cashier.digest };
  metrics.reload('policy', true);
  metrics.reload('prices', true);
  const same = before.judge.digest === judge.digest && before.cashier.digest === cashier.digest;
  if (same && cause === 'file') return;
  log.info({ ...digests, rules: judge.size }, 'rules and prices were reloaded');
  spool.append({ kind: 'event', at: clock.now(), name: 'reloaded', detail: digests }).catch((error: unknown) => {
    log.error({ error: because(error).message }, 'the reload could not be recorded');
  });
}
