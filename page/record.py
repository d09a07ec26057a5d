"""One record: how it stands, why each value is where it is, what was written, and what a person can do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from page import live, words
from page.guard import ROOT, record_id
from page.lists import KINDS, names_of
from page.render import back, failed, show
from services import standing
from services.by_hand import Choice
from services.errors import InvalidInput, SyncError
from services.kommunikation_rules import WITHHELD
from services.state import ListKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from page.guard import Visit

WRITES_SHOWN = 200


def show_record(visit: Visit) -> Response:
    """The page of a record. Where a system does not answer, all else is shown."""
    espo_id, desk = _id(visit), visit.desk
    version = live.version(desk, espo_id)
    explained: dict[str, Any] | None = None
    problem = ""
    try:
        explained = desk.hand.explain(espo_id)
    except SyncError as error:
        problem = words.error(error)
    lists = {kind.value: standing.named(desk.store, espo_id, kind) for kind in ListKind}
    told = standing.of_record(desk.store, espo_id)
    return show(
        visit,
        "record.html",
        version=version,
        id=espo_id,
        name=names_of(desk, [espo_id]).get(espo_id, ""),
        betnr=(explained or {}).get("betnr") or told.get("betnr"),
        stands=told,
        lists=lists,
        withheld=[one for one in lists["held_back"] if one["reason"] == WITHHELD],
        explained=explained,
        problem=problem,
        runs=_runs(desk.store.journal_of(espo_id, WRITES_SHOWN)),
    )


def _runs(writes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The journal by runs, the newest first; the writes of a run in their order."""
    runs = []
    for run, group in groupby(writes, key=lambda one: one.get("run", "")):
        ones = list(group)[::-1]
        undone = next((one["reason"].removeprefix("undo of run ") for one in ones if "undo of run " in one["reason"]), "")
        runs.append({"run": run, "at": ones[-1]["at"], "writes": ones, "undoes": undone})
    return runs


# ------------------------------------------------------------------------------------------------------------- actions


def act(visit: Visit) -> Response:
    """Do what a form of the page asks for."""
    action = ACTIONS.get(str(visit.path["tat"]))
    return action(visit) if action is not None else failed(404, "Das gibt es nicht.")


def _plan(visit: Visit) -> Response:
    espo_id, hand = _id(visit), visit.desk.hand
    result = hand.sync_bidirectional(espo_id, hand.betnr_of(espo_id), dry_run=True)
    return show(visit, "plan.html", id=espo_id, result=result)


def _apply(visit: Visit) -> Response:
    espo_id, hand = _id(visit), visit.desk.hand
    betnr = visit.form.get("betnr", "")
    if not (betnr.isascii() and betnr.isdigit() and visit.form.get("plan")):
        raise InvalidInput("The form names no plan.")
    hand.check_scope(espo_id)
    return _done(visit, hand.sync_bidirectional(espo_id, int(betnr), expected=visit.form["plan"]), "abgeglichen")


def _sync(visit: Visit) -> Response:
    return _done(visit, visit.desk.hand.sync_record(_id(visit), "both"), "abgeglichen")


def _decide(visit: Visit) -> Response:
    espo_id, choice = _id(visit), visit.form.get("wahl", "")
    entry = standing.id_of(visit.desk.store, espo_id, ListKind.CONFLICTS, visit.form.get("eintrag", ""))
    if choice not in {one.value for one in Choice}:
        raise InvalidInput("No such choice.")
    return _done(visit, visit.desk.hand.decide(espo_id, entry, Choice(choice)), "entschieden")


def _retry(visit: Visit) -> Response:
    espo_id = _id(visit)
    entry = standing.id_of(visit.desk.store, espo_id, ListKind.HELD_BACK, visit.form.get("eintrag", ""))
    return _done(visit, visit.desk.hand.retry(espo_id, entry), "erneut")


def _seen(visit: Visit) -> Response:
    espo_id = _id(visit)
    kind = KINDS.get(visit.form.get("liste", ""))
    if kind is None:
        raise InvalidInput("No such list.")
    entry = standing.id_of(visit.desk.store, espo_id, kind, visit.form.get("eintrag", ""))
    visit.desk.store.acknowledge(espo_id, entry, kind)
    return back(_where(visit), "gesehen")


def _release(visit: Visit) -> Response:
    return _done(visit, visit.desk.hand.release_valve(_id(visit)), "freigegeben")


def _show_undo(visit: Visit) -> Response:
    told = visit.desk.hand.undo(_run(visit), dry_run=True)
    return show(visit, "undo.html", id=_id(visit), told_of=told)


def _undo(visit: Visit) -> Response:
    told = visit.desk.hand.undo(_run(visit), dry_run=False)
    if told["errors"]:
        return show(visit, "undo.html", id=_id(visit), told_of=told)
    return back(_where(visit), "zurueckgenommen" if told["plan"] else "nichts")


ACTIONS: dict[str, Callable[[Visit], Response]] = {
    "plan": _plan,
    "ausfuehren": _apply,
    "abgleich": _sync,
    "konflikt": _decide,
    "erneut": _retry,
    "gesehen": _seen,
    "freigabe": _release,
    "ruecknahme": _show_undo,
    "zuruecknehmen": _undo,
}


def _done(visit: Visit, result: dict[str, Any], code: str) -> Response:
    """Back to where the person was; where single values failed, what failed."""
    if result["advoware_to_espocrm"]["errors"] or result["espocrm_to_advoware"]["errors"]:
        return show(visit, "plan.html", status=422, id=_id(visit), result=result)
    if result["dry_run"]:
        code = "schatten"
    elif code == "abgeglichen" and not result["run"]:
        code = "nichts"
    return back(_where(visit), code)


def _id(visit: Visit) -> str:
    return record_id(str(visit.path["id"]))


def _run(visit: Visit) -> str:
    """The run the form names, of this record and no other."""
    run = visit.form.get("durchgang", "")
    if run.rpartition(".")[0] != _id(visit):
        raise InvalidInput("The run is not one of this record.")
    return run


def _where(visit: Visit) -> str:
    """Where the form stood: on a list, or on the record's page."""
    came = visit.form.get("von", "")
    return f"{ROOT}/liste/{came}" if came in KINDS else f"{ROOT}/satz/{_id(visit)}"
