-- Puts keys that were just rung into the crowd of those that no event has taken along yet, and tells whether one is needed.
-- The gate (gate/bell.ts) runs it right behind ring.lua, in one transaction; so does the store (services/state_redis_rest.py).
-- KEYS: due:tokens, due:crowd, due:called. ARGV: keys an event takes, milliseconds an event may wait unseen, the keys.
-- due:called counts the events that have yet to begin. Each takes along up to a full event of the crowd, in the order of
-- its rings, so more are needed only where the crowd is larger than what those will take: then the caller sends one for each
-- full event's worth of its own keys. If events are lost, the count runs out, and the due list has what they would have taken.
for i = 3, #ARGV do
  redis.call('ZADD', KEYS[2], 'NX', string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '0', '^%d+'), ARGV[i])
end
local called = tonumber(redis.call('GET', KEYS[3]) or '0')
if redis.call('ZCARD', KEYS[2]) <= called * tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[3], called + math.ceil((#ARGV - 2) / tonumber(ARGV[1])), 'PX', ARGV[2])
return 1
