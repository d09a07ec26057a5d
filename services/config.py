"""Settings, read from the environment after the project's `.env` (which never overrides the environment).

A value that is missing or unusable raises `Unconfigured` with the variable's name, never with its value. The
variables are explained in `.env.example`.
"""
# ruff: noqa: RUF009 - `_from` makes a dataclass field, nothing that instances would share

from __future__ import annotations

import base64
import binascii
import math
import os
import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from services.errors import Unconfigured
from services.kommunikation_table import ConflictPolicy
from services.web_address import usable_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROJECT_ROOT = Path(__file__).resolve().parent.parent
PUBLIC_CONFIGURATOR_URL = "https://www2.advo-net.net/AdvonetConfigurator/api/Url"
"""Where the vendor's pages say that the addresses of a firm are looked up."""

_API_PATH = "/api/v1"


_MAX_SECONDS = 600.0


class _UnusableError(ValueError):
    """What is wrong with a value: a sentence without the value itself."""


class SecretStr:
    """A text of the settings that does not show itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """Give the text."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "SecretStr('**********')"


def _root_url(value: str) -> str:
    value = value.strip().rstrip("/")
    if value and not usable_address(value):
        raise _UnusableError("not an address that starts with http:// or https:// and holds no credentials")
    return value


def _espocrm_url(value: str) -> str:
    # People copy the address of the site from their browser.
    root = _root_url(value)
    return root if root.endswith(_API_PATH) else root + _API_PATH


def _header_secret(value: str) -> SecretStr:
    if not (value.isascii() and value.isprintable()) or value.strip() != value:
        raise _UnusableError("it goes into an HTTP header: only printable ASCII, no surrounding spaces")
    return SecretStr(value)


def _base64_key(value: str) -> SecretStr:
    try:
        usable = bool(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        usable = False
    if not usable:
        raise _UnusableError("not base64")
    return SecretStr(value)


def _secrets_by_webhook(value: str) -> dict[str, SecretStr]:
    """'id:secret,id:secret' as a mapping; blanks around the parts and an empty end do not matter."""
    pairs: dict[str, SecretStr] = {}
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        webhook_id, colon, secret = (text.strip() for text in part.partition(":"))
        if not colon or not secret or not re.fullmatch(r"[A-Za-z0-9_-]{1,36}", webhook_id):
            raise _UnusableError("not of the form webhookId:secret,webhookId:secret")
        pairs[webhook_id] = SecretStr(secret)
    return pairs


def _number(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        raise _UnusableError("not a whole number")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _MAX_SECONDS:
        raise _UnusableError(f"not a number of seconds above 0 and up to {_MAX_SECONDS:.0f}")
    return seconds


def _policy(value: str) -> ConflictPolicy:
    names = {policy.value: policy for policy in ConflictPolicy}
    if value not in names:
        raise _UnusableError(f"not one of {', '.join(names)}")
    return names[value]


def _like(pattern: str, words: str) -> Callable[[str], str]:
    """How a text is read that has to look like `pattern`; `words` say so."""

    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise _UnusableError(f"not {words}")
        return value

    return read


def _from(variable: str, read: Callable[[str], Any] = str, default: Any = MISSING, *, show: bool = True) -> Any:
    """A setting: its variable, how its text is read, and its default (or what makes it); without one it has to be set."""
    made: dict[str, Any] = {"default_factory": default} if isinstance(default, type) else {"default": default}
    return field(repr=show, metadata={"variable": variable, "read": read}, **made)


class _Settings:
    @classmethod
    def variables(cls) -> list[str]:
        """The names of all variables."""
        return [one.metadata["variable"] for one in fields(cls)]  # type: ignore[arg-type]  # subclasses are dataclasses

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Settings from `environ`; None: from `.env` and the process environment. Raises `Unconfigured`."""
        environ = environment() if environ is None else environ
        values: dict[str, Any] = {}
        missing: list[str] = []
        problem = ""
        for one in fields(cls):  # type: ignore[arg-type]  # subclasses are dataclasses
            variable, text = one.metadata["variable"], environ.get(one.metadata["variable"], "")
            # An empty variable counts as missing: that is how .env.example leaves what a person has to fill in.
            if not text.strip():
                missing += [variable] if one.default is one.default_factory is MISSING else []
                continue
            try:
                values[one.name] = one.metadata["read"](text)
            except _UnusableError as error:
                problem = problem or f"{variable} is unusable: {error}."
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            problem = f"{', '.join(missing)} {verb} not set: put it into .env or the environment (see .env.example)."
        if problem:
            raise Unconfigured(problem)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class AdvowareSettings(_Settings):
    """Access to Advoware. `api_base_url` and `security_gateway_url` are '' where the look-up decides."""

    kanzlei: str = _from("ADVOWARE_KANZLEI", show=False)
    database: str = _from("ADVOWARE_DATABASE", show=False)
    user: str = _from("ADVOWARE_USER", show=False)
    password: SecretStr = _from("ADVOWARE_PASSWORD", SecretStr)
    app_id: str = _from("ADVOWARE_APP_ID")
    api_key: SecretStr = _from("ADVOWARE_API_KEY", _base64_key)
    role: int = _from("ADVOWARE_ROLE", _number, 2)
    product_id: int = _from("ADVOWARE_PRODUCT_ID", _number, 64)
    configurator_url: str = _from("ADVOWARE_CONFIGURATOR_URL", _root_url, PUBLIC_CONFIGURATOR_URL)
    api_base_url: str = _from("ADVOWARE_API_BASE_URL", _root_url, "")
    security_gateway_url: str = _from("ADVOWARE_SECURITY_GATEWAY_URL", _root_url, "")
    api_prefix: str = _from(
        "ADVOWARE_API_PREFIX", _like(r"/?[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*/?", "a path of names"), "api/v1/advonet"
    )
    timeout_seconds: float = _from("ADVOWARE_TIMEOUT_SECONDS", _seconds, 30.0)


@dataclass(frozen=True, kw_only=True)
class EspoCrmSettings(_Settings):
    """Access to EspoCRM. `base_url` ends in /api/v1; with `hmac_secret` requests are signed instead of `X-Api-Key`."""

    base_url: str = _from("ESPOCRM_API_BASE_URL", _espocrm_url)
    api_key: SecretStr = _from("ESPOCRM_API_KEY", _header_secret)
    hmac_secret: SecretStr | None = _from("ESPOCRM_HMAC_SECRET", SecretStr, None)
    entity: str = _from("ESPOCRM_ENTITY", _like(r"[A-Za-z][A-Za-z0-9]{0,99}", "the name of an entity"), "CBeteiligte")
    timeout_seconds: float = _from("ESPOCRM_TIMEOUT_SECONDS", _seconds, 30.0)


@dataclass(frozen=True, kw_only=True)
class SyncSettings(_Settings):
    """What the sync itself needs. `redis_url` is None without Redis; `webhook_secrets`: webhook id -> secret."""

    redis_url: str | None = _from(
        "REDIS_URL", _like(r"(?s:(rediss?|unix)://.*)", "an address of a Redis (redis://host:port/db)"), None, show=False
    )
    api_token: SecretStr | None = _from("KOMM_API_TOKEN", _header_secret, None)
    data_key: SecretStr | None = _from("KOMM_DATA_KEY", SecretStr, None)
    conflict_policy: ConflictPolicy = _from("KOMM_CONFLICT_POLICY", _policy, ConflictPolicy.KEEP_BOTH)
    webhook_secrets: dict[str, SecretStr] = _from("ESPOCRM_WEBHOOK_SECRETS", _secrets_by_webhook, dict)


def environment(env_file: Path | None = None) -> dict[str, str]:
    """The variables of `env_file` (None: the project's `.env`) and over them those of the process.

    The process environment stays as it is, so that child processes do not inherit what only a file held.
    """
    file = env_file or PROJECT_ROOT / ".env"
    if not file.exists():
        return dict(os.environ)
    from dotenv import dotenv_values

    # No interpolation: a password may hold '${'.
    from_file = dotenv_values(file, interpolate=False)
    return {name: value for name, value in from_file.items() if value is not None} | dict(os.environ)
