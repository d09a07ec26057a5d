"""Kinds of entries as the Advoware API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.advoware.store import Entry

TOP_LEVEL = {
    1: "telGesch",
    2: "faxGesch",
    3: "mobil",
    4: "emailGesch",
    5: "internet",
    6: "telPrivat",
    7: "faxPrivat",
    8: "email",
    9: "autotelefon",
    10: "sonstige",
    11: "ePost",
    12: "bea",
}
"""kommKz -> member of the Beteiligter with the first value of that kind. Only `mobil` is publicly known by spelling."""

KOMM_ART = {2: 1, 7: 1, 4: 2, 8: 2, 11: 2, 12: 2, 5: 3}
"""kommKz -> kommArt, the coarse kind the server derives; others: 0 (telephone). Only 1 -> 0 is publicly known."""


def top_level(entries: Iterable[Entry]) -> dict[str, str | None]:
    """Derive the convenience members: the first non-empty value of each kind, else None."""
    members: dict[str, str | None] = dict.fromkeys(TOP_LEVEL.values())
    for entry in entries:
        name = TOP_LEVEL[entry.komm_kz]
        if entry.tlf and not members[name]:
            members[name] = entry.tlf
    return members
