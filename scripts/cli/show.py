"""Tables, colours and words. Everything that may hold a client's value goes through `cell`, which makes it harmless text."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}
_WHOLE = {"at (UTC)", "run", "id", "name", "row", "entry"}
"""Columns that are copied or compared: never cut into pieces."""
_CHANGES = {
    "create_entry": "green",
    "add_item": "green",
    "write_entry": "yellow",
    "replace_item": "yellow",
    "restore_entry": "yellow",
    "empty_entry": "red",
    "remove_item": "red",
    "set_marker": "dim",
}
_SIDES = {"espocrm": "EspoCRM", "advoware": "Advoware"}


def console() -> Console:
    """Where results go. Markup is off: a remark of Advoware begins with a bracket."""
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)


def cell(value: object, style: str = "") -> Text:
    """A value as text: nothing in it may steer the terminal."""
    text = "" if value is None else str(value)
    return Text("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text), style=style)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table of cells."""
    made = Table(title=Text(title) if title else None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        made.add_row(*(one if isinstance(one, Text) else cell(one) for one in row))
    return made


def progress() -> Progress:
    """A bar on stderr; nothing where stderr is no terminal."""
    err = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*parts, console=err, transient=True, disable=not err.is_terminal)


def say(*lines: str) -> None:
    """Plain lines."""
    for line in lines:
        console().print(line, soft_wrap=True)


def when(seconds: float) -> str:
    """A time of day, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def operations(plan: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
    """What is to be done, or was: row, where, before, after, reason."""
    rows = [
        (
            op["row"] or "",
            _SIDES[op["system"]],
            cell(op["operation"].replace("_", " "), _CHANGES.get(op["operation"], "")),
            op["entry_id"] or "",
            op.get("kommKz") or op.get("type") or "",
            op["before"],
            op["after"],
        )
        for op in plan
    ]
    console().print(table(("row", "where", "what", "entry", "kind", "before", "after"), rows, title=title))
    for row, reason in dict.fromkeys((op["row"], op["reason"]) for op in plan):
        console().print(cell(f"  row {row}: {reason}" if row else f"  {reason}", "dim"))


def findings(entries: Sequence[Mapping[str, Any]], *, title: str) -> None:
    """What people should look at: conflicts, held back values, notices. On lists they have names, for other commands."""
    rows = [
        (
            entry.get("name", ""),
            entry["row"],
            entry.get("entry_id") or "",
            entry.get("advoware", entry.get("value", "")),
            entry.get("espocrm", entry.get("type", "")),
            entry["reason"] + (" (seen)" if entry.get("seen") else ""),
        )
        for entry in entries
    ]
    columns = ("name", "row", "entry", "Advoware / value", "EspoCRM / type", "why")
    named = any(row[0] for row in rows)
    shown = (columns, rows) if named else (columns[1:], [row[1:] for row in rows])
    console().print(table(*shown, title=title))


def doctor(result: Mapping[str, Any]) -> None:
    """What the doctor found."""
    rows = [
        (
            cell(one["level"], _STYLES[one["level"]]),
            one["check"],
            one["text"] + (f"\n-> {one['remedy']}" if one["remedy"] else ""),
        )
        for one in result["findings"]
    ]
    made = Table(header_style="bold", box=None, pad_edge=False)
    for column in ("", "check", "what, and what to do"):
        made.add_column(column, overflow="fold")
    for level, check, text in rows:
        made.add_row(level, cell(check), Text("\n").join(cell(line) for line in text.split("\n")))
    console().print(made)
    counts = result["counts"]
    say(f"{counts['problem']} problem(s), {counts['warning']} warning(s).")


def result(told: Mapping[str, Any]) -> None:
    """One run, or a plan of one."""
    name = f"{told['beteiligte_id']}, Beteiligter {told['betnr']}"
    if told["plan"]:
        done = "would do" if told["dry_run"] else f"run {told['run']}"
        operations(told["plan"], title=f"{name}: {done}")
    else:
        say(f"{name}: nothing to do.")
    for kind in ("conflicts", "held_back", "notices"):
        if told[kind]:
            findings(told[kind], title=kind.replace("_", " "))
    if told["valve"]["tripped"]:
        findings(told["valve"]["removals"], title="kept by the valve ('valve release' lets them go, once)")
    for error in told["advoware_to_espocrm"]["errors"] + told["espocrm_to_advoware"]["errors"]:
        say(f"! {error}")


def explanation(told: Mapping[str, Any]) -> None:
    """Why each value is where it is."""
    rows = [
        (
            one["entry_id"] or "",
            f"{one['kommKz']} ({one['kind_from']})" if one["kommKz"] else "",
            one["advoware"],
            f"{one['espocrm'] or ''}" + (f" ({one['type']})" if one["type"] else ""),
            f"{one['base']} ({one['base_from']})" if one["base"] is not None else "",
            one["row"],
            one["decision"],
            one["outcome"] + (f": {one['because']}" if one["because"] else ""),
        )
        for one in told["values"]
    ]
    columns = ("entry", "kommKz (from)", "Advoware", "EspoCRM", "base (from)", "row", "decision", "outcome")
    console().print(table(columns, rows, title=f"{told['beteiligte_id']}, Beteiligter {told['betnr']}"))
    if not told["base_known"]:
        say("The store knows nothing of this record: nothing is removed, only added.")
    if not told["writes_allowed"]:
        say("This record is not written: see KOMM_MODE and KOMM_PILOT.")
