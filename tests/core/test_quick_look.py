"""The program that people run to see whether the heart of the sync works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "test_kommunikation_sync_implementation.py"


def test_the_quick_look_runs_alone_from_any_folder_and_finds_everything_in_order(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" checks, 0 failed.")
