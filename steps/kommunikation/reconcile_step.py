"""Finds what no webhook tells: missed deliveries, changes in Advoware, shared numbers, and what is due again."""

from __future__ import annotations

import os
from typing import Any

from steps.kommunikation.guarded import Context, call, emit_all

config: dict[str, Any] = {
    "type": "cron",
    "name": "reconcile",
    "description": "Fragt beide Systeme nach Änderungen und holt nach, was fällig ist",
    # Six fields count seconds in Motia's cron. A tick that finds the one before it still running does nothing.
    "cron": os.environ.get("KOMM_RECONCILE_CRON") or "* * * * *",
    "emits": [
        "kommunikation.geaendert",
        {"topic": "kommunikation.hinweis", "label": "etwas zu sagen", "conditional": True},
    ],
    "virtualSubscribes": ["espocrm.geaendert", "advoware.geaendert"],
    "flows": ["kommunikation"],
}


async def handler(ctx: Context) -> None:
    """Only enqueue: a cron step has no time limit and no second attempt in Motia."""
    result = await call(ctx, "reconcile")
    if result and (result["events"] or result["notices"]):
        await emit_all(ctx, "kommunikation.geaendert", result["events"])
        await emit_all(ctx, "kommunikation.hinweis", result["notices"])
        ctx.logger.info("Reconciled", result.get("summary"))
