"""What a person should see, in Redis: conflicts, held back values, notices, and the journal of writes.

An entry is kept as '<since>|<JSON>' (lists) or '<number>|<time>|<JSON>' (journal): the scripts need no more than the
part before the bar, and Lua's own JSON would turn an empty list into an object.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.state_forms import JOURNAL_ENTRIES, JOURNAL_SECONDS, from_json, list_id, oldest_first, split_numbers, to_json
from services.state_redis_part import Part, RedisPart
from services.state_types import ListKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS = tuple(ListKind)

# KEYS: the record's lists, then the number of entries per record, one hash for each kind. ARGV[1]: the record.
# A field 'seen|<list>|<id>' says that a person acknowledged the entry.
COUNT_UP = """
local numbers = {conflicts = 0, held_back = 0, notices = 0}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local kind = string.match(field, '^[^|]*')
  local seen = redis.call('HEXISTS', KEYS[1], 'seen|' .. field) == 1
  if numbers[kind] and not seen then numbers[kind] = numbers[kind] + 1 end
end
for i, kind in ipairs({'conflicts', 'held_back', 'notices'}) do
  if numbers[kind] > 0 then redis.call('HSET', KEYS[i + 1], ARGV[1], numbers[kind])
  else redis.call('HDEL', KEYS[i + 1], ARGV[1]) end
end
"""

# ARGV: record, now, kinds to be replaced ('held_back,notices,'), then field and JSON of each entry.
SET_LISTS = (
    """
local given = {}
for i = 4, #ARGV, 2 do
  local old = redis.call('HGET', KEYS[1], ARGV[i])
  local since = old and string.match(old, '^[^|]*') or ARGV[2]
  redis.call('HSET', KEYS[1], ARGV[i], since .. '|' .. ARGV[i + 1])
  given[ARGV[i]] = true
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local kind = string.match(field, '^[^|]*')
  if string.find(ARGV[3], kind .. ',', 1, true) and not given[field] then
    redis.call('HDEL', KEYS[1], field, 'seen|' .. field)
  end
end
"""
    + COUNT_UP
)

ACKNOWLEDGE = "local gone = redis.call('HDEL', KEYS[1], ARGV[2])\n" + COUNT_UP + "return gone\n"

SEEN = (
    """
local there = redis.call('HEXISTS', KEYS[1], ARGV[2])
if there == 1 then redis.call('HSET', KEYS[1], 'seen|' .. ARGV[2], ARGV[3]) end
"""
    + COUNT_UP
    + "return there\n"
)

TRIM = """
local before = redis.call('LLEN', KEYS[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
while true do
  local first = redis.call('LINDEX', KEYS[1], 0)
  if not first or tonumber(string.match(first, '^[^|]*|([^|]*)')) >= tonumber(ARGV[1]) then break end
  redis.call('LPOP', KEYS[1])
end
"""

# ARGV: oldest time kept, number kept, now, seconds to keep, then the JSON of each entry.
JOURNAL = (
    """
for i = 5, #ARGV do
  redis.call('RPUSH', KEYS[1], redis.call('INCR', KEYS[2]) .. '|' .. ARGV[3] .. '|' .. ARGV[i])
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""
    + TRIM
)

CLEANUP = TRIM + "return before - redis.call('LLEN', KEYS[1])\n"


class RedisLists(RedisPart):
    """Lists and journal of `StateStore`."""

    def _lists_key(self, espo_id: str) -> str:
        return self._key(f"data:lists:{espo_id}")

    def _count_key(self, kind: ListKind) -> str:
        return self._key(f"lists:{kind.value}")

    def _list_keys(self, espo_id: str) -> tuple[str, ...]:
        return (self._lists_key(espo_id), *(self._count_key(kind) for kind in KINDS))

    def set_lists(
        self,
        espo_id: str,
        *,
        conflicts: Sequence[Mapping[str, Any]] | None = None,
        held_back: Sequence[Mapping[str, Any]] | None = None,
        notices: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """See `StateStore.set_lists`."""
        if part := self._lists_part(espo_id, conflicts, held_back, notices):
            self._scripts([part])

    def _lists_part(
        self,
        espo_id: str,
        conflicts: Sequence[Mapping[str, Any]] | None,
        held_back: Sequence[Mapping[str, Any]] | None,
        notices: Sequence[Mapping[str, Any]] | None,
    ) -> Part | None:
        given = {ListKind.CONFLICTS: conflicts, ListKind.HELD_BACK: held_back, ListKind.NOTICES: notices}
        replaced = "".join(
            f"{kind.value}," for kind, entries in given.items() if entries is not None and kind is not ListKind.CONFLICTS
        )
        fields = [
            part
            for kind, entries in given.items()
            for entry in entries or ()
            for part in (f"{kind.value}|{list_id(entry)}", self.seal.close(to_json(entry)))
        ]
        if not (replaced or fields):
            return None
        return Part(SET_LISTS, self._list_keys(espo_id), (espo_id, f"{self._clock():.6f}", replaced, *fields))

    def lists(self, espo_id: str) -> dict[str, list[dict[str, Any]]]:
        """See `StateStore.lists`."""
        what = f"a list of record {espo_id}"
        found: dict[str, list[tuple[float, str, str]]] = {kind.value: [] for kind in KINDS}
        held = self._ask(lambda client: client.hgetall(self._lists_key(espo_id)))
        for field, stored in held.items():
            kind, _, entry_id = field.partition("|")
            if kind in found:
                (since,), text = split_numbers(stored, 1, what)
                found[kind].append((since, entry_id, self.seal.open(text, what)))
        return {
            kind: [
                {**entry, **({"seen": True} if f"seen|{kind}|{entry['id']}" in held else {})}
                for entry in oldest_first(entries, what)
            ]
            for kind, entries in found.items()
        }

    def listed(self, kind: ListKind) -> dict[str, int]:
        """See `StateStore.listed`."""
        numbers = self._ask(lambda client: client.hgetall(self._count_key(kind)))
        return {espo_id: int(number) for espo_id, number in numbers.items()}

    def list_counts(self) -> dict[str, int]:
        """See `StateStore.list_counts`."""
        answers = self._all(lambda pipe: [pipe.hvals(self._count_key(kind)) for kind in KINDS])
        counts = {}
        for kind, numbers in zip(KINDS, answers, strict=True):
            counts[kind.value] = sum(map(int, numbers))
            counts[f"{kind.value}_records"] = len(numbers)
        return counts

    def acknowledge(self, espo_id: str, conflict_id: str, kind: ListKind = ListKind.CONFLICTS) -> bool:
        """See `StateStore.acknowledge`."""
        script = ACKNOWLEDGE if kind is ListKind.CONFLICTS else SEEN
        arguments = (espo_id, f"{kind.value}|{conflict_id}", f"{self._clock():.6f}")
        return bool(self._script(script, self._list_keys(espo_id), arguments))

    def _journal_key(self, espo_id: str) -> str:
        return self._key(f"data:journal:{espo_id}")

    def journal(self, espo_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """See `StateStore.journal`."""
        if entries:
            self._scripts([self._journal_part(espo_id, entries)])

    def _journal_part(self, espo_id: str, entries: Sequence[Mapping[str, Any]]) -> Part:
        now = self._clock()
        limits = (f"{now - JOURNAL_SECONDS:.6f}", JOURNAL_ENTRIES, f"{now:.6f}", JOURNAL_SECONDS)
        keys = (self._journal_key(espo_id), self._key("journal:number"))
        return Part(JOURNAL, keys, (*limits, *(self.seal.close(to_json(entry)) for entry in entries)))

    def journal_of(self, espo_id: str, limit: int) -> list[dict[str, Any]]:
        """See `StateStore.journal_of`."""
        if limit <= 0:
            return []
        what = f"the journal of record {espo_id}"
        found = []
        for stored in self._ask(lambda client: client.lrange(self._journal_key(espo_id), -limit, -1)):
            (number, at), text = split_numbers(stored, 2, what)
            found.append({**from_json(self.seal.open(text, what), what), "n": int(number), "at": at})
        return found[::-1]

    def cleanup(self) -> int:
        """See `StateStore.cleanup`. Journals nobody wrote to for the whole retention vanish by themselves."""
        limits = (f"{self._clock() - JOURNAL_SECONDS:.6f}", JOURNAL_ENTRIES)
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._journal_key("")) + "*"
        keys = self._ask(lambda client: list(client.scan_iter(match=pattern, count=1000)))
        return sum(int(self._script(CLEANUP, (key,), limits)) for key in keys)
