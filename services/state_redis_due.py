"""The due list in Redis: a sorted set by time, with tokens, failures and causes beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from services.state_forms import PARK_SECONDS, PAUSE_SECONDS, RETRY_SECONDS
from services.state_redis_part import RedisPart
from services.state_types import DueEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RING = Path(__file__).with_name("ring.lua").read_text(encoding="utf-8")

DUE = """
local keys = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, key in ipairs(keys) do
  redis.call('ZADD', KEYS[1], ARGV[3], key)
  redis.call('SREM', KEYS[2], key)
end
return keys
"""

# No token means that nobody rang: another worker has settled it, or it got here by a failure.
SETTLE_ONE = """
local function settle(key, token)
  local current = redis.call('HGET', KEYS[2], key) or ''
  if current == '' and token ~= '' then return 1 end
  redis.call('SREM', KEYS[3], key)
  redis.call('HDEL', KEYS[4], key)
  redis.call('HDEL', KEYS[5], key)
  if current == token then
    redis.call('ZREM', KEYS[1], key)
    redis.call('HDEL', KEYS[2], key)
    return 1
  end
  local wanted = string.match(current, ':(.*)$')
  local at = redis.call('ZSCORE', KEYS[1], key)
  if not at or tonumber(wanted) < tonumber(at) then redis.call('ZADD', KEYS[1], wanted, key) end
  return 0
end
"""
"""Lua: `settle(key, token)`. KEYS[1] to KEYS[5]: `RedisDueList._settle_keys`."""

SETTLE = (
    SETTLE_ONE
    + """
local settled = 1
for i = 1, #ARGV, 2 do settled = math.min(settled, settle(ARGV[i], ARGV[i + 1])) end
return settled
"""
)

POSTPONE = """
local key, now, cause, counts = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local parked = redis.call('SISMEMBER', KEYS[2], key)
local attempts = tonumber(redis.call('HGET', KEYS[3], key) or '0')
if counts == '1' then
  attempts = redis.call('HINCRBY', KEYS[3], key, 1)
  local wait = ARGV[6 + attempts]
  redis.call(wait and 'SREM' or 'SADD', KEYS[2], key)
  redis.call('ZADD', KEYS[1], string.format('%.6f', now + tonumber(wait or ARGV[5])), key)
  redis.call('HSET', KEYS[4], key, cause)
  parked = wait and 0 or 1
elseif parked == 0 then
  redis.call('ZADD', KEYS[1], string.format('%.6f', now + tonumber(ARGV[6])), key)
  redis.call('HSET', KEYS[4], key, cause)
end
return {redis.call('ZSCORE', KEYS[1], key), attempts, redis.call('HGET', KEYS[4], key) or '', parked}
"""


class RedisDueList(RedisPart):
    """The due list of `StateStore`."""

    @property
    def _due_key(self) -> str:
        return self._key("due")

    @property
    def _token_key(self) -> str:
        return self._key("due:tokens")

    @property
    def _parked_key(self) -> str:
        return self._key("due:parked")

    @property
    def _attempts_key(self) -> str:
        return self._key("due:attempts")

    @property
    def _cause_key(self) -> str:
        return self._key("due:causes")

    def ring(self, keys: Sequence[str], *, delay: float = 0.0) -> None:
        """See `StateStore.ring`."""
        if keys:
            names = (self._due_key, self._token_key, self._parked_key, self._key("due:rings"))
            self._script(RING, names, (f"{self._clock() + delay:.6f}", *keys))

    def due(self, limit: int, *, now: float | None = None, hide: float = 120.0) -> list[str]:
        """See `StateStore.due`."""
        now = self._clock() if now is None else now
        arguments = (f"{now:.6f}", max(0, limit), f"{now + hide:.6f}")
        return list(self._script(DUE, (self._due_key, self._parked_key), arguments))

    def due_token(self, keys: Sequence[str]) -> dict[str, str]:
        """See `StateStore.due_token`."""
        tokens = self._ask(lambda client: client.hmget(self._token_key, list(keys))) if keys else []
        return {key: token or "" for key, token in zip(keys, tokens, strict=True)}

    @property
    def _settle_keys(self) -> tuple[str, ...]:
        return (self._due_key, self._token_key, self._parked_key, self._attempts_key, self._cause_key)

    def settle(self, key: str, token: str) -> bool:
        """See `StateStore.settle`."""
        return self._settle((key, token))

    def settle_all(self, tokens: Mapping[str, str]) -> None:
        """See `StateStore.settle_all`."""
        if tokens:
            self._settle([part for pair in tokens.items() for part in pair])

    def _settle(self, pairs: Sequence[str]) -> bool:
        return bool(self._script(SETTLE, self._settle_keys, pairs))

    def postpone(self, key: str, cause: str, *, counts: bool) -> DueEntry:
        """See `StateStore.postpone`."""
        names = (self._due_key, self._parked_key, self._attempts_key, self._cause_key)
        arguments = (key, f"{self._clock():.6f}", cause, int(counts), PARK_SECONDS, PAUSE_SECONDS, *RETRY_SECONDS)
        due_at, attempts, stored_cause, parked = self._script(POSTPONE, names, arguments)
        return DueEntry(key, float(due_at), int(attempts), stored_cause, bool(parked))

    def park(self, key: str, cause: str) -> None:
        """See `StateStore.park`."""
        due_at = self._clock() + PARK_SECONDS
        self._all(
            lambda pipe: (
                pipe.zadd(self._due_key, {key: due_at}),
                pipe.sadd(self._parked_key, key),
                pipe.hset(self._cause_key, key, cause),
            )
        )

    def release(self, key: str) -> None:
        """See `StateStore.release`."""
        now = self._clock()
        self._all(
            lambda pipe: (
                pipe.zadd(self._due_key, {key: now}, xx=True),
                pipe.srem(self._parked_key, key),
                pipe.hdel(self._attempts_key, key),
            )
        )

    def parked(self) -> list[DueEntry]:
        """See `StateStore.parked`."""
        keys = sorted(self._ask(lambda client: client.smembers(self._parked_key)))
        return sorted(self._entries(keys), key=lambda entry: (entry.due_at, entry.key))

    def due_entries(self, limit: int) -> list[DueEntry]:
        """See `StateStore.due_entries`."""
        if limit <= 0:
            return []
        return self._entries(self._ask(lambda client: client.zrange(self._due_key, 0, limit - 1)))

    def _entries(self, keys: list[str]) -> list[DueEntry]:
        if not keys:
            return []
        rows = self._all(
            lambda pipe: (
                pipe.zmscore(self._due_key, keys),
                pipe.hmget(self._attempts_key, keys),
                pipe.hmget(self._cause_key, keys),
                pipe.smismember(self._parked_key, keys),
            )
        )
        return [
            DueEntry(key, float(due_at), int(attempts or 0), cause or "", bool(parked))
            for key, due_at, attempts, cause, parked in zip(keys, *rows, strict=True)
            if due_at is not None  # settled since the keys were read
        ]

    def due_entry(self, key: str) -> DueEntry | None:
        """See `StateStore.due_entry`."""
        return next(iter(self._entries([key])), None)

    def due_count(self) -> int:
        """See `StateStore.due_count`."""
        total, parked, failed = self._all(
            lambda pipe: (
                pipe.zcard(self._due_key),
                pipe.smembers(self._parked_key),
                pipe.hkeys(self._attempts_key),
            )
        )
        return int(total) - len(parked | set(failed))
