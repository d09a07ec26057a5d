"""The first page: how the installation stands. And the search, and the full pass."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from page import live, plots, words
from page.guard import ROOT
from page.render import back, show
from services import flow, standing
from services.flow_pass import recent

if TYPE_CHECKING:
    from starlette.responses import Response

    from page.desk import Desk
    from page.guard import Visit

LATE_TICK_SECONDS = 300.0
LATE_DUE_SECONDS = 900.0
DUE_LOOKED_AT = 2000
SHOWN = 8
CAUSES = 12
FOUND = 50


def overview(visit: Visit) -> Response:
    """Health, queue, last passes, states, causes, plots."""
    desk = visit.desk
    version = live.version(desk)
    told = standing.of_all(desk.wired, desk.hand.scope)
    due = desk.store.due_entries(DUE_LOOKED_AT)
    now = time.time()
    waiting = [entry.due_at for entry in due if not entry.parked and not entry.attempts and entry.due_at < now]
    samples = desk.store.samples()
    return show(
        visit,
        "overview.html",
        version=version,
        told_of=told,
        health=_health(desk, told, now, min(waiting, default=now)),
        oldest=now - min(waiting) if waiting else None,
        causes=_causes(standing.causes(told["failed_or_parked"], due)),
        tick=desk.store.last_tick(),
        changed=recent(desk.wired)[:SHOWN],
        slot_reports=[one for one in desk.store.slot_reports().values() if one["above_limit"]],
        throughput=plots.throughput(samples),
        slots=plots.slots(samples),
    )


def _health(desk: Desk, told: dict[str, Any], now: float, oldest: float) -> list[tuple[str, str]]:
    """Level (`ok`, `note`, `warning`) and sentence, the worst first."""
    from page.render import dauer

    found = []
    tick = desk.store.last_tick()
    if tick is None:
        found.append(("warning", "Der Abgleich ist noch nie durchgelaufen."))
    elif now - tick > LATE_TICK_SECONDS:
        found.append(("warning", f"Der Abgleich ist seit {dauer(now - tick)} nicht durchgelaufen. Läuft Motia?"))
    if now - oldest > LATE_DUE_SECONDS:
        found.append(("warning", f"Der älteste fällige Datensatz wartet seit {dauer(now - oldest)}."))
    if told["mode"] != "live":
        found.append(("note", "Schattenbetrieb: es wird geplant und nichts geschrieben."))
    if told["pilot"] is not None:
        found.append(("note", f"Pilotbetrieb: nur {len(told['pilot'])} Datensätze werden geschrieben."))
    return found or [("ok", "Der Abgleich läuft.")]


def _causes(found: list[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Causes under their German headlines, the most frequent first; `technical`: the sentence, where they all have one."""
    grouped: dict[str, dict[str, Any]] = {}
    for cause, ones in found:
        one = grouped.setdefault(words.cause(cause), {"technical": cause, "records": [], "count": 0})
        one["technical"] = cause if one["technical"] == cause else ""
        one["records"] += ones[: SHOWN - len(one["records"])]
        one["count"] += len(ones)
    ordered = sorted(grouped.items(), key=lambda pair: -pair[1]["count"])
    return [{"title": title, **one} for title, one in ordered[:CAUSES]]


def search_form(visit: Visit) -> Response:
    """An empty search."""
    return show(visit, "search.html", found=None, asked="")


def search(visit: Visit) -> Response:
    """Records by id, number or name. The words of a search are sent as a form: never in an address."""
    asked = visit.form.get("suche", "").strip()[:100]
    found = visit.desk.hand.search(asked, limit=FOUND) if asked else []
    states = {one["id"]: visit.desk.store.status(one["id"]) for one in found}
    return show(visit, "search.html", found=found, asked=asked, states=states)


def full_pass(_: Visit) -> Response:
    """Ask for a full pass with the next tick."""
    flow.request_pass()
    return back(ROOT, "gesamt")
