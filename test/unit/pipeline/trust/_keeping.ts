import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { injection } from '../../../../gateway/detectors/injection.ts';
import type { Json } from '../../../../gateway/domain/json.ts';
import { epochMs } from '../../../../gateway/domain/scalars.ts';
import { PinKeeper, type PinKeeperParts } from '../../../../gateway/pipeline/trust/pin-keeper.ts';
import type { Trusted } from '../../../../gateway/ports/pin-store.ts';
import type { Definition, PinKind, Standing } from '../../../../gateway/ports/pins.ts';
import { openPins } from '../../../../gateway/stores/embedded/open-embedded.ts';
import { FilePinLock } from '../../../../gateway/stores/embedded/pins-lock.ts';

export const tool = (name: string, more: Record<string, Json> = {}): Definition =>
  defined('tool', name, { name, description: `does ${name}`, inputSchema: { type: 'object' }, ...more });

export function defined(kind: PinKind, name: string, value: Json, text = JSON.stringify(value)): Definition {
  return { kind, name, doc: { text, value } };
}

/** A keeper over a lock file and a store on the disk, with a clock that the test winds. */
export class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-pins-'));
  readonly lockPath = join(this.folder, 'mcp-pins.yaml');
  readonly storePath = join(this.folder, 'tollgate.db');
  readonly notes: { readonly name: string; readonly detail: Readonly<Record<string, string>> }[] = [];
  readonly logged: { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[] = [];
  now = 1_800_000_000_000;
  readonly clock = { now: () => epochMs(this.now), ticks: () => this.now };
  readonly lock = new FilePinLock(this.lockPath, this.clock);
  readonly opened = openPins(this.storePath);

  keeper(mode: PinKeeperParts['mode'] = 'first-use', more: Partial<PinKeeperParts> = {}): PinKeeper {
    const log = (fields: Readonly<Record<string, unknown>>, message: string): void => {
      this.logged.push({ fields, message });
    };
    return new PinKeeper({
      lock: this.lock,
      store: this.opened.pins,
      detectors: [injection],
      mode,
      maxAgeMs: 60_000,
      clock: this.clock,
      log: { info: log, warn: log, error: log },
      note: (name, detail) => this.notes.push({ name, detail }),
      ...more,
    });
  }

  /** What a whole list of tools says of each, by name; a second passes first. */
  async list(
    keeper: PinKeeper,
    server: string,
    definitions: readonly Definition[],
    whole = true,
  ): Promise<Record<string, Standing>> {
    this.now += 1_000;
    const kind = definitions[0]?.kind ?? 'tool';
    const standings = await keeper.review({ server, kind, definitions, whole, at: epochMs(this.now) });
    return Object.fromEntries(definitions.map((d, i) => [d.name, standings[i] as Standing]));
  }

  /** What an operator's approval of everything that waits comes to. */
  approve(server: string, name: string): void {
    const rows = this.opened.pins.shown().filter((row) => row.server === server && row.name === name);
    const approved: Trusted[] = rows.map(({ state, why, suspicions, ...row }) => ({
      ...row,
      at: epochMs(this.now),
      by: 'olga',
    }));
    this.now += 1_000;
    this.lock.write([...this.lock.read().filter((p) => p.server !== server || p.name !== name), ...approved]);
    this.now += 1_000;
  }

  close(): void {
    this.opened.close();
  }
}
