"""What every command does: find the settings, wire the parts, show a result or a failure, end with a telling code.

Client data: whoever runs a command asked to see it, so stdout may show values. Arguments are ids only, and what goes
wrong is said without values, whatever it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import traceback
from contextlib import suppress
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.launch.places import ROOT, RUN_ENV, RUNTIME, read_env
from services.errors import Bug, InvalidInput, RetryLater, SyncError, Unconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.by_hand import ByHand
    from services.flow_wiring import Wiring
    from services.state import StateStore

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of tables.")]
Record = Annotated[str, typer.Argument(metavar="ID", help="EspoCRM's id of the record, or the number of the Beteiligter.")]


class Exit(IntEnum):
    """Exit codes."""

    FINE = 0
    AGAIN = 1
    USAGE = 2
    PERSON = 7


MEANING = {
    Exit.FINE: "fine",
    Exit.AGAIN: "run it again: a system was down, or something moved",
    Exit.USAGE: "unusable arguments",
    Exit.PERSON: "a person must look",
}


def code_of(error: BaseException) -> Exit:
    """The exit code an error stands for."""
    if isinstance(error, InvalidInput):
        return Exit.USAGE
    return Exit.AGAIN if isinstance(error, RetryLater) else Exit.PERSON


def worst(codes: list[Exit]) -> Exit:
    """One code for several outcomes: what needs a person counts most."""
    return max(codes, default=Exit.FINE)


def finish(result: dict[str, Any], show: Callable[[dict[str, Any]], None], *, as_json: bool, code: Exit = Exit.FINE) -> None:
    """Show a result and end the command."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        show(result)
    if code:
        raise typer.Exit(code)


def guarded(command: Callable[[], None], *, as_json: bool) -> None:
    """Run a command's work. A failure is said in a sentence without values."""
    try:
        command()
    except SyncError as error:
        fail(error, as_json=as_json)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - a text of somebody else's error may hold what it choked on
        frames = traceback.extract_tb(error.__traceback__)
        place = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
        fail(Bug(f"Unexpected: {type(error).__name__}{place}."), as_json=as_json)


def fail(error: SyncError, *, as_json: bool) -> None:
    """Say what went wrong, and end."""
    code = code_of(error)
    if as_json:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}, ensure_ascii=False, indent=2))
    else:
        sys.stderr.write(f"{error}\n")
    raise typer.Exit(code) from None


# ------------------------------------------------------------------------------------------------------------- the parts


def borrow_settings() -> None:
    """Where a run stands in this checkout and neither `.env` nor the environment names a Redis, take the run's settings."""
    if os.environ.get("REDIS_URL") or read_env(ROOT / ".env").get("REDIS_URL") or not _run_stands():
        return
    for name, value in read_env(RUN_ENV).items():
        if not os.environ.get(name):
            os.environ[name] = value


def _run_stands() -> bool:
    with suppress(OSError), (RUNTIME / "run.lock").open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return RUN_ENV.exists()
    return False


@cache
def wired() -> Wiring:
    """The parts, with a store. Raises `Unconfigured` without one."""
    from services.flow_wiring import wiring

    try:
        return wiring()
    except Unconfigured as error:
        if "REDIS_URL" not in str(error):
            raise
    raise Unconfigured("REDIS_URL is not set, and no 'make run' stands in this checkout: there is nothing to look at.")


@cache
def hand() -> ByHand:
    """The manager for people, with the store where there is one."""
    from services.advoware_service import AdvowareService
    from services.bootstrap import build_state
    from services.by_hand import ByHand
    from services.espocrm import EspoCrmService

    state = build_state()
    tokens = state.token_cache() if state is not None else None
    return ByHand(AdvowareService(token_cache=tokens), EspoCrmService(), state=state)


def store() -> StateStore:
    """The store. Raises `Unconfigured` without one."""
    return wired().state


def needs_person(result: dict[str, Any]) -> bool:
    """Whether a run's result has something for a person."""
    return bool(result["conflicts"] or result["held_back"] or result["valve"]["tripped"])


def code_of_result(result: dict[str, Any]) -> Exit:
    """The exit code of a run."""
    if result["advoware_to_espocrm"]["errors"] or result["espocrm_to_advoware"]["errors"]:
        return Exit.AGAIN
    return Exit.PERSON if needs_person(result) else Exit.FINE
