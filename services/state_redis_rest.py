"""What waits for a look, in Redis: records at rest, settled without a lease, and those an event takes along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.state_forms import rest_from_text, rest_to_text
from services.state_redis_due import SETTLE_ONE, RedisDueList
from services.state_redis_lease import RedisBases
from services.state_redis_part import Part
from services.state_types import RecordState, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Lua: what stands as `rest` of a record, '' if it is not at rest: only where its last run got through (`status:equal`) and
# no other record is linked to its Beteiligter.
REST_OF = """
local function rest_of(espo_id, base, links, equal)
  local rest, betnr = redis.call('HGET', base, 'rest'), redis.call('ZSCORE', links, espo_id)
  if not rest or not betnr or string.match(rest, '^%d+') ~= betnr then return '' end
  if redis.call('SISMEMBER', equal, espo_id) == 0 or redis.call('ZCOUNT', links, betnr, betnr) ~= 1 then return '' end
  return rest
end
"""

WAITING_OF = (
    REST_OF
    + """
local function waiting_of(ids, bases)
  if #ids == 0 then return {ids, {}, {}, false} end
  local tokens, rests = redis.call('HMGET', KEYS[1], unpack(ids)), {}
  for i, espo_id in ipairs(ids) do
    tokens[i] = tokens[i] or ''
    rests[i] = rest_of(espo_id, bases .. espo_id, KEYS[2], KEYS[3])
  end
  return {ids, tokens, rests, redis.call('GET', KEYS[4])}
end
"""
)

# KEYS: due:tokens, links, status:equal, secret. ARGV: what the bases' keys begin with, the records.
WAITING = WAITING_OF + "return waiting_of({unpack(ARGV, 2)}, ARGV[1])"

# KEYS: those of WAITING, due:crowd, due:called, due:taken. ARGV: what the bases' keys begin with, how many records an event
# takes, seconds for which it is remembered who was taken along, the event's own records.
# `due:taken` holds the token of each record that an event took along: the event sent for that very ring leaves it out.
GATHER = (
    WAITING_OF
    + """
local ids, room = {}, tonumber(ARGV[2])
for i = 4, #ARGV do
  local token = redis.call('HGET', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[5], ARGV[i])
  if not token or redis.call('HGET', KEYS[7], ARGV[i]) ~= token then ids[#ids + 1] = ARGV[i] end
end
if redis.call('EXISTS', KEYS[6]) == 1 and redis.call('DECR', KEYS[6]) < 1 then redis.call('DEL', KEYS[6]) end
local along = {}
if room > #ids then along = redis.call('ZRANGE', KEYS[5], 0, room - #ids - 1) end
for _, espo_id in ipairs(along) do
  local token = redis.call('HGET', KEYS[1], espo_id)
  redis.call('ZREM', KEYS[5], espo_id)
  if token then
    redis.call('HSET', KEYS[7], espo_id, token)
    ids[#ids + 1] = espo_id
  end
end
if #along > 0 then redis.call('EXPIRE', KEYS[7], ARGV[3]) end
return waiting_of(ids, ARGV[1])
"""
)

CALL = Path(__file__).with_name("call.lua").read_text(encoding="utf-8")

CALLED_SECONDS = 10.0
"""How long an event may wait before another one is sent in its place (in gate/bell.ts as well)."""

TAKEN_SECONDS = 600

# KEYS: those of settle, links, status:equal, status, then base and lease of each record. ARGV: the time, then record, token,
# rest of each. The time goes into the status, whose text has one member "at".
SETTLE_RESTING = (
    SETTLE_ONE
    + REST_OF
    + """
local busy = {}
for i = 0, (#ARGV - 1) / 3 - 1 do
  local espo_id, token, rest = ARGV[3 * i + 2], ARGV[3 * i + 3], ARGV[3 * i + 4]
  local base, lease = KEYS[2 * i + 9], KEYS[2 * i + 10]
  if redis.call('EXISTS', lease) == 1 or rest_of(espo_id, base, KEYS[6], KEYS[7]) ~= rest then
    busy[#busy + 1] = espo_id
  else
    if token ~= '' then settle(espo_id, token) end
    local status = redis.call('HGET', KEYS[8], espo_id)
    if status then
      redis.call('HSET', KEYS[8], espo_id, (string.gsub(status, '"at":[^,}]*', '"at":' .. ARGV[1], 1)))
    end
  end
end
return busy
"""
)


class RedisRests(RedisBases, RedisDueList):
    """`waiting`, `call`, `gather` and `settle_resting` of `StateStore`."""

    @property
    def _equal_key(self) -> str:
        return self._key(f"status:{RecordState.EQUAL.value}")

    def _waiting_keys(self, *more: str) -> tuple[str, ...]:
        return (self._token_key, self._key("links"), self._equal_key, *map(self._key, ("secret", *more)))

    def waiting(self, keys: Sequence[str]) -> dict[str, Waiting]:
        """See `StateStore.waiting`."""
        return self._told(self._script(WAITING, self._waiting_keys(), (self._base_key(""), *keys))) if keys else {}

    def call(self, keys: Sequence[str], size: int) -> bool:
        """See `StateStore.call`."""
        names = (self._token_key, self._key("due:crowd"), self._key("due:called"))
        return bool(self._script(CALL, names, (size, int(CALLED_SECONDS * 1000), *keys)))

    def gather(self, keys: Sequence[str], size: int) -> dict[str, Waiting]:
        """See `StateStore.gather`."""
        names = self._waiting_keys("due:crowd", "due:called", "due:taken")
        return self._told(self._script(GATHER, names, (self._base_key(""), size, TAKEN_SECONDS, *keys)))

    def _told(self, answer: Sequence[Any]) -> dict[str, Waiting]:
        keys, tokens, rests, secret = answer
        if secret is not None:
            self._secret = secret.encode()
        return {key: Waiting(token, rest_from_text(rest)) for key, token, rest in zip(keys, tokens, rests, strict=True)}

    def settle_resting(self, seen: Mapping[str, Waiting], counts: Mapping[str, int] | None = None) -> list[str]:
        """See `StateStore.settle_resting`."""
        if not seen:
            return []
        records = [name for one in seen for name in (self._base_key(one), self._leases.lease_key(one))]
        names = (*self._settle_keys, self._key("links"), self._equal_key, self._key("status"), *records)
        told = [part for key, one in seen.items() for part in (key, one.token, rest_to_text(one.rest))]
        settled = Part(SETTLE_RESTING, names, (f"{self._clock():.6f}", *told))
        return list(self._scripts([settled, *self._counting(counts or {})])[0])
