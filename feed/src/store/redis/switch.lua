-- Puts the set of views that was made anew in the place of the one that is read.
--
-- KEYS[1]: the lease. ARGV: what all keys begin with; the lease's number; the ids of the old set (empty where there is none)
-- and the new one; the head of each as they were looked at; the head of the new one with the old one's epoch, empty where it
-- must not have that; the number up to which the new one has let go of entries.
--
-- Gives `done`, `fenced`, or `changed` where one of them has come further.
local prefix, token, old, new, old_head, new_head, kept_head, gone = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'token') ~= token then
    return 'fenced'
end
if (redis.call('GET', prefix .. 'current') or '') ~= old or redis.call('GET', prefix .. 'building') ~= new then
    return 'changed'
end
if redis.call('GET', prefix .. new .. ':head') ~= new_head
    or (old ~= '' and redis.call('GET', prefix .. old .. ':head') ~= old_head) then
    return 'changed'
end
local is_same = kept_head ~= ''
if is_same then
    local entries = redis.call('ZRANGEBYSCORE', prefix .. old .. ':list:all', '(' .. gone, '+inf', 'WITHSCORES')
    for index = 1, #entries, 2 do
        is_same = is_same and redis.call('ZSCORE', prefix .. new .. ':list:all', entries[index]) == entries[index + 1]
    end
end
if is_same then
    redis.call('SET', prefix .. new .. ':head', kept_head)
end
redis.call('SET', prefix .. 'current', new)
redis.call('DEL', prefix .. 'building')
if old ~= '' then
    redis.call('SADD', prefix .. 'former', old)
end
return 'done'
