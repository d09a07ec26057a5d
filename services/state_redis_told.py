"""What staff have been told in EspoCRM, in Redis, and when there may be something new to tell them.

No client data: keys are keyed digests, values are ids of EspoCRM.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.state_forms import notice_key
from services.state_redis_due import RING, RedisDueList
from services.state_redis_part import Part

if TYPE_CHECKING:
    from collections.abc import Sequence


# KEYS: what is open, by record; what the record's staff were told; then as in RING. ARGV: the record, the digest of what is
# open, 1 where the run wrote something, when to tell, the key to ring. A write may be a person's answer to what was told.
TELL = f"""
local function ring(KEYS, ARGV)
{RING}
end
local wrote = ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 1
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') == ARGV[2] and not wrote then return 1 end
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
ring({{KEYS[3], KEYS[4], KEYS[5], KEYS[6]}}, {{ARGV[4], ARGV[5]}})
return 2
"""
NEWS = 2
"""What `TELL` gives where something is new."""

UNKNOWN = "?"
"""Stands for what is open where something changed outside of a run: the next run finds it different, and tells again."""


class RedisTold(RedisDueList):
    """What `StateStore` keeps about notices."""

    tells = False
    """Whether staff are told anything; set once by `RedisState`."""

    def _told_key(self, espo_id: str) -> str:
        return self._key(f"told:{espo_id}")

    @property
    def _open_key(self) -> str:
        return self._key("told")

    def _tell_part(self, espo_id: str, digest: str, *, wrote: bool = False, delay: float = 0.0) -> Part:
        """Makes the record's notices due where what is open has changed: a part of the script that ends a run.

        `digest`: of what is open, '' for nothing; `wrote`: whether the run wrote something.
        """
        keys = (self._open_key, self._told_key(espo_id), self._due_key, self._token_key, self._parked_key)
        when = f"{self._clock() + delay:.6f}"
        return Part(TELL, (*keys, self._key("due:rings")), (espo_id, digest, int(wrote), when, notice_key(espo_id)))

    def tell(self, espo_ids: Sequence[str]) -> None:
        """See `StateStore.tell`."""
        if self.tells and espo_ids:
            self._ask(lambda client: client.hset(self._open_key, mapping=dict.fromkeys(espo_ids, UNKNOWN)))
            self.ring([notice_key(espo_id) for espo_id in espo_ids])

    def told(self, espo_id: str) -> dict[str, str]:
        """See `StateStore.told`."""
        return dict(self._ask(lambda client: client.hgetall(self._told_key(espo_id))))

    def set_told(self, espo_id: str, cause: str, notice: str | None) -> None:
        """See `StateStore.set_told`."""
        key = self._told_key(espo_id)
        if notice is None:
            self._ask(lambda client: client.hdel(key, cause))
        else:
            self._ask(lambda client: client.hset(key, cause, notice))

    def told_records(self) -> list[str]:
        """See `StateStore.told_records`."""
        start = self._told_key("")
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", start) + "*"
        keys = self._ask(lambda client: list(client.scan_iter(match=pattern, count=1000)))
        return sorted({key.removeprefix(start) for key in keys})

    def _forget_told(self, espo_id: str) -> None:
        self._all(
            lambda pipe: (pipe.delete(self._told_key(espo_id)), pipe.hdel(self._open_key, espo_id)),
        )
