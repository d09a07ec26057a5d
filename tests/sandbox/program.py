"""`python -m sandbox` as a process, for the tests beside this file."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpx
from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ENV = {name: value or "" for name, value in dotenv_values(ROOT / ".env.sandbox").items()}


@dataclass
class Sandbox:
    """A running sandbox: its addresses, its process, EspoCRM's API as staff, and people's edits in Advoware."""

    process: subprocess.Popen[str]
    advoware: str
    espocrm: str

    def __post_init__(self) -> None:
        """Open the connections."""
        key = {"X-Api-Key": ENV["SANDBOX_ESPOCRM_STAFF_KEY"]}
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        self.staff = httpx.Client(base_url=self.espocrm + "/api/v1", headers=key, trust_env=False)
        self.people = httpx.Client(base_url=self.advoware + "/_sandbox", trust_env=False)


def until_ready(output: IO[str]) -> dict[str, str]:
    """Read the program's lines up to `ready`; returns the addresses."""
    addresses: dict[str, str] = {}
    for line in output:
        if line.strip() == "ready":
            return addresses
        name, _, address = line.strip().partition("=")
        addresses[name] = address
    raise AssertionError("the sandbox ended before it was ready")


@contextlib.contextmanager
def running(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Sandbox]:
    """Start the program on free ports and end it afterwards."""
    command = [sys.executable, "-m", "sandbox", "--advoware-port", "0", "--espocrm-port", "0", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stdout is not None
        yield Sandbox(process, **until_ready(process.stdout))
    finally:
        process.terminate()
        process.wait(timeout=10)
