"""The naive form, second half: one process for each record, which carries over both directions at once."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "event",
    "name": "bench_naive_sync",
    "subscribes": ["bench.naive"],
    "emits": [],
    "flows": ["bench"],
    "infrastructure": {"handler": {"timeout": 120}, "queue": {"maxRetries": 1, "visibilityTimeout": 150}},
}


async def handler(data: dict[str, Any], _ctx: Any) -> None:
    """Synchronise the one record, with the very manager that the flow uses."""
    from services.bootstrap import build_manager

    build_manager().sync_record(data["id"], "both")
