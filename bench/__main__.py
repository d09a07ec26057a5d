"""`python -m bench [NAME...] [--quick] [--json FILE]`: the benches, their tables, and a file to compare over time."""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from scripts.launch.places import ROOT, RUNTIME
from services.step_work import FEW_COLLECTIONS

NAMES = ("requests", "core", "reconcile", "steps", "latency", "burst", "instances", "memory", "endurance", "peer")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="smaller numbers, for a look while working")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: a new file in .motia/bench")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    return arguments


def machine() -> dict[str, Any]:
    """What the figures are measured on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "memory_gib": round(memory), "python": platform.python_version()}


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""  # a copy without git


def main(argv: list[str] | None = None) -> int:
    """Run them; 1 if a bench could not be carried out. A missed target is shown and no error: machines differ."""
    arguments = _arguments(argv)
    # Where it is set, every process compiles our modules anew, and that would be measured: a usual machine keeps them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.set_threshold(FEW_COLLECTIONS)  # as in the steps, whose work some benches do in this process
    report: dict[str, Any] = {"machine": machine(), "commit": _commit(), "date": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    report |= {"quick": arguments.quick, "benches": []}
    cores, memory, python = report["machine"].values()
    print(f"{cores} cores, {memory} GiB, Python {python}, commit {report['commit']}\n", flush=True)
    place: Path = arguments.json or RUNTIME / "bench" / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in arguments.names or NAMES:
        started, load = time.monotonic(), os.getloadavg()[0]
        try:
            results = importlib.import_module(f"bench.{name}").run(quick=arguments.quick)
        except Exception as error:  # noqa: BLE001 - the others still have something to say
            print(f"### {name} could not be measured: {type(error).__name__}: {error}\n", flush=True)
            failed = True
            continue
        for result in results:
            print("\n".join(result.lines()), flush=True)
            report["benches"].append(result.as_json() | {"bench": name, "load_before": round(load, 2)})
        print(f"({name}: {time.monotonic() - started:.0f} s; load before it {load:.1f})\n", flush=True)
        place.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {place}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
