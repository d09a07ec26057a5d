"""Settings, read from the environment after the project's `.env` (which never overrides the environment).

A value that is missing or unusable raises `Unconfigured` with the variable's name, never with its value. The
variables are explained in `.env.example`.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from services.errors import Unconfigured
from services.kommunikation_table import ConflictPolicy
from services.notice_kind import NoticeKind
from services.scope import Mode, Scope
from services.web_address import usable_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

PROJECT_ROOT = Path(__file__).resolve().parent.parent
PUBLIC_CONFIGURATOR_URL = "https://www2.advo-net.net/AdvonetConfigurator/api/Url"
"""Where the vendor's pages say that the addresses of a firm are looked up."""

_API_PATH = "/api/v1"


def _root_url(value: str) -> str:
    value = value.strip().rstrip("/")
    if value and not usable_address(value):
        raise ValueError("not an address that starts with http:// or https:// and holds no credentials")
    return value


def _header_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()) or text.strip() != text:
        raise ValueError("it goes into an HTTP header: only printable ASCII, no surrounding spaces")
    return value


def _base64_key(value: SecretStr) -> SecretStr:
    try:
        usable = bool(base64.b64decode(value.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        usable = False
    if not usable:
        raise ValueError("not base64")
    return value


def _secrets_by_webhook(value: object) -> object:
    """'id:secret,id:secret' as a mapping; blanks around the parts and an empty end do not matter."""
    if not isinstance(value, str):
        return value
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        webhook_id, colon, secret = (text.strip() for text in part.partition(":"))
        if not colon or not secret or not re.fullmatch(r"[A-Za-z0-9_-]{1,36}", webhook_id):
            raise ValueError("not of the form webhookId:secret,webhookId:secret")
        pairs[webhook_id] = secret
    return pairs


def _pilot(value: object) -> object:
    """'id,id' or the name of a file (recognised by its / or .) with one id a line; '#' begins a comment there."""
    if not isinstance(value, str):
        return value
    text = value.replace(",", "\n")
    if "/" in value or "." in value:
        try:
            text = (PROJECT_ROOT / value.strip()).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise ValueError("its file can't be read") from None
    ids = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
    if not ids or not all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", one) for one in ids):
        raise ValueError("ids of EspoCRM or numbers of Beteiligte, separated by commas, or a file with one a line")
    return frozenset(ids)


RootUrl = Annotated[str, AfterValidator(_root_url)]
HeaderSecret = Annotated[SecretStr, AfterValidator(_header_text)]
Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class _Settings(BaseModel):
    # hide_input_in_errors: the text of a ValidationError would otherwise hold the password that did not fit.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, validate_by_name=True, validate_by_alias=True)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Settings from `environ`; None: from `.env` and the process environment. Raises `Unconfigured`."""
        environ = environment() if environ is None else environ
        names = [field.alias for field in cls.model_fields.values() if field.alias]
        # An empty variable counts as missing: that is how .env.example leaves what a person has to fill in.
        given = {name: environ[name] for name in names if environ.get(name, "").strip()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problem = _explain(error.errors(include_input=False, include_url=False))
        raise Unconfigured(problem)


def _explain(details: list[ErrorDetails]) -> str:
    missing = [str(detail["loc"][0]) for detail in details if detail["type"] == "missing"]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        return f"{', '.join(missing)} {verb} not set: put it into .env or the environment (see .env.example)."
    first = details[0]
    return f"{first['loc'][0]} is unusable: {first['msg'].removeprefix('Value error, ')}."


class AdvowareSettings(_Settings):
    """Access to Advoware. `api_base_url` and `security_gateway_url` are '' where the look-up decides."""

    kanzlei: Text = Field(alias="ADVOWARE_KANZLEI", repr=False)
    database: Text = Field(alias="ADVOWARE_DATABASE", repr=False)
    user: Text = Field(alias="ADVOWARE_USER", repr=False)
    password: SecretStr = Field(alias="ADVOWARE_PASSWORD")
    app_id: Text = Field(alias="ADVOWARE_APP_ID")
    api_key: Annotated[SecretStr, AfterValidator(_base64_key)] = Field(alias="ADVOWARE_API_KEY")
    role: int = Field(2, alias="ADVOWARE_ROLE")
    product_id: int = Field(64, alias="ADVOWARE_PRODUCT_ID")
    configurator_url: RootUrl = Field(PUBLIC_CONFIGURATOR_URL, alias="ADVOWARE_CONFIGURATOR_URL")
    api_base_url: RootUrl = Field("", alias="ADVOWARE_API_BASE_URL")
    security_gateway_url: RootUrl = Field("", alias="ADVOWARE_SECURITY_GATEWAY_URL")
    api_prefix: str = Field("api/v1/advonet", alias="ADVOWARE_API_PREFIX", pattern=r"^/?[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*/?$")
    timeout_seconds: Seconds = Field(30, alias="ADVOWARE_TIMEOUT_SECONDS")


class EspoCrmSettings(_Settings):
    """Access to EspoCRM. `base_url` ends in /api/v1; with `hmac_secret` requests are signed instead of `X-Api-Key`."""

    base_url: RootUrl = Field(alias="ESPOCRM_API_BASE_URL")
    api_key: HeaderSecret = Field(alias="ESPOCRM_API_KEY")
    hmac_secret: SecretStr | None = Field(None, alias="ESPOCRM_HMAC_SECRET")
    entity: str = Field("CBeteiligte", alias="ESPOCRM_ENTITY", pattern=r"^[A-Za-z][A-Za-z0-9]{0,99}$")
    timeout_seconds: Seconds = Field(30, alias="ESPOCRM_TIMEOUT_SECONDS")

    @field_validator("base_url")
    @classmethod
    def _with_api_path(cls, value: str) -> str:
        # People copy the address of the site from their browser.
        return value if value.endswith(_API_PATH) else value + _API_PATH


class SyncSettings(_Settings):
    """What the sync itself needs. `redis_url` is None without Redis; `webhook_secrets`: webhook id -> secret.

    `pilot`: the only records that may be written, None for all; see `services.scope`.
    """

    redis_url: str | None = Field(None, alias="REDIS_URL", repr=False, pattern=r"^(rediss?|unix)://")
    api_token: HeaderSecret | None = Field(None, alias="KOMM_API_TOKEN")
    data_key: SecretStr | None = Field(None, alias="KOMM_DATA_KEY")
    conflict_policy: ConflictPolicy = Field(ConflictPolicy.KEEP_BOTH, alias="KOMM_CONFLICT_POLICY")
    webhook_secrets: Annotated[dict[str, SecretStr], BeforeValidator(_secrets_by_webhook)] = Field(
        default_factory=dict, alias="ESPOCRM_WEBHOOK_SECRETS"
    )
    mode: Mode = Field(Mode.LIVE, alias="KOMM_MODE")
    notices: NoticeKind = Field(NoticeKind.OFF, alias="KOMM_NOTICES")
    pilot: Annotated[frozenset[str] | None, BeforeValidator(_pilot)] = Field(None, alias="KOMM_PILOT")

    @property
    def scope(self) -> Scope:
        """Which records may be written."""
        return Scope(self.mode, self.pilot)


class PageSettings(_Settings):
    """What the control page needs beside `SyncSettings`. Without a token there is no page."""

    token: Annotated[SecretStr, Field(min_length=16)] = Field(alias="KOMM_PAGE_TOKEN")
    port: int = Field(3080, alias="KOMM_PAGE_PORT", ge=1, le=65535)


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
