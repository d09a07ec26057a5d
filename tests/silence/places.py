"""The places where a client's value must not be found, and those where it may: everything that a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

CLIENT_DATA = b"komm:data:"
"""Keys that hold client data by nature (docs/data-protection.md)."""


@dataclass(frozen=True)
class Place:
    """One place. `kind` groups them in the summary; `allowed`: client data belongs there."""

    kind: str
    name: str
    content: bytes
    allowed: bool = False


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _flat(pair)
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _flat(one)
    elif value is not None:
        yield str(value).encode()


def redis_keys(client: redis.Redis) -> Iterator[Place]:
    """Every key of every database, by its type; its name counts as a place of its own."""
    read: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    assert client.info("keyspace").keys() <= {"db0"}, "nobody looks into the other databases"
    for key in client.scan_iter(count=1000):
        name = key.decode(errors="replace")
        yield Place("names of Redis keys", name, key)
        kind = client.type(key)
        content = b"\n".join(_flat(read[kind](key))) if kind in read else b""
        assert content or kind == b"none" or not client.exists(key), f"{name} could not be read"
        yield Place("Redis keys", name, content, allowed=key.startswith(CLIENT_DATA))
    yield Place("Redis' slow log", "SLOWLOG", b"\n".join(_flat(client.slowlog_get(1000))))


def redis_history(folder: Path) -> Iterator[Place]:
    """Every command that changed something since Redis was started, from its append-only file: also what is gone again."""
    for file in sorted(folder.rglob("*.incr.aof")):
        data, at, number = file.read_bytes(), 0, 0
        while at < len(data):
            parts, at = _command(data, at)
            number += 1
            allowed = len(parts) > 1 and parts[1].startswith(CLIENT_DATA)
            yield Place("Redis' history", f"command {number}: {parts[0].decode()}", b"\n".join(parts[1:]), allowed=allowed)


def _command(data: bytes, at: int) -> tuple[list[bytes], int]:
    end = data.index(b"\r\n", at)
    assert data[at : at + 1] == b"*", "not a command of an append-only file"
    parts, count, at = [], int(data[at + 1 : end]), end + 2
    for _ in range(count):
        end = data.index(b"\r\n", at)
        length, at = int(data[at + 1 : end]), end + 2
        parts.append(data[at : at + length])
        at += length + 2
    return parts, at


def files(kind: str, folder: Path, since: float) -> Iterator[Place]:
    """Files of a folder that were written since then (seconds since 1970), without Redis' and the sandbox's own.

    Links are not followed: the installed packages of a copied project are links.
    """
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if inside[0] == "redis" or path.name.startswith("sandbox.db"):
            continue
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
            yield Place(kind, "/".join(inside), path.read_bytes())
