"""The store in Redis 7 or Valkey. All that is kept there, with `komm:` as prefix:

| key | what |
|---|---|
| `lease:<espo id>` | token of the worker that has the record; runs out by itself |
| `fence` | counter of leases |
| `data:base:<espo id>` | hash: `base` (JSON), `fence` of the worker that stored it, `rest` (`<betnr>|<values>|<digest>`) |
| `data:lists:<espo id>` | hash: `<list>|<id>` -> `<since>|<JSON>` |
| `data:journal:<espo id>` | list of `<number>|<time>|<JSON>`, 1,000 entries, 90 days |
| `journal:number` | counter of journal entries |
| `lists:conflicts` `lists:held_back` `lists:notices` | hash: espo id -> number of entries |
| `links` | sorted set: espo id by betNr |
| `links:walked` | last pair `next_links` gave out |
| `due` | sorted set: key by due time |
| `due:tokens` `due:attempts` `due:causes` `due:parked` `due:rings` | what goes with it |
| `told:<espo id>` | hash: digest of a cause -> the notice in EspoCRM (kind, id, topic) |
| `told` | hash: espo id -> digest of what is open, to see a change |
| `due:crowd` `due:called` `due:taken` | keys no event took along yet; events yet to begin; token of whom one took along |
| `status`, `status:<state>` | hash: espo id -> JSON; set of the espo ids in that state |
| `withheld` | set of the espo ids whose removals wait for a release |
| `counters` `marks` `slots:<betnr>` `slots:reports` | as their methods say |
| `series` | hash: hour -> counters then, for plots |
| `page:...` | sessions and refused logins of the control page (page/doors.py) |
| `token:<digest>` | access token of Advoware; runs out with it |
| `secret` | key of the digests, made once |

**Client data stands under `data:` only.** Redis should keep an append-only file; if it loses everything all the same,
nothing is deleted, doubled or overwritten because of it: without a base there is no deletion.
"""  # noqa: D415 - the line leads to the table

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from services.errors import ServerError, Unconfigured
from services.lean_redis import ExponentialWithJitterBackoff, Retry, redis
from services.state_forms import (
    GONE_SECONDS,
    TELL_SECONDS,
    from_json,
    keyed_digest,
    notice_key,
    status_from_json,
    status_to_json,
    to_json,
    what_is_open,
)
from services.state_redis_lease import RedisLease
from services.state_redis_lists import RedisLists
from services.state_redis_part import Part
from services.state_redis_rest import RedisRests
from services.state_redis_series import RedisSeries
from services.state_redis_told import NEWS, RedisTold
from services.state_types import ListKind, RecordState, RecordStatus
from services.token_cache import RedisTokenCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.state_types import Lease, RunEnd
    from services.token_cache import TokenCache

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""Time limits for reaching Redis and for each of its answers."""

# The pair given out last may have been removed or linked anew since: then go on behind all smaller betNr.
NEXT_LINKS = """
local total = redis.call('ZCARD', KEYS[1])
local count = math.min(tonumber(ARGV[1]), total)
if count <= 0 then return {} end
local betnr, espo_id = unpack(redis.call('HMGET', KEYS[2], 'betnr', 'espo_id'))
local start = 0
if betnr and redis.call('ZSCORE', KEYS[1], espo_id) == betnr then
  start = redis.call('ZRANK', KEYS[1], espo_id) + 1
elseif betnr then
  start = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. betnr)
end
local pairs_ = {}
local function take(from, number)
  if number <= 0 then return end
  for _, part in ipairs(redis.call('ZRANGE', KEYS[1], from, from + number - 1, 'WITHSCORES')) do
    pairs_[#pairs_ + 1] = part
  end
end
take(start, count)
take(0, count - #pairs_ / 2)
redis.call('HSET', KEYS[2], 'espo_id', pairs_[#pairs_ - 1], 'betnr', pairs_[#pairs_])
return pairs_
"""

# KEYS: the statuses, the records with withheld removals, the set of the record's state, the sets of the others.
# ARGV: the record, its status, 'SADD' or 'SREM' where the run knows whether removals are withheld, else ''.
SET_STATUS = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then redis.call(ARGV[3], KEYS[2], ARGV[1]) end
redis.call('SADD', KEYS[3], ARGV[1])
for i = 4, #KEYS do redis.call('SREM', KEYS[i], ARGV[1]) end
"""

SLOT_SINCE = """
local empty = {}
for i = 2, #ARGV do
  empty[ARGV[i]] = true
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[1])
end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not empty[id] then redis.call('HDEL', KEYS[1], id) end
end
return redis.call('HGETALL', KEYS[1])
"""


class RedisState(RedisRests, RedisTold, RedisLists, RedisSeries):
    """A `StateStore` in Redis, shared by all workers. `client` decodes answers; `connect` makes a fitting one."""

    @classmethod
    def connect(cls, url: str, **options: Any) -> Self:
        """Make a store for the Redis at this address (`REDIS_URL`); `options` as for the class. Asks nothing yet."""
        try:
            client = redis.Redis.from_url(
                url,
                decode_responses=True,
                # A step's process asks a handful of questions: no four before them to say who it is, and that it would
                # like to hear of maintenance.
                protocol=2,
                driver_info=None,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                # Only for connections that broke (Redis was restarted). A Redis that hangs would hang every time, and
                # redis-py's ten repetitions outlast the minute a step has.
                retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 3, (redis.ConnectionError,)),
            )
        except ValueError:
            client = None
        if client is None:
            raise Unconfigured("REDIS_URL is not an address of a Redis (redis://host:port/db).", system="Redis")
        return cls(client, **options)

    def erase(self, espo_id: str, betnr: int | None = None) -> None:
        """See `StateStore.erase`."""
        self._drop_record(espo_id)
        self._all(
            lambda pipe: (
                pipe.delete(self._key(f"data:journal:{espo_id}"), self._key(f"slots:{betnr}")),
                pipe.zrem(self._key("links"), espo_id),
                pipe.hdel(self._key("slots:reports"), str(betnr)),
            )
        )
        for key, token in self.due_token([espo_id, f"betnr:{betnr}", notice_key(espo_id)]).items():
            self.settle(key, token)
        with suppress(ServerError):  # one is under way already, or a rented Redis forbids it
            self._ask(lambda client: client.bgrewriteaof())  # the append-only file holds the values until then

    def register_link(self, espo_id: str, betnr: int | None, lease: Lease | None = None) -> tuple[str, ...]:
        """See `StateStore.register_link`."""
        if isinstance(lease, RedisLease) and betnr is not None and lease.found.betnr == betnr:
            return lease.found.ids
        links = self._key("links")
        if betnr is None:
            self._ask(lambda client: client.zrem(links, espo_id))
            return ()
        answers = self._all(
            lambda pipe: (pipe.zadd(links, {espo_id: betnr}), pipe.zrange(links, betnr, betnr, byscore=True))
        )
        return tuple(answers[1])

    def register_links(self, rows: Iterable[tuple[str, int | None]]) -> None:
        """See `StateStore.register_links`."""
        latest = dict(rows)
        linked = {espo_id: betnr for espo_id, betnr in latest.items() if betnr is not None}
        unlinked = [espo_id for espo_id in latest if espo_id not in linked]
        links = self._key("links")
        if latest:
            self._all(
                lambda pipe: (
                    pipe.zadd(links, linked) if linked else None,
                    pipe.zrem(links, *unlinked) if unlinked else None,
                )
            )

    def espo_ids(self, betnrs: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See `StateStore.espo_ids`."""
        links = self._key("links")
        answers = self._all(lambda pipe: [pipe.zrange(links, betnr, betnr, byscore=True) for betnr in betnrs])
        return {betnr: tuple(ids) for betnr, ids in zip(betnrs, answers, strict=True)}

    def next_links(self, count: int) -> list[tuple[str, int]]:
        """See `StateStore.next_links`."""
        parts = self._script(NEXT_LINKS, (self._key("links"), self._key("links:walked")), (count,))
        return [(espo_id, int(betnr)) for espo_id, betnr in zip(parts[::2], parts[1::2], strict=True)]

    def link_count(self) -> int:
        """See `StateStore.link_count`."""
        return int(self._ask(lambda client: client.zcard(self._key("links"))))

    def set_status(self, espo_id: str, status: RecordStatus, counts: Mapping[str, int] | None = None) -> None:
        """See `StateStore.set_status`."""
        parts = [self._status_part(espo_id, status), *self._counting(counts or {})]
        if self.tells and status.state is RecordState.PARKED:
            parts.append(self._tell_part(espo_id, self._digest_of(what_is_open(status))))
        self._scripts(parts)

    def _status_part(self, espo_id: str, status: RecordStatus) -> Part:
        states = (status.state, *(state for state in RecordState if state is not status.state))
        names = ("status", "withheld", *(f"status:{state.value}" for state in states))
        withheld = {None: "", 0: "SREM"}.get(status.counts.get("withheld"), "SADD")
        keys = [self._key(name) for name in names]
        return Part(SET_STATUS, keys, (espo_id, status_to_json(status, self._clock()), withheld))

    def finish(self, lease: Lease, end: RunEnd) -> bool:
        """See `StateStore.finish`."""
        espo_id = lease.espo_id
        parts = [self._status_part(espo_id, end.status)]
        if lists := self._lists_part(espo_id, end.conflicts, end.held_back, end.notices):
            parts.append(lists)
        if end.journal:
            parts.append(self._journal_part(espo_id, end.journal))
        parts += self._counting(end.counts)
        if self.tells:
            digest = self._digest_of(what_is_open(end.status, end.conflicts, end.held_back, end.notices))
            parts.append(self._tell_part(espo_id, digest, wrote=bool(end.journal), delay=TELL_SECONDS))
        return self._finish(lease, end.base, end.rest, parts)[-1:] == [NEWS] and self.tells

    def acknowledge(self, espo_id: str, conflict_id: str, kind: ListKind = ListKind.CONFLICTS) -> bool:
        """See `StateStore.acknowledge`."""
        there = super().acknowledge(espo_id, conflict_id, kind)
        if there:
            self.tell([espo_id])
        return there

    def status(self, espo_id: str) -> RecordStatus | None:
        """See `StateStore.status`."""
        text = self._ask(lambda client: client.hget(self._key("status"), espo_id))
        return None if text is None else status_from_json(str(text), espo_id)

    def cleanup(self) -> int:
        """See `StateStore.cleanup`."""
        linked = set(self._ask(lambda client: client.zrange(self._key("links"), 0, -1)))
        oldest = self._clock() - GONE_SECONDS
        statuses = self._ask(lambda client: list(client.hscan_iter(self._key("status"), count=1000)))
        for espo_id, text in statuses:
            if espo_id not in linked and status_from_json(text, espo_id).at < oldest:
                self._drop_record(espo_id)
        return super().cleanup()

    def _drop_record(self, espo_id: str) -> None:
        self._forget_told(espo_id)
        indexes = ["withheld", *(f"status:{state.value}" for state in RecordState)]
        numbers = [f"lists:{kind.value}" for kind in ListKind]
        self._all(
            lambda pipe: (
                pipe.delete(self._key(f"data:base:{espo_id}"), self._key(f"data:lists:{espo_id}")),
                *(pipe.srem(self._key(name), espo_id) for name in indexes),
                *(pipe.hdel(self._key(name), espo_id) for name in (*numbers, "status")),
            )
        )

    def statuses(self) -> dict[str, RecordStatus]:
        """See `StateStore.statuses`."""
        held = self._ask(lambda client: dict(client.hscan_iter(self._key("status"), count=1000)))
        return {espo_id: status_from_json(text, espo_id) for espo_id, text in held.items()}

    def status_counts(self) -> dict[str, int]:
        """See `StateStore.status_counts`."""
        numbers = self._all(lambda pipe: [pipe.scard(self._key(f"status:{state.value}")) for state in RecordState])
        return {state.value: int(number) for state, number in zip(RecordState, numbers, strict=True)}

    def count(self, **increments: int) -> None:
        """See `StateStore.count`."""
        if increments:
            self._scripts(self._counting(increments))

    def counters(self) -> dict[str, int]:
        """See `StateStore.counters`."""
        numbers = self._ask(lambda client: client.hgetall(self._key("counters")))
        return {name: int(number) for name, number in numbers.items()}

    def get_mark(self, name: str) -> str | None:
        """See `StateStore.get_mark`."""
        value: str | None = self._ask(lambda client: client.hget(self._key("marks"), name))
        return value

    def set_mark(self, name: str, value: str | None) -> None:
        """See `StateStore.set_mark`."""
        key = self._key("marks")
        if value is None:
            self._ask(lambda client: client.hdel(key, name))
        else:
            self._ask(lambda client: client.hset(key, name, value))

    def note(self, mark: str, value: str, counts: Mapping[str, int]) -> None:
        """See `StateStore.note`."""
        set_mark = Part("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])", (self._key("marks"),), (mark, value))
        self._scripts([set_mark, *self._counting(counts)])

    def slot_since(self, betnr: int, empty_ids: Iterable[int]) -> dict[int, float]:
        """See `StateStore.slot_since`."""
        parts = self._script(SLOT_SINCE, (self._key(f"slots:{betnr}"),), (f"{self._clock():.6f}", *empty_ids))
        return {int(entry_id): float(since) for entry_id, since in zip(parts[::2], parts[1::2], strict=True)}

    def set_slot_report(self, betnr: int, report: Mapping[str, Any] | None) -> None:
        """See `StateStore.set_slot_report`."""
        key = self._key("slots:reports")
        if report is None:
            self._ask(lambda client: client.hdel(key, str(betnr)))
        else:
            self._ask(lambda client: client.hset(key, str(betnr), to_json(report)))

    def slot_reports(self) -> dict[int, dict[str, Any]]:
        """See `StateStore.slot_reports`."""
        held = self._ask(lambda client: client.hgetall(self._key("slots:reports")))
        return {
            betnr: from_json(text, f"the slot report of Beteiligter {betnr}")
            for betnr, text in sorted((int(betnr), text) for betnr, text in held.items())
        }

    def ping(self) -> None:
        """See `StateStore.ping`."""
        self._ask(lambda client: client.ping())

    def server_facts(self) -> dict[str, Any]:
        """What the server tells of itself: `INFO`, and of `CONFIG` what is not forbidden."""
        facts: dict[str, Any] = dict(self._ask(lambda client: client.info()))
        for name in ("appendfsync", "slowlog-log-slower-than"):
            try:
                facts |= self._ask(partial(redis.Redis.config_get, pattern=name))
            except ServerError:
                break  # a rented Redis may forbid it
        return facts

    def token_cache(self) -> TokenCache:
        """See `StateStore.token_cache`."""
        return RedisTokenCache(self._redis, self._key("token:"))

    def _digest_of(self, text: str) -> str:
        return self.digest(text) if text else ""

    def digest(self, text: str) -> str:
        """See `StateStore.digest`."""
        if self._secret is None:
            fresh = secrets.token_hex(32)
            stored = self._ask(lambda client: client.set(self._key("secret"), fresh, nx=True, get=True))
            self._secret = str(stored or fresh).encode()
        return keyed_digest(self._secret, text)

    def close(self) -> None:
        """See `StateStore.close`."""
        self._redis.close()
