"""The second of three empty steps."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "event",
    "name": "bench_chain_second",
    "subscribes": ["bench.chain.second"],
    "emits": ["bench.chain.third"],
    "flows": ["bench"],
}


async def handler(data: dict[str, Any], ctx: Any) -> None:
    """Pass on."""
    await ctx.emit({"topic": "bench.chain.third", "data": data})
