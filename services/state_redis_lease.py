"""Leases and the base store in Redis: what must hold when workers pause, crash and overtake each other."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from services.errors import LeaseBusy, LeaseLost, RetryLater
from services.state_forms import base_from_json, base_to_json, rest_from_text, rest_to_text
from services.state_redis_part import Part, RedisPart
from services.state_types import LEASE_SECONDS, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from services.kommunikation_types import Base
    from services.state_seal import Seal
    from services.state_types import Rest

# A second asking with the same token takes the lease again: redis-py repeats a command whose answer was lost.
# The number is kept above the one stored with the base, in case the counter alone was lost.
ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  redis.call('HINCRBY', KEYS[6], 'lease_busy', 1)
  return {0}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local fence = redis.call('INCR', KEYS[2])
local stored = tonumber(redis.call('HGET', KEYS[3], 'fence') or '0')
if fence <= stored then
  fence = stored + 1
  redis.call('SET', KEYS[2], string.format('%d', fence))
end
local betnr = redis.call('ZSCORE', KEYS[4], ARGV[3])
local ids = betnr and redis.call('ZRANGEBYSCORE', KEYS[4], betnr, betnr) or {}
local base, rest = unpack(redis.call('HMGET', KEYS[3], 'base', 'rest'))
return {fence, base, betnr, ids, redis.call('GET', KEYS[5]), rest}
"""

RENEW = """
local held = {}
for i, key in ipairs(KEYS) do
  held[i] = 0
  if redis.call('GET', key) == ARGV[i + 1] then held[i] = redis.call('PEXPIRE', key, ARGV[1]) end
end
return held
"""

HELD = "return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0"

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

SAVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[2], 'fence') or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], 'fence', ARGV[2], 'base', ARGV[3])
redis.call('HDEL', KEYS[2], 'rest')
return 1
"""

NOTE_REST = """
if ARGV[1] == '' then redis.call('HDEL', KEYS[1], 'rest') else redis.call('HSET', KEYS[1], 'rest', ARGV[1]) end
"""


class Found(NamedTuple):
    """What was read when a lease was taken.

    The base as stored, the Beteiligter on record, all records of that one, and the key of the digests.
    """

    base: str | None
    betnr: int | None
    ids: tuple[str, ...]
    secret: str | None


class RedisLease(Lease):
    """A lease that Redis ends by itself when nobody renews it. The story is told in `Lease`."""

    def __init__(self, keeper: LeaseKeeper, espo_id: str, token: str, fence: int, until: float, *, found: Found) -> None:
        super().__init__(espo_id, token, fence)
        self.found = found
        self.until = until
        """Our own reckoning (monotonic seconds, taken before Redis was asked) of when it runs out at the earliest."""
        self._keeper = keeper

    def check(self) -> None:
        """Raise `LeaseLost` unless Redis still shows our token; renews the lease in the same round trip."""
        if time.monotonic() < self.until:
            self._keeper.renew([self])
        if time.monotonic() >= self.until:
            raise LeaseLost(f"The lease on record {self.espo_id} ran out.")

    def release(self) -> None:
        """Give the record free if it is still ours."""
        self.until = 0.0
        # What Redis does not hear of runs out; an error here would hide the outcome of the work.
        with contextlib.suppress(RetryLater):
            self._keeper.give_back(self)


class LeaseKeeper(RedisPart):
    """Renews all leases of the process from one daemon thread, which lives while there are any."""

    def __init__(self, client: redis.Redis, prefix: str, clock: Callable[[], float], seconds: float) -> None:
        super().__init__(client, prefix, clock)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: set[RedisLease] = set()
        self._thread: threading.Thread | None = None

    def lease_key(self, espo_id: str) -> str:
        """Give the key that holds the token of whoever has the record."""
        return self._key(f"lease:{espo_id}")

    def take(self, espo_id: str, base_key: str) -> RedisLease:
        """Take a lease and keep it renewed."""
        token = secrets.token_hex(16)
        until = time.monotonic() + self._seconds
        shared = (self._key(name) for name in ("links", "secret", "counters"))
        keys = (self.lease_key(espo_id), self._key("fence"), base_key, *shared)
        fence, *read = self._script(ACQUIRE, keys, (token, int(self._seconds * 1000), espo_id))
        if not fence:
            raise LeaseBusy(f"Another worker has record {espo_id}.")
        base, betnr, ids, secret, rest = read
        found = Found(base, None if betnr is None else int(betnr), tuple(ids), secret)
        lease = RedisLease(self, espo_id, token, fence, until, found=found)
        lease.rest = rest_from_text(rest)
        with self._lock:
            self._held.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_all, name="lease-keeper", daemon=True)
                self._thread.start()
        return lease

    def renew(self, leases: Sequence[RedisLease]) -> None:
        """Renew those that are still ours; of the others, end our own reckoning."""
        until = time.monotonic() + self._seconds
        arguments: list[int | str] = [int(self._seconds * 1000), *(lease.token for lease in leases)]
        answers = self._script(RENEW, [self.lease_key(lease.espo_id) for lease in leases], arguments)
        with self._lock:
            for lease, held in zip(leases, answers, strict=True):
                if not held:
                    lease.until = 0.0
                elif lease in self._held:
                    lease.until = max(lease.until, until)

    def give_back(self, lease: RedisLease) -> None:
        """Stop renewing and delete the lease if it is still ours."""
        self.let_go(lease)
        self._scripts([self.part(RELEASE, lease)])

    def let_go(self, lease: RedisLease) -> None:
        """Stop renewing."""
        with self._lock:
            self._held.discard(lease)
            lease.until = 0.0

    def part(self, lua: str, lease: Lease) -> Part:
        """A script about the lease, to be run with others."""
        return Part(lua, (self.lease_key(lease.espo_id),), (lease.token,))

    def _renew_all(self) -> None:
        pause = self._seconds / 3
        while True:
            time.sleep(pause)
            with self._lock:
                leases = [lease for lease in self._held if lease.until]
                if not leases:
                    self._thread = None
                    return
            try:
                self.renew(leases)
                pause = self._seconds / 3
            except RetryLater:
                pause = self._seconds / 12  # Redis is away: try more often, it may be back before they run out


class RedisBases(RedisPart):
    """Leases and bases of `StateStore`."""

    keeps_base = True
    tells = False
    _secret: bytes | None = None
    """Key of the digests, once it is known."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str = "komm:",
        *,
        clock: Callable[[], float] = time.time,
        lease_seconds: float = LEASE_SECONDS,
        seal: Seal | None = None,
        tells: bool = False,
    ) -> None:
        super().__init__(client, prefix, clock)
        self.tells = tells
        self.seal = seal or self.seal
        self._leases = LeaseKeeper(client, prefix, clock, lease_seconds)

    def _base_key(self, espo_id: str) -> str:
        return self._key(f"data:base:{espo_id}")

    def acquire(self, espo_id: str) -> Lease:
        """See `StateStore.acquire`."""
        lease = self._leases.take(espo_id, self._base_key(espo_id))
        if lease.found.secret is not None:
            self._secret = lease.found.secret.encode()
        return lease

    def load(self, espo_id: str, lease: Lease | None = None) -> Base | None:
        """See `StateStore.load`."""
        if isinstance(lease, RedisLease):
            text = lease.found.base
        else:
            text = self._ask(lambda client: client.hget(self._base_key(espo_id), "base"))
        if text is None:
            return None
        return base_from_json(self.seal.open(str(text), f"the base of record {espo_id}"), espo_id)

    def save(self, lease: Lease, base: Base) -> None:
        """See `StateStore.save`."""
        part = self._save_part(lease, base)
        if not self._scripts([part])[0]:
            raise _not_stored(lease)
        if isinstance(lease, RedisLease):
            # What `load` gives under this lease from now on: it was read when the lease was taken.
            lease.found = lease.found._replace(base=str(part.arguments[-1]))

    def _save_part(self, lease: Lease, base: Base) -> Part:
        keys = (self._leases.lease_key(lease.espo_id), self._base_key(lease.espo_id))
        return Part(SAVE, keys, (lease.token, lease.fence, self.seal.close(base_to_json(base))))

    def _finish(self, lease: Lease, base: Base | None, rest: Rest | None, parts: Sequence[Part]) -> list[Any]:
        """Run the parts and give the record free, in one step, if it is still ours; with base and rest, if there are.

        Gives the answers of the parts.
        """
        assert isinstance(lease, RedisLease)  # noqa: S101 - tells the type checker
        first = self._leases.part(HELD, lease) if base is None else self._save_part(lease, base)
        noted = Part(NOTE_REST, (self._base_key(lease.espo_id),), (rest_to_text(rest),))
        answers = self._scripts([first, noted, *parts, self._leases.part(RELEASE, lease)])
        if not answers[0]:
            raise _not_stored(lease)
        self._leases.let_go(lease)
        lease.given_back = True
        return answers[2:-1]

    def forget(self, espo_id: str) -> None:
        """See `StateStore.forget`."""
        self._ask(lambda client: client.delete(self._base_key(espo_id)))


def _not_stored(lease: Lease) -> LeaseLost:
    return LeaseLost(f"The lease on record {lease.espo_id} ran out; what it had to store was not stored.")
