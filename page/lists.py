"""What waits for a person: conflicts, held back values, notices, the valve."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from page import live
from page.render import failed, show
from services import standing
from services.errors import SyncError
from services.kommunikation_rules import WITHHELD
from services.state import ListKind

if TYPE_CHECKING:
    from starlette.responses import Response

    from page.desk import Desk
    from page.guard import Visit

KINDS = {
    "konflikte": ListKind.CONFLICTS,
    "zurueckgehalten": ListKind.HELD_BACK,
    "hinweise": ListKind.NOTICES,
    "ventil": ListKind.HELD_BACK,
}
TITLES = {"konflikte": "Konflikte", "zurueckgehalten": "Zurückgehalten", "hinweise": "Hinweise", "ventil": "Ventil"}
PER_PAGE = 20
LOOKED_AT = 500
"""Records whose lists are read for one page at most: to tell the valve's entries from others, they have to be read."""


def show_list(visit: Visit) -> Response:
    """One of the lists, by records."""
    name = str(visit.path["art"])
    if name not in KINDS:
        return failed(404, "Diese Liste gibt es nicht.")
    desk = visit.desk
    version = live.version(desk)
    number = visit.request.query_params.get("seite", "1")
    page = int(number) if number.isascii() and number.isdigit() and 0 < len(number) <= 4 else 1  # noqa: PLR2004 - 9,999 pages
    listed = sorted(desk.store.listed(KINDS[name]))
    ids = listed if name in {"konflikte", "hinweise"} else listed[:LOOKED_AT]
    if name in {"konflikte", "hinweise"}:  # what they hold needs no look
        pages = max(1, -(-len(ids) // PER_PAGE))
        records = [_record(desk, espo_id, name) for espo_id in ids[(page - 1) * PER_PAGE : page * PER_PAGE]]
    else:
        holding = [one for one in (_record(desk, espo_id, name) for espo_id in ids) if one["entries"]]
        pages = max(1, -(-len(holding) // PER_PAGE))
        records = holding[(page - 1) * PER_PAGE : page * PER_PAGE]
    records = [one for one in records if one["entries"]]
    names = names_of(desk, [one["id"] for one in records])
    return show(
        visit,
        "list.html",
        version=version,
        kind=name,
        title=TITLES[name],
        records=records,
        names=names,
        page=page,
        pages=pages,
        left_out=len(listed) - len(ids),
    )


def _record(desk: Desk, espo_id: str, name: str) -> dict[str, Any]:
    entries = standing.named(desk.store, espo_id, KINDS[name])
    if name != "ventil":  # a release lets all go, also what somebody has seen
        entries = [one for one in entries if not one.get("seen")]
    if KINDS[name] is ListKind.HELD_BACK:
        entries = [one for one in entries if (one["reason"] == WITHHELD) is (name == "ventil")]
    status = desk.store.status(espo_id)
    return {"id": espo_id, "betnr": status.betnr if status else None, "entries": entries}


def names_of(desk: Desk, espo_ids: list[str]) -> dict[str, str]:
    """Names to recognise people by; without them where EspoCRM does not answer."""
    with suppress(SyncError):
        return desk.hand.names(espo_ids) if espo_ids else {}
    return {}
