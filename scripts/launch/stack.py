"""The processes of a run and how they fit together: Redis, the sandbox, the webhooks, Motia. `make run` and tests use it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from scripts.launch.places import PYTHON, ROOT, RUN_ENV, RUNTIME
from scripts.launch.processes import Child, free_port
from scripts.launch.provision import redis_server
from scripts.launch.report import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HMR_OFFSET = 21678
"""The Workbench's dev server listens this far above Motia's port (source of @motiadev/workbench)."""

_START_SECONDS = 60.0
_PAGE_PORT = 3080
_MOTIA = ROOT / "node_modules" / "motia" / "dist" / "cli.mjs"


class PortTakenError(CannotRunError):
    """Somebody else was faster; another port will do."""


class Stack:
    """Starts the parts in order and ends them in the other. `env` holds what the parts are to know of each other."""

    def __init__(self, env: Mapping[str, str], *, runtime: Path = RUNTIME) -> None:
        self.env = {
            **env,
            "MOTIA_ANALYTICS_DISABLED": "true",  # else Motia sends texts of errors to a third party
            "MOTIA_DISABLE_MEMORY_SERVER": "true",
            "PYTHONUNBUFFERED": "1",
        }
        self.runtime = runtime
        self.children: list[Child] = []

    def _start(self, name: str, command: list[str | Path], ready: Callable[[str], bool], cwd: Path = ROOT) -> Child:
        child = Child(name, command, self.env, logs=self.runtime / "logs", cwd=cwd, ready=ready)
        self.children.append(child)
        if not child.wait_until_ready(_START_SECONDS):
            raise CannotRunError(f"{name} did not start; see {child.log}.")
        return child

    def revive(self, child: Child) -> bool:
        """Start a part again that has ended by itself; False when it does not come up."""
        child.restart()
        return child.wait_until_ready(_START_SECONDS)

    def start_redis(self, name: str) -> None:
        """Start a Redis of our own whose files stand in `redis/name` of the runtime folder, append-only."""
        folder = self.runtime / "redis" / name
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        arguments = f"--port {port} --bind 127.0.0.1 --dir {folder} --save".split(" ")
        persistence = ["", "--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"]
        persistence += ["--slowlog-log-slower-than", "-1"]  # the slow log would show arguments: clients' values
        self._start("redis", [redis_server(), *arguments, *persistence], lambda said: "Ready to accept" in said)
        self.env["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"

    def check_redis(self) -> None:
        """See that the Redis of REDIS_URL answers."""
        code = "import os, redis; redis.from_url(os.environ['REDIS_URL'], socket_connect_timeout=5).ping()"
        done = subprocess.run([PYTHON, "-c", code], env=self.env, capture_output=True, check=False)
        if done.returncode:
            raise CannotRunError("The Redis of REDIS_URL does not answer.")

    def start_sandbox(self, advoware_port: int, espocrm_port: int, *options: str) -> None:
        """Start both systems of the sandbox, kept in `sandbox.db` of the runtime folder."""
        ports = ["--advoware-port", str(advoware_port), "--espocrm-port", str(espocrm_port)]
        command: list[str | Path] = [PYTHON, "-m", "sandbox", *ports, "--db", self.runtime / "sandbox.db", *options]
        self._start("sandbox", command, lambda said: "ready" in said.splitlines())

    def check_systems(self) -> str:
        """Ask both systems once; give what is only down for now, as a sentence or ''.

        Raises:
            CannotRunError: a setting is missing, credentials are refused, or the like.
        """
        done = subprocess.run(
            [PYTHON, "-m", "scripts.launch.reach"], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CannotRunError(done.stderr.strip().splitlines()[-1])
        return done.stdout.strip()

    def register_webhooks(self, url: str, *, only_here: bool) -> None:
        """Register the webhooks below `url`; the gate of a Motia started after this knows their secrets."""
        command: list[str | Path] = [PYTHON, ROOT / "scripts" / "register_webhooks.py", "--url", url]
        done = subprocess.run(
            [*command, *(["--only-here"] if only_here else [])], env=self.env, capture_output=True, text=True, check=False
        )
        name, _, secrets = done.stdout.strip().partition("=")
        if done.returncode or not secrets:
            raise CannotRunError(f"The webhooks could not be registered. {done.stderr.strip()}")
        known = self.env.get(name, "")
        # Secrets of webhooks registered for another address stay known.
        self.env[name] = secrets if only_here or not known else _merge(known, secrets)

    def start_page(self) -> None:
        """Start the control page (KOMM_PAGE_TOKEN has to be set); the gate of a Motia started after this forwards to it."""
        self.env["KOMM_PAGE_PORT"] = str(free_port(int(self.env.get("KOMM_PAGE_PORT") or _PAGE_PORT)))
        self._start("page", [PYTHON, "-m", "page"], lambda said: "ready" in said.splitlines())

    def start_motia(self, port: int, *, project: Path = ROOT) -> Child:
        """Start Motia on 127.0.0.1 with the steps of `project`; give its process."""
        name = f"motia-{port}" if any(child.name == "motia" for child in self.children) else "motia"
        command: list[str | Path] = ["node", _MOTIA, "start", "-p", str(port), "-H", "127.0.0.1"]
        child = self._start(name, command, _is_motia_ready, project)
        if f"listening on port {port}\n" not in child.words():
            self.drop(child)  # Motia takes the next free port by itself, where no webhook would find it
            raise PortTakenError(f"Port {port} was taken while Motia started.")
        return child

    def status(self, *, request_pass: bool = False) -> dict[str, Any]:
        """Read the flow's status once; `request_pass` asks `reconcile` for a pass over all records with its next tick."""
        options = ["--once", *(["--request-pass"] if request_pass else [])]
        done = subprocess.run(
            [PYTHON, "-m", "scripts.launch.watch", *options],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotRunError(f"The state in Redis could not be read: {done.stderr.strip().splitlines()[-1:]}")
        return dict(json.loads(done.stdout))

    def watch_status(self) -> Child:
        """Start what prints the flow's status every second."""
        return self._start("status", [PYTHON, "-m", "scripts.launch.watch"], bool)

    def share_settings(self, *, everything: bool) -> None:
        """Leave what a command beside the run needs: of real systems only what `.env` does not hold."""
        names = [name for name in self.env if name.startswith(("ADVOWARE_", "ESPOCRM_", "KOMM_"))] if everything else []
        values = {name: self.env.get(name, "") for name in ["REDIS_URL", "ESPOCRM_WEBHOOK_SECRETS", *names]}
        path = self.runtime / RUN_ENV.name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - private from the start
            file.writelines(f"{name}={value}\n" for name, value in values.items() if value)

    def drop(self, child: Child) -> None:
        """End one part."""
        child.stop()
        self.children.remove(child)

    def stop(self) -> None:
        """End every part, the last one first: Redis outlives those who write to it."""
        (self.runtime / RUN_ENV.name).unlink(missing_ok=True)
        while self.children:
            self.drop(self.children[-1])


def motia_port(preferred: int | None = None) -> int:
    """Find a port that is free for Motia and, the offset above it, for the Workbench's dev server."""
    if preferred is not None:
        return free_port(preferred, also=HMR_OFFSET)
    while True:
        port = free_port()
        if port + HMR_OFFSET < 2**16:
            return free_port(port, also=HMR_OFFSET)


def _is_motia_ready(said: str) -> bool:
    return "Server ready and listening on port" in said


def _merge(known: str, new: str) -> str:
    pairs = dict(item.strip().split(":", 1) for item in f"{known},{new}".split(",") if ":" in item)
    return ",".join(f"{webhook}:{secret}" for webhook, secret in pairs.items())
