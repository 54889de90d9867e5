import { script } from './ledger-scripts.ts';

/**
 * Takes or enlarges a lease: a hold on one account that no call has asked for yet. What it has room for is never more than a part of what is
 * left and of that room, so that several gateways find some. KEYS: 1 the lease's hold, 2 the account, 3 who leases it. ARGV: 4 lease, 5 amount it is to hold, 6 the least that is
 * worth it, 7 lease in ms from now, 8 account ids as JSON, 9 the gateway, 10 limit, 11 end of the account's window, 12 the part, 13
 * what of the lease is used. Replies what it came to, the amount held, and what was spent and held in the account before.
 */
export const TAKE = script(`
local want, least, share = big(ARGV[5]), big(ARGV[6]), tonumber(ARGV[12])
local spent, held, exists = totals(KEYS[2])
local h = hold(ARGV[4])
if h and h.state ~= 'open' then return { h.state, h.amount, spent, held } end
local have = big(h and h.amount or '0')
local left = sub(big(ARGV[10]), add(big(spent), big(held)))
if left[1] < 0 then return { 'none', text(have), spent, held } end
local used = big(ARGV[13])
if not less(have, used) then left = add(left, sub(have, used)) end
local high = math.floor(left[1] / share)
local most = add(used, { high, math.floor(((left[1] - high * share) * 1e9 + left[2]) / share) })
if less(most, want) then want = most end
if less(want, least) or not less(have, want) then return { 'none', text(have), spent, held } end
local lease = tonumber(ARGV[7])
redis.call('HSET', KEYS[1], 'state', 'open', 'amount', text(want), 'charged', '0', 'accounts', ARGV[8], 'by', ARGV[9])
redis.call('ZADD', P .. 'leases', ms(now + lease), ARGV[4])
redis.call('HINCRBY', KEYS[2], 'held', text(sub(want, have)))
if not exists then enlist(KEYS[2], ARGV[11]) end
redis.call('ZADD', KEYS[3], ms(now + lease), ARGV[9])
redis.call('PEXPIRE', KEYS[3], ms(tonumber(redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]) - now))
return { 'leased', text(want), spent, held }
`);

/**
 * Makes a lease hold exactly what its calls need. KEYS: 1 the lease's hold, 2 the account. ARGV: 4 lease, 5 amount, 6 lease in ms from now,
 * 7 account ids as JSON, 8 the gateway, 9 end of the account's window, 10 `grow` where it may become more, whatever the limit says: calls
 * came to more than it held, or Redis lost it. Replies its state and the amount.
 */
export const FIT = script(`
local h = hold(ARGV[4])
if h and h.state ~= 'open' and h.state ~= 'lapsed' then return { h.state, h.amount } end
if not h and ARGV[10] ~= 'grow' then return { 'unknown', '0' } end
local have, want = big(h and h.amount or '0'), big(ARGV[5])
local state = h and h.state or 'open'
local grows = less(have, want)
if grows and ARGV[10] ~= 'grow' then return { state, h.amount } end
local spent, held, exists = totals(KEYS[2])
if grows and less(MOST, add(add(big(spent), big(held)), sub(want, have))) then return { 'full', ARGV[4] } end
redis.call('HSET', KEYS[1], 'state', state, 'amount', ARGV[5], 'accounts', ARGV[7], 'by', ARGV[8])
if state == 'open' then
  redis.call('HSET', KEYS[1], 'charged', '0')
  redis.call('ZADD', P .. 'leases', ms(now + tonumber(ARGV[6])), ARGV[4])
else
  redis.call('HSET', KEYS[1], 'charged', ARGV[5])
end
if exists or not h then
  local field = state == 'open' and 'held' or 'spent'
  if grows then count(KEYS[2], field, text(sub(want, have)), '') else count(KEYS[2], field, text(sub(have, want)), '-') end
  if not exists then enlist(KEYS[2], ARGV[9]) end
end
return { state, ARGV[5] }
`);

/**
 * Takes a call out of its leases and gives it a hold of its own in the same accounts. What the accounts hold and spent changes only by what
 * the call had and does not need. KEYS: 1 the call's hold. ARGV: 4 call, 5 the state it is in, 6 amount it holds, 7 what it is charged, 8 its
 * part of each lease, 9 lease in ms from now, 10 account ids as JSON, 11 leases as JSON in the same order, 12 the gateway, 13 ends of the
 * accounts' windows as JSON. A lease that Redis lost has nothing to give. Replies for each account whether its lease gave the part.
 */
export const MOVE = script(`
if hold(ARGV[4]) then return { 'known' } end
local state, part = ARGV[5], big(ARGV[8])
local held = state == 'open' and ARGV[6] or '0'
local accounts, leases, ends = cjson.decode(ARGV[10]), cjson.decode(ARGV[11]), cjson.decode(ARGV[13])
local from, gave = {}, {}
for i, id in ipairs(leases) do
  local l = hold(id)
  if l and (l.state == 'open' or l.state == 'lapsed') and not less(big(l.amount), part) then from[i] = l end
  gave[i] = from[i] and 1 or 0
  local spent, open = totals(P .. 'a:' .. accounts[i])
  local after = add(add(big(spent), big(open)), add(big(held), big(ARGV[7])))
  if from[i] then after = sub(after, part) end
  if less(MOST, after) then return { 'full', accounts[i] } end
end
redis.call('HSET', KEYS[1], 'state', state, 'amount', ARGV[6], 'charged', ARGV[7], 'accounts', ARGV[10], 'by', ARGV[12])
if state == 'open' then
  redis.call('ZADD', P .. 'leases', ms(now + tonumber(ARGV[9])), ARGV[4])
else
  redis.call('ZADD', P .. 'closed', ms(now), ARGV[4])
  if state == 'lapsed' then redis.call('SADD', P .. 'lapsed:' .. ARGV[12], ARGV[4]) end
end
for i, id in ipairs(accounts) do
  local key, l = P .. 'a:' .. id, from[i]
  local exists = known(key)
  if l then
    local rest = text(sub(big(l.amount), part))
    redis.call('HSET', P .. 'h:' .. l.id, 'amount', rest)
    if l.state == 'lapsed' then redis.call('HSET', P .. 'h:' .. l.id, 'charged', rest) end
    if exists then count(key, l.state == 'open' and 'held' or 'spent', ARGV[8], '-') end
  end
  -- an account whose window ended and was dropped stays dropped
  if exists or not l then
    count(key, 'held', held, '')
    count(key, 'spent', ARGV[7], '')
    if not exists then enlist(key, ends[i]) end
  end
end
return { 'moved', gave }
`);

/** KEYS: who leases each account. Replies with the gateways that do. */
export const LESSEES = script(`
local found = {}
for _, key in ipairs(KEYS) do
  for _, by in ipairs(redis.call('ZRANGEBYSCORE', key, ms(now), '+inf')) do found[#found + 1] = by end
end
return found
`);

/** KEYS: 1 who leases the account. ARGV: 4 the gateway that no longer does. */
export const WITHDRAW = script(`return redis.call('ZREM', KEYS[1], ARGV[4])`);

/** ARGV: from 4 on calls. Replies 1 for each that has a hold of its own, whatever became of it, else 0. */
export const OWN_HOLDS = script(`
local found = {}
for i = 4, #ARGV do found[#found + 1] = redis.call('EXISTS', P .. 'h:' .. ARGV[i]) end
return found
`);
