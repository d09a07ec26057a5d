"""Where Advoware's access token is kept between calls: in the process, or in Redis for all processes."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import redis

_log = logging.getLogger(__name__)


class TokenCache(Protocol):
    """Keeps a token under a key that is a digest (never a credential). Implementations are thread-safe."""

    def get(self, key: str) -> str | None:
        """Give the token, or None if there is none or its time is over."""

    def put(self, key: str, token: str, seconds: float) -> None:
        """Keep the token for so many seconds."""

    def drop(self, key: str) -> None:
        """Forget the token."""


class ProcessTokenCache:
    """Tokens of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, float]] = {}

    def get(self, key: str) -> str | None:
        """Give the token, or None if there is none or its time is over."""
        with self._lock:
            token, until = self._held.get(key, ("", 0.0))
        return token if time.monotonic() < until else None

    def put(self, key: str, token: str, seconds: float) -> None:
        """Keep the token for so many seconds."""
        with self._lock:
            self._held[key] = (token, time.monotonic() + seconds)

    def drop(self, key: str) -> None:
        """Forget the token."""
        with self._lock:
            self._held.pop(key, None)


class RedisTokenCache:
    """Tokens in Redis, shared by all step processes; while Redis fails, those of this process.

    Asked again and again instead of held here for good: when a new token makes older ones invalid, a process that trusted
    its own copy would renew, make the other's invalid, and so on in turns.
    """

    def __init__(self, client: redis.Redis, prefix: str = "komm:token:") -> None:
        self._redis = client
        self._prefix = prefix
        self._fallback = ProcessTokenCache()

    def get(self, key: str) -> str | None:
        """Give the token, or None if there is none or its time is over."""
        from services.lean_redis import redis

        try:
            value = self._redis.get(self._prefix + key)
        except redis.RedisError:
            return self._fallback.get(key)
        if isinstance(value, bytes):
            return value.decode("ascii", errors="ignore")
        return value if isinstance(value, str) else None

    def put(self, key: str, token: str, seconds: float) -> None:
        """Keep the token for so many seconds."""
        from services.lean_redis import redis

        self._fallback.put(key, token, seconds)
        try:
            self._redis.set(self._prefix + key, token, px=max(1, int(seconds * 1000)))
        except redis.RedisError:
            _log.warning("Redis did not take Advoware's token; this process keeps its own.")

    def drop(self, key: str) -> None:
        """Forget the token."""
        from services.lean_redis import redis

        self._fallback.drop(key)
        try:
            self._redis.delete(self._prefix + key)
        except redis.RedisError:
            _log.warning("Redis did not drop Advoware's token; it runs out by itself.")
