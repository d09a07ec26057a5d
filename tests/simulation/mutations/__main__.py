"""Puts each deliberate bug into a copy of `services/` and tells what notices it, and how soon.

python -m tests.simulation.mutations               all of them, as a table
python -m tests.simulation.mutations --only valve   those whose name holds this text
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
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.mutations import MUTATIONS, Mutation

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
HISTORIES = 3000
"""Within so many histories, from seed 0 on, the simulation has to notice a bug."""
AS_IT_IS = Mutation("the program as it is", "both find nothing, or the rest of the table says nothing", ())


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Path]:
    """A copy of the program with this bug. Raises ValueError if the bug does not fit the program any more."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__pycache__"))
        for shared in ("tests", "sandbox"):
            (folder / shared).symlink_to(ROOT / shared)
        for file, old, new in mutation.changes:
            place = folder / "services" / file
            text = place.read_text()
            if text.count(old) != 1:
                raise ValueError(f"{mutation.name}: its text is {text.count(old)} times in {file}")
            place.write_text(text.replace(old, new))
            compile(place.read_text(), file, "exec")
        yield folder


def by_simulation(folder: Path, histories: int = HISTORIES) -> str:
    """The violated invariant and the first history (counted from 1, so seed + 1) that shows it; '' if none does."""
    told = _run(folder, "tests.simulation", "--histories", str(histories), "--seed", "0", "--brief")
    if not told:
        return ""
    found = re.search(r"^seed (\d+): (\S+?):", told, re.MULTILINE)
    # An invariant must be what it trips over: a copy that can't even run shows nothing.
    if found is None or found[2] == "bug":
        raise RuntimeError(f"the mutation broke the program: {told.strip().splitlines()[-1]}")
    return f"{found[2]}, history {int(found[1]) + 1}"


def by_kills(folder: Path) -> str:
    """The first kill point (or two) of the single rows after which everything ends otherwise; '' if there is none."""
    told = _run(folder, "tests.simulation.kills", "--brief")
    if not told:
        return ""
    found = re.search(r"^(.*?), \{.*, killed at \((.*)\): ", told, re.MULTILINE)
    if found is None:
        # No kill point, but an end that can't be reached even without a kill.
        return f"fails: {told.strip().splitlines()[-1][:60]}"
    deaths = re.findall(r"\((\d+), '(.*?)'\)", found[2])
    return f"{found[1]}: {' and '.join(f'{order} call {call}' for call, order in deaths)}"


def _run(folder: Path, *arguments: str) -> str:
    environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def _try(mutation: Mutation) -> bool:
    """Print its line of the table. Whether one of the two noticed it."""
    with mutated(mutation) as folder:
        simulation, kills = by_simulation(folder), by_kills(folder)
    print(f"| {mutation.name} | {simulation or '-'} | {kills or '-'} |", flush=True)
    return bool(simulation or kills)


def main() -> int:
    """Try them and print a table. 1: one went unnoticed, or the program itself is not clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="those whose name holds this text")
    only = parser.parse_args().only
    begun = time.monotonic()
    print(f"| deliberate bug | simulation (of {HISTORIES} histories) | kill test (scenario: kill point) |\n|---|---|---|")
    if _try(AS_IT_IS):
        return 1
    tried = [mutation for mutation in MUTATIONS if only in mutation.name]
    missed = [mutation.name for mutation in tried if not _try(mutation)]
    print(f"\n{len(tried)} bugs, {len(missed)} not noticed, {time.monotonic() - begun:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
