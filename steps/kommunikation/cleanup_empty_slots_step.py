"""Counts the emptied entries of Advoware, whose API can't delete, and reports who has too many of them."""

from __future__ import annotations

import os
from typing import Any

from steps.kommunikation.guarded import Context, call

config: dict[str, Any] = {
    "type": "cron",
    "name": "cleanup_empty_slots",
    "description": "Zählt nachts die geleerten Einträge und meldet, wo von Hand aufzuräumen ist",
    "cron": os.environ.get("KOMM_CLEANUP_CRON") or "0 3 * * *",
    "emits": [],
    "virtualSubscribes": ["advoware.leere_eintraege"],
    "virtualEmits": ["advoware.aufgeraeumt"],
    "flows": ["kommunikation"],
}


async def handler(ctx: Context) -> None:
    """Never touches an entry with a value."""
    result = await call(ctx, "cleanup")
    if result is not None:
        ctx.logger.info("Slots counted", result.get("summary"))
