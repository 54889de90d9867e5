import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LoadedConfig } from '../config/load.ts';
import { Fault } from '../domain/fault.ts';
import { hint } from '../domain/nearest.ts';
import { epochMs } from '../domain/scalars.ts';
import { type DefinitionChange, definitionChanges } from '../domain/tool-definition.ts';
import { visibleText } from '../domain/visible-text.ts';
import { approvalId, keyOf } from '../pipeline/trust/approval-id.ts';
import { PinBook } from '../pipeline/trust/pin-book.ts';
import type { PinKey, PinStore, Trusted } from '../ports/pin-store.ts';
import { openPins } from '../stores/embedded/open-embedded.ts';
import { FilePinLock } from '../stores/embedded/pins-lock.ts';
import { systemClock } from '../telemetry/clock.ts';
import { configAt } from './config-file.ts';
import { CommandFailure } from './terminal.ts';

/** One definition as `tollgate mcp pins` shows it. */
export interface DeskEntry extends PinKey {
  /** `unseen`: the lock file approves it and no list has shown it here */
  readonly state: 'approved' | 'waiting' | 'quarantined' | 'unseen';
  readonly hash: string;
  /** what `approve` takes for exactly this definition; '' where nothing waits */
  readonly id: string;
  readonly why: string;
  readonly suspicions: readonly string[];
  /** its canonical text, where it is known */
  readonly text: string | undefined;
  /** from the newest approved definition; undefined where none is known */
  readonly changes: readonly DefinitionChange[] | undefined;
  readonly approvals: readonly Trusted[];
  readonly beside: string;
}

/** Lock file and store of one gate, which may be running. */
export interface PinDesk {
  readonly lock: FilePinLock;
  readonly store: PinStore;
  readonly mode: 'locked' | 'first-use';
  /** by server, kind and name */
  readonly entries: readonly DeskEntry[];
}

/** Nothing was ever recorded: there is only the lock file. */
const NO_STORE: PinStore = {
  changed: () => false,
  shown: () => [],
  show: () => undefined,
  trusted: () => [],
  trust: () => undefined,
  revoke: () => undefined,
};

/** Opens the pins of a configuration for one command. Throws a CommandFailure that says what stands in the way. */
export const withPinDesk = <T>(configFile: string, use: (desk: PinDesk) => T): T => pinDesk(configAt(configFile), use);

/** The same for a configuration that is read already. */
export function pinDesk<T>(config: LoadedConfig, use: (desk: PinDesk) => T): T {
  if (config.mcp === undefined)
    throw new CommandFailure(1, `\`${config.file}\` has no \`mcp\` section; name the servers there`);
  const file = join(config.state, 'tollgate.db');
  const lock = new FilePinLock(resolve(config.folder, config.mcp.pins.file), systemClock());
  let opened: ReturnType<typeof openPins> | undefined;
  try {
    opened = existsSync(file) ? openPins(file) : undefined;
    const store = opened?.pins ?? NO_STORE;
    return use({ lock, store, mode: config.mcp.pins.mode, entries: entriesOf(new PinBook(lock, store)) });
  } catch (error) {
    if (error instanceof Fault) throw new CommandFailure(1, error.message);
    throw error;
  } finally {
    opened?.close();
  }
}

const byKey = (a: PinKey, b: PinKey): number => (keyOf(a) < keyOf(b) ? -1 : 1);

function entriesOf(book: PinBook): readonly DeskEntry[] {
  const seen = new Set<string>();
  const entries: DeskEntry[] = [];
  for (const row of book.all()) {
    seen.add(keyOf(row));
    const approvals = book.trusted(row);
    const approved = approvals.some((t) => t.hash === row.hash);
    const baseline = book.baseline(row);
    entries.push({
      ...row,
      state: approved ? 'approved' : row.state === 'quarantined' ? 'quarantined' : 'waiting',
      id: approved ? '' : approvalId(row, row.hash),
      why: approved ? '' : row.state === 'approved' ? 'its approval was taken back' : row.why,
      changes: approved || baseline === undefined ? undefined : definitionChanges(baseline, row.text),
      approvals,
    });
  }
  for (const key of book.keys())
    if (!seen.has(keyOf(key))) {
      const approvals = book.trusted(key);
      const { hash, text, beside } = approvals.at(-1) as Trusted;
      entries.push({
        ...key,
        state: 'unseen',
        hash,
        id: '',
        why: '',
        suspicions: [],
        text,
        changes: undefined,
        approvals,
        beside,
      });
    }
  return entries.sort(byKey);
}

/** The entries a person means by a server, a server and a name, or an approval's id. Throws a CommandFailure where there is none. */
export function chosen(
  desk: PinDesk,
  what: string,
  name: string | undefined,
  kind: string | undefined,
): readonly DeskEntry[] {
  const byId = name === undefined ? desk.entries.filter((e) => e.id !== '' && e.id === what) : [];
  if (byId.length > 0) return byId;
  const servers = [...new Set(desk.entries.map((e) => e.server))];
  const here = desk.entries.filter((e) => e.server === what);
  if (here.length === 0) {
    const shown = `\`${visibleText(what)}\``;
    const known =
      servers.length === 0
        ? '; no server has shown a list yet: start the gate and let a client ask for its tools'
        : hint(what, servers);
    throw new CommandFailure(1, `no server and no waiting definition is called ${shown}${known}`);
  }
  const found = here.filter((e) => (name === undefined || e.name === name) && (kind === undefined || e.kind === kind));
  if (found.length > 0) return found;
  const names = [...new Set(here.map((e) => e.name))].filter((n) => n !== '');
  throw new CommandFailure(
    1,
    `the server \`${what}\` has shown nothing called \`${visibleText(name ?? '')}\`${hint(name ?? '', names)}`,
  );
}

/** Writes approvals of exactly what these entries show into the lock file; with `keep`, former approvals of the same thing stay. */
export function approve({ lock }: PinDesk, entries: readonly DeskEntry[], by: string, keep: boolean): void {
  const at = epochMs(systemClock().now());
  const replaced = new Set(entries.map(keyOf));
  const kept = lock.read().filter((pin) => keep || !replaced.has(keyOf(pin)));
  const added = entries.map(({ server, kind, name, hash, beside, text }) => ({
    server,
    kind,
    name,
    hash,
    beside,
    text,
    at,
    by,
  }));
  const same = (a: Trusted, b: Trusted): boolean => keyOf(a) === keyOf(b) && a.hash === b.hash;
  lock.write([...kept.filter((pin) => !added.some((a) => same(a, pin))), ...added]);
}

/** Takes back every approval of these entries, in the lock file and of first use. */
export function revoke({ lock, store }: PinDesk, entries: readonly DeskEntry[]): void {
  const gone = new Set(entries.map(keyOf));
  for (const entry of entries) store.revoke(entry, epochMs(systemClock().now()));
  const pins = lock.read();
  if (pins.some((pin) => gone.has(keyOf(pin)))) lock.write(pins.filter((pin) => !gone.has(keyOf(pin))));
}
