"""Records at rest in Redis: asked about and settled without a lease, a whole batch in one round trip each."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

# KEYS: due:tokens, links, status:equal, secret, then the bases. ARGV: the records.
WAITING = (
    REST_OF
    + """
local tokens, rests = redis.call('HMGET', KEYS[1], unpack(ARGV)), {}
for i, espo_id in ipairs(ARGV) do
  tokens[i] = tokens[i] or ''
  rests[i] = rest_of(espo_id, KEYS[4 + i], KEYS[2], KEYS[3])
end
return {tokens, rests, redis.call('GET', KEYS[4])}
"""
)

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
    """`waiting` and `settle_resting` of `StateStore`."""

    @property
    def _equal_key(self) -> str:
        return self._key(f"status:{RecordState.EQUAL.value}")

    def waiting(self, keys: Sequence[str]) -> dict[str, Waiting]:
        """See `StateStore.waiting`."""
        if not keys:
            return {}
        names = (self._token_key, self._key("links"), self._equal_key, self._key("secret"), *map(self._base_key, keys))
        tokens, rests, secret = self._script(WAITING, names, keys)
        if secret is not None:
            self._secret = secret.encode()
        return {key: Waiting(token, rest_from_text(rest)) for key, token, rest in zip(keys, tokens, rests, strict=True)}

    def settle_resting(self, seen: Mapping[str, Waiting], counts: Mapping[str, int]) -> list[str]:
        """See `StateStore.settle_resting`."""
        if not seen:
            return []
        records = [name for one in seen for name in (self._base_key(one), self._leases.lease_key(one))]
        names = (*self._settle_keys, self._key("links"), self._equal_key, self._key("status"), *records)
        told = [part for key, one in seen.items() for part in (key, one.token, rest_to_text(one.rest))]
        parts = [Part(SETTLE_RESTING, names, (f"{self._clock():.6f}", *told)), *self._counting(counts)]
        return list(self._scripts(parts)[0])
