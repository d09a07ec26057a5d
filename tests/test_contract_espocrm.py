"""Every recorded exchange with a real EspoCRM 9.2.7 happens in the same way with the sandbox, none skipped.

The replay runs once, as a process of its own, against the sandbox as a process of its own; each case is a test.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import socket
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

CONTRACT = Path(__file__).parent / "contract"
CASES = sorted((CONTRACT / "espocrm").glob("*.json"))
_FLUSH = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method='POST')).read()"


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    """The replay's full set of options, for a sandbox that is running meanwhile."""
    with Sandbox() as sandbox:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = sandbox.environ
        yield {
            "base_url": sandbox.espocrm.url,
            "api_key": given["ESPOCRM_API_KEY"],
            "no_role_key": given["SANDBOX_ESPOCRM_NO_ROLE_KEY"],
            "read_only_key": given["SANDBOX_ESPOCRM_READ_ONLY_KEY"],
            "hmac_key": given["SANDBOX_ESPOCRM_HMAC_KEY"],
            "hmac_secret": given["SANDBOX_ESPOCRM_HMAC_SECRET"],
            "occ_entity": "CBeteiligteOcc",
            "hook_listen": f"127.0.0.1:{port}",
            "hook_flush": shlex.join([sys.executable, "-c", _FLUSH, f"{sandbox.espocrm.url}/_sandbox/flush"]),
        }


@pytest.fixture(scope="module")
def replayed(options: dict[str, str]) -> str:
    """What the replay prints."""
    command = [sys.executable, str(CONTRACT / "replay.py")]
    command += [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    run = subprocess.run([*command, str(CONTRACT / "espocrm")], capture_output=True, text=True, timeout=180, check=False)
    return run.stdout + run.stderr


@pytest.mark.parametrize("case", [case.stem for case in CASES])
def test_the_sandbox_behaves_as_recorded(case: str, replayed: str) -> None:
    assert re.search(rf"^ok +{re.escape(case)}$", replayed, re.MULTILINE), replayed


def test_no_case_fails_and_none_is_skipped(replayed: str) -> None:
    assert replayed.splitlines()[-1] == f"{len(CASES)} passed, 0 failed, 0 skipped"
    assert len(CASES) >= 80


def test_answers_and_deliveries_equal_the_recorded_ones_member_by_member(options: dict[str, str]) -> None:
    """A case expects what matters to it; here the whole recorded answer counts, absent members included."""
    replay = _replay_module()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"

    class Runner(replay.Runner):  # type: ignore[misc, name-defined]  # the replay is no module of ours
        """Keeps the placeholders of the case at hand."""

        def step(self, step: Any, names: dict[str, Any]) -> Any:
            self.names = names
            return super().step(step, names)

    runner = Runner(Namespace(**options | {"hook_listen": listen}, hook_public_url=None, timeout=30))
    different = {}
    for _, case in replay.load([CONTRACT / "espocrm"]):
        _, seen = runner.run(case)
        names = runner.names
        recorded = case["when"]["recorded"]
        body = seen["text"] if seen["json"] is replay.MISSING else seen["json"]
        pairs = [(recorded.get("body"), body), (recorded["status"], seen["status"])]
        pairs += [(value, seen["headers"].get(name)) for name, value in recorded["headers"].items()]
        if recorded.get("deliveries"):
            known = {value for value in names.values() if isinstance(value, str)}
            arrived = [row["json"] for row in runner.listener.take(names["uid"], known)]
            pairs.append(([delivery["body"] for delivery in recorded["deliveries"]], arrived))
        wrong = [
            (_comparable(want), _comparable(got))
            for want, got in ((replay.fill(want, names), got) for want, got in pairs)
            if _comparable(want) != _comparable(got)
        ]
        if wrong:
            different[case["id"]] = wrong
    assert different == {}


def _replay_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("espocrm_contract_replay", CONTRACT / "replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _comparable(value: Any) -> str:
    """JSON text with times, secrets and record ids, which differ from run to run, masked."""
    text = json.dumps(value, sort_keys=True)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"<id of the API user>|<32 hex digits>|\b(?:[0-9a-f]{17}|[0-9a-f]{32})\b", "ID", text)
