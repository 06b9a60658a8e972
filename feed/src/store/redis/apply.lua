-- Applies a plan to a set of views, in one act.
--
-- KEYS[1]: the lease. ARGV: what all keys begin with; the lease's number; `current` or `building`; the set's id and its head
-- as the plan was made for them; its head with the plan; what the log had that is applied,
-- microseconds, empty where that is not to be noted; the plan, JSON.
--
-- Gives `done`, `fenced` where the lease is another's by now, `changed` where the set is not what the plan was made for.
local prefix, token, phase, id, before, after, as_of = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'token') ~= token then
    return 'fenced'
end
if (redis.call('GET', prefix .. phase) or '') ~= id then
    return 'changed'
end
if redis.call('GET', prefix .. id .. ':head') ~= before then
    return 'changed'
end
local view = prefix .. id .. ':'
local plan = cjson.decode(ARGV[8])

-- An entry is what it is about, where it is said, and its JSON, a line each. What goes with a thing or a channel is found by
-- a set of places each.
local function places(member)
    local thing, channel = string.match(member, '^([^\n]*)\n([^\n]*)\n')
    local sets = { view .. 'thing:' .. thing }
    if channel ~= '' then
        sets[2] = view .. 'channel:' .. channel
    end
    return sets
end

local function drop(list, from, to)
    local key = view .. 'list:' .. list
    local found = redis.call('ZRANGEBYSCORE', key, from, to, 'WITHSCORES')
    for index = 1, #found, 2 do
        for _, set in ipairs(places(found[index])) do
            redis.call('SREM', set, list .. '\n' .. found[index + 1])
        end
        redis.call('ZREM', key, found[index])
    end
end

local function scrub(set, of_all)
    for _, place in ipairs(redis.call('SMEMBERS', set)) do
        local list, number = string.match(place, '^(.*)\n(%d+)$')
        if not of_all or string.sub(list, 1, 3) == 'all' then
            drop(list, number, number)
        end
    end
end

local change = {}

function change.put(list, most, thing, channel, entry)
    local number = redis.call('HINCRBY', view .. 'newest', list, 1)
    local member = thing .. '\n' .. channel .. '\n' .. entry
    redis.call('ZADD', view .. 'list:' .. list, number, member)
    for _, set in ipairs(places(member)) do
        redis.call('SADD', set, list .. '\n' .. number)
    end
    drop(list, '-inf', number - most)
end

function change.scrub(thing)
    scrub(view .. 'thing:' .. thing)
end

function change.scrub_channel(channel)
    scrub(view .. 'channel:' .. channel)
    redis.call('DEL', view .. 'members:' .. channel)
end

function change.hide(channel)
    scrub(view .. 'channel:' .. channel, true)
end

function change.join(channel, user)
    redis.call('SADD', view .. 'members:' .. channel, user)
end

function change.leave(channel, user)
    redis.call('SREM', view .. 'members:' .. channel, user)
end

function change.channel(channel, state)
    redis.call('HSET', view .. 'channels', channel, state)
end

function change.total(kind, more)
    redis.call('HINCRBY', view .. 'totals', kind, more)
end

-- A slot is used again by what is later, and what is earlier is not counted any more.
function change.rate(slot, start, more)
    local kept, count = string.match(redis.call('HGET', view .. 'rates', slot) or '', '^(-?%d+) (%d+)$')
    kept, start = tonumber(kept), tonumber(start)
    if not kept or kept < start then
        count = 0
    elseif kept > start then
        return
    end
    redis.call('HSET', view .. 'rates', slot, string.format('%.0f %.0f', start, count + more))
end

function change.active(user, at)
    redis.call('ZADD', view .. 'active', 'GT', at, user)
end

function change.inactive(before_then)
    redis.call('ZREMRANGEBYSCORE', view .. 'active', '-inf', '(' .. before_then)
end

for _, step in ipairs(plan) do
    change[step[1]](unpack(step, 2))
end
redis.call('SET', view .. 'head', after)
if as_of ~= '' and tonumber(redis.call('GET', prefix .. 'as_of') or 0) < tonumber(as_of) then
    redis.call('SET', prefix .. 'as_of', as_of)
end
return 'done'
