"""An event step that does nothing: the floor of the event steps."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "event",
    "name": "bench_empty_event",
    "subscribes": ["bench.empty"],
    "emits": [],
    "flows": ["bench"],
}


async def handler(_data: dict[str, Any], _ctx: Any) -> None:
    """Do nothing."""
