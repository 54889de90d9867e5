import { RATES } from './rates.ts';
import { Script } from './script.ts';

/**
 * What every script of the ledger begins with. ARGV: 1 the tenant's key prefix, 2 the time in ms (empty: the server's own), 3 how long
 * closed records are kept, in ms.
 *
 * A script that fails half way keeps what it wrote, so each one looks first, decides, and only then writes. Lua's numbers are doubles:
 * amounts stay strings, are compared as two limbs and added by Redis itself (64-bit). The first write of `reserve` and `extend` is one
 * that Redis refuses when memory or disk are short, and then nothing was written; the first of `settle` and `release` is one it never
 * refuses, so that what was spent can still be booked.
 */
const PRELUDE = `
local P, keep = ARGV[1], tonumber(ARGV[3])
local function clock()
  if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = clock()
local function ms(n) return string.format('%.0f', n) end

local function big(s)
  local n = #s
  if n <= 9 then return { 0, tonumber(s) } end
  return { tonumber(s:sub(1, n - 9)), tonumber(s:sub(n - 8)) }
end
local function add(a, b)
  local h, l = a[1] + b[1], a[2] + b[2]
  if l >= 1e9 then h, l = h + 1, l - 1e9 end
  return { h, l }
end
local function sub(a, b)
  local h, l = a[1] - b[1], a[2] - b[2]
  if l < 0 then h, l = h - 1, l + 1e9 end
  return { h, l }
end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function text(a)
  if a[1] == 0 then return string.format('%.0f', a[2]) end
  return string.format('%.0f%09.0f', a[1], a[2])
end
local MOST = big('9223372036854775807')

local function totals(key)
  local t = redis.call('HMGET', key, 'spent', 'held')
  return t[1] or '0', t[2] or '0', t[1] or t[2]
end
local function count(key, field, amount, sign)
  if amount ~= '0' then redis.call('HINCRBY', key, field, sign .. amount) end
end
local function hold(id)
  local h = redis.call('HMGET', P .. 'h:' .. id, 'state', 'amount', 'charged', 'accounts', 'by', 'rates', 'at')
  if not h[1] then return nil end
  local accounts = cjson.decode(h[4])
  return { id = id, state = h[1], amount = h[2], charged = h[3], accounts = accounts, by = h[5] or '', rates = h[6], at = h[7] }
end
local function known(key) return redis.call('EXISTS', key) == 1 end
local function enlist(key, resets)
  redis.call('ZADD', P .. 'accounts', 'NX', resets, key:sub(#P + 3))
end

-- the account that could not count the hold's charge becoming amount, or nil
local function overfull(h, amount)
  local freed = big(h.charged)
  if h.state == 'open' then freed = add(freed, big(h.amount)) end
  for _, id in ipairs(h.accounts) do
    local spent, held = totals(P .. 'a:' .. id)
    if less(MOST, sub(add(add(big(spent), big(held)), big(amount)), freed)) then return id end
  end
end
-- gives back what the hold held and replaces what it charged; an account whose window ended and was dropped stays dropped
local function close(h, amount, state)
  redis.call('ZREM', P .. 'leases', h.id)
  if state == 'lapsed' then
    redis.call('SADD', P .. 'lapsed:' .. h.by, h.id)
  elseif h.state == 'lapsed' then
    redis.call('SREM', P .. 'lapsed:' .. h.by, h.id)
  end
  for i, id in ipairs(h.accounts) do
    local key = P .. 'a:' .. id
    if h.lost or known(key) then
      if h.state == 'open' then count(key, 'held', h.amount, '-') end
      count(key, 'spent', h.charged, '-')
      count(key, 'spent', amount, '')
      if h.lost then enlist(key, h.lost[i]) end
    end
  end
  redis.call('HSET', P .. 'h:' .. h.id, 'state', state, 'charged', amount)
  redis.call('ZADD', P .. 'closed', ms(now), h.id)
end
local function lapse(till, most)
  local lapsed = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', ms(till), 'LIMIT', 0, most)) do
    local h = hold(id)
    if h then
      close(h, h.amount, 'lapsed')
      lapsed[#lapsed + 1] = id
      lapsed[#lapsed + 1] = h.amount
    else
      redis.call('ZREM', P .. 'leases', id)
    end
  end
  return lapsed
end
-- records that nobody asks for any more: their charge stays in the totals, and in archived so that these can be checked
local function fold(most)
  local before = ms(now - keep)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'closed', '-inf', before, 'LIMIT', 0, most)) do
    local h = hold(id)
    for _, account in ipairs(h and h.accounts or {}) do
      local key = P .. 'a:' .. account
      if known(key) then count(key, 'archived', h.charged, '') end
    end
    if h and h.state == 'lapsed' then redis.call('SREM', P .. 'lapsed:' .. h.by, id) end
    redis.call('DEL', P .. 'h:' .. id)
    redis.call('ZREM', P .. 'closed', id)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'accounts', '-inf', before, 'LIMIT', 0, most)) do
    local _, held = totals(P .. 'a:' .. id)
    if held == '0' then
      redis.call('DEL', P .. 'a:' .. id)
      redis.call('ZREM', P .. 'accounts', id)
    end
  end
end
`;

/** A script of the ledger: what all of them begin with, and `parts`. */
export const script = (...parts: readonly string[]): Script => new Script([PRELUDE, ...parts].join(''));

/**
 * KEYS: 1 the hold, then the accounts, each once, then the rates, each once. ARGV: 4 call, 5 amount, 6 least, 7 lease in ms from now,
 * 8 account ids as JSON, 9 the gateway, 10 `force` to hold whatever the limits say, `ask` to hold nothing where there is no room for the amount and
 * gateways lease what is missing, 11 what is wanted of rates as JSON (empty: nothing),
 * then limit and end of window (`+inf` for none) of each account.
 */
export const RESERVE = script(
  RATES,
  `
local id, amount, least = ARGV[4], big(ARGV[5]), big(ARGV[6])
local last = 1 + (#ARGV - 11) / 2
local before, room, fresh, full, lefts = {}, nil, {}, nil, {}
for i = 2, last do
  local spent, held, exists = totals(KEYS[i])
  before[#before + 1] = spent
  before[#before + 1] = held
  fresh[i] = not exists
  local used = add(big(spent), big(held))
  local left = sub(big(ARGV[8 + 2 * i]), used)
  lefts[i] = left
  if not room or less(left, room) then room = left end
  if less(MOST, add(used, amount)) then full = KEYS[i]:sub(#P + 3) end
end
local h = hold(id)
if h then
  if h.state ~= 'open' then return { 'closed' } end
  return { 'again', h.amount, before, {}, h.accounts }
end
local wanted = ARGV[11] ~= '' and cjson.decode(ARGV[11]) or {}
local short, gone = shortOfRate(wanted)
if short then return short end
local granted = ARGV[5]
if ARGV[10] == 'force' then
  if full then return { 'full', full } end
elseif room and less(room, amount) then
  local leased = {}
  for i = 2, ARGV[10] == 'ask' and last or 1 do
    local name = KEYS[i]:sub(#P + 3)
    if less(lefts[i], amount) and redis.call('ZCOUNT', P .. 'lessees:' .. name, ms(now), '+inf') > 0 then
      leased[#leased + 1] = name
    end
  end
  if #leased > 0 then return { 'leased', leased } end
  if less(room, least) then return { 'short', '0', before, {} } end
  granted = text(room)
end
redis.call('HSET', KEYS[1], 'state', 'open', 'amount', granted, 'charged', '0', 'accounts', ARGV[8], 'by', ARGV[9])
if ARGV[11] ~= '' then
  redis.call('HSET', KEYS[1], 'rates', ARGV[11], 'at', ms(now))
  take(wanted, gone)
end
redis.call('ZADD', P .. 'leases', ms(now + tonumber(ARGV[7])), id)
for i = 2, last do
  redis.call('HINCRBY', KEYS[i], 'held', granted)
  if fresh[i] then enlist(KEYS[i], ARGV[9 + 2 * i]) end
end
local lapsed = lapse(now, 4)
fold(2)
return { 'granted', granted, before, lapsed }
`,
);

/** KEYS: 1 the hold, then accounts. ARGV: 4 call, 5 amount, 6 `trim` where the hold is to shrink, then the accounts' limits. */
export const RESIZE = script(`
local h = hold(ARGV[4])
if not h or h.state ~= 'open' then return { 'no' } end
local have, want = big(h.amount), big(ARGV[5])
if ARGV[6] == 'trim' then
  if not less(want, have) then return { 'yes' } end
  local less_ = text(sub(have, want))
  redis.call('HSET', KEYS[1], 'amount', ARGV[5])
  for _, id in ipairs(h.accounts) do count(P .. 'a:' .. id, 'held', less_, '-') end
  return { 'yes' }
end
if not less(have, want) then return { 'yes' } end
-- room in all its accounts, or none is known
if #KEYS - 1 < #h.accounts then return { 'no' } end
local more = sub(want, have)
for i = 2, #KEYS do
  local spent, held = totals(KEYS[i])
  if less(sub(big(ARGV[5 + i]), add(big(spent), big(held))), more) then return { 'no' } end
end
for _, id in ipairs(h.accounts) do
  local spent, held = totals(P .. 'a:' .. id)
  if less(MOST, add(add(big(spent), big(held)), more)) then return { 'full', id } end
end
redis.call('HSET', KEYS[1], 'amount', ARGV[5])
for _, id in ipairs(h.accounts) do count(P .. 'a:' .. id, 'held', text(more), '') end
return { 'yes', h.amount }
`);

/**
 * KEYS: 1 the hold. ARGV: 4 call, 5 amount, 6 account ids as JSON, charged where the call is unknown, 7 `known` to charge no unknown
 * call, 8 the ends of the accounts' windows as JSON, 9 what the call came to in tokens (empty: what it took stays taken).
 */
export const SETTLE = script(
  RATES,
  `
local h = hold(ARGV[4])
if not h and ARGV[7] == 'known' then return { 'unknown' } end
if h and h.state == 'settled' then return { 'settled', h.charged, h.amount } end
h = h or { id = ARGV[4], state = 'lost', amount = '0', charged = '0', accounts = cjson.decode(ARGV[6]), lost = cjson.decode(ARGV[8]) }
local full = overfull(h, ARGV[5])
if full then return { 'full', full } end
close(h, ARGV[5], 'settled')
correct(h, false, ARGV[9])
if h.lost then redis.call('HSET', KEYS[1], 'amount', '0', 'accounts', ARGV[6]) end
return { 'settled', ARGV[5], h.amount }
`,
);

/** KEYS: 1 the hold. ARGV: 4 call, 5 `spend` to make an unknown id a spent one, so that a reserve still under way cannot hold. */
export const RELEASE = script(
  RATES,
  `
local h = hold(ARGV[4])
if h and (h.state == 'settled' or h.state == 'released') then return { 'closed' } end
if not h then
  if ARGV[5] ~= 'spend' then return { 'unknown' } end
  h = { id = ARGV[4], state = 'lost', amount = '0', charged = '0', accounts = {} }
  redis.call('ZREM', P .. 'leases', h.id)
  redis.call('HSET', KEYS[1], 'accounts', '[]')
end
close(h, '0', 'released')
correct(h, true)
redis.call('HSET', KEYS[1], 'amount', '0')
return { 'released' }
`,
);

/** KEYS: 1 the leases. ARGV: 4 call, 5 lease in ms from now. */
export const RENEW = script(`
local h = hold(ARGV[4])
if not h then return { 'unknown' } end
if h.state == 'open' then redis.call('ZADD', KEYS[1], 'XX', ms(now + tonumber(ARGV[5])), ARGV[4]) end
return { h.state }
`);

/** KEYS: 1 the leases. ARGV: 4 ms from now until which leases may run, 5 how many at most. Replies with ids and amounts in turn. */
export const LAPSE = script(`
local lapsed = lapse(now + tonumber(ARGV[4]), tonumber(ARGV[5]))
fold(tonumber(ARGV[5]))
return lapsed
`);

/** KEYS: the accounts. Replies with spent and held in turn. */
export const BALANCES = script(`
local found = {}
for _, key in ipairs(KEYS) do
  local spent, held = totals(key)
  found[#found + 1] = spent
  found[#found + 1] = held
end
return found
`);

/** KEYS: 1 the leases. ARGV: 4 a gateway. Replies with its calls that were neither settled nor released: open or lapsed. */
export const OPEN_HOLDS = script(`
local found = redis.call('SMEMBERS', P .. 'lapsed:' .. ARGV[4])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('HGET', P .. 'h:' .. id, 'by') == ARGV[4] then found[#found + 1] = id end
end
return found
`);
