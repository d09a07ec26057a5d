"""Runs many histories. A failing one is shrunk, told, and written down as a regression case.

python -m tests.simulation --histories 20000 --seed 0
python -m tests.simulation --tell 4711              the whole history of one seed, call by call
python -m tests.simulation --replay FILE            a case of tests/simulation/regressions
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulation.draw import Tally, run, tried
from tests.simulation.history import lasting, replay
from tests.simulation.shrink import Shrinker, story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.hub import Violation

REGRESSIONS = Path(__file__).parent / "regressions"
EVERY = 1000
"""Histories between two lines of progress."""
PIECE = 50
"""Histories one process gets at a time."""


def kept(init: dict[str, Any], actions: list[Any], violation: Violation, told: str) -> str:
    """A regression case as text: one action a line, so that people can read it."""
    head = json.dumps({"story": told, "invariant": violation.invariant, "init": init}, indent=1, ensure_ascii=False)
    lines = ",\n".join(f"  {json.dumps(action, ensure_ascii=False)}" for action in actions)
    return f'{head[:-2]},\n "actions": [\n{lines}\n ]\n}}\n'


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """The kept cases by name."""
    for file in sorted(REGRESSIONS.glob("*.json")):
        yield file.stem, json.loads(file.read_text())


def _fail(seed: int, init: dict[str, Any], actions: list[Any], violation: Violation, folder: Path) -> None:
    print(f"\nseed {seed}: {violation}")
    print(f"shrinking {len(actions)} actions ...", flush=True)
    init, actions = Shrinker(init, actions, violation).shrink()
    print(story(init, actions))
    steady = lasting(init, actions)
    if (again := replay(init, steady)[1]) is not None and again.invariant == violation.invariant:
        actions = steady
    file = folder / f"seed_{seed}.json"
    file.write_text(kept(init, actions, violation, str(violation)))
    print(f"\nTo see it again: python -m tests.simulation --replay {file}")
    print("Once it is understood and put right, tell its story in the file, and keep it in tests/simulation/regressions.")


def main() -> int:
    """Run what the command line asks for. 1: an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first one (0)")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first violation; do not shrink")
    parser.add_argument("--brief", action="store_true", help="name the first violation, and no more")
    parser.add_argument("--tell", type=int, metavar="SEED", help="tell one history call by call")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run a kept case")
    parser.add_argument("--into", type=Path, default=Path(), help="folder for the case of a failing seed (here)")
    asked = parser.parse_args()
    if asked.replay is not None:
        case = json.loads(asked.replay.read_text())
        print(story(case["init"], case["actions"]))
        return 1 if replay(case["init"], case["actions"])[1] else 0
    if asked.tell is not None:
        history, violation = run(asked.tell)
        print("\n".join(history.hub.trace), violation or "", sep="\n")
        return 1 if violation else 0
    return _many(asked)


def _many(asked: argparse.Namespace) -> int:
    first, end = asked.seed, asked.seed + asked.histories
    pieces = [range(at, min(at + PIECE, end)) for at in range(first, end, PIECE)]
    begun, total = time.monotonic(), Tally()
    with ProcessPoolExecutor(asked.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = map(tried, pieces) if asked.jobs == 1 else pool.map(tried, pieces)
        for n, tally in enumerate(results, start=1):
            total.calls, total.windows = total.calls + tally.calls, total.windows + tally.windows
            total.violations |= tally.violations
            for seed, text in tally.violations.items():
                print(f"seed {seed}: {text}", flush=True)
            if n * PIECE % EVERY == 0:
                print(f"{n * PIECE} histories, {total.calls} calls, {time.monotonic() - begun:.0f} s", flush=True)
            if total.violations and not asked.keep_going:
                pool.shutdown(cancel_futures=True)
                break
    if total.violations and not (asked.keep_going or asked.brief):
        seed = min(total.violations)
        history, violation = run(seed)
        assert violation is not None
        _fail(seed, history.init, history.done, violation, asked.into)
    print(
        f"seeds {first} to {end - 1}: {len(total.violations)} violations, {total.calls} calls, {total.windows} open windows met,"
        f" {time.monotonic() - begun:.0f} s on {asked.jobs} core(s)"
    )
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
