"""`redis` without its asynchronous half, which nothing here uses and which takes longer to load than the half we use.

redis-py imports both. So a stand-in takes the place of its package `redis.asyncio` during that import; whoever wants the
package afterwards gets the real one.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_HALF = "redis.asyncio"


class _StandIn(ModuleType):
    """What `redis` holds under the name `asyncio`, until somebody imports that package or asks for anything in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(_HALF), name)


_first = "redis" not in sys.modules
if _first and (_spec := find_spec("redis")) is not None and _spec.origin is not None:
    sys.modules[_HALF] = _StandIn(_HALF)
    # One module of that half is needed all the same, and is found where it is.
    sys.modules[_HALF].__path__ = [str(Path(_spec.origin).parent / "asyncio")]

import redis  # noqa: E402 - after the stand-in
from redis.backoff import ExponentialWithJitterBackoff  # noqa: E402 - as above
from redis.retry import Retry  # noqa: E402 - as above

if _first:
    sys.modules.pop(_HALF, None)

__all__ = ["ExponentialWithJitterBackoff", "Retry", "redis"]
