"""Installs what is missing: npm packages, the virtual environment, Redis, for tests a browser. Done once, then skipped.

`python3 -m scripts.launch.provision [--dev]`; `--dev` adds what tests and checks need.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from scripts.launch.places import PYTHON, ROOT, RUNTIME
from scripts.launch.report import CannotRunError, say, step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_PYTHON_MIN = (3, 11)
_NODE_MIN = 20
_LEVELS = ("requirements-sandbox.txt", "requirements-dev.txt")  # the second holds the first


def provision(*, dev: bool = False) -> None:
    """Make the checkout ready to run, with `dev` also to be tested.

    Raises:
        CannotRunError: something is missing that can't be installed here.
    """
    if sys.version_info < _PYTHON_MIN:
        raise CannotRunError(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    _check_node()
    with ThreadPoolExecutor() as pool:  # each waits for the network half of the time
        for part in (pool.submit(_npm_packages), pool.submit(_virtual_environment, _LEVELS[dev])):
            part.result()
    _compile()
    if dev:
        redis_server()
        browser()


def _check_node() -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise CannotRunError("Node.js 20 or newer with npm is needed; neither may be missing from the path.")
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", found)
    if not match or int(match[1]) < _NODE_MIN:
        raise CannotRunError(f"Node.js 20 or newer is needed; this is {found.strip() or 'unknown'}.")


def _npm_packages() -> None:
    stamp = ROOT / "node_modules" / ".installed"
    digest = _digest("package.json", "package-lock.json")
    if _read(stamp) == digest:
        return
    with step("npm packages"):
        # No install scripts: one of them would download and compile a Redis of its own.
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm")
        stamp.write_text(digest, encoding="utf-8")


def _virtual_environment(requirements: str) -> None:
    stamp = ROOT / "python_modules" / ".installed"
    files = [*(path.name for path in sorted(ROOT.glob("requirements*.txt"))), "requirements.lock"]
    wanted = [f"{level} {sys.version_info[:2]} {_digest(*files)}" for level in _LEVELS]
    if _read(stamp) in wanted[_LEVELS.index(requirements) :]:
        return
    with step("Python packages"):
        if (
            not PYTHON.exists()
            or subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode
        ):
            _make_venv()
        _run(
            [
                PYTHON,
                "-m",
                "pip",
                "install",
                "-q",
                "--disable-pip-version-check",
                "-r",
                requirements,
                "-c",
                "requirements.lock",
            ],
            "pip",
        )
        stamp.write_text(wanted[_LEVELS.index(requirements)], encoding="utf-8")


def _compile() -> None:
    """Compile what each step process imports: where PYTHONDONTWRITEBYTECODE is set, it would do so with every call."""
    motia = ROOT / "node_modules" / "@motiadev" / "core" / "dist" / "src" / "python"
    command: list[str | Path] = [PYTHON, "-m", "compileall", "-q", ROOT / "services", ROOT / "steps", motia]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _make_venv() -> None:
    target = ROOT / "python_modules"
    command = [sys.executable, "-m", "venv", "--clear", str(target)]
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True, check=False).returncode:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        apt_install(f"python{version}-venv", "Python's venv module is missing: install python3-venv and start again.")
    _run(command, "venv")


def redis_server() -> str:
    """Find a Redis (or Valkey) server program; install Debian's where that is possible.

    Raises:
        CannotRunError: there is none and none can be installed.
    """
    names = ("redis-server", "valkey-server")
    return _find_or_install(
        lambda: next((found for name in names if (found := shutil.which(name))), None),
        "redis-server",
        "No Redis: set REDIS_URL, or install redis-server or valkey-server, and start again.",
    )


def browser() -> str:
    """Find Chromium for the test that looks at the pages; install Debian's where that is possible."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return _find_or_install(
        lambda: next((found for name in names if (found := shutil.which(name))), None),
        "chromium",
        "No Chromium on the path: install it for the tests that look at the pages, and start again.",
    )


def _find_or_install(find: Callable[[], str | None], package: str, otherwise: str) -> str:
    found = find()
    if found is None:
        with step(f"{package} (Debian's package)"):
            apt_install(package, otherwise)
        found = find()
    if found is None:
        raise CannotRunError(otherwise)
    return found


def apt_install(package: str, otherwise: str) -> None:
    """Install a package of Debian.

    Raises:
        CannotRunError: with the sentence `otherwise` when we are not root or there is no apt.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CannotRunError(otherwise)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], "apt", quiet)
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], "apt", quiet)


def _run(command: Sequence[str | Path], name: str, env: dict[str, str] | None = None) -> None:
    """Run a package manager with its words in a log; on failure the last of them are shown."""
    log = RUNTIME / "logs" / f"install-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | (env or {}), check=False
        )
    if done.returncode:
        say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]))
        raise CannotRunError(f"{name} failed; its words are above and in {log}.")


def _digest(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    try:
        provision(dev="--dev" in sys.argv[1:])
    except CannotRunError as problem:
        raise SystemExit(str(problem)) from None
