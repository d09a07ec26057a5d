"""Looks at everything the sync needs and says of each thing whether it is right, and what to do if it is not.

Reads only. Texts hold names of settings, ids and kinds, never a client's value and never a secret.
"""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from services.config import PROJECT_ROOT, AdvowareSettings, EspoCrmSettings, SyncSettings
from services.errors import SyncError, Unconfigured
from services.scope import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

AnySettings = TypeVar("AnySettings", SyncSettings, EspoCrmSettings, AdvowareSettings)


class Level(Enum):
    """How much a finding matters. A WARNING can be meant so; a PROBLEM keeps the sync from doing what it promises."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `check`: its stable name; `remedy`: what to do, '' where nothing is to be done."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """The form for JSON."""
        return {"check": self.check, "level": self.level.value, "text": self.text, "remedy": self.remedy}


_NAMES: dict[type, str] = {SyncSettings: "The sync's", EspoCrmSettings: "EspoCRM's", AdvowareSettings: "Advoware's"}
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", ""})
TOKEN_LENGTH = 16
LATE_SECONDS = 900.0
"""A record that has been due for so long says that nobody works on the list."""


def examine(environ: Mapping[str, str], *, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """All findings, one after the other as they come. `environ`: the settings, as `config.environment()` gives them."""
    from services.doctor_redis import examine_redis
    from services.doctor_systems import examine_advoware, examine_espocrm

    sync = yield from _settings("settings", SyncSettings, environ)
    yield from _own_settings(environ, sync)
    yield from examine_redis(sync, now)
    espocrm = yield from _settings("espocrm.settings", EspoCrmSettings, environ)
    betnr = None
    if espocrm is not None:
        yield from _clear_text("espocrm.tls", "ESPOCRM_API_BASE_URL", espocrm.base_url)
        betnr = yield from examine_espocrm(espocrm, sync, environ, now)
    advoware = yield from _settings("advoware.settings", AdvowareSettings, environ)
    if advoware is not None:
        yield from _clear_text("advoware.tls", "ADVOWARE_API_BASE_URL", advoware.api_base_url)
        yield from examine_advoware(advoware, betnr)


def _settings(
    check: str, kind: type[AnySettings], environ: Mapping[str, str]
) -> Generator[Finding, None, AnySettings | None]:
    """The settings of one kind, or a finding that says what is wrong with them."""
    try:
        settings = kind.from_environment(environ)
    except Unconfigured as error:
        yield Finding(check, Level.PROBLEM, str(error), "Put it right in .env; .env.example explains each setting.")
        return None
    yield Finding(check, Level.OK, f"{_NAMES[kind]} settings are complete.")
    return settings


def _own_settings(environ: Mapping[str, str], sync: SyncSettings | None) -> Iterator[Finding]:
    yield from _token(sync)
    env_file = PROJECT_ROOT / ".env"
    if env_file.exists() and env_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = ".env holds passwords, and others on this machine can read it."
        yield Finding("settings.file", Level.WARNING, text, "chmod 600 .env")
    if sync is None:
        return
    if sync.data_key is None:
        text = "KOMM_DATA_KEY is not set: client data in Redis and its backups is not encrypted."
        yield Finding(
            "settings.data-key", Level.WARNING, text, "Make a key as .env.example shows, and keep a copy elsewhere."
        )
    else:
        yield from _data_key(sync)
    if sync.mode is Mode.SHADOW:
        text = "Shadow mode: the sync plans and reports, and writes nothing."
        yield Finding("settings.mode", Level.NOTE, text, "KOMM_MODE=live when its plans are as they should be.")
    elif sync.pilot is not None:
        text = f"Pilot: only {len(sync.pilot)} record(s) are written, of all others there are plans only."
        yield Finding("settings.mode", Level.NOTE, text, "Leave KOMM_PILOT empty for all records.")
    if not environ.get("MOTIA_DOCKER_DISABLE_WORKBENCH"):
        text = "The Workbench is on: it has no login."
        yield Finding("settings.workbench", Level.NOTE, text, "MOTIA_DOCKER_DISABLE_WORKBENCH=1 in production.")


def _token(sync: SyncSettings | None) -> Iterator[Finding]:
    remedy = "openssl rand -hex 32 makes one; put it into .env as KOMM_API_TOKEN."
    if sync is None:
        return
    if sync.api_token is None:
        text = "KOMM_API_TOKEN is not set: nobody can report changes of Advoware, all such calls are refused."
        yield Finding("settings.token", Level.PROBLEM, text, remedy)
    elif len(sync.api_token.get_secret_value()) < TOKEN_LENGTH:
        text = f"KOMM_API_TOKEN has fewer than {TOKEN_LENGTH} characters: it can be guessed."
        yield Finding("settings.token", Level.WARNING, text, remedy)
    else:
        yield Finding("settings.token", Level.OK, "KOMM_API_TOKEN is set.")


def _data_key(sync: SyncSettings) -> Iterator[Finding]:
    from services.state_seal import seal_from

    try:
        seal_from(sync.data_key.get_secret_value() if sync.data_key else None)
    except SyncError as error:
        remedy = "Take the key that was used so far; a new one can't read what is in Redis."
        yield Finding("settings.data-key", Level.PROBLEM, str(error), remedy)
    else:
        yield Finding("settings.data-key", Level.OK, "KOMM_DATA_KEY is set: client data in Redis is encrypted.")


def _clear_text(check: str, name: str, url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        text = f"{name} is http://: key and client data go over the network in clear text."
        yield Finding(check, Level.PROBLEM, text, f"Use https:// in {name}.")
