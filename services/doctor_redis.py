"""Whether Redis keeps what it is given (reachable, recent, append-only, evicting nothing), and whether work gets done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from services.doctor import LATE_SECONDS, LOCAL_HOSTS, Finding, Level
from services.errors import SyncError
from services.state import RecordState
from services.state_forms import noticed_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.config import SyncSettings
    from services.state_redis import RedisState

OLDEST = 7
"""Redis before this lacks what the store relies on (multi-part append-only files, functions of its scripts)."""


def examine_redis(sync: SyncSettings | None, now: Callable[[], float]) -> Iterator[Finding]:
    """All about Redis and what stands in it."""
    if sync is None:
        return
    if not sync.redis_url:
        text = "REDIS_URL is not set: without Redis there is no base store, no due list, no journal."
        remedy = "'make run' starts a Redis of its own; for commands beside it, run them while it runs, or set REDIS_URL."
        yield Finding("redis.settings", Level.PROBLEM, text, remedy)
        return
    if urlsplit(sync.redis_url).scheme == "rediss":
        text = "REDIS_URL is rediss://, and Motia 0.17 speaks no TLS with Redis."
        yield Finding("redis.tls", Level.PROBLEM, text, "Use redis://, on this machine or through a tunnel.")
    from services.bootstrap import build_state_for

    try:
        state = build_state_for(sync)
    except SyncError:
        return  # an unusable KOMM_DATA_KEY: that was said already
    try:
        state.ping()
    except SyncError as error:
        remedy = "Start Redis, and check host, port and password in REDIS_URL."
        yield Finding("redis.reachable", Level.PROBLEM, str(error), remedy)
        return
    yield Finding("redis.reachable", Level.OK, "Redis answers.")
    try:
        yield from _server(state, sync.redis_url)
        yield from _contents(state, now)
    except SyncError as error:
        remedy = "See what the text says; if KOMM_DATA_KEY was changed, put the old key behind the new one."
        yield Finding("redis.contents", Level.PROBLEM, str(error), remedy)
    finally:
        state.close()


def _server(state: RedisState, url: str) -> Iterator[Finding]:
    info: dict[str, Any] = state.server_facts()
    version = str(info.get("redis_version", ""))
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < OLDEST:
        yield Finding("redis.version", Level.PROBLEM, f"Redis is {version}.", f"Use Redis {OLDEST} or newer, or Valkey.")
    if not info.get("aof_enabled"):
        text = "Redis has no append-only file: what it knows is lost when it ends."
        remedy = "appendonly yes in redis.conf, or: redis-cli CONFIG SET appendonly yes, then CONFIG REWRITE"
        yield Finding("redis.persistence", Level.PROBLEM, text, remedy)
    elif info.get("appendfsync") == "no":
        text = "Redis leaves it to the system when to write (appendfsync no): a power failure may cost minutes."
        yield Finding("redis.persistence", Level.WARNING, text, "appendfsync everysec")
    else:
        yield Finding("redis.persistence", Level.OK, "Redis keeps an append-only file.")
    if int(info.get("maxmemory", 0)) and info.get("maxmemory_policy") != "noeviction":
        text = f"Redis throws keys away when its memory is full ({info.get('maxmemory_policy')})."
        yield Finding("redis.eviction", Level.PROBLEM, text, "maxmemory-policy noeviction")
    if info.get("slowlog-log-slower-than") not in {None, "-1"}:
        text = "Redis' slow log may show arguments of commands: clients' values."
        yield Finding("redis.slowlog", Level.WARNING, text, "slowlog-log-slower-than -1")
    parts = urlsplit(url)
    if parts.hostname not in LOCAL_HOSTS and not parts.password:
        text = "Redis is on another machine and asks for no password."
        yield Finding("redis.password", Level.PROBLEM, text, "requirepass in redis.conf, and the password in REDIS_URL")


def _contents(state: RedisState, now: Callable[[], float]) -> Iterator[Finding]:
    counts = state.status_counts()
    known = next(iter(state.statuses()), None)
    if known is not None:
        state.load(known)  # raises where the key does not fit
    entries = state.due_entries(1)
    late = now() - entries[0].due_at if entries and not entries[0].parked else 0.0
    if late > LATE_SECONDS:
        text = f"A record has been due for {int(late // 60)} minutes: nobody works on the list."
        yield Finding("flow.running", Level.PROBLEM, text, "Is 'make run' running? Its logs are in .motia/logs.")
    if refused := [entry for entry in state.parked() if noticed_id(entry.key) is not None]:
        text = f"Staff could not be told of {len(refused)} record(s) in EspoCRM. The first: {refused[0].cause}"
        remedy = "Put the cause right; each is tried again once a day, or when something changes about its record."
        yield Finding("notices.waiting", Level.WARNING, text, remedy)
    total = sum(counts.values())
    parked = counts[RecordState.PARKED.value]
    text = f"{total} records known, {counts[RecordState.EQUAL.value]} of them equal, {parked} parked."
    if parked:
        yield Finding("flow.parked", Level.WARNING, text, "'kommunikation.py status' lists them with their causes.")
    else:
        yield Finding("flow.parked", Level.OK, text)
