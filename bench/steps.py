"""Steps: how long a step's process takes, held against an empty Python step in the same Motia, and what it imports.

Each step gets work that is there but changes nothing: an id to remember, an unchanged record to look at or to sync. So
its time is start, imports, and the few calls nobody can do without. The time is Motia's own, from before the process is
started until it says that it is through. Imports are those of the same calls under `python -X importtime`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.figures import Result, median, ratio
from bench.live import live
from scripts.launch.places import PYTHON, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from bench.live import Live

LIMITS = {
    "beteiligte_webhook": 1.2,
    "detect_komm_changes": 2.0,
    "sync_to_espocrm": 3.0,
    "sync_to_advoware": 3.0,
}
_CRON = ("reconcile", "cleanup_empty_slots")
_EMPTY_API, _EMPTY_EVENT, _EMPTY_CRON = "bench_empty_api", "bench_empty_event", "bench_empty_cron"
_GATE_KEY = "of-this-bench"
_LIBRARIES = "httpx, redis, pydantic, phonenumbers alone"
_FORK_SERVER = "the fork server, once"
_ALONE = "sync_to_advoware, without a fork server"
_LOAD = {
    _FORK_SERVER: "import asyncio, json; from services.fork_server import load; load()",
    _LIBRARIES: (
        "import asyncio, json; from services.lean_httpx import httpx; from services.lean_redis import redis;"
        " from pydantic import BaseModel; import phonenumbers, idna"
    ),
}


def run(*, quick: bool) -> list[Result]:
    """Both tables."""
    with live(5) as here:
        starts = _starts(here, 3 if quick else 15)
        _cron_starts(here, starts, 3 if quick else 12)
        return [starts, _imports(here, 1 if quick else 5)]


def _starts(here: Live, rounds: int) -> Result:
    result = Result("Step processes", f"Seconds of a step call that changes nothing; medians of {rounds} rounds in turns.")
    times: dict[str, list[float]] = {name: [] for name in (_EMPTY_API, _EMPTY_EVENT, *LIMITS)}
    for number in range(rounds + 1):
        found = _round(here, here.pairs[number % 5].espo_id)
        if number:  # the first one fills the disk's cache
            for name, taken in times.items():
                taken.append(found[name])
    for name in (_EMPTY_API, _EMPTY_EVENT):
        result.add(name, median(times[name]), "s")
    for name, limit in LIMITS.items():
        floor = times[_EMPTY_API if name == "beteiligte_webhook" else _EMPTY_EVENT]
        result.add(name, median(times[name]), "s", floor=median(floor), ratio=ratio(times[name], floor), at_most=limit)
    return result


def _round(here: Live, espo_id: str) -> dict[str, float]:
    here.forget_calls()
    here.post("/bench/empty", {})
    here.wait_for(_EMPTY_API)
    here.webhook([espo_id])
    here.wait_for("beteiligte_webhook", "detect_komm_changes")
    here.emit("bench.empty")
    here.wait_for(_EMPTY_EVENT)
    for way in ("to_espocrm", "to_advoware"):
        here.state.ring([espo_id], delay=3600)
        here.emit(f"kommunikation.sync.{way}", ids=[espo_id], quelle="reconcile")
        here.wait_for(f"sync_{way}")
    return {call.step: call.seconds for call in here.calls()}


def _cron_starts(here: Live, result: Result, ticks: int) -> None:
    """The two cron steps, which have no target of their own: each ticks every three seconds, a second apart."""
    settings = {
        "KOMM_RECONCILE_CRON": "0-59/3 * * * * *",
        "KOMM_CLEANUP_CRON": "1-59/3 * * * * *",
        "BENCH_CRON": "2-59/3 * * * * *",
        "KOMM_WALK": "0",
    }
    here.forget_calls()
    instance = here.start_instance(**settings)
    try:
        # The first tick of reconcile begins a full pass: it is left out.
        calls = here.wait_for(*[_EMPTY_CRON] * (ticks + 1))[3:]
    finally:
        here.stack.drop(instance)
    times = {name: [call.seconds for call in calls if call.step == name] for name in (_EMPTY_CRON, *_CRON)}
    floor = median(times[_EMPTY_CRON])
    result.add(_EMPTY_CRON, floor, "s")
    for name in _CRON:
        result.add(name, median(times[name]), "s", floor=floor, ratio=median(times[name]) / floor)


def _imports(here: Live, rounds: int) -> Result:
    result = Result(
        "Imports",
        f"Milliseconds of imports by -X importtime, of the very calls above; {rounds} rounds in turns. Beside it how many"
        " modules, and the largest packages.",
    )
    espo_id = here.pairs[0].espo_id
    data = {"ids": [espo_id], "quelle": "espocrm"}
    request = {"headers": {"x-komm-gate": _GATE_KEY}, "body": {"ids": [espo_id]}, "pathParams": {"quelle": "espocrm"}}
    arguments: dict[str, Any] = {"empty": data} | dict.fromkeys(LIMITS, data) | dict.fromkeys(_CRON)
    arguments |= {"beteiligte_webhook": request, _FORK_SERVER: None, _ALONE: data, _LIBRARIES: None}
    found: dict[str, list[Imports]] = {name: [] for name in arguments}
    for number in range(rounds + 1):
        for name, argument in arguments.items():
            here.state.ring([espo_id], delay=3600)
            imports = _import_times(here, name, argument)
            if number:  # the first one fills the disk's cache and Python's own
                found[name].append(imports)
    floors = [sum(run.packages.values()) for run in found["empty"]]
    for name, runs in found.items():
        times = [sum(run.packages.values()) for run in runs]
        packages = sorted(runs[0].packages, key=lambda package: -median(run.packages.get(package, 0.0) for run in runs))
        largest = (f"{package} {median(run.packages.get(package, 0.0) for run in runs):.0f}" for package in packages[:4])
        note = f"{runs[0].modules} modules; " + ", ".join(largest)
        result.add(name, median(times), "ms", floor=median(floors), ratio=ratio(times, floors), note=note)
    return result


@dataclass(slots=True)
class Imports:
    """What one process imported: milliseconds of each top-level package, number of modules."""

    packages: dict[str, float] = field(default_factory=dict)
    modules: int = 0


def _import_times(here: Live, name: str, argument: Any) -> Imports:
    folder = ROOT / ("bench/project" if name == "empty" else "steps/kommunikation")
    step = folder / f"{'empty_event' if name == 'empty' else name.partition(',')[0]}_step.py"
    called: list[str | Path] = ["-m", "bench.one_step", step, json.dumps(argument)]
    command = [PYTHON, "-X", "importtime", *(["-c", _LOAD[name]] if name in _LOAD else called)]
    env = here.stack.env | {"KOMM_GATE_KEY": _GATE_KEY}
    if name != _ALONE:
        env["KOMM_FORK_SOCKET"] = here.fork_socket()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    found = Imports()
    for line in done.stderr.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            package = rest.rpartition("|")[2].strip().split(".")[0]
            found.packages[package] = found.packages.get(package, 0.0) + int(own) / 1000
            found.modules += 1
    return found
