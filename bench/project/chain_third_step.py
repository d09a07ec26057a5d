"""The third of three empty steps."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "event",
    "name": "bench_chain_third",
    "subscribes": ["bench.chain.third"],
    "emits": [],
    "flows": ["bench"],
}


async def handler(data: dict[str, Any], _ctx: Any) -> None:
    """Leave a sign that it was here."""
    with open(data["sign"], "x"):  # noqa: PTH123, ASYNC230 - the step has to import and do as little as can be
        pass
