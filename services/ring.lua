-- Makes keys due. The gate (gate/bell.ts) and the store (services/state_redis_due.py) run this same script.
-- KEYS: due, due:tokens, due:parked, due:rings. ARGV: when (seconds since 1970), then the keys.
-- A token is '<number of the ring>:<when it wants the key due>'.
for i = 2, #ARGV do
  local key = ARGV[i]
  redis.call('HSET', KEYS[2], key, redis.call('INCR', KEYS[4]) .. ':' .. ARGV[1])
  local at = redis.call('ZSCORE', KEYS[1], key)
  if not at or (tonumber(ARGV[1]) < tonumber(at) and redis.call('SISMEMBER', KEYS[3], key) == 0) then
    redis.call('ZADD', KEYS[1], ARGV[1], key)
  end
end
