"""`python -m sandbox`: an Advoware and an EspoCRM on 127.0.0.1, in one process, for development and tests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from dotenv import dotenv_values

from sandbox.advoware.app import create_app as create_advoware
from sandbox.advoware.store import AdvowareStore, connect
from sandbox.advoware.switches import Switches
from sandbox.espocrm.app import create_app as create_espocrm
from sandbox.espocrm.store import EspoStore
from sandbox.faults import FaultTable
from sandbox.page import WithPage, with_page
from sandbox.page.journal import Journal
from sandbox.seed import seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

_ENV_FILE = Path(__file__).resolve().parent.parent / ".env.sandbox"
_GRACE_SECONDS = 1  # for requests under way when the sandbox is told to end


class _Server(uvicorn.Server):
    """A server that leaves signals alone: two of them share one process, and one handler ends both."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--advoware-port", type=int, default=8701, metavar="P", help="0: a free one (default 8701)")
    parser.add_argument("--espocrm-port", type=int, default=8702, metavar="P", help="0: a free one (default 8702)")
    parser.add_argument("--db", type=Path, metavar="FILE", help="keep both systems' state in this SQLite file")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="pairs of records to make in empty systems")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same S gives the same records (default 1)")
    parser.add_argument("--interval", type=float, default=2, metavar="SECONDS", help="between webhook deliveries")
    parser.add_argument(
        "--advoware-switch", action="append", default=[], metavar="NAME=VALUE", help="see sandbox/advoware/switches.py"
    )
    return parser.parse_args(argv)


def _settings() -> dict[str, str]:
    """Return the credentials of `.env.sandbox`, overridden by environment variables that are set and not empty."""
    values = {name: value or "" for name, value in dotenv_values(_ENV_FILE).items()}
    return values | {name: os.environ[name] for name in values if os.environ.get(name)}


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise SystemExit(f"Port {port} of 127.0.0.1 is not to be had: {error}.") from None
    listener.listen(128)
    return listener


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS, server_header=False
    )
    return _Server(config)


async def _serve(apps: dict[str, WithPage], listeners: dict[str, socket.socket]) -> None:
    """Serve until a signal comes; print `ready` once both answer."""
    servers = {name: _server(app) for name, app in apps.items()}

    def stop() -> None:
        for app in apps.values():
            app.end_streams()
        for server in servers.values():
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    running = [asyncio.create_task(servers[name].serve(sockets=[listeners[name]])) for name in servers]
    while not all(server.started for server in servers.values()):
        if any(task.done() for task in running):
            break
        await asyncio.sleep(0.01)
    else:
        for name, listener in listeners.items():
            print(f"{name}=http://127.0.0.1:{listener.getsockname()[1]}")
        print("ready", flush=True)
    await asyncio.gather(*running)


def _stores(arguments: argparse.Namespace) -> tuple[AdvowareStore, EspoStore]:
    """Open both systems' state, and fill it if there is none."""
    if arguments.db:
        arguments.db.parent.mkdir(parents=True, exist_ok=True)
    try:
        # One connection for both: what the seed makes is one transaction, and neither waits for the other's lock.
        connection = connect(arguments.db or ":memory:")
        advoware, espocrm = AdvowareStore(connection), EspoStore(connection)
    except sqlite3.Error as error:
        raise SystemExit(f"{arguments.db} can't be used as database: {error}.") from None
    if arguments.count and not advoware.count() and not espocrm.count():
        seed(advoware, espocrm, count=arguments.count, seed_number=arguments.seed)
    return advoware, espocrm


def main(argv: list[str] | None = None) -> int:
    """Run both systems until SIGINT or SIGTERM."""
    arguments = _arguments(argv)
    try:
        switches = Switches().changed(dict(item.partition("=")[::2] for item in arguments.advoware_switch))
    except ValueError as error:
        raise SystemExit(str(error)) from None
    listeners = {"advoware": _listen(arguments.advoware_port), "espocrm": _listen(arguments.espocrm_port)}
    settings = _settings()
    advoware, espocrm = _stores(arguments)
    faults = FaultTable()
    apps = with_page(
        (
            create_advoware(advoware, settings, switches=switches, faults=faults),
            create_espocrm(espocrm, settings, faults=faults, interval=arguments.interval),
        ),
        (advoware, espocrm),
        faults=faults,
        staff_key=settings["SANDBOX_ESPOCRM_STAFF_KEY"],
        journal=Journal.from_environment(),
    )
    asyncio.run(_serve(dict(zip(listeners, apps, strict=True)), listeners))
    return 0


if __name__ == "__main__":
    sys.exit(main())
