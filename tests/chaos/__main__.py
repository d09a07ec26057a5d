"""`python -m tests.chaos --seconds 300 --seed 1`: exit code 0 when nothing was lost, doubled, resurrected or stuck."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from scripts.launch.report import say, table
from services.secrecy import plainly
from tests.chaos.run import Chaos


def main() -> int:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--calm", action="store_true", help="people edit, but nothing fails")
    parser.add_argument("--keep", type=Path, help="folder for logs and files; default: a temporary one")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Chaos(options.keep or Path(folder), options.seed, pairs=options.pairs, calm=options.calm) as chaos,
    ):
        outcome = chaos.run(options.seconds)
        failed, evidence = chaos.failed_jobs(), list(chaos.evidence())
    table([("seed", options.seed), *outcome.table(), ("jobs Motia gave up on", failed)])
    for name in ("lost", "doubled", "resurrected", "texts"):
        for one in getattr(outcome, name):
            say(f"  {name}: {one}")
    for record in evidence:
        say(json.dumps(plainly(record), ensure_ascii=False, indent=1, default=str))
    for at, blow in chaos.blows.told if evidence else ():
        say(f"  {at:7.1f} {blow}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
