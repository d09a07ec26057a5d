"""When `reconcile` was here last, and what the counters said each hour: one round trip a tick, for the page's plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.state_redis_part import Part, RedisPart
from services.state_types import HOUR, SERIES_HOURS, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

# KEYS: series, counters, marks. ARGV: now, 1 if the tick got through, hour, hours to keep. A sample is written again until
# its hour is over.
NOTE_TICK = """
redis.call('HSET', KEYS[3], 'ticked', string.format('%d', ARGV[1]))
if ARGV[2] == '0' then return end
local out, into = unpack(redis.call('HMGET', KEYS[2], 'values_to_espocrm', 'values_to_advoware'))
local slots = redis.call('HGET', KEYS[3], 'slots')
redis.call('HSET', KEYS[3], 'tick', ARGV[1])
redis.call('HSET', KEYS[1], ARGV[3], (out or 0) .. '|' .. (into or 0) .. '|' .. (slots or ''))
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  for _, hour in ipairs(redis.call('HKEYS', KEYS[1])) do
    if tonumber(hour) <= tonumber(ARGV[3]) - tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], hour) end
  end
end
"""


class RedisSeries(RedisPart):
    """Ticks and samples of `StateStore`."""

    def note_tick(self, counts: Mapping[str, int], *, through: bool) -> None:
        """See `StateStore.note_tick`."""
        now = self._clock()
        keys = (self._key("series"), self._key("counters"), self._key("marks"))
        noted = Part(NOTE_TICK, keys, (f"{now:.6f}", int(through), int(now // HOUR), SERIES_HOURS))
        self._scripts([noted, *self._counting(counts)])

    def last_tick(self) -> float | None:
        """See `StateStore.last_tick`."""
        at = self._ask(lambda client: client.hget(self._key("marks"), "tick"))
        return None if at is None else float(at)

    def samples(self) -> list[Sample]:
        """See `StateStore.samples`."""
        held = self._ask(lambda client: client.hgetall(self._key("series")))
        oldest = int(self._clock() // HOUR) - SERIES_HOURS
        found = []
        for hour, text in held.items():
            out, into, slots = text.split("|")
            if int(hour) > oldest:
                found.append(Sample(int(hour) * HOUR, int(out), int(into), int(slots) if slots else None))
        return sorted(found, key=lambda sample: sample.at)
