"""Carries what changes EspoCRM out; what it finds for the other direction goes on to sync_to_advoware."""

from __future__ import annotations

from typing import Any

from steps.kommunikation.guarded import Context, call, emit_all

config: dict[str, Any] = {
    "type": "event",
    "name": "sync_to_espocrm",
    "description": "Schreibt nach EspoCRM, liest zurück und merkt sich den vereinbarten Stand",
    "subscribes": ["kommunikation.sync.to_espocrm"],
    "emits": [
        {"topic": "kommunikation.sync.to_advoware", "label": "auch dort zu tun", "conditional": True},
        {"topic": "kommunikation.hinweis", "label": "etwas zu sagen", "conditional": True},
    ],
    "virtualEmits": ["espocrm.geschrieben"],
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
    result = await call(ctx, "sync", data, "to_espocrm")
    if result is None:
        return
    await emit_all(ctx, "kommunikation.sync.to_advoware", result["follow_up"])
    await emit_all(ctx, "kommunikation.hinweis", result["notices"])
    ctx.logger.info("Synchronised to EspoCRM", result.get("summary"))
