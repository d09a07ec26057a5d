"""Settings: every variable, and errors that name it without showing what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from services.config import (
    PUBLIC_CONFIGURATOR_URL,
    AdvowareSettings,
    ConflictPolicy,
    EspoCrmSettings,
    SyncSettings,
    environment,
)
from services.errors import Unconfigured

ROOT = Path(__file__).resolve().parent.parent.parent
ADVOWARE = {
    "ADVOWARE_KANZLEI": "MUSTER & SOEHNE",
    "ADVOWARE_DATABASE": "ADVOWARE",
    "ADVOWARE_USER": "SYNC",
    "ADVOWARE_PASSWORD": "canary-password",
    "ADVOWARE_APP_ID": "app-123",
    "ADVOWARE_API_KEY": "dGVzdC1zZWNyZXQta2V5",
}
ESPOCRM = {"ESPOCRM_API_BASE_URL": "https://crm.example/api/v1", "ESPOCRM_API_KEY": "canary-key"}
SETTINGS = AdvowareSettings | EspoCrmSettings | SyncSettings


def test_advoware_defaults_are_those_of_the_vendors_pages() -> None:
    settings = AdvowareSettings.from_environment(ADVOWARE)
    assert (settings.role, settings.product_id, settings.timeout_seconds) == (2, 64, 30)
    assert settings.configurator_url == PUBLIC_CONFIGURATOR_URL
    assert settings.api_base_url == settings.security_gateway_url == ""
    assert settings.api_prefix == "api/v1/advonet"


@pytest.mark.parametrize("variable", sorted(ADVOWARE))
@pytest.mark.parametrize("left_out", [True, False], ids=["absent", "blank"])
def test_a_missing_advoware_variable_is_named(variable: str, *, left_out: bool) -> None:
    given = {name: value for name, value in ADVOWARE.items() if name != variable}
    with pytest.raises(Unconfigured, match=variable):
        AdvowareSettings.from_environment(given if left_out else given | {variable: " "})


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(Unconfigured) as caught:
        AdvowareSettings.from_environment({})
    assert all(name in str(caught.value) for name in ADVOWARE)


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [
        (AdvowareSettings, "ADVOWARE_API_KEY", "canary not base64!"),
        (AdvowareSettings, "ADVOWARE_TIMEOUT_SECONDS", "canary"),
        (AdvowareSettings, "ADVOWARE_TIMEOUT_SECONDS", "0"),
        (AdvowareSettings, "ADVOWARE_ROLE", "canary"),
        (AdvowareSettings, "ADVOWARE_API_BASE_URL", "canary.example"),
        (AdvowareSettings, "ADVOWARE_API_BASE_URL", "ftp://canary.example"),
        (AdvowareSettings, "ADVOWARE_SECURITY_GATEWAY_URL", "https://user:canary@gateway.example"),
        (AdvowareSettings, "ADVOWARE_API_BASE_URL", "https://canary.example:port"),
        (AdvowareSettings, "ADVOWARE_API_BASE_URL", "https://canary\u2100.example"),
        (AdvowareSettings, "ADVOWARE_API_PREFIX", "api/canary?x"),
        (EspoCrmSettings, "ESPOCRM_API_KEY", "canary-with-umlaut-ü"),
        (EspoCrmSettings, "ESPOCRM_ENTITY", "canary/../User"),
        (SyncSettings, "KOMM_CONFLICT_POLICY", "canary"),
        (SyncSettings, "REDIS_URL", "canary:6379"),
        (SyncSettings, "ESPOCRM_WEBHOOK_SECRETS", "canary-without-a-colon"),
        (SyncSettings, "KOMM_API_TOKEN", "canary\x07"),
    ],
)
def test_an_unusable_value_names_its_variable_and_hides_the_value(kind: type[SETTINGS], variable: str, value: str) -> None:
    with pytest.raises(Unconfigured, match=variable) as caught:
        kind.from_environment(ADVOWARE | ESPOCRM | {variable: value})
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "address", ["https://crm.example/api/v1", "https://crm.example/api/v1/", "https://crm.example", "https://crm.example/"]
)
def test_espocrm_address_is_the_same_with_and_without_slash_and_api_path(address: str) -> None:
    settings = EspoCrmSettings.from_environment(ESPOCRM | {"ESPOCRM_API_BASE_URL": address})
    assert settings.base_url == "https://crm.example/api/v1"


def test_trailing_slashes_of_advoware_addresses_do_not_matter() -> None:
    slashes = dict.fromkeys(("ADVOWARE_API_BASE_URL", "ADVOWARE_SECURITY_GATEWAY_URL"), "https://a.example/")
    settings = AdvowareSettings.from_environment(ADVOWARE | slashes)
    assert settings.api_base_url == settings.security_gateway_url == "https://a.example"


def test_secrets_do_not_show_in_a_repr() -> None:
    secrets = ESPOCRM | {
        "ESPOCRM_HMAC_SECRET": "canary-hmac",
        "REDIS_URL": "redis://:canary@127.0.0.1:1/0",
        "KOMM_API_TOKEN": "canary-token",
        "ESPOCRM_WEBHOOK_SECRETS": "abc:canary",
    }
    every = ADVOWARE | secrets
    shown = [repr(kind.from_environment(every)) for kind in (AdvowareSettings, EspoCrmSettings, SyncSettings)]
    assert "canary" not in "".join(shown)


def test_sync_settings_read_policy_and_webhook_secrets() -> None:
    settings = SyncSettings.from_environment(
        {"KOMM_CONFLICT_POLICY": "espocrm_wins", "ESPOCRM_WEBHOOK_SECRETS": " a1 : s1 ,b2:s:2, "}
    )
    assert settings.conflict_policy is ConflictPolicy.ESPOCRM_WINS
    assert {key: secret.get_secret_value() for key, secret in settings.webhook_secrets.items()} == {
        "a1": "s1",
        "b2": "s:2",
    }


def test_without_any_variable_the_sync_keeps_both_and_has_no_redis() -> None:
    settings = SyncSettings.from_environment({"REDIS_URL": ""})
    assert settings.conflict_policy is ConflictPolicy.KEEP_BOTH
    assert settings.redis_url is None
    assert settings.webhook_secrets == {}


def test_the_env_file_never_overrides_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("KOMM_A=from-file\nKOMM_B=from-file\nKOMM_C=a${KOMM_A}b\n", encoding="utf-8")
    monkeypatch.setenv("KOMM_A", "from-environment")
    monkeypatch.delenv("KOMM_B", raising=False)
    found = environment(file)
    assert (found["KOMM_A"], found["KOMM_B"]) == ("from-environment", "from-file")
    # A password may hold '${': nothing is put in its place.
    assert found["KOMM_C"] == "a${KOMM_A}b"


def test_the_example_file_explains_every_variable_that_is_read() -> None:
    example = dotenv_values(ROOT / ".env.example")
    read = {
        field.alias for kind in (AdvowareSettings, EspoCrmSettings, SyncSettings) for field in kind.model_fields.values()
    }
    assert read <= set(example)


def test_the_sandbox_file_is_usable_as_it_stands() -> None:
    values = {name: value or "" for name, value in dotenv_values(ROOT / ".env.sandbox").items()}
    for kind in (AdvowareSettings, EspoCrmSettings, SyncSettings):
        kind.from_environment(values)
