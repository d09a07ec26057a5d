"""A plan that was looked at, kept in a file until it is carried out. It holds client data, so only its owner can read it."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION = 1
OWNER_ONLY = 0o600


def write_plan(path: Path, results: Sequence[dict[str, Any]], direction: str) -> int:
    """Write the plans of these dry runs that have something to do; gives their number. Raises `InvalidInput`."""
    names = ("beteiligte_id", "betnr", "fingerprint", "plan")
    records = [{name: result[name] for name in names} for result in results if result["plan"]]
    plan = {"v": VERSION, "made": int(time.time()), "direction": direction, "records": records}
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, OWNER_ONLY)  # the file may have been there before
            json.dump(plan, file, ensure_ascii=False, indent=1)
    except OSError as error:
        raise InvalidInput(f"The plan can't be written: {error.strerror}.") from None
    return len(records)


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan back: `direction` and `records`. Raises `InvalidInput` for anything else."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        usable = plan["v"] == VERSION and all(
            isinstance(one["beteiligte_id"], str) and isinstance(one["betnr"], int) and len(one["fingerprint"]) == 64  # noqa: PLR2004 - SHA-256 in hex
            for one in plan["records"]
        )
    except OSError as error:
        raise InvalidInput(f"The plan can't be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError):
        usable = False
    if not usable:
        raise InvalidInput("This is no plan of 'kommunikation.py plan --out'.")
    return dict(plan)
