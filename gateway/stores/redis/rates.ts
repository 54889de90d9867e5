import { RATE_MS } from '../../domain/budget.ts';
import type { CallId, EpochMs } from '../../domain/scalars.ts';
import type { RateAnswer, Rates, RateWant } from '../../ports/rates.ts';
import { answered } from './answers.ts';
import type { Link } from './link.ts';
import { Place, tenantOf } from './place.ts';
import { Script } from './script.ts';

const SLOTS = 60;
const TAKEN_KEPT = 100_000;

/**
 * KEYS: one hash per account, slot → amount. ARGV: the time in ms (empty: the server's own), then limit, amount and window in ms of each.
 * Replies `{0, slots…}`, or `{which, left, ms until there is room}`; looks first and writes only where all have room.
 */
const TAKE = new Script(`
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local slots, gone = {}, {}
for i, key in ipairs(KEYS) do
  local limit, amount, window = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local width = window / ${SLOTS}
  local sum, kept = 0, {}
  local all = redis.call('HGETALL', key)
  gone[i] = {}
  for j = 1, #all, 2 do
    local slot, count = tonumber(all[j]), tonumber(all[j + 1])
    if slot <= now - window - width then
      table.insert(gone[i], all[j])
    else
      sum = sum + count
      table.insert(kept, { slot, count })
    end
  end
  if sum + amount > limit then
    table.sort(kept, function(a, b) return a[1] < b[1] end)
    local missing, wait = sum + amount - limit, 0
    for _, s in ipairs(kept) do
      missing = missing - s[2]
      wait = s[1] + width + window - now
      if missing <= 0 then break end
    end
    return { i, string.format('%.0f', math.max(0, limit - sum)), string.format('%.0f', wait) }
  end
  slots[i] = math.floor(now / width) * width
end
local reply = { 0 }
for i, key in ipairs(KEYS) do
  local window = tonumber(ARGV[3 * i + 1])
  local slot = string.format('%.0f', slots[i])
  redis.call('HINCRBY', key, slot, ARGV[3 * i])
  if #gone[i] > 0 then redis.call('HDEL', key, unpack(gone[i])) end
  redis.call('PEXPIRE', key, string.format('%.0f', window * 2))
  reply[i + 1] = slot
end
return reply
`);

/** KEYS: account hashes. ARGV: slot and change of each. A slot that has left its window is not made anew. */
const CORRECT = new Script(`
for i, key in ipairs(KEYS) do
  if redis.call('HEXISTS', key, ARGV[2 * i - 1]) == 1 then redis.call('HINCRBY', key, ARGV[2 * i - 1], ARGV[2 * i]) end
end
return 1
`);

interface Taken {
  readonly wants: readonly RateWant[];
  readonly slots: readonly string[];
}

/** Rates that gateways share: one script over the tenant's keys, told the time by Redis. A take whose answer was lost stays counted. */
export class RedisRates implements Rates {
  readonly #link: Link;
  readonly #now: () => number | undefined;
  readonly #taken = new Map<CallId, Taken>();

  /** `now`: undefined lets Redis tell the time for all gateways. */
  constructor(link: Link, now: () => number | undefined) {
    this.#link = link;
    this.#now = now;
  }

  async take(id: CallId, _at: EpochMs, wants: readonly RateWant[]): Promise<RateAnswer> {
    if (this.#taken.has(id) || wants.length === 0) return { granted: true };
    const args = wants.flatMap(({ account, amount }) => [account.limit, amount, RATE_MS[account.window]]);
    const reply = (await answered(() => this.#link.run(TAKE, wants.map(keyOf), [this.#now() ?? '', ...args]))) as [
      number,
      ...string[],
    ];
    const [which, ...rest] = reply;
    if (which === 0) {
      this.#taken.set(id, { wants, slots: rest });
      if (this.#taken.size > TAKEN_KEPT) this.#taken.delete(this.#taken.keys().next().value as CallId);
      return { granted: true };
    }
    const { account, amount } = wants[which - 1] as RateWant;
    const retryAfterMs = amount > account.limit ? undefined : Number(rest[1]);
    return { granted: false, short: account, left: Number(rest[0]), retryAfterMs };
  }

  async settle(id: CallId, tokens: number): Promise<void> {
    await this.#correct(id, ({ account, amount }) => (account.unit === 'tokens' ? tokens - amount : 0));
  }

  async release(id: CallId): Promise<void> {
    await this.#correct(id, ({ amount }) => -amount);
  }

  async #correct(id: CallId, change: (want: RateWant) => number): Promise<void> {
    const taken = this.#taken.get(id);
    if (!taken) return;
    this.#taken.delete(id);
    const changes = taken.wants.map(change);
    if (changes.every((by) => by === 0)) return;
    const args = changes.flatMap((by, i) => [taken.slots[i] as string, by]);
    await answered(() => this.#link.run(CORRECT, taken.wants.map(keyOf), args));
  }
}

/** All accounts of a call are its tenant's, so their keys share one slot of a cluster. */
const keyOf = ({ account }: RateWant): string => `${new Place(tenantOf(account.id)).prefix}r:${account.id}`;
