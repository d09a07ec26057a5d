"""Tells the staff of a record in EspoCRM what needs their hand, and takes it back when that is settled."""

from __future__ import annotations

from typing import Any

from steps.kommunikation.guarded import Context, call

config: dict[str, Any] = {
    "type": "event",
    "name": "notify_hinweis",
    "description": "Legt Hinweise als Aufgabe oder Stream-Beitrag an und schließt sie, wenn die Ursache behoben ist",
    "subscribes": ["kommunikation.hinweis"],
    "emits": [],
    "virtualEmits": ["espocrm.hinweis"],
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
    result = await call(ctx, "notify", data)
    if result is not None:
        ctx.logger.info("Notices brought up to date", result.get("summary"))
