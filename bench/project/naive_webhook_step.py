"""The naive form, first half: one event for each record of a webhook."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "api",
    "name": "bench_naive_webhook",
    "method": "POST",
    "path": "/bench/naive",
    "emits": ["bench.naive"],
    "flows": ["bench"],
}


async def handler(req: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Emit."""
    for espo_id in req["body"]["ids"]:
        await ctx.emit({"topic": "bench.naive", "data": {"id": espo_id}})
    return {"status": 200, "body": {}}
