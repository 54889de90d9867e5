import { Fault } from '../../domain/fault.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { KeyRecord, Keys } from '../../ports/keys.ts';
import { type Link, Unreachable } from './link.ts';
import { Script } from './script.ts';

const RECORDS = 'tollgate:{keys}:by-hash';
const IDS = 'tollgate:{keys}:by-id';
const CACHED = 10_000;
/** how long a key may be believed without asking: the longest that a revocation elsewhere takes to count */
const CACHE_MS = 1_000;

// KEYS: records by hash, hashes by id. ARGV: hash, id, record. Replies 1 where the key is there now.
const ADD = new Script(`
local owner = redis.call('HGET', KEYS[2], ARGV[2])
if owner then return owner == ARGV[1] and 1 or 0 end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
return 1
`);

// KEYS: records by hash, hashes by id, revocations by id. ARGV: id, time. The first revocation stays.
const REVOKE = new Script(`
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HSETNX', KEYS[3], ARGV[1], ARGV[2])
return 1
`);

// KEYS: records by hash, revocations by id. ARGV: hash.
const FIND = new Script(`
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return false end
return { record, redis.call('HGET', KEYS[2], cjson.decode(record).id) or '' }
`);

const REVOKED = 'tollgate:{keys}:revoked';

interface Cached {
  readonly until: number;
  readonly record: Promise<KeyRecord | undefined>;
}

/**
 * Keys shared by all gateways. A key is believed for a second without asking, so a revocation on another gateway counts within one;
 * an unknown key is asked for each time, so that a new one works at once. Without Redis no key is believed longer than that.
 */
export class RedisKeys implements Keys {
  readonly #link: Link;
  readonly #clock: Clock;
  /** oldest first */
  readonly #cache = new Map<string, Cached>();

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  async find(hash: string): Promise<KeyRecord | undefined> {
    const known = this.#cache.get(hash);
    if (known && known.until > this.#clock.ticks()) return known.record;
    this.#cache.delete(hash);
    const record = this.#read(hash);
    // counted from the question: what changes on the server after it is seen a second later at most
    this.#cache.set(hash, { until: this.#clock.ticks() + CACHE_MS, record });
    if (this.#cache.size > CACHED) this.#cache.delete(this.#cache.keys().next().value as string);
    try {
      const found = await record;
      if (!found) this.#cache.delete(hash);
      return found;
    } catch (error) {
      this.#cache.delete(hash);
      throw error;
    }
  }

  /** The same key again changes nothing. Throws a Fault (`TG_INTERNAL`) where the id or the hash is another key's. */
  async add(hash: string, record: KeyRecord): Promise<void> {
    const { id, revokedAt, ...rest } = record;
    const added = await answered(async () => {
      const text = JSON.stringify({ id, ...rest });
      const done = await this.#link.run(ADD, [RECORDS, IDS], [hash, id, text]);
      if (done === 1 && revokedAt !== undefined) await this.#link.run(REVOKE, [RECORDS, IDS, REVOKED], [id, revokedAt]);
      return done === 1;
    });
    this.#cache.delete(hash);
    if (!added) throw new Fault('TG_INTERNAL', `the key \`${id}\` cannot be added: its id or its hash is taken`);
  }

  /** True where the key exists; the first revocation's time stays. */
  async revoke(id: string, at: EpochMs): Promise<boolean> {
    const found = await answered(() => this.#link.run(REVOKE, [RECORDS, IDS, REVOKED], [id, at]));
    this.#cache.clear();
    return found === 1;
  }

  async list(): Promise<readonly KeyRecord[]> {
    return answered(async () => {
      const records = await this.#link.ask(() => this.#link.client.hvals(RECORDS));
      const revoked = await this.#link.ask(() => this.#link.client.hgetall(REVOKED));
      const found = records.map((text) => recordOf(text, (id) => revoked[id]));
      return found.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    });
  }

  async #read(hash: string): Promise<KeyRecord | undefined> {
    const found = await answered(() => this.#link.run(FIND, [RECORDS, REVOKED], [hash]));
    if (found === null) return undefined;
    const [text, revokedAt] = found as [string, string];
    return recordOf(text, () => revokedAt || undefined);
  }
}

function recordOf(text: string, revoked: (id: string) => string | undefined): KeyRecord {
  const { id, tenant, human, agent, createdAt, expiresAt, tags } = JSON.parse(text) as KeyRecord;
  const at = revoked(id);
  const revokedAt = at === undefined ? undefined : (Number(at) as EpochMs);
  return { id, tenant, human, agent, createdAt, revokedAt, expiresAt, ...(tags && { tags }) };
}

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    throw new Fault('TG_KEYS_UNAVAILABLE', 'the shared store of keys does not answer: try again', error);
  }
}
