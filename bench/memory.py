"""Memory: the peak of each step's process, how it grows with the records of an event, and a record with 10,000 entries.

The kernel's own peak (VmHWM) of every process Motia starts and of every fork that works for one, read some hundred times a
second. A fork's peak counts what it shares with the fork server, too: that is there once, however many there are.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.figures import Result
from bench.live import live

if TYPE_CHECKING:
    from bench.live import Live

SIZES = (1, 10, 100)
HUGE = 10_000
_EVERY = 0.003
_SERVER = "fork server"
_FORKS = {
    "detect": "detect_komm_changes",
    "sync to_espocrm": "sync_to_espocrm",
    "sync to_advowar": "sync_to_advoware",
    "reconcile": "reconcile",
    "cleanup": "cleanup_empty_slots",
}
"""What a fork calls itself, in the kernel's 15 characters (services/fork_server.py)."""


class Peaks:
    """The largest peak of each step's processes, in MiB, since `clear`."""

    def __init__(self, motia: int) -> None:
        self._motia, self._names = motia, dict[int, str]()
        self.mib: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            for pid in _children(self._motia):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self._look(pid)

    def _look(self, pid: int) -> None:
        if pid not in self._names:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"services.fork_server" in arguments:
                self._names[pid] = _SERVER
            elif arguments[1].endswith(b"python-runner.py"):
                self._names[pid] = Path(arguments[2].decode()).stem.removesuffix("_step")
            else:
                return  # between fork and exec, or a program of another kind
        self._note(self._names[pid], pid)
        if self._names[pid] == _SERVER:
            for fork in _children(pid):
                with contextlib.suppress(OSError):
                    name = _FORKS.get(Path(f"/proc/{fork}/comm").read_text().strip())
                    if name:
                        self._note(f"{name}, its fork", fork)

    def _note(self, name: str, pid: int) -> None:
        peak = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]
        self.mib[name] = max(self.mib.get(name, 0.0), int(peak) / 1024)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def run(*, quick: bool) -> list[Result]:
    """The table."""
    sizes, huge = (SIZES[:2], 1000) if quick else (SIZES, HUGE)
    result = Result("Memory", "Peak resident memory of a step's process; floor: an empty Python step in the same Motia.")
    with live(2 * sum(sizes), huge=huge) as here:
        with Peaks(here.motia.pid) as peaks:
            here.emit("bench.empty")
            here.wait_for("bench_empty_event")
            empty = peaks.mib["empty_event"]
            result.add("empty step", empty, "MiB")
            by_size = {size: _events_of(here, peaks, size) for size in sizes}
            large = _huge(here, peaks)
        small = by_size[1]
        for step, peak in (small | _cron_steps(here)).items():
            records = len(here.pairs) if step.startswith(("reconcile", "cleanup")) else 1
            what = step if step == _SERVER else f"{step}, {records} record{'s' * (records > 1)}"
            result.add(what, peak, "MiB", floor=empty, ratio=peak / empty)
    for size in sizes[1:]:
        for step, peak in by_size[size].items():
            if step != _SERVER:
                result.add(f"{step}, {size} records", peak, "MiB", note=f"{peak - small[step]:+.1f} MiB against one record")
    for step, peak in large.items():
        result.add(f"{step}, a record with {huge:,} entries", peak, "MiB", note=f"{peak - small[step]:+.1f} MiB")
    return [result]


def _events_of(here: Live, peaks: Peaks, size: int) -> dict[str, float]:
    """Events of so many records each, changed on one side and then on the other; gives the peaks of the steps."""
    first = sum(one for one in SIZES if one < size)
    peaks.mib.clear()
    for record in range(first, first + size):
        here.edit(record, 1, unseen=True)
    here.webhook([here.pairs[record].espo_id for record in range(first, first + size)])
    here.wait_until_through()
    there = here.linked // 2
    ids = []
    for record in range(there + first, there + first + size):
        pair = here.pairs[record]
        entry = here.advoware.entries(pair.betnr)[0]
        here.advoware.change(pair.betnr, entry["id"], tlf=f"new{record}@example.com")
        ids.append(pair.espo_id)
    here.state.ring(ids, delay=3600)
    here.emit("kommunikation.geaendert", ids=ids, quelle="reconcile")
    here.wait_until_through()
    return _ours(peaks)


def _huge(here: Live, peaks: Peaks) -> dict[str, float]:
    peaks.mib.clear()
    here.webhook([here.pairs[-1].espo_id])
    here.wait_until_through()
    return {name: peak for name, peak in _ours(peaks).items() if name.endswith("its fork")}


def _cron_steps(here: Live) -> dict[str, float]:
    every_second = "* * * * * *"
    # The store has the mark of no pass yet, so the first tick finds all the records.
    instance = here.start_instance(KOMM_RECONCILE_CRON=every_second, KOMM_CLEANUP_CRON=every_second)
    here.forget_calls()
    with Peaks(instance.pid) as peaks:
        here.wait_for("reconcile", "cleanup_empty_slots")
    # Not until nothing is due: the huge record is looked at for longer than a second, so at this pace it always is.
    here.stack.drop(instance)
    return {name: peak for name, peak in _ours(peaks).items() if name.startswith(("reconcile", "cleanup_empty_slots"))}


def _ours(peaks: Peaks) -> dict[str, float]:
    return {name: peak for name, peak in sorted(peaks.mib.items()) if name not in {"emit", "empty_event"}}
