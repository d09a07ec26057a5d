"""Peer: vdirsyncer between two CardDAV servers (Radicale), and this sync between its two sandboxes, on the same values.

Both run as programs from the command line, so each time holds the start of one interpreter. Both sides of each pair are
servers in Python on this machine. What each of the two does for its time is not the same: docs/performance.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.figures import Result, in_turns, median, ratio, seconds
from bench.live import until
from bench.world import Value, items, value, world
from scripts.launch.places import PYTHON, ROOT, RUNTIME
from scripts.launch.processes import Child, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.world import World

VALUES = 5
_REQUIREMENTS = ROOT / "requirements-bench.txt"
_VENV = RUNTIME / "bench" / "venv"
_RADICALE = """[server]
hosts = 127.0.0.1:{port}
[auth]
type = none
[storage]
filesystem_folder = {folder}
[logging]
level = warning
"""
_SYNCER = """[general]
status_path = "{folder}/status"
[pair contacts]
a = "left"
b = "right"
collections = [["contacts", "contacts", "contacts"]]
"""
_STORAGE = """[storage {name}]
type = "carddav"
url = "{url}/"
username = "bench"
password = "bench"
"""


class Peer:
    """Two Radicale servers, the left one with contacts, and vdirsyncer between them."""

    def __init__(self, folder: Path, stack: ExitStack, count: int) -> None:
        self._folder = folder
        urls = []
        for name in ("left", "right"):
            contacts = folder / name / "collection-root" / "bench" / "contacts"
            contacts.mkdir(parents=True)
            (contacts / ".Radicale.props").write_text('{"tag": "VADDRESSBOOK"}', encoding="utf-8")
            for record in range(count if name == "left" else 0):
                text = vcard(record, [value(record, number) for number in range(VALUES)])
                (contacts / f"{record}.vcf").write_bytes(text.encode())
            urls.append(self._serve(name, stack))
        self.left, self.right = (
            stack.enter_context(httpx.Client(base_url=url, auth=("bench", "bench"), trust_env=False)) for url in urls
        )
        storages = [_STORAGE.format(name=name, url=url) for name, url in zip(("left", "right"), urls, strict=True)]
        (folder / "vdirsyncer.conf").write_text("".join([_SYNCER.format(folder=folder), *storages]), encoding="utf-8")
        self._vdirsyncer("discover")

    def _serve(self, name: str, stack: ExitStack) -> str:
        port = free_port()
        place = self._folder / f"{name}.conf"
        place.write_text(_RADICALE.format(port=port, folder=self._folder / name), encoding="utf-8")
        command: list[str | Path] = [_VENV / "bin" / "python", "-m", "radicale", "--config", place]
        child = Child(f"radicale-{name}", command, _clean_environment(), logs=self._folder)
        stack.callback(child.stop)
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url), every=0.05, seconds=30)
        return url

    def sync(self) -> None:
        """Run vdirsyncer once."""
        self._vdirsyncer("sync")

    def _vdirsyncer(self, what: str) -> None:
        command: list[str | Path] = [_VENV / "bin" / "vdirsyncer", "-c", self._folder / "vdirsyncer.conf", what]
        subprocess.run(command, env=_clean_environment(), capture_output=True, check=True)

    def edit(self, side: httpx.Client, record: int, values: list[Value]) -> None:
        """A person saves a contact with these values."""
        headers = {"Content-Type": "text/vcard"}
        side.put(f"/bench/contacts/{record}.vcf", content=vcard(record, values), headers=headers).raise_for_status()

    def holds(self, side: httpx.Client, record: int, one: Value) -> bool:
        """Whether the contact holds the value."""
        return one.text in side.get(f"/bench/contacts/{record}.vcf").text


def vcard(record: int, values: list[Value]) -> str:
    """A contact with these values."""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{record}", f"FN:Muster {record}", f"N:Muster {record};;;;"]
    lines += [f"{'EMAIL' if '@' in one.text else 'TEL'};TYPE=WORK:{one.text}" for one in values]
    return "\r\n".join([*lines, "END:VCARD", ""])


def install() -> None:
    """Put the peer into a virtual environment of its own, once for each version of its list of packages."""
    stamp = _VENV / "installed.txt"
    if stamp.is_file() and stamp.read_bytes() == _REQUIREMENTS.read_bytes():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
    pip: list[str | Path] = [_VENV / "bin" / "python", "-m", "pip", "install", "-qq", "-r", _REQUIREMENTS]
    subprocess.run(pip, check=True)
    stamp.write_bytes(_REQUIREMENTS.read_bytes())


def run(*, quick: bool) -> list[Result]:
    """The table."""
    install()
    count, rounds = (100, 1) if quick else (1000, 3)
    result = Result(
        "Peer: vdirsyncer",
        f"Seconds of one run over {count:,} contacts with {VALUES} values each; floor: vdirsyncer between two Radicale.",
    )
    with world(count, linked=False) as here, _peer(count) as peer:
        _measure(here, peer, result, rounds)
    return [result]


def _measure(here: World, peer: Peer, result: Result, rounds: int) -> None:
    count = len(here.pairs)
    ours, theirs = seconds(lambda: _drive(here, "--pass")), seconds(peer.sync)
    _add(result, "first sync", [ours], [theirs], records=count, values=count * VALUES)
    last = value(count - 1, VALUES - 1)
    _must(peer.holds(peer.right, count - 1, last), _espo_holds(here, count - 1, last))
    _drive(here)  # what the first sync has written comes by as changes in EspoCRM once
    for name, look in (("looking at every record", lambda: _drive(here, "--pass")), ("a usual tick", lambda: _drive(here))):
        _add(result, f"nothing changed, {name}", *in_turns([partial(seconds, look), partial(seconds, peer.sync)], rounds))
    some = max(1, count // 100)
    found = in_turns([lambda: _changed_here(here, some), lambda: _changed_there(peer, some)], rounds)
    _add(result, "1 % changed (in EspoCRM; a usual tick)", *found, records=some, values=some)
    found = in_turns([lambda: _changed_in_advoware(here, some), lambda: _changed_there(peer, some, back=True)], rounds)
    _add(result, "1 % changed (in Advoware; looking at every record)", *found, records=some, values=some)


def _add(result: Result, name: str, ours: list[float], theirs: list[float], *, records: int = 0, values: int = 0) -> None:
    mine, floor = median(ours), median(theirs)
    result.add(name, mine, "s", floor=floor, ratio=ratio(ours, theirs))
    for what, number in (("changed record", records), ("value", values if values != records else 0)):
        if number:
            result.add(f"{name}, per {what}", mine / number * 1000, "ms", floor=floor / number * 1000)


_marks = iter(range(1, 100_000))


def _new(record: int, mark: int) -> list[Value]:
    """The values of a record, the last of them changed."""
    return [*(value(record, number) for number in range(VALUES - 1)), value(record, mark % 19 * VALUES + VALUES - 1)]


def _changed_here(here: World, some: int) -> float:
    mark = next(_marks)
    for record in range(some):
        here.sandbox.espocrm.put(here.pairs[record].espo_id, **items(_new(record, mark)))
    taken = seconds(lambda: _drive(here))
    for record in range(some):
        entries = here.sandbox.advoware.entries(here.pairs[record].betnr)
        _must(any(one["tlf"] == _new(record, mark)[-1].text for one in entries))
    time.sleep(1.1)  # EspoCRM's times have whole seconds
    return taken


def _changed_in_advoware(here: World, some: int) -> float:
    mark = next(_marks)
    for record in range(some, 2 * some):
        pair = here.pairs[record]
        last = here.sandbox.advoware.entries(pair.betnr)[-1]
        here.sandbox.advoware.change(pair.betnr, last["id"], tlf=_new(record, mark)[-1].text)
    taken = seconds(lambda: _drive(here, "--pass"))
    for record in range(some, 2 * some):
        _must(_espo_holds(here, record, _new(record, mark)[-1]))
    return taken


def _changed_there(peer: Peer, some: int, *, back: bool = False) -> float:
    mark = next(_marks)
    side, other = (peer.right, peer.left) if back else (peer.left, peer.right)
    for record in range(some):
        peer.edit(side, record, _new(record, mark))
    taken = seconds(peer.sync)
    for record in range(some):
        _must(peer.holds(other, record, _new(record, mark)[-1]))
    return taken


def _espo_holds(here: World, record: int, one: Value) -> bool:
    return any(item["phoneNumber"] == one.text for item in here.sandbox.espocrm.phones(here.pairs[record].espo_id))


def _must(*arrived: bool) -> None:
    if not all(arrived):
        raise RuntimeError("A value did not arrive.")


def _drive(here: World, *options: str) -> None:
    environment = _clean_environment() | dict(here.sandbox.environ) | {"REDIS_URL": here.redis_url, "KOMM_WALK": "0"}
    command: list[str | Path] = [PYTHON, "-m", "bench.drive", *options]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _clean_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUTF8": "1"}


def _answers(url: str) -> bool:
    try:
        return bool(httpx.get(url, trust_env=False, timeout=5).status_code)
    except httpx.TransportError:
        return False


@contextmanager
def _peer(count: int) -> Iterator[Peer]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="komm-bench-")))
        yield Peer(folder, stack, count)
