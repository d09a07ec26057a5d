"""Puts any event into the queue, for benches of single steps."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "api",
    "name": "bench_emit",
    "method": "POST",
    "path": "/bench/emit",
    "emits": [
        "bench.empty",
        "kommunikation.geaendert",
        "kommunikation.sync.to_espocrm",
        "kommunikation.sync.to_advoware",
    ],
    "flows": ["bench"],
}


async def handler(req: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Emit `topic` with `data`."""
    await ctx.emit({"topic": req["body"]["topic"], "data": req["body"]["data"]})
    return {"status": 200, "body": {}}
