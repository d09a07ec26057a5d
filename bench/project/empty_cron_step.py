"""A cron step that does nothing: the floor of the cron steps. It never runs unless BENCH_CRON says when."""

from __future__ import annotations

import os
from typing import Any

config: dict[str, Any] = {
    "type": "cron",
    "name": "bench_empty_cron",
    "cron": os.environ.get("BENCH_CRON") or "0 0 1 1 *",
    "emits": [],
    "flows": ["bench"],
}


async def handler(_ctx: Any) -> None:
    """Do nothing."""
