"""The usage example of the documents, typed as it stands into a Python shell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]

TYPED = """
from services.advoware_service import AdvowareService
from services.espocrm import EspoCrmService
from services.kommunikation_sync_utils import KommunikationSyncManager

sync_manager = KommunikationSyncManager(AdvowareService(), EspoCrmService())
result = sync_manager.sync_bidirectional(beteiligte_id='espocrm-bet-id', betnr=12345, direction='both')
print(result)
"""

SHAPE = (
    r"\{'advoware_to_espocrm': \{'emails_synced': \d+, 'phones_synced': \d+, 'errors': \[\]\}, "
    r"'espocrm_to_advoware': \{'created': \d+, 'updated': \d+, 'deleted': \d+, 'errors': \[\]\}, "
)


def test_the_example_typed_into_a_shell_prints_the_result_it_shows() -> None:
    with Sandbox("--count", "1") as sandbox:
        shell = subprocess.run(
            [sys.executable, "-i", "-q"],
            input=TYPED,
            cwd=ROOT,
            env={**sandbox.environ, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert re.match(SHAPE, shell.stdout), shell.stdout + shell.stderr
    for name in ("plan", "conflicts", "held_back", "notices", "pending", "valve"):
        assert f"'{name}': " in shell.stdout
