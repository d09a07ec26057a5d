"""Puts each deliberate bug into a copy of `services/` and tells how soon it is noticed.

python -m tests.simulation.mutations               all of them
python -m tests.simulation.mutations --only valve   those whose name holds this word
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.mutations import MUTATIONS

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation

ROOT = Path(__file__).resolve().parents[3]
HISTORIES = 1500
"""Within so many histories a bug has to show, else the kill test gets its turn."""


def mutated(mutation: Mutation, folder: Path) -> None:
    """A copy of the program with this bug in `folder`. Raises ValueError if it does not fit the program any more."""
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests", "sandbox"):
        (folder / name).symlink_to(ROOT / name)
    for file, old, new in mutation.changes:
        place = folder / "services" / file
        text = place.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{mutation.name}: its text is {text.count(old)} times in {file}")
        place.write_text(text.replace(old, new))


def noticed(mutation: Mutation, histories: int = HISTORIES) -> str:
    """What noticed the bug, '' if nothing did."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mutated(mutation, folder)
        environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

        def run(*arguments: str) -> str:
            command = [sys.executable, "-m", *arguments]
            done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
            return done.stdout + done.stderr if done.returncode else ""

        told = run("tests.simulation", "--histories", str(histories), "--brief")
        if found := re.search(r"seed (\d+): (\S+?):", told):
            return f"{found[2]} in history {int(found[1]) + 1}"
        if told:
            return f"the simulation fails: {told.strip().splitlines()[-1]}"
        killed = run("tests.simulation.kills", "--brief")
        return f"kill test: {killed.strip().splitlines()[-1][:120]}" if killed else ""


def main() -> int:
    """Try them and print a table. 1: one went unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="those whose name holds this text")
    only = parser.parse_args().only
    missed = 0
    for mutation in (one for one in MUTATIONS if only in one.name):
        begun = time.monotonic()
        by = noticed(mutation)
        missed += not by
        print(f"{mutation.name}: {by or 'NOT NOTICED'} ({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"{missed} not noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
