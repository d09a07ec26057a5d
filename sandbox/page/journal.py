"""What the sync has written down about a record in its Redis, for the page. Read only, through the sync's own store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.state_redis import RedisState

LAST = 12
"""Journal entries shown."""

_SHOWN = ("n", "at", "run", "operation", "system", "before", "after")


class Journal:
    """The journal, the lists and the status of records. Blocks while Redis answers; from any thread."""

    def __init__(self, state: RedisState) -> None:
        self._state = state

    @classmethod
    def from_environment(cls) -> Journal | None:
        """Open the Redis of `REDIS_URL` (None where that is not set), with `KOMM_DATA_KEY` where that is.

        Raises:
            SystemExit: one of the two is unusable.
        """
        url = os.environ.get("REDIS_URL")
        if not url:
            return None
        # Imported late: the sandbox is of use without the sync, and tests start many of them.
        from services.errors import Unconfigured
        from services.state_redis import RedisState
        from services.state_seal import seal_from

        try:
            return cls(RedisState.connect(url, seal=seal_from(os.environ.get("KOMM_DATA_KEY"))))
        except Unconfigured as error:
            raise SystemExit(str(error)) from None

    def of(self, espo_id: str) -> dict[str, Any]:
        """Tell of a record: `entries`, `status`, `conflicts`, `held_back`; or only `trouble`.

        `entries`: the newest first; `what` and `why` in German. `trouble` is `unreachable` (Redis does not answer) or
        `unreadable` (sealed with another key, of a newer version).
        """
        from services.errors import NeedsPerson, SyncError

        try:
            entries = self._state.journal_of(espo_id, LAST)
            status = self._state.status(espo_id)
            lists = self._state.lists(espo_id)
        except NeedsPerson:
            return {"trouble": "unreadable"}
        except SyncError:
            return {"trouble": "unreachable"}
        return {
            "trouble": "",
            "entries": list(map(_line, entries)),
            "status": {"state": status.state.value, "at": status.at} if status else None,
            "conflicts": [
                {"advoware": one.get("advoware", ""), "espocrm": one.get("espocrm", "")} for one in lists["conflicts"]
            ],
            "held_back": [str(one.get("value", "")) for one in lists["held_back"]],
        }


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    from services.german import OPERATIONS, reason

    row, why = entry.get("row"), reason(str(entry.get("reason", "")))
    told = {"what": OPERATIONS.get(entry["operation"], entry["operation"]), "why": f"Zeile {row}: {why}" if row else why}
    return {name: entry.get(name) for name in _SHOWN} | told
