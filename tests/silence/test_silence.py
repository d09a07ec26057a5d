"""Silence (I11): no client's value in logs, traces, queues, arguments of processes or anything else that is left.

The whole system runs, in a copy of the project, with canaries in every field of both systems, while everything goes wrong
that can; then everything that is left is searched for them. A copy with leaks put in shows that the search finds some.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.silence.canaries import Canaries, forms, hits

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("node_modules", "python_modules")
NOT_COPIED = shutil.ignore_patterns(*LINKED, ".git", ".motia", ".env*", "__pycache__", ".*_cache", ".hypothesis")

LEAKS = """

def _leaking(read):
    import base64, logging, os, pathlib, subprocess, urllib.parse, redis
    from services.secrecy import klar

    def leaky(self, betnr):
        found = read(self, betnr)
        for entry in found.kommunikation[:1]:
            value = klar(entry.tlf).encode()
            logging.getLogger(__name__).warning("read %s and %s", value.decode(), entry.tlf)
            client = redis.from_url(os.environ["REDIS_URL"])
            client.set("komm:leak", base64.b64encode(b"x" + value))
            client.set("komm:gone", value)
            client.delete("komm:gone")
            subprocess.run(["sh", "-c", "sleep 0.1", urllib.parse.quote(value, safe="")])
            subprocess.run(["sleep", "0.1"], env={"LEAK": value.hex()})
            pathlib.Path("leak.txt").write_bytes(value.upper())
        return found

    return leaky


AdvowareService.get_beteiligter = _leaking(AdvowareService.get_beteiligter)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run in a copy of the project; gives the report. `leaks`: with leaks in the copy, and briefly."""

    def start(*, leaks: bool = False) -> dict[str, Any]:
        project, runtime, report = tmp_path / "project", tmp_path / "runtime", tmp_path / "report.json"
        shutil.copytree(ROOT, project, ignore=NOT_COPIED)
        shutil.copy(ROOT / ".env.sandbox", project)
        for name in LINKED:
            (project / name).symlink_to(ROOT / name)
        if leaks:
            with (project / "services" / "advoware_service.py").open("a") as service:
                service.write(LEAKS)
        env = os.environ | {"KOMM_RUNTIME": str(runtime), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "tests.silence.run", str(report), *(["--brief"] if leaks else [])]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=480)
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return told

    return start


def summary(told: dict[str, Any]) -> str:
    """Places and bytes, for the log of the tests."""
    lines = [f"  {kind:<28} {number:>7} {told['bytes'][kind]:>10} bytes" for kind, number in told["places"].items()]
    total = f"{sum(told['places'].values())} places, {sum(told['bytes'].values())} bytes, {told['forms']} forms"
    return "\n".join([f"{total}, {told['looks at all processes']} looks at all processes, {told['seconds']} s:", *lines])


def test_no_client_value_is_found_where_none_belongs(
    run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = run()
    with capsys.disabled():
        print(f"\n{summary(told)}\n  found: {len(told['leaks'])}")  # noqa: T201 - how much was searched belongs to the result
    assert [name for name, came in told["told"].items() if not came] == [], told["missed"]
    assert told["leaks"] == []
    assert told["masks"] == [], "a value was formatted by mistake: it would have been a leak"
    assert told["masks in the systems"] == 0
    # The values did pass through: Redis holds them, where they belong.
    assert told["places of client data with canaries"] > 50
    assert min(told["bytes"][kind] for kind in told["bytes"] if kind != "Redis' slow log") > 1000
    assert told["looks at all processes"] > 500


def test_leaks_put_in_on_purpose_are_all_found(run: Callable[..., dict[str, Any]]) -> None:
    told = run(leaks=True)
    assert {leak["kind"] for leak in told["leaks"]} == {
        "Redis keys",
        "Redis' history",
        "arguments of processes",
        "environments of processes",
        "files of the run",
        "files of the project",
    }
    assert {mask["kind"] for mask in told["masks"]} >= {"files of the run"}


@pytest.mark.parametrize("around", [b"", b"a", b"ab", b"abc"])
def test_a_value_is_found_in_base64_wherever_it_begins(around: bytes) -> None:
    import base64

    text = "kanärix"
    found = base64.b64encode(around + text.encode() + b" and more")
    assert hits({name: form for name, form in forms(text).items() if name.startswith("base64")}, found)


def test_every_way_of_writing_a_number_is_searched_for() -> None:
    wanted = Canaries.new().wanted()
    for text in (
        "+4951112345607",
        "0511/12345607",
        "0511%2F12345607",
        "0511\\/12345607",
        "(0511) 123456-07",
        "017139200",
        "+4917139200",
    ):
        assert hits(wanted, text.encode()), text


def test_nothing_is_found_where_nothing_is() -> None:
    assert hits(Canaries.new().wanted(), (ROOT / "README.md").read_bytes() + os.urandom(1_000_000)) == []
