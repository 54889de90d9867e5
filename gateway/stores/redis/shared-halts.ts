import { type Cluster, Redis } from 'ioredis';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Link } from './link.ts';

type HaltKind = 'run' | 'agent' | 'human';

export interface SharedHalt {
  readonly kind: HaltKind;
  /** `<tenant>/<key>/<run>`, `<tenant>/<agent>` or `<tenant>/<human>` */
  readonly id: string;
  readonly at: EpochMs;
}

const HALTS = 'tollgate:halts';
const NEWS = 'tollgate:halts:news';
const REFRESH_MS = 1_000;

const named = (kind: HaltKind, id: string): string => `${kind} ${id}`;

/**
 * Halts of all gateways: a hash in Redis, by name, its changes told at once, and read whole every second for what was not heard. A halt made
 * here while Redis is away is told when it is back.
 */
export class SharedHalts {
  readonly #link: Link;
  readonly #log: Log;
  readonly #clock: Clock;
  #halted: ReadonlySet<string> = new Set();
  /** made here and not yet told */
  readonly #untold = new Set<string>();
  #listener: Redis | Cluster | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #closed = false;

  constructor(link: Link, log: Log, clock: Clock) {
    this.#link = link;
    this.#log = log;
    this.#clock = clock;
  }

  /** Throws Unreachable where the set cannot be read. */
  async start(): Promise<void> {
    await this.#read();
    const { client } = this.#link;
    const listener = client instanceof Redis ? client.duplicate() : client.duplicate();
    this.#listener = listener;
    listener.on('error', () => undefined); // the link tells of the same outage
    listener.on('message', () => void this.refresh());
    listener.on('ready', () => {
      listener.subscribe(NEWS).catch((error: unknown) => this.#warn(error));
    });
    listener.connect().catch(() => undefined); // reconnects by itself
    this.#link.onBack(() => void this.refresh());
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  has(kind: HaltKind, id: string): boolean {
    const name = named(kind, id);
    return this.#halted.has(name) || this.#untold.has(name);
  }

  /** Holds here from now on, elsewhere once Redis was told. */
  add(kind: HaltKind, id: string): void {
    this.#untold.add(named(kind, id));
    void this.refresh();
  }

  /** Longest halted first. Throws Unreachable. */
  async list(): Promise<readonly SharedHalt[]> {
    const found = await this.#link.ask(() => this.#link.client.hgetall(HALTS));
    const halts = Object.entries(found).map(([name, at]): SharedHalt => {
      const space = name.indexOf(' ');
      return { kind: name.slice(0, space) as HaltKind, id: name.slice(space + 1), at: epochMs(Number(at)) };
    });
    return halts.sort((a, b) => a.at - b.at);
  }

  /** False where no gateway knew of it. Throws Unreachable. */
  async lift(kind: HaltKind, id: string): Promise<boolean> {
    const name = named(kind, id);
    const told = this.#untold.delete(name);
    const removed = await this.#link.ask(() => this.#link.client.hdel(HALTS, name));
    await this.#link.ask(() => this.#link.client.publish(NEWS, ''));
    await this.#read();
    return told || removed === 1;
  }

  /** Tells what was not told and reads the set. Never throws. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#reading ??= this.#tellAndRead();
    return this.#reading;
  }

  /** What is halted while the set is read is told right after, not a second later: an operator may have lifted it by then. */
  async #tellAndRead(): Promise<void> {
    try {
      do {
        await this.#tell();
        await this.#read();
      } while (this.#untold.size > 0 && !this.#closed);
    } catch (error) {
      this.#warn(error);
    } finally {
      this.#reading = undefined;
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#listener?.disconnect();
  }

  async #tell(): Promise<void> {
    const names = [...this.#untold];
    if (names.length === 0) return;
    for (const name of names) await this.#link.ask(() => this.#link.client.hsetnx(HALTS, name, this.#clock.now()));
    await this.#link.ask(() => this.#link.client.publish(NEWS, ''));
    this.#halted = new Set([...this.#halted, ...names]);
    for (const name of names) this.#untold.delete(name);
  }

  async #read(): Promise<void> {
    this.#halted = new Set(await this.#link.ask(() => this.#link.client.hkeys(HALTS)));
  }

  #warn(error: unknown): void {
    if (this.#closed || !this.#link.healthy) return; // an outage is told once, by the link
    this.#log.warn(
      { error: error instanceof Error ? error.message : 'unknown' },
      'halts of other gateways could not be read',
    );
  }
}
