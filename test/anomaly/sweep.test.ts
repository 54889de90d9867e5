import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fault, type FaultCode } from '../../gateway/domain/fault.ts';
import { faultsOf, play } from './play.ts';
import { Saboteur, type Strike } from './sabotage.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const stray: unknown[] = [];
const onStray = (error: unknown): void => void stray.push(error);
beforeAll(() => void process.on('unhandledRejection', onStray));
afterAll(() => void process.off('unhandledRejection', onStray));

/** How each port fails when it fails as its contract says; a plain Error is tried on all of them. */
const CODES: Readonly<Record<string, FaultCode>> = {
  ledger: 'TG_LEDGER_UNAVAILABLE',
  spool: 'TG_RECORD_UNAVAILABLE',
  keys: 'TG_KEYS_UNAVAILABLE',
  upstream: 'TG_UPSTREAM_BROKE',
  body: 'TG_UPSTREAM_BROKE',
  identity: 'TG_KEYS_UNAVAILABLE',
};

/** Without state and without a network: they fail the same before and after their work, and are not likely to come back. */
const PURE = ['judge', 'cashier', 'dialect', 'detector'];
/** Far away or on a disk: these also stay away. */
const REMOTE = ['ledger', 'spool', 'keys', 'runs', 'upstream', 'dialect'];

function strikesOn(port: string, calls: number): Strike[] {
  const errors: (() => Error)[] = [() => new Error('sabotage')];
  const code = CODES[port];
  if (code) errors.push(() => new Fault(code, 'sabotage'));
  const moments = PURE.includes(port) ? (['before'] as const) : (['before', 'after'] as const);
  const spans = REMOTE.includes(port) ? [false, true] : [false];
  return Array.from({ length: calls }, (_, i) => i + 1).flatMap((n) =>
    errors.flatMap((error) => moments.flatMap((when) => spans.map((lasting) => ({ port, n, when, lasting, error })))),
  );
}

async function outcome(scenario: Scenario, strike: Strike | undefined): Promise<string[]> {
  const saboteur = new Saboteur(strike);
  const played = await play(scenario, saboteur);
  try {
    if (strike && saboteur.struck === undefined) return ['the strike never happened'];
    // a ledger that stays away leaves its holds to lapse; every other failure must leave the books even
    const strict = !(strike?.port === 'ledger' && strike.lasting);
    const lost =
      strike?.port === 'spool' && strike.when === 'before' && !played.rig.lines.some((l) => l.kind === 'seal');
    return await faultsOf(scenario, played, strict, lost);
  } finally {
    played.rig.close();
  }
}

describe('whatever fails, wherever: one sealed receipt, nothing carried unrecorded, no leaked hold, an honest answer', () => {
  it.each(SCENARIOS.map((s) => [`${s.name} (${s.tongue})`, s] as const))(
    '%s',
    async (_name, scenario) => {
      const quiet = new Saboteur();
      const clean = await play(scenario, quiet);
      expect(await faultsOf(scenario, clean, true, false)).toEqual([]);
      clean.rig.close();
      // without an id there is no call to speak of
      const ports = [...quiet.counts].filter(([port]) => port !== 'ids');
      expect(ports.map(([port]) => port)).toEqual(
        expect.arrayContaining(['ledger', 'spool', 'runs', 'keys', 'identity', 'cashier', 'dialect']),
      );
      const failures: string[] = [];
      let struck = 0;
      for (const [port, calls] of ports) {
        for (const strike of strikesOn(port, calls)) {
          struck += 1;
          for (const what of await outcome(scenario, strike))
            failures.push(`${port} #${strike.n} ${strike.when}${strike.lasting ? ' lasting' : ''}: ${what}`);
        }
      }
      expect(failures).toEqual([]);
      expect(struck).toBeGreaterThan(40);
      expect(stray).toEqual([]);
    },
    120_000,
  );
});
