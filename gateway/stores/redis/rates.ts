import { RATE_MS } from '../../domain/budget.ts';
import type { RateShort, RateWant } from '../../ports/rates.ts';

/**
 * Rates inside the scripts of the ledger. A rate is one hash, the beginning of a slot → what was taken in it; a window is 60 slots, and a
 * slot leaves it whole. A hold keeps what its call wanted (`rates`) and when it took that (`at`), so that it can be taken once and given
 * back once. Here `wanted` are account, window in ms, amount, unit and limit of each.
 */
export const RATES = `
local SLOTS = 60
local function slotAt(at, window) return math.floor(at / (window / SLOTS)) * (window / SLOTS) end
local function rateKey(want) return P .. 'rate:' .. want[1] end

-- how long until the slots that have to leave have left, oldest first
local function waitFor(missing, slots, window)
  table.sort(slots, function(a, b) return a[1] < b[1] end)
  local wait = 0
  for _, s in ipairs(slots) do
    missing = missing - s[2]
    wait = s[1] + window / SLOTS + window - now
    if missing <= 0 then break end
  end
  return wait
end
-- the answer where one has no room; else nil and the slots that have left each window
local function shortOfRate(wanted)
  local gone = {}
  for i, want in ipairs(wanted) do
    local window, amount, limit = want[2], want[3], want[5]
    local sum, slots, all = 0, {}, redis.call('HGETALL', rateKey(want))
    gone[i] = {}
    for j = 1, #all, 2 do
      local slot, taken = tonumber(all[j]), tonumber(all[j + 1])
      if slot <= now - window - window / SLOTS then
        table.insert(gone[i], all[j])
      else
        sum = sum + taken
        table.insert(slots, { slot, taken })
      end
    end
    if sum + amount > limit then
      local wait = waitFor(sum + amount - limit, slots, window)
      return { 'rate', tostring(i), ms(math.max(0, limit - sum)), ms(wait) }
    end
  end
  return nil, gone
end
local function take(wanted, gone)
  for i, want in ipairs(wanted) do
    local key = rateKey(want)
    redis.call('HINCRBY', key, ms(slotAt(now, want[2])), ms(want[3]))
    if #gone[i] > 0 then redis.call('HDEL', key, unpack(gone[i])) end
    redis.call('PEXPIRE', key, ms(want[2] * 2))
  end
end
-- once: everything is given back, or where tokens are told they take the place of what was taken; a slot that is gone is not made anew
local function correct(h, back, tokens)
  if not h.rates then return end
  for _, want in ipairs(cjson.decode(h.rates)) do
    local key, slot, by = rateKey(want), ms(slotAt(tonumber(h.at), want[2])), 0
    if back then
      by = -want[3]
    elseif tokens ~= '' and want[4] == 'tokens' then
      by = tonumber(tokens) - want[3]
    end
    if by ~= 0 and redis.call('HEXISTS', key, slot) == 1 then redis.call('HINCRBY', key, slot, ms(by)) end
  end
  redis.call('HDEL', P .. 'h:' .. h.id, 'rates', 'at')
end
`;

/** What is wanted as the scripts read it; empty where nothing is. */
export const wantedText = (wants: readonly RateWant[]): string =>
  wants.length === 0
    ? ''
    : JSON.stringify(
        wants.map(({ account, amount }) => [account.id, RATE_MS[account.window], amount, account.unit, account.limit]),
      );

/** What the script's `shortOfRate` said of `wants`. */
export function rateShort(
  wants: readonly RateWant[],
  [, which, left, wait]: readonly ['rate', string, string, string],
): RateShort {
  const { account, amount } = wants[Number(which) - 1] as RateWant;
  return { account, left: Number(left), retryAfterMs: amount > account.limit ? undefined : Number(wait) };
}

/** True where a reserve was refused by a rate; `rateShort` reads it. */
export const isShortOfRate = (reply: unknown): reply is ['rate', string, string, string] =>
  Array.isArray(reply) && reply[0] === 'rate';
