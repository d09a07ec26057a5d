"""Where things are in a checkout, and which settings a run uses."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
RUNTIME = Path(os.environ.get("KOMM_RUNTIME") or ROOT / ".motia")
"""Everything a run leaves: Redis' files, the sandbox's database, logs. Never committed. KOMM_RUNTIME moves it."""
RUN_ENV = RUNTIME / "run.env"
"""Settings of the run that stands now, for commands beside it; readable by its owner only."""
PYTHON = ROOT / "python_modules" / "bin" / "python"
"""The interpreter that Motia starts steps with, too."""

_CREDENTIALS = ("ADVOWARE_PASSWORD", "ADVOWARE_API_KEY", "ESPOCRM_API_KEY")


def read_env(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines: comments, `export`, quotes and empty values as python-dotenv and Motia's loader do."""
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip().removeprefix("export ")
        name, equals, value = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        text = value.strip()
        if text[:1] in {"'", '"'} and text[0] in text[1:]:
            text = text[1 : text.index(text[0], 1)]
        else:
            text = text.split(" #", 1)[0].rstrip()
        values[name.strip()] = text
    return values


def has_credentials(values: dict[str, str]) -> bool:
    """`.env` names real systems: then they are used instead of the sandbox."""
    return any(values.get(name) for name in _CREDENTIALS)


def sandbox_env(advoware_port: int, espocrm_port: int) -> dict[str, str]:
    """Make the environment of a run on the sandbox: `.env.sandbox` with these ports, other settings are the caller's."""
    values = read_env(ROOT / ".env.sandbox")
    for name, value in values.items():
        values[name] = value.replace(":8701", f":{advoware_port}").replace(":8702", f":{espocrm_port}")
    ours = {name: value for name, value in values.items() if name.startswith(("ADVOWARE_", "ESPOCRM_", "SANDBOX_"))}
    return values | dict(os.environ) | ours
