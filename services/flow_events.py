"""The events between the steps: which ids they hold, and how many. Imports next to nothing: the webhook's step uses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENT_IDS = 100
"""Ids an event at most: an event travels as one process argument."""

GRACE_SECONDS = 90.0
"""An event has this long before `reconcile` sends out another one for the same record (in gate/bell.ts as well)."""

_ESPO_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_BETNR = re.compile(r"[1-9][0-9]{0,9}")


def checked(ids: Any, quelle: str) -> list[str]:
    """The ids, each once. Raises `InvalidInput` for anything that is no id of this quelle."""
    pattern = {"espocrm": _ESPO_ID, "reconcile": _ESPO_ID, "advoware": _BETNR}.get(quelle)
    if pattern is None:
        raise InvalidInput("Unknown quelle; it is espocrm, advoware or reconcile.")
    if not isinstance(ids, list) or not all(isinstance(one, str) and pattern.fullmatch(one) for one in ids):
        raise InvalidInput(f"ids is not a list of ids of {quelle}.")
    return list(dict.fromkeys(ids))


def parsed(data: Any) -> tuple[list[str], str]:
    """Ids and quelle of an event. Raises `InvalidInput`."""
    if not isinstance(data, dict) or not isinstance(data.get("quelle"), str):
        raise InvalidInput("An event needs ids and quelle.")
    ids = checked(data.get("ids", []), data["quelle"])
    if len(ids) > EVENT_IDS:
        raise InvalidInput(f"An event holds at most {EVENT_IDS} ids.")
    return ids, data["quelle"]


def events_of(ids: Sequence[str], quelle: str, *, size: int = EVENT_IDS, **more: Any) -> list[dict[str, Any]]:
    """The events for these ids, with `more` in each."""
    return [{"ids": list(ids[n : n + size]), "quelle": quelle, **more} for n in range(0, len(ids), size)]


def betnr_key(betnr: str) -> str:
    """The key in the due list of a Beteiligter whose record has yet to be found."""
    return f"betnr:{betnr}"
