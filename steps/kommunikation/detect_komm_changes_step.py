"""Reads both sides of changed Beteiligte and sends those with work to do on to the direction that has it."""

from __future__ import annotations

from typing import Any

from steps.kommunikation.guarded import Context, call, emit_all

config: dict[str, Any] = {
    "type": "event",
    "name": "detect_komm_changes",
    "description": "Vergleicht beide Seiten und den zuletzt vereinbarten Stand",
    "subscribes": ["kommunikation.geaendert"],
    "emits": [
        "kommunikation.sync.to_espocrm",
        "kommunikation.sync.to_advoware",
        {"topic": "kommunikation.hinweis", "label": "etwas zu sagen", "conditional": True},
    ],
    "flows": ["kommunikation"],
    "input": {
        "type": "object",
        "properties": {"ids": {"type": "array", "items": {"type": "string"}}, "quelle": {"type": "string"}},
        "required": ["ids", "quelle"],
    },
    # One more attempt at once; what is still due after that comes back with reconcile, from the list in Redis.
    "infrastructure": {"handler": {"timeout": 120}, "queue": {"maxRetries": 1, "visibilityTimeout": 150}},
}


async def handler(data: dict[str, Any], ctx: Context) -> None:
    """Work on one event of at most 100 ids."""
    result = await call(ctx, "detect", data)
    if result is None:
        return
    await emit_all(ctx, "kommunikation.sync.to_espocrm", result["to_espocrm"])
    await emit_all(ctx, "kommunikation.sync.to_advoware", result["to_advoware"])
    await emit_all(ctx, "kommunikation.hinweis", result["notices"])
    ctx.logger.info("Changes detected", result.get("summary"))
