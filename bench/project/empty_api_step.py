"""An API step that does nothing: the floor of the webhook step."""

from __future__ import annotations

from typing import Any

config: dict[str, Any] = {
    "type": "api",
    "name": "bench_empty_api",
    "method": "POST",
    "path": "/bench/empty",
    "emits": [],
    "flows": ["bench"],
}


async def handler(_req: dict[str, Any], _ctx: Any) -> dict[str, Any]:
    """Answer."""
    return {"status": 200, "body": {}}
