"""The page as a process, and somebody in front of it without a browser."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.state.support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-this-test"
AT = "/kommunikation"


@contextmanager
def serving(environ: Mapping[str, str], log: Path, port: int | None = None) -> Iterator[str]:
    """Run `python -m page`; gives its address."""
    port = port or free_port()
    env = {**environ, "KOMM_PAGE_TOKEN": TOKEN, "KOMM_PAGE_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "page"], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 30
        while "ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the page does not answer"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Person:
    """Somebody with a browser's memory: cookies, and the seal of the page last seen."""

    http: httpx.Client

    @classmethod
    def at(cls, url: str, **headers: str) -> Person:
        """A person who has not been here yet."""
        # trust_env off: traffic of tests stays on this machine, whatever proxy is set.
        return cls(httpx.Client(base_url=url, trust_env=False, timeout=30, headers=headers))

    def get(self, path: str = "") -> httpx.Response:
        """GET below /kommunikation; redirects are not followed."""
        return self.http.get(AT + path)

    def seal(self, path: str = "") -> str:
        """The seal of the forms of a page."""
        found = re.search(r'name="siegel" value="([^"]+)"', self.get(path).text)
        assert found, path
        return found[1]

    def log_in(self, token: str = TOKEN) -> httpx.Response:
        """Log in through the form."""
        return self.post("/anmelden", seal=self.seal("/anmelden"), token=token)

    def post(self, path: str, *, seal: str | None = None, **form: Any) -> httpx.Response:
        """Send a form with a valid seal, or with this one."""
        form["siegel"] = self.seal("/suche") if seal is None else seal
        return self.http.post(AT + path, data=form)


def text_of(answer: httpx.Response) -> str:
    """What a person reads, in one line."""
    body = re.sub(r"<(script|style).*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
