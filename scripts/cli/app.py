"""The commands about runs. Those about what people decide are in `lists.py`, those about the installation in `care.py`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.cli import care, lists, show
from scripts.cli.frame import (
    AsJson,
    Exit,
    Record,
    borrow_settings,
    code_of,
    code_of_result,
    finish,
    guarded,
    hand,
    store,
    worst,
)
from services.errors import InvalidInput, SyncError
from services.kommunikation_table import ROWS, Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

app = typer.Typer(
    name="kommunikation",
    help="The sync of Advoware and EspoCRM by hand: see, understand, decide, undo.\n\n"
    "Exit codes: 0 fine, 1 run it again, 2 unusable arguments, 7 a person must look.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables: clients' values
    add_completion=False,
    rich_markup_mode=None,
)

Records = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Records; without any, all linked ones.")]
Way = Annotated[Direction, typer.Option("--direction", help="What the run may change.")]
WORKERS = 4


@app.command()
def plan(
    ids: Records = None,
    *,
    direction: Way = Direction.BOTH,
    out: Annotated[Path | None, typer.Option(help="Keep the plan in this file, for 'apply'. It holds client data.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a sync would do, from the very code that does it. Writes nothing."""

    def work() -> None:
        wanted = [hand().resolve(one) for one in ids or ()] or _all_records()
        results, errors = _each(wanted, lambda espo_id: _dry(espo_id, direction))
        told: dict[str, Any] = {"records": results, "errors": errors, "looked_at": len(wanted)}
        if out is not None:
            from services.plan_file import write_plan

            told["written"] = write_plan(out, results, direction.value)
        finish(told, lambda told: _show_plans(told, out), as_json=as_json, code=_code_of_errors(errors))

    guarded(work, as_json=as_json)


def _dry(espo_id: str, direction: Direction) -> dict[str, Any]:
    betnr = hand().betnr_of(espo_id)
    return hand().sync_bidirectional(espo_id, betnr, direction.value, dry_run=True)


def _all_records() -> list[str]:
    return [row.id for row in hand().linked()]


def _each(ids: Iterable[str], work: Callable[[str], dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results in order of the ids, and the failures of single records."""
    ids = list(ids)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []

    def one(espo_id: str) -> dict[str, Any] | SyncError:
        try:
            return work(espo_id)
        except SyncError as error:
            return error

    with ThreadPoolExecutor(WORKERS) as pool, show.progress() as bar:
        task = bar.add_task("records", total=len(ids))
        for espo_id, outcome in zip(ids, pool.map(one, ids), strict=True):
            bar.advance(task)
            if isinstance(outcome, SyncError):
                errors.append({"beteiligte_id": espo_id, "error": str(outcome), "code": int(code_of(outcome))})
            else:
                results.append(outcome)
    return results, errors


def _code_of_errors(errors: list[dict[str, Any]]) -> Exit:
    return worst([Exit(error["code"]) for error in errors])


def _show_errors(errors: list[dict[str, Any]]) -> None:
    for error in errors:
        show.say(f"! {error['beteiligte_id']}: {error['error']}")


def _show_plans(told: dict[str, Any], out: Path | None) -> None:
    busy = [result for result in told["records"] if result["plan"] or result["valve"]["tripped"]]
    for result in busy:
        show.result(result)
    _show_errors(told["errors"])
    writes = sum(len(result["plan"]) for result in busy)
    show.say(f"{told['looked_at']} record(s) looked at, {writes} change(s) in {len(busy)} of them.")
    if out is not None:
        show.say(f"Written to {out}, readable by you only: it holds client data. Carry it out with: apply {out}")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="A file that 'plan --out' has written.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Carry out a plan that was looked at. A record of which either side has moved since is left as it is."""

    def work() -> None:
        from services.plan_file import read_plan

        given = read_plan(file)
        records = {one["beteiligte_id"]: one for one in given["records"]}

        def one(espo_id: str) -> dict[str, Any]:
            record = records[espo_id]
            hand().check_scope(espo_id)
            return hand().sync_bidirectional(espo_id, record["betnr"], given["direction"], expected=record["fingerprint"])

        results, errors = _each(records, one)
        codes = [_code_of_errors(errors), *(code_of_result(result) for result in results)]
        finish({"records": results, "errors": errors}, _show_results, as_json=as_json, code=worst(codes))

    guarded(work, as_json=as_json)


def _show_results(told: dict[str, Any]) -> None:
    for result in told["records"]:
        show.result(result)
    _show_errors(told["errors"])


@app.command()
def sync(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="EspoCRM's ids, or numbers of Beteiligte.")],
    *,
    direction: Way = Direction.BOTH,
    as_json: AsJson = False,
) -> None:
    """Synchronise records now."""

    def work() -> None:
        wanted = [hand().resolve(one) for one in ids]
        results, errors = _each(wanted, lambda espo_id: hand().sync_record(espo_id, direction.value))
        codes = [_code_of_errors(errors), *(code_of_result(result) for result in results)]
        finish({"records": results, "errors": errors}, _show_results, as_json=as_json, code=worst(codes))

    guarded(work, as_json=as_json)


@app.command()
def explain(
    record: Record,
    *,
    run: Annotated[str, typer.Option(help="A past run, as the journal names it, instead of now.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say why each value is where it is: base, both sides, the row that applies. Writes nothing."""

    def work() -> None:
        espo_id = hand().resolve(record)
        if not run:
            finish(hand().explain(espo_id), show.explanation, as_json=as_json)
            return
        writes = [entry for entry in store().journal_of(espo_id, 1000) if entry.get("run") == run]
        if not writes:
            raise InvalidInput("The journal knows no such run of this record.")
        rows = [{"row": number, "decision": ROWS[number].act.value} for number in _rows(writes)]
        finish({"run": run, "writes": writes[::-1], "rows": rows}, _show_run, as_json=as_json)

    guarded(work, as_json=as_json)


def _rows(writes: list[dict[str, Any]]) -> list[int]:
    return sorted({entry["row"] for entry in writes} & ROWS.keys())


def _show_run(told: dict[str, Any]) -> None:
    show.operations(told["writes"], title=f"run {told['run']}, {show.when(told['writes'][0]['at'])} UTC")


@app.command()
def journal(
    record: Record,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many writes, the newest first.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show the last writes to a record, with the runs they belong to."""

    def work() -> None:
        espo_id = hand().resolve(record)
        writes = store().journal_of(espo_id, limit)
        finish({"beteiligte_id": espo_id, "writes": writes}, _show_journal, as_json=as_json)

    guarded(work, as_json=as_json)


def _show_journal(told: dict[str, Any]) -> None:
    rows = [
        (
            show.when(one["at"]),
            one.get("run", ""),
            one["row"] or "",
            one["system"],
            one["operation"].replace("_", " "),
            one["entry_id"] or "",
            one["before"],
            one["after"],
        )
        for one in told["writes"]
    ]
    columns = ("at (UTC)", "run", "row", "where", "what", "entry", "before", "after")
    show.console().print(show.table(columns, rows, title=told["beteiligte_id"]))


@app.command()
def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as 'journal' names it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, it is only shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take back what a run did. Values that people, or later runs, have changed since are kept."""

    def work() -> None:
        store()
        told = hand().undo(run, dry_run=not yes)
        finish(told, _show_undo, as_json=as_json, code=Exit.AGAIN if told["errors"] else Exit.FINE)

    guarded(work, as_json=as_json)


def _show_undo(told: dict[str, Any]) -> None:
    if told["plan"]:
        title = f"would undo {told['undoes']}" if told["dry_run"] else f"{told['undoes']} is undone (run {told['run']})"
        show.operations(told["plan"], title=title)
    else:
        show.say("There is nothing to take back.")
    for one in told["kept"]:
        where = f"entry {one['entry_id']}" if one["entry_id"] else "item"
        show.console().print(show.cell(f"kept: {one['system']}, {where}: {one['reason']} ({one['value']})"))
    for error in told["errors"]:
        show.say(f"! {error}")
    if told["dry_run"] and told["plan"]:
        show.say("Nothing was written. Do it with --yes.")


def main() -> int:
    """Run the command line; gives the exit code."""
    borrow_settings()
    lists.add_to(app)
    care.add_to(app)
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(Exit.USAGE)
    return Exit.FINE
