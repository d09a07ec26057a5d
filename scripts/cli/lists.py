"""What people look at and decide: conflicts, held back values, notices, the valve."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scripts.cli import show
from scripts.cli.frame import AsJson, Exit, Record, code_of_result, finish, guarded, hand, store
from services.kommunikation_decide import Choice
from services.standing import id_of, named, withheld
from services.state import ListKind

Entry = Annotated[str, typer.Argument(metavar="NAME", help="The entry's name, as 'list' shows it.")]
Optional = Annotated[str, typer.Argument(metavar="[ID]", help="One record; without it all records, counted.")]

conflicts = typer.Typer(help="Values changed on both sides: list, decide, acknowledge.", rich_markup_mode=None)
held_back = typer.Typer(help="Values the other side would refuse: list, retry, acknowledge.", rich_markup_mode=None)
notices = typer.Typer(help="What else people should know: list, acknowledge.", rich_markup_mode=None)
valve = typer.Typer(help="Removals that wait for a release: list, release.", rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the groups to the command line."""
    for group, name in ((conflicts, "conflicts"), (held_back, "held-back"), (notices, "notices"), (valve, "valve")):
        app.add_typer(group, name=name, no_args_is_help=True)


def _list(record: str, kind: ListKind, *, as_json: bool, only_withheld: bool = False) -> None:
    def work() -> None:
        ids = [hand().resolve(record)] if record else sorted(store().listed(kind))
        told: dict[str, Any] = {"kind": kind.value, "records": []}
        for espo_id in ids:
            entries = named(store(), espo_id, kind)
            entries = withheld(entries) if only_withheld else entries
            status = store().status(espo_id)
            if entries:
                told["records"].append(
                    {"beteiligte_id": espo_id, "betnr": status.betnr if status else None, "entries": entries}
                )
        finish(told, _show_list, as_json=as_json, code=Exit.PERSON if _open(told) else Exit.FINE)

    guarded(work, as_json=as_json)


def _open(told: dict[str, Any]) -> bool:
    return any(not entry.get("seen") for record in told["records"] for entry in record["entries"])


def _show_list(told: dict[str, Any]) -> None:
    for record in told["records"]:
        title = f"{record['beteiligte_id']}, Beteiligter {record['betnr']}"
        show.findings(record["entries"], title=title)
    if not told["records"]:
        show.say("The list is empty.")


def _acknowledge(record: str, entry: str, kind: ListKind, *, as_json: bool) -> None:
    def work() -> None:
        espo_id = hand().resolve(record)
        name = id_of(store(), espo_id, kind, entry)
        store().acknowledge(espo_id, name, kind)
        told = {"beteiligte_id": espo_id, "acknowledged": entry}
        finish(told, lambda told: show.say(f"{told['acknowledged']} is acknowledged."), as_json=as_json)

    guarded(work, as_json=as_json)


@conflicts.command("list")
def list_conflicts(record: Optional = "", *, as_json: AsJson = False) -> None:
    """Show conflicts with both values."""
    _list(record, ListKind.CONFLICTS, as_json=as_json)


@conflicts.command()
def decide(
    record: Record,
    entry: Entry,
    keep: Annotated[Choice, typer.Argument(help="Whose value stays, on both sides.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Decide a conflict: the other value is removed from both sides (with 'both' none is)."""

    def work() -> None:
        espo_id = hand().resolve(record)
        result = hand().decide(espo_id, id_of(store(), espo_id, ListKind.CONFLICTS, entry), keep)
        finish(result, show.result, as_json=as_json, code=code_of_result(result | {"conflicts": []}))

    guarded(work, as_json=as_json)


@conflicts.command("acknowledge")
def acknowledge_conflict(record: Record, entry: Entry, *, as_json: AsJson = False) -> None:
    """Take a conflict off the list, both sides staying as they are."""
    _acknowledge(record, entry, ListKind.CONFLICTS, as_json=as_json)


@held_back.command("list")
def list_held_back(record: Optional = "", *, as_json: AsJson = False) -> None:
    """Show held back values with the reason."""
    _list(record, ListKind.HELD_BACK, as_json=as_json)


@held_back.command()
def retry(
    record: Record,
    entry: Annotated[str, typer.Argument(metavar="[NAME]", help="One entry; without it all of the record.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Try held back values again now, also those that an undo had taken back."""

    def work() -> None:
        espo_id = hand().resolve(record)
        name = id_of(store(), espo_id, ListKind.HELD_BACK, entry) if entry else None
        result = hand().retry(espo_id, name)
        finish(result, show.result, as_json=as_json, code=code_of_result(result))

    guarded(work, as_json=as_json)


@held_back.command("acknowledge")
def acknowledge_held_back(record: Record, entry: Entry, *, as_json: AsJson = False) -> None:
    """Mark a held back value as seen: it stays held back, and counts no longer."""
    _acknowledge(record, entry, ListKind.HELD_BACK, as_json=as_json)


@notices.command("list")
def list_notices(record: Optional = "", *, as_json: AsJson = False) -> None:
    """Show notices."""
    _list(record, ListKind.NOTICES, as_json=as_json)


@notices.command("acknowledge")
def acknowledge_notice(record: Record, entry: Entry, *, as_json: AsJson = False) -> None:
    """Mark a notice as seen: it counts no longer as long as its cause stays the same."""
    _acknowledge(record, entry, ListKind.NOTICES, as_json=as_json)


@valve.command("list")
def list_valve(record: Optional = "", *, as_json: AsJson = False) -> None:
    """Show the removals that the valve keeps."""
    _list(record, ListKind.HELD_BACK, as_json=as_json, only_withheld=True)


@valve.command()
def release(record: Record, *, as_json: AsJson = False) -> None:
    """Let the record's removals go, once."""

    def work() -> None:
        result = hand().release_valve(hand().resolve(record))
        finish(result, show.result, as_json=as_json, code=code_of_result(result))

    guarded(work, as_json=as_json)
