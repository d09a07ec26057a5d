"""Asks an Advoware API for every fact the sync relies on and prints a table: fact, expected, seen, result.

    python scripts/test_kommunikation_api.py                 the sandbox, which it starts and ends itself
    python scripts/test_kommunikation_api.py --betnr 4711    a real Advoware, with the credentials of `.env`

`--betnr` names a *test record* of the real system: entries are added to it. They are emptied afterwards, which is all that
Advoware's API allows; for a second run delete them in Advoware by hand. The exit code is 0 when no fact failed;
`tolerated` is what differs from the expectation without harm, because the sync copes with it.
Under pytest (`python -m pytest scripts/test_kommunikation_api.py`) the sandbox is asked, and nothing may differ.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
# Python puts scripts/ on the path, not the project.
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - after the path
import pytest  # noqa: E402
from dotenv import dotenv_values  # noqa: E402

from scripts.kommunikation_api_facts import SECTIONS, token  # noqa: E402
from scripts.kommunikation_api_probe import Probe, Row  # noqa: E402
from services.config import AdvowareSettings  # noqa: E402
from services.errors import SyncError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDTHS = (56, 34, 34)


@contextlib.contextmanager
def sandbox_probe(switches: Sequence[str] = ()) -> Iterator[Probe]:
    """Start the sandbox on free ports and give a probe of a test record in it."""
    command = [sys.executable, "-m", "sandbox", "--advoware-port", "0", "--espocrm-port", "0", "--count", "0"]
    command += [part for switch in switches for part in ("--advoware-switch", switch)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            root = _address(process)
            answer = httpx.post(root + "/_sandbox/beteiligte", json={"name": "Probe"}, trust_env=False)
            settings = {name: value or "" for name, value in dotenv_values(ROOT / ".env.sandbox").items()}
            # Nothing configured but the look-up, so that the sandbox has to name its addresses itself.
            settings |= {"ADVOWARE_CONFIGURATOR_URL": root + "/AdvonetConfigurator/api/Url"}
            settings |= {"ADVOWARE_API_BASE_URL": "", "ADVOWARE_SECURITY_GATEWAY_URL": ""}
            yield Probe(AdvowareSettings.from_environment(settings), answer.json()["betNr"], all_kinds=True)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    found = ""
    for line in process.stdout or ():
        if line.strip() == "ready":
            return found
        if line.startswith("advoware="):
            found = line.strip().removeprefix("advoware=")
    raise SystemExit("The sandbox did not start.")


def ask(probe: Probe) -> Iterator[Row]:
    """Go through all facts; what can't be asked at all is a row as well. Cleans up behind itself."""
    before: list[int] | None = None
    try:
        for section in SECTIONS:
            if before is None and probe.token:
                before = list(probe.entries())
            try:
                yield from section(probe)
            except (SyncError, httpx.HTTPError, LookupError, ValueError) as error:
                # The kind of the error only: its text could hold an address or an answer.
                yield Row(f"{section.__name__}: could be asked", "yes", type(error).__name__, "FAILED")
            if section is token and not probe.token:
                yield Row("all other facts: could be asked", "yes", "no token", "FAILED")
                return
    finally:
        if before is not None:
            count = probe.clean_up(before)
            print(f"Emptied {count} entries of the test record into slots.", file=sys.stderr)
        probe.close()


def show(rows: Iterator[Row]) -> bool:
    """Print the table as it grows; true if no fact failed."""
    good = True
    print(_line("fact", "expected", "seen", "result"))
    print(_line(*("-" * width for width in (*_WIDTHS, 9))))
    for row in rows:
        good = good and row.result != "FAILED"
        print(_line(row.fact, row.expected, row.seen, row.result), flush=True)
    return good


def _line(*cells: str) -> str:
    texts = [" ".join(cell.split()) for cell in cells]
    cut = [text if len(text) <= width else text[: width - 1] + "…" for text, width in zip(texts, (*_WIDTHS, 9), strict=True)]
    return "  ".join(text.ljust(width) for text, width in zip(cut, (*_WIDTHS, 9), strict=True)).rstrip()


def main() -> int:
    """Ask the sandbox, or the Advoware of the environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betnr", type=int, help="number of a test record in the real Advoware")
    parser.add_argument("--all-kinds", action="store_true", help="real system: make an entry of each of the 12 kinds, not 2")
    parser.add_argument("--advoware-switch", action="append", default=[], metavar="NAME=VALUE", help="for the sandbox")
    arguments = parser.parse_args()
    if arguments.betnr is None:
        with sandbox_probe(arguments.advoware_switch) as probe:
            return 0 if show(ask(probe)) else 1
    try:
        settings = AdvowareSettings.from_environment()
    except SyncError as error:
        raise SystemExit(str(error)) from None
    return 0 if show(ask(Probe(settings, arguments.betnr, all_kinds=arguments.all_kinds))) else 1


# --- Under pytest -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen() -> list[Row]:
    """All rows of the sandbox with its default switches."""
    with sandbox_probe() as probe:
        return list(ask(probe))


def test_every_fact_holds_on_the_sandbox(seen: list[Row]) -> None:
    """Nothing fails, and nothing is only tolerated."""
    assert [row for row in seen if row.result != "ok"] == []  # noqa: S101 - a test
    assert len(seen) > 60  # noqa: PLR2004, S101 - so many there are; a section that yields nothing would go unnoticed


@pytest.mark.parametrize(
    "switch",
    [
        "kommKzInGet=correct",
        "putKommKz=apply",
        "putKommKz=reject400",
        "writeAnswer=list",
        "writeAnswer=empty",
        "getAnswer=list",
        "postStatus=201",
        "putOmitted=null",
        "noopPutNewRowId=false",
        "parentRowIdOnKommChange=changed",
        "delete=204",
        "charset=windows1252",
        "bemerkungMax=100:truncate",
        "bemerkungMax=100:reject400",
        "connectorUrl=own",
        "connectorUrl=absent",
    ],
)
def test_an_advoware_that_differs_without_harm_is_tolerated(switch: str) -> None:
    """Each switch for what is not publicly known leads to no failure."""
    with sandbox_probe([switch]) as probe:
        rows = list(ask(probe))
    assert [row for row in rows if row.result == "FAILED"] == []  # noqa: S101 - a test


def test_what_the_sync_can_not_do_without_is_a_failure() -> None:
    """A value cut short, or a firm that is offline, is not tolerated."""
    for switch in ("tlfMax=5:truncate", "connector=offline"):
        with sandbox_probe([switch]) as probe:
            assert "FAILED" in {row.result for row in ask(probe)}  # noqa: S101 - a test


if __name__ == "__main__":
    sys.exit(main())
