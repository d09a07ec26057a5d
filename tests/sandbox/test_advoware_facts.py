"""`scripts/test_kommunikation_api.py`: on the sandbox every fact holds; on a real system it leaves only slots."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.sandbox.program import ENV, ROOT, running

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = ROOT / "scripts" / "test_kommunikation_api.py"


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def results(answer: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[-1] for line in answer.stdout.splitlines()[2:]]


def test_every_fact_holds_on_the_sandbox() -> None:
    answer = run()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert set(results(answer)) == {"ok"}
    assert len(results(answer)) > 60


def test_what_differs_without_harm_is_tolerated_and_what_does_harm_fails() -> None:
    tolerated = run("--advoware-switch", "kommKzInGet=correct", "--advoware-switch", "writeAnswer=empty")
    failed = run("--advoware-switch", "connector=offline")
    assert (tolerated.returncode, "tolerated" in results(tolerated)) == (0, True)
    assert (failed.returncode, "FAILED" in results(failed)) == (1, True)


def test_on_a_real_system_it_touches_only_the_named_record_and_only_its_own_entries() -> None:
    mine = {"tlf": "0511 123400", "kommKz": 1, "bemerkung": "bleibt"}
    with running("--count", "0") as systems:
        record, other = (
            systems.people.post("/beteiligte", json={"name": "Probe", "kommunikation": [mine]}).json() for _ in range(2)
        )
        addresses = {"ADVOWARE_API_BASE_URL": systems.advoware, "ADVOWARE_SECURITY_GATEWAY_URL": systems.advoware}
        look_up = {"ADVOWARE_CONFIGURATOR_URL": systems.advoware + "/AdvonetConfigurator/api/Url"}
        answer = run("--betnr", str(record["betNr"]), env=os.environ | ENV | addresses | look_up)
        after = systems.people.get(f"/beteiligte/{record['betNr']}").json()["kommunikation"]
        assert systems.people.get(f"/beteiligte/{other['betNr']}").json() == other
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert after[0] == record["kommunikation"][0]
    assert {(e["tlf"], e["bemerkung"]) for e in after[1:]} == {("", f"[ESPOCRM-SLOT:{kind}]") for kind in (3, 4)}
    assert "123400" not in answer.stdout + answer.stderr


def test_without_credentials_it_says_so_in_one_sentence() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ADVOWARE_")}
    answer = run("--betnr", "1", env=env | {"ADVOWARE_KANZLEI": "x", "ADVOWARE_PASSWORD": ""})
    assert answer.returncode != 0
    assert "ADVOWARE_" in answer.stderr
    assert "Traceback" not in answer.stderr
