"""The first of three empty steps in a row: the floor of an edit's way through webhook, look and sync."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "api",
    "name": "bench_chain_first",
    "method": "POST",
    "path": "/bench/chain",
    "emits": ["bench.chain.second"],
    "flows": ["bench"],
}


async def handler(req: dict[str, Any], ctx: Any) -> dict[str, Any]:
    """Pass on."""
    await ctx.emit({"topic": "bench.chain.second", "data": req["body"]})
    return {"status": 200, "body": {}}
