import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { epochMs } from '../../gateway/domain/scalars.ts';
import { type EmbeddedStore, openEmbedded } from '../../gateway/stores/embedded/open-embedded.ts';
import { callsContract } from './calls.ts';
import { keysContract } from './keys.ts';
import { ledgerContract, type OpenLedger } from './ledger.ts';
import { type OpenRates, ratesContract } from './rates.ts';
import { runsContract } from './runs.ts';

const root = mkdtempSync(join(tmpdir(), 'tollgate-contract-'));
afterAll(() => rmSync(root, { recursive: true }));

const clock = { now: () => epochMs(1_790_000_000_000), ticks: () => performance.now() };
let opened = 0;
const freshPath = (): string => {
  opened += 1;
  return join(root, `${opened}.db`);
};
const open = (path: string): EmbeddedStore => openEmbedded(path, { clock });

function ledgerAt(path: string): OpenLedger {
  const store = open(path);
  return {
    ledger: store.ledger,
    audit: async () => store.ledger.audit(),
    reopen: async () => {
      store.close();
      return ledgerAt(path);
    },
    close: async () => store.close(),
  };
}

ledgerContract('embedded', async () => ledgerAt(freshPath()));

interface Reopened<T> {
  reopen(): Promise<T & Reopened<T>>;
  close(): Promise<void>;
}

function portAt<T>(path: string, pick: (store: EmbeddedStore) => T): T & Reopened<T> {
  const store = open(path);
  const close = async (): Promise<void> => store.close();
  return { ...pick(store), close, reopen: () => close().then(() => portAt(path, pick)) };
}

runsContract('embedded', async () => portAt(freshPath(), ({ runs }) => ({ runs })));
keysContract('embedded', async () => portAt(freshPath(), ({ keys }) => ({ keys })));
callsContract('embedded', async () => portAt(freshPath(), ({ calls }) => ({ calls })));

function ratesAt(path: string): OpenRates {
  const store = open(path);
  return {
    ledger: store.ledger,
    setNow: () => undefined,
    close: async () => store.close(),
    reopen: async () => {
      store.close();
      return ratesAt(path);
    },
  };
}

ratesContract('embedded', async () => ratesAt(freshPath()));
