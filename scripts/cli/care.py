"""The installation as a whole: doctor, status, a full pass, slots, webhooks, forgetting a person."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.cli import show
from scripts.cli.frame import AsJson, Exit, Record, finish, guarded, hand, store, wired
from services.errors import InvalidInput
from services.standing import of_all, of_record
from services.state import RecordState


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (doctor, status, reconcile, slots, webhooks, forget):
        app.command()(command)


def doctor(*, as_json: AsJson = False) -> None:
    """Check credentials, rights, fields, settings, webhooks, clock and Redis, and say what to do. Writes nothing."""

    def work() -> None:
        from services.config import environment
        from services.doctor import Level, examine

        with show.progress() as bar:
            task = bar.add_task("checks", total=None)
            findings = []
            for finding in examine(environment()):
                findings.append(finding)
                bar.advance(task)
        counts = Counter(finding.level.value for finding in findings)
        told = {
            "findings": [finding.as_dict() for finding in findings],
            "counts": {level.value: counts[level.value] for level in Level},
        }
        code = Exit.PERSON if counts[Level.PROBLEM.value] else Exit.FINE
        finish(told, show.doctor, as_json=as_json, code=code)

    guarded(work, as_json=as_json)


def status(
    record: Annotated[str, typer.Argument(metavar="[ID]", help="One record; without it the whole installation.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show how things stand."""

    def work() -> None:
        if record:
            espo_id = hand().resolve(record)
            told = of_record(store(), espo_id)
            finish(told, _show_record, as_json=as_json, code=_record_code(told))
            return
        told = of_all(wired(), hand().scope)
        finish(told, _show_all, as_json=as_json, code=Exit.PERSON if told["to_look_at"] else Exit.FINE)

    guarded(work, as_json=as_json)


def _record_code(told: dict[str, Any]) -> Exit:
    if told["state"] == RecordState.FAILED.value:
        return Exit.AGAIN
    return Exit.PERSON if told["state"] == RecordState.PARKED.value or told["lists"]["conflicts"] else Exit.FINE


def _show_record(told: dict[str, Any]) -> None:
    rows = [("state", told["state"]), ("cause", told.get("cause", "")), ("last looked at", show.when(told.get("at", 0)))]
    rows += [(name.replace("_", " "), str(count)) for name, count in told["lists"].items()]
    rows += [("due", f"{show.when(due['at'])}, {due['attempts']} failure(s) {due['cause']}") for due in told["due"]]
    if "in_espocrm" in told:
        rows.append(("notices in EspoCRM", "{notices} {cause}".format(**told["in_espocrm"])))
    rows += [("last run that wrote", told["last_run"]), ("base", "known" if told["base"] else "unknown")]
    title = f"{told['beteiligte_id']}, Beteiligter {told.get('betnr')}"
    show.console().print(show.table(("", ""), rows, title=title))


def _show_all(told: dict[str, Any]) -> None:
    lists, progress = told["lists"], told["pass"]
    pilot = "" if told["pilot"] is None else f", pilot of {len(told['pilot'])} record(s)"
    rows = [
        ("mode", told["mode"] + pilot),
        ("records", ", ".join(f"{count} {name}" for name, count in told["records"].items())),
        ("due now or later", told["due"]),
        ("last full pass", f"no. {progress['pass_number']}: {progress['records_done']} of {progress['records_total']}"),
        ("written by it", f"{progress['to_espocrm']} to EspoCRM, {progress['to_advoware']} to Advoware"),
        ("kept from writing", "{changes} change(s) in {records} record(s)".format(**told["would_write"])),
        *((name.replace("_", " "), lists[name]) for name in ("conflicts", "held_back", "notices")),
    ]
    show.console().print(show.table(("", ""), rows))
    if told["failed_or_parked"]:
        causes = [(one["beteiligte_id"], one["betnr"] or "", one["state"], one["cause"]) for one in told["failed_or_parked"]]
        show.console().print(show.table(("record", "betnr", "state", "cause"), causes))


def reconcile(*, as_json: AsJson = False) -> None:
    """Go through all linked records now, as the cron step does, and carry out what is to be done."""

    def work() -> None:
        from services.whole_pass import run_pass

        with show.progress() as bar:
            task = bar.add_task("records", total=None)

            def advance(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            told = run_pass(wired(), advance)
        finish(told, _show_pass, as_json=as_json, code=Exit.AGAIN if told["not_done"] else Exit.FINE)

    guarded(work, as_json=as_json)


def _show_pass(told: dict[str, Any]) -> None:
    show.say(
        f"{told['records']} record(s): {told['to_espocrm']} value(s) to EspoCRM, {told['to_advoware']} to Advoware.",
        f"{told['not_done']} record(s) failed or wait; 'status' says why." if told["not_done"] else "All are through.",
    )
    if told["would_write"]:
        show.say(f"{told['would_write']} record(s) would be written, if KOMM_MODE and KOMM_PILOT allowed it.")


def slots(*, as_json: AsJson = False) -> None:
    """Show who has more empty entries in Advoware than KOMM_SLOT_LIMIT, as the nightly clean-up counted them."""

    def work() -> None:
        reports = list(store().slot_reports().values())
        code = Exit.PERSON if any(report["above_limit"] for report in reports) else Exit.FINE
        finish({"reports": reports}, _show_slots, as_json=as_json, code=code)

    guarded(work, as_json=as_json)


def _show_slots(told: dict[str, Any]) -> None:
    rows = [
        (
            report["betnr"],
            report["slots"],
            report["surplus"],
            ", ".join(map(str, report["with_text"])),
            "yes" if report["above_limit"] else "",
            show.when(report["oldest_since"]),
        )
        for report in told["reports"]
    ]
    columns = ("betnr", "slots", "surplus", "entries with a text behind", "above the limit", "oldest since (UTC)")
    if rows:
        show.console().print(show.table(columns, rows))
    else:
        show.say("Nobody has too many slots. They are counted each night (KOMM_CLEANUP_CRON).")


def webhooks(
    *,
    register: Annotated[str, typer.Option(metavar="URL", help="Register them for this address of the sync.")] = "",
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Put the secrets into this file (.env).")] = None,
    only_here: Annotated[bool, typer.Option("--only-here", help="Remove this user's for other addresses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the sync's webhooks in EspoCRM, or register them. Secrets are never shown."""

    def work() -> None:
        from scripts.register_webhooks import env_line, write_line
        from scripts.register_webhooks import register as register_them
        from services.espocrm import EspoCrmService

        client = EspoCrmService()
        if register:
            if write is None:
                raise InvalidInput("--register needs --write FILE: the secrets belong into .env, not onto the screen.")
            write_line(write, env_line(register_them(client, register, only_here=only_here)))
        names = ("id", "event", "url", "active", "skip_own")
        hooks = [{name: getattr(hook, name) for name in names} for hook in client.list_webhooks()]
        client.close()
        told: dict[str, Any] = {"webhooks": sorted(hooks, key=lambda hook: (hook["event"], hook["url"]))}
        if register:
            told["written_to"] = str(write)
        finish(told, _show_webhooks, as_json=as_json)

    guarded(work, as_json=as_json)


def _show_webhooks(told: dict[str, Any]) -> None:
    shown = {True: "yes", False: "no", None: "not known here"}
    rows = [(h["event"], h["url"], "yes" if h["active"] else "no", shown[h["skip_own"]], h["id"]) for h in told["webhooks"]]
    if rows:
        show.console().print(show.table(("event", "url", "active", "skips own", "id"), rows))
    else:
        show.say("No webhooks: changes in EspoCRM are seen with the next tick of reconcile.")
    if "written_to" in told:
        show.say(f"The secrets are in {told['written_to']}; restart the sync to have them known.")


def forget(
    record: Record,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, it is only said what would be erased.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase all the sync holds about a person: base, journal, lists, status. What both systems hold stays."""

    def work() -> None:
        store()
        espo_id = hand().resolve(record)
        if not yes:
            told = of_record(store(), espo_id)
            finish(told | {"erased": False}, _show_forget, as_json=as_json)
            return
        finish(hand().forget(espo_id) | {"erased": True}, _show_forget, as_json=as_json)

    guarded(work, as_json=as_json)


def _show_forget(told: dict[str, Any]) -> None:
    if not told["erased"]:
        _show_record(told)
        show.say("All of this, and the journal, would be erased. Do it with --yes.")
        return
    left = told["left_in_advoware"]
    show.say(
        f"What the sync held about {told['beteiligte_id']} is erased.",
        f"Beteiligter {told['betnr']} in Advoware still has {left['markers']} marker(s), which hold values in base64, and"
        f" {left['slots']} slot(s): remove them there by hand.",
    )
    if count := told.get("notices_left_in_espocrm"):
        show.say(f"EspoCRM still has {count} notice(s) of the sync about the record (docs/notices.md): delete them there.")
    if told["still_linked"]:
        show.say("The record is still linked in EspoCRM: the next look at it begins anew. Clear betnr or delete it first.")
