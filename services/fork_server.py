"""A process that has loaded what the steps need, and forks one for each call: `python -m services.fork_server SOCKET`.

A step is a process of Motia's own, and loading is most of what a short one does (docs/performance.md). So the gate starts
this one beside Motia (gate/fork-server.ts), and a step lets its work be done by a fork, which begins with everything loaded
and shares the memory. Each call still has a process of its own of which nothing is left. A step that finds no fork server
does the work itself, a little later: nothing but time depends on it.

The exchange, over a Unix socket: the fork says a newline when it is there, the step sends one line of JSON (`work`, `args`),
and gets one back (`services/step_work.py`). Before the newline nothing has been asked, so a step that is kept waiting
can do it itself; after it, the end of either is the end of both.

It ends with its standard input, that is with Motia, and when a file it has loaded has changed: the gate starts it anew then.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from services.step_work import FEW_COLLECTIONS, answer, describe

LOADED = (
    "encodings.idna",
    "httpcore",
    "phonenumbers.data.region_DE",
    "services.advoware_answers",
    "services.advoware_service",
    "services.bootstrap",
    "services.config",
    "services.espocrm",
    "services.espocrm_answers",
    "services.espocrm_notices",
    "services.flow",
    "services.flow_notices",
    "services.flow_slots",
    "services.kommunikation_sync_utils",
    "services.lean_httpx",
    "services.notice_teller",
    "services.notices",
    "services.scope",
    "services.state_redis",
)
"""What the usual calls load; that nothing is missing here is a test (tests/budget)."""

_WAITING = 128
"""Steps that may wait for a fork: more than `KOMM_STEP_CONCURRENCY` lets run."""
_OURS = Path(__file__).resolve().parent


def main(path: Path) -> None:
    """Serve at `path`, in a folder of its own that nobody else may enter."""
    gc.set_threshold(FEW_COLLECTIONS)
    load()
    gc.freeze()  # else a collection in a fork would touch, and so copy, all of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # how a fork ended is seen by its step alone
    with socket.socket(socket.AF_UNIX) as listener:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(_WAITING)
        for_good = _serve(listener)
        path.unlink(missing_ok=True)
    if for_good:
        with suppress(OSError):  # Motia removes it, but where it was killed
            path.parent.rmdir()


def load() -> None:
    """Load what the steps need, also what is only made with a first use."""
    for name in LOADED:
        importlib.import_module(name)
    from services.http_client import trusted_authorities

    with suppress(OSError):  # a step that needs them will say what is wrong
        trusted_authorities()


def _serve(listener: socket.socket) -> bool:
    """Fork for each step that comes. Gives whether Motia has ended; False: a file has changed."""
    stdin = sys.stdin.fileno()
    files = _files()
    versions = [_version(file) for file in files]
    while True:
        ready, _, _ = select.select([listener, stdin], [], [])
        if stdin in ready or [_version(file) for file in files] != versions:
            return stdin in ready
        step, _ = listener.accept()
        with step, suppress(OSError):  # no fork to be had: the step does it itself
            if os.fork() == 0:
                _be_a_step(step, listener)


def _files() -> list[Path]:
    """What a step would read anew: our modules, and the authorities that are trusted."""
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    ours = [Path(file) for file in loaded if file and Path(file).resolve().parent == _OURS]
    return ours + [Path(os.environ[name]) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]


def _version(file: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        stat = file.stat()
        return stat.st_mtime_ns, stat.st_size
    return None


def _be_a_step(step: socket.socket, listener: socket.socket) -> NoReturn:
    """What a fork does; it never comes back from here."""
    try:
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        step.sendall(b"\n")
        with step.makefile("rb") as lines:
            line = lines.readline()
        if line:
            asked = json.loads(line)
            _call_us(asked["work"], *asked["args"])
            threading.Thread(target=_end_with, args=(step,), daemon=True).start()
            step.sendall(json.dumps(answer(asked["work"], asked["args"])).encode() + b"\n")
    except OSError:
        pass  # the step has gone
    except BaseException as error:  # noqa: BLE001 - a traceback could quote a client's value
        sys.stderr.write(f"A fork ended: {describe(error)}\n")
    finally:
        os._exit(0)


def _call_us(work: str, *args: object) -> None:
    """Let `ps -o comm` and `top` show what this fork is for; the kernel takes 15 characters."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(" ".join([work, *(arg for arg in args if isinstance(arg, str))])[:15])


def _end_with(step: socket.socket) -> None:
    """A step that was ended, by Motia after its time limit say, ends its work."""
    with suppress(OSError):
        step.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
