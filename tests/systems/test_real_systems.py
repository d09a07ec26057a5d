"""The same suite against systems that `.env.contract` names: here another sandbox, which stands for them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from scripts.launch.places import ROOT, read_env
from tests.support.sandbox import Sandbox, email, entry, phone

if TYPE_CHECKING:
    from pathlib import Path

SUITE = ["tests/systems/test_advoware.py", "tests/systems/test_espocrm.py"]


def test_the_suite_asks_the_named_systems_and_leaves_their_records_as_they_were(tmp_path: Path) -> None:
    with Sandbox() as other:
        betnr = other.advoware.create(entry("0511 123456", 1, "bleibt"))
        emails, phones = [email("bleibt@example.com", primary=True)], [phone("+49511123456", primary=True)]
        espo_id = other.espocrm.create(emails=emails, phones=phones)
        before = other.advoware.entries(betnr)
        settings = {**other.environ, "CONTRACT_BETNR": str(betnr), "CONTRACT_ESPO_ID": espo_id}
        file = tmp_path / "contract"
        file.write_text("\n".join(f"{name}={value}" for name, value in settings.items()))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITE],
            cwd=ROOT,
            env=os.environ | {"CONTRACT_ENV": str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        assert "skipped" not in done.stdout
        after = other.advoware.entries(betnr)
        assert [one for one in after if one["id"] == before[0]["id"]] == before
        added = [one for one in after if one["id"] != before[0]["id"]]
        assert added, "the named Advoware was not asked"
        assert {one["tlf"] or "" for one in added} == {""}
        assert (other.espocrm.emails(espo_id), other.espocrm.phones(espo_id)) == (emails, phones)
        assert other.espocrm.requests("PUT", espo_id), "the named EspoCRM was not asked"


def test_the_example_names_all_that_is_needed() -> None:
    example, settings = read_env(ROOT / ".env.contract.example"), read_env(ROOT / ".env.example")
    assert example.keys() >= {"CONTRACT_BETNR", "CONTRACT_ESPO_ID"}
    assert example.keys() - {"CONTRACT_BETNR", "CONTRACT_ESPO_ID"} <= settings.keys()
    assert not any(
        value for name, value in example.items() if name.endswith(("_KEY", "_PASSWORD", "APP_ID", "ESPO_ID", "BETNR"))
    )
