import { Cluster, Redis } from 'ioredis';
import type { Clock } from '../../ports/clock.ts';
import type { Script } from './script.ts';

/** Redis did not do what was asked, or did not say so. */
export class Unreachable extends Error {
  /** false: certainly not done; true: it may have been */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = 'Unreachable';
    this.sent = sent;
  }
}

export interface LinkOptions {
  readonly clock: Clock;
  /** the longest a question may take, reconnecting included */
  readonly timeoutMs: number;
  /** how many replicas must have what a lasting script wrote before it counts as done; default 0 */
  readonly replicas?: number | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
  /** told at each change, and at the first answer */
  readonly onHealth?: ((up: boolean) => void) | undefined;
}

const PROBE_MS = 200;

/**
 * One connection to Redis or a cluster, with an end to every wait. A question that was lost with its connection is asked again within
 * its time (all scripts are idempotent). After one that ran out of time the link counts as stalled and refuses at once, until a probe
 * is answered: a Redis that is gone costs one timeout and not one per call.
 */
export class Link {
  readonly client: Redis | Cluster;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #replicas: number;
  readonly #onHealth: (up: boolean) => void;
  readonly #back = new Set<() => void>();
  #stalled = false;
  #closed = false;
  /** an outage is told once, not at every attempt to connect */
  #told = false;
  #probe: NodeJS.Timeout | undefined;
  /** questions sent, for the bench */
  asked = 0;

  constructor(client: Redis | Cluster, { clock, timeoutMs, replicas = 0, onError, onHealth }: LinkOptions) {
    this.client = client;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#replicas = replicas;
    this.#onHealth = (up) => onHealth?.(up);
    client.on('error', (error: unknown) => {
      if (!this.#told) onError?.(error);
      this.#told = true;
    });
    client.on('close', () => this.#onHealth(false));
    client.on('ready', () => {
      this.#told = false;
      this.#recovered();
    });
  }

  /** False while questions are refused at once. */
  get healthy(): boolean {
    return !this.#closed && !this.#stalled && this.client.status === 'ready';
  }

  /** Calls `listener` each time Redis answers again. */
  onBack(listener: () => void): void {
    this.#back.add(listener);
  }

  /** Throws Unreachable. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.ask(async () => {
      try {
        return await this.client.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (error) {
        // a server that was restarted, replaced or told to forget: send the text
        if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
        this.asked += 1;
        return await this.client.eval(script.text, keys.length, ...keys, ...args);
      }
    });
  }

  /** Like `run`, and done only once so many replicas have it: a failover then loses none of it. One round trip. Throws Unreachable. */
  async runLasting(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (this.#replicas === 0 || this.client instanceof Cluster) return this.run(script, keys, args);
    const { client } = this;
    return this.ask(async () => {
      const answer = client.evalsha(script.sha, keys.length, ...keys, ...args);
      const waited = client.wait(this.#replicas, this.#timeoutMs).catch(() => 0);
      let reply: unknown;
      try {
        reply = await answer;
      } catch (error) {
        if (!isReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
        this.asked += 1;
        reply = await client.eval(script.text, keys.length, ...keys, ...args);
        return this.#acknowledged(reply, await client.wait(this.#replicas, this.#timeoutMs));
      }
      return this.#acknowledged(reply, await waited);
    });
  }

  #acknowledged(reply: unknown, replicas: number): unknown {
    if (replicas >= this.#replicas) return reply;
    throw new Unreachable(`only ${replicas} of ${this.#replicas} replicas have it`, true);
  }

  /** Asks within the time there is. `question` must be idempotent. Throws Unreachable. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    const until = this.#clock.ticks() + this.#timeoutMs;
    let sent = false;
    for (;;) {
      if (this.#closed) throw new Unreachable('the link to redis is closed', sent);
      if (this.#stalled) throw new Unreachable('redis does not answer', sent);
      if (this.client.status !== 'ready') {
        await this.#ready(until, sent);
        continue;
      }
      sent = true;
      this.asked += 1;
      try {
        return await this.#inTime(question(), until);
      } catch (error) {
        if (error instanceof Unreachable) throw error;
        if (isReply(error) && !isPassing(error)) throw new Unreachable(`redis refused: ${error.message}`, true, error);
        if (this.#clock.ticks() >= until) {
          this.#stall();
          throw new Unreachable('redis does not answer', true, error);
        }
        await pause(20);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#probe);
    this.client.disconnect();
  }

  async #inTime<T>(answer: Promise<T>, until: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const expire = (): void => reject(new Error('timed out'));
      timer = setTimeout(expire, Math.max(1, Math.ceil(until - this.#clock.ticks())));
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until the connection stands. Throws Unreachable where it does not in time. */
  async #ready(until: number, sent: boolean): Promise<void> {
    while (this.client.status !== 'ready') {
      if (this.#closed) return;
      if (this.#clock.ticks() >= until) {
        this.#stall();
        throw new Unreachable('redis cannot be reached', sent);
      }
      await pause(10);
    }
  }

  /** In a cluster one node's silence says nothing of the others, so there every question tries. */
  #stall(): void {
    if (this.#stalled || this.#closed || this.client instanceof Cluster) return;
    this.#stalled = true;
    this.#onHealth(false);
    this.#probeSoon(0);
  }

  #probeSoon(misses: number): void {
    this.#probe = setTimeout(() => void this.#probeNow(misses), PROBE_MS);
    this.#probe.unref();
  }

  async #probeNow(misses: number): Promise<void> {
    if (this.#closed || !this.#stalled) return;
    const { client } = this;
    let answered = false;
    if (client instanceof Redis && client.status === 'ready') {
      try {
        await this.#inTime(client.ping(), this.#clock.ticks() + this.#timeoutMs);
        answered = true;
      } catch {
        // a connection that is open and says nothing may hang for minutes: make a new one
        if (misses > 0 && client.status === 'ready') client.disconnect(true);
      }
    }
    if (answered) this.#recovered();
    else if (this.#stalled) this.#probeSoon(misses + 1);
  }

  #recovered(): void {
    if (this.#closed) return;
    this.#stalled = false;
    clearTimeout(this.#probe);
    this.#onHealth(true);
    for (const listener of this.#back) listener();
  }
}

type Reply = Error & { readonly name: 'ReplyError' };

const isReply = (error: unknown): error is Reply => error instanceof Error && error.name === 'ReplyError';

/** What a failover says while it lasts. */
const isPassing = ({ message }: Reply): boolean =>
  /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED)/.test(message) || /script.*READONLY/i.test(message);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const COMMON = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  keepAlive: 10_000,
  disableClientInfo: true,
  // a demoted server refuses writes: ask the address again who leads
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} as const;

/** The client of a plain server, with no queue that could hold a call back. */
export function connect(url: string, timeoutMs: number): Redis {
  return new Redis(url, {
    ...COMMON,
    connectTimeout: timeoutMs,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000),
    lazyConnect: true,
  });
}

/** The client of a cluster that `url` is a node of. */
export function connectCluster(url: string, timeoutMs: number): Cluster {
  const { hostname, port, username, password, protocol } = new URL(url);
  return new Cluster([{ host: hostname, port: Number(port || 6379) }], {
    enableOfflineQueue: false,
    lazyConnect: true,
    clusterRetryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000),
    redisOptions: {
      ...COMMON,
      connectTimeout: timeoutMs,
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  });
}
