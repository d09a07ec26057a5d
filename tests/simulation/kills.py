"""Die before and after the effect of every call, go on with a new process, and end as if nothing had happened (I7).

python -m tests.simulation.kills            all scenarios
python -m tests.simulation.kills --twice    also die in the run that goes on, at every call again (the single rows)
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.kommunikation_types import Art
from tests.simulation import corpus
from tests.simulation.history import History
from tests.simulation.hub import DIE_AFTER, OK, Violation
from tests.simulation.model import users_part
from tests.simulation.values import letter_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.corpus import Scenario

MOST_RUNS = 8
DIE_BEFORE = "die before"

Death = tuple[int, str]
"""At which call, and on which side of its effect."""


@dataclass(frozen=True)
class Difference:
    """A kill point after which everything ends otherwise than without it."""

    scenario: Scenario
    deaths: tuple[Death, ...]
    text: str


def prepared(scenario: Scenario) -> History:
    """The world when the run begins."""
    history = History(scenario.init)
    history.do(["settle"])
    for edit in scenario.edits:
        assert history.people.do(edit), f"{scenario.name}: {edit} does not fit"
    return history


def interrupted(history: History, direction: str, death: Death | None) -> int:
    """A run that dies at a call, or gets through; gives the number of its calls."""
    worker = history.hub.workers[0]
    job = {"id": "rec1", "betnr": 1, "direction": direction}
    history.world.begin(worker, ("direct", job))
    calls = 0
    while worker.thread is not None:
        calls += 1
        order = death[1] if death is not None and calls == death[0] else OK
        if order == DIE_BEFORE:
            history.hub.kill(worker)
        else:
            history.hub.resume(worker, order)
    # What a dead process held runs out.
    history.hub.clock += 61
    return calls


def end_state(history: History) -> Any:
    """What is left when everybody has finished: values, kinds and texts in Advoware, items in EspoCRM, lists."""
    world = history.world
    sides = world.a, world.e
    for _ in range(MOST_RUNS):
        writes = sum(side.writes for side in sides)
        interrupted(history, "both", None)
        if writes == sum(side.writes for side in sides):
            break
    else:
        raise Violation("I1", f"still writing after {MOST_RUNS} runs")
    rows = world.advoware.people[1].values()
    entries = sorted((r.letter, r.kz, users_part(r.bemerkung, r.tlf)[1]) for r in rows if r.letter)
    texts = sorted(users_part(r.bemerkung, r.tlf)[1] for r in rows if not r.letter)
    items = sorted(
        (letter_of(i.value), i.type, i.primary, i.opt_out, i.invalid) for art in Art for i in world.espocrm.items(1, art)
    )
    held = sorted(letter_of(entry.get("value")) for entry in world.store.lists("rec1")["held_back"])
    seen = world.store.conflicts_seen.get("rec1", ())
    conflicts = sorted({(letter_of(entry["advoware"]), letter_of(entry["espocrm"])) for entry in seen})
    return {"Advoware": entries, "texts": [t for t in texts if t], "EspoCRM": items, "held": held, "conflicts": conflicts}


def outcome(scenario: Scenario, *deaths: Death) -> tuple[Any, int]:
    """The end after these deaths, and the number of calls the last interrupted run made."""
    history = prepared(scenario)
    calls = interrupted(history, scenario.direction, deaths[0] if deaths else None)
    for death in deaths[1:]:
        calls = interrupted(history, "both", death)
    try:
        return end_state(history), calls
    except Violation as violation:
        return str(violation), calls
    finally:
        history.close()


def kill_points(scenario: Scenario, *, twice: bool = False) -> Iterator[tuple[tuple[Death, ...], Difference | None]]:
    """Every kill point of a scenario with what differs."""
    whole, calls = outcome(scenario)
    for death in ((call, order) for call in range(1, calls + 1) for order in (DIE_BEFORE, DIE_AFTER)):
        ended, _ = outcome(scenario, death)
        yield (death,), _difference(scenario, (death,), whole, ended)
        if not twice:
            continue
        for again in ((call, order) for call in range(1, 200) for order in (DIE_BEFORE, DIE_AFTER)):
            ended, made = outcome(scenario, death, again)
            if made < again[0]:
                break  # the run that goes on makes fewer calls
            yield (death, again), _difference(scenario, (death, again), whole, ended)


def _difference(scenario: Scenario, deaths: tuple[Death, ...], whole: Any, ended: Any) -> Difference | None:
    if whole == ended:
        return None
    if isinstance(whole, str) or isinstance(ended, str):
        return Difference(scenario, deaths, f"{whole} / {ended}")
    told = [f"{name}: {whole[name]} without, {ended[name]} with it" for name in whole if whole[name] != ended[name]]
    return Difference(scenario, deaths, "; ".join(told))


def try_all(scenarios: Iterable[Scenario], *, twice: bool = False) -> tuple[int, list[Difference]]:
    """Number of kill points tried, and those that made a difference."""
    points, found = 0, []
    for scenario in scenarios:
        for _, difference in kill_points(scenario, twice=twice):
            points += 1
            if difference is not None:
                found.append(difference)
    return points, found


def _brief() -> int:
    for scenario in corpus.singles():
        for deaths, difference in kill_points(scenario):
            if difference is not None:
                print(f"{scenario.name}, killed at {deaths}: {difference.text}")
                return 1
    return 0


def main() -> int:
    """Try the whole corpus and tell how many kill points that were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--twice", action="store_true", help="single rows: die again in the run that goes on")
    parser.add_argument("--brief", action="store_true", help="single rows only, until the first difference")
    asked = parser.parse_args()
    if asked.brief:
        return _brief()
    twice = asked.twice
    begun = time.monotonic()
    total = 0
    failures: list[Difference] = []
    for name, scenarios in (("single rows", corpus.singles), ("pairs", corpus.pairs), ("three at once", corpus.crowds)):
        points, found = try_all(scenarios(), twice=twice and name == "single rows")
        total, failures = total + points, failures + found
        print(f"{name}: {points} kill points, {len(found)} with another end", flush=True)
    for difference in failures[:20]:
        print(f"{difference.scenario.name}, killed at {difference.deaths}: {difference.text}")
    seconds = time.monotonic() - begun
    print(f"{total} kill points, {len(failures)} with another end, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
