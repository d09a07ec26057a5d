"""`make run`: everything from a bare checkout to two systems that are kept equal, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from scripts.launch.first_sync import show, wait_for_pass
from scripts.launch.places import ROOT, RUNTIME, has_credentials, read_env, sandbox_env
from scripts.launch.processes import free_port
from scripts.launch.provision import provision
from scripts.launch.report import CannotRunError, say, step
from scripts.launch.stack import PortTakenError, Stack, motia_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVOWARE_PORT, _ESPOCRM_PORT, _MOTIA_PORT = 8701, 8702, 3000
# Of reconcile on this machine's own systems: a person who watches wants to see it soon. Others are asked each minute.
_TICK = "*/5 * * * * *"
_TROUBLES_MAX, _STEADY_SECONDS = 10, 60.0


class _StopError(Exception):
    """A person wants to end the run."""


def main() -> int:
    """Run. Gives the exit code: 0 after Ctrl-C, with ONCE=1 only after the first sync; 1 with a sentence otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    once = os.environ.get("ONCE", "") not in {"", "0"}
    try:
        with _only_one():
            provision()
            _run(once=once)
    except _StopError:
        say("\n  Stopped.")
        return int(once)
    except CannotRunError as problem:
        say(f"\n  {problem}")
        return 1
    return 0


def _on_signal(_number: int, _frame: object) -> NoReturn:
    raise _StopError


def _deafen() -> None:
    """Let nothing cut the clean-up short, such as a second Ctrl-C: it has time limits of its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    RUNTIME.mkdir(parents=True, exist_ok=True)
    with (RUNTIME / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotRunError("This checkout runs already; end that run first.") from None
        yield


def _run(*, once: bool) -> None:
    values = read_env(ROOT / ".env")
    real = has_credentials(values)
    advoware, espocrm = (0, 0) if real else _sandbox_ports()
    stack = Stack({**values, **os.environ} if real else sandbox_env(advoware, espocrm))
    local = not real or _on_this_machine(stack.env.get("ESPOCRM_API_BASE_URL", ""))
    if local:
        stack.env.setdefault("KOMM_RECONCILE_CRON", _TICK)
    if redis := stack.env.get("REDIS_URL") or values.get("REDIS_URL"):
        stack.env["REDIS_URL"] = redis
    try:
        _start_systems(stack, real=real, ports=(advoware, espocrm))
        page = bool(stack.env.get("KOMM_PAGE_TOKEN"))
        if page:
            with step("control page"):
                stack.start_page()
        before = int(stack.status(request_pass=True)["pass_number"])
        port = _start_motia(stack, real=real, local=local)
        stack.share_settings(everything=not real)
        alive = _Keeper(stack)
        started = time.monotonic()
        status = wait_for_pass(stack, before, alive, give_up=once)
        say(f"  ok first full sync through the flow  ({time.monotonic() - started:.1f} s)")
        show(status)
        if once:
            return
        say(f"  Workbench  http://127.0.0.1:{port}/")
        if page:
            say(f"  Control    http://127.0.0.1:{port}/kommunikation")
        if not real:
            say(f"  Sandbox    http://127.0.0.1:{espocrm}/")
        say(f"  Logs       {stack.runtime / 'logs'}\n\n  Ctrl-C ends it.")
        while True:
            alive()
            time.sleep(0.5)
    finally:
        _deafen()
        stack.stop()


def _sandbox_ports() -> tuple[int, int]:
    advoware = free_port(_ADVOWARE_PORT)
    return advoware, free_port(max(_ESPOCRM_PORT, advoware + 1))


def _start_systems(stack: Stack, *, real: bool, ports: tuple[int, int]) -> None:
    with step("Redis"):
        if stack.env.get("REDIS_URL"):
            stack.check_redis()
        else:
            stack.start_redis("real" if real else "sandbox")
    if not real:
        count = os.environ.get("COUNT") or "200"
        with step("sandbox: an Advoware and an EspoCRM"):
            stack.start_sandbox(*ports, "--count", count)
    with step("both systems answer"):
        down = stack.check_systems()
    if down:
        say(f"  -- {down} It is tried again by itself.")


def _on_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _start_motia(stack: Stack, *, real: bool, local: bool) -> int:
    """Register the webhooks and start Motia; give its port. The webhooks come first: the gate has to know their secrets.

    `local`: EspoCRM runs on this machine, so it reaches Motia where it listens.
    """
    tries = 3
    while True:
        port = motia_port(int(os.environ.get("PORT") or _MOTIA_PORT))
        url = (stack.env.get("KOMM_PUBLIC_URL") if real else "") or (f"http://127.0.0.1:{port}" if local else "")
        if url:
            with step("webhooks"):
                stack.register_webhooks(url, only_here=not real)
        else:
            say("  -- no webhooks: KOMM_PUBLIC_URL (where EspoCRM reaches this machine) is not set; changes are polled")
        try:
            with step("Motia"):
                stack.start_motia(port)
        except PortTakenError:
            tries -= 1
            if not tries:
                raise
        else:
            return port


class _Keeper:
    """Starts again whatever ends by itself.

    Motia ends when its Redis closes the connection (its client has no error handler), so this is no rare case.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._troubles, self._last = 0, time.monotonic()

    def __call__(self) -> None:
        """See that everything runs.

        Raises:
            CannotRunError: something ends again and again.
        """
        for child in list(self._stack.children):
            code = child.ended()
            if code is None:
                continue
            if time.monotonic() - self._last > _STEADY_SECONDS:
                self._troubles = 0
            self._troubles += 1
            if self._troubles > _TROUBLES_MAX:
                raise CannotRunError(f"{child.name} ends again and again (exit code {code}); see {child.log}.")
            say(f"  -- {child.name} ended by itself (exit code {code}); starting it again")
            time.sleep(min(2 ** (self._troubles - 1), 30) - 1)
            self._stack.revive(child)
            self._last = time.monotonic()
