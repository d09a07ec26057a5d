"""`scripts/register_webhooks.py` against the sandbox: complete, idempotent, and out with what belongs into .env."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.register_webhooks import register, write_line
from services.config import EspoCrmSettings, SyncSettings
from services.errors import InvalidInput
from services.espocrm import EspoCrmService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.espocrm_answers import EspoWebhook
    from tests.support.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
URL = "http://127.0.0.1:9"
TARGET = URL + "/webhooks/espocrm/beteiligte"
EVENTS = ["CBeteiligte.create", "CBeteiligte.delete", "CBeteiligte.update"]


@pytest.fixture
def espocrm(sandbox: Sandbox) -> Iterator[EspoCrmService]:
    """A client that starts and ends without webhooks."""
    service = EspoCrmService(EspoCrmSettings.from_environment(sandbox.environ))
    _without_webhooks(service)
    sandbox.espocrm.clear_log()
    yield service
    _without_webhooks(service)
    service.close()


def _without_webhooks(service: EspoCrmService) -> None:
    for hook in service.list_webhooks():
        service.delete_webhook(hook.id)


def hooks(service: EspoCrmService) -> list[EspoWebhook]:
    return sorted(service.list_webhooks(), key=lambda hook: (hook.event, hook.url))


def test_create_update_and_delete_are_registered_without_own_changes(espocrm: EspoCrmService) -> None:
    secrets = register(espocrm, URL + "/")
    registered = hooks(espocrm)
    assert [(hook.event, hook.url) for hook in registered] == [(event, TARGET) for event in EVENTS]
    assert all(hook.active and hook.skip_own for hook in registered)
    assert secrets == {hook.id: hook.secret for hook in registered}
    assert all(secrets.values())


def test_registering_again_changes_nothing(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    first = register(espocrm, URL)
    before = hooks(espocrm)
    sandbox.espocrm.clear_log()
    assert register(espocrm, URL) == first
    assert hooks(espocrm) == before
    assert {row["method"] for row in sandbox.espocrm.requests()} == {"GET"}


def test_an_espocrm_without_skip_own_gets_its_webhooks_too(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    sandbox.espocrm.switch(version="9.1.7")
    first = register(espocrm, URL)
    sandbox.espocrm.clear_log()
    assert register(espocrm, URL) == first
    assert {row["method"] for row in sandbox.espocrm.requests()} == {"GET"}
    assert [(hook.event, hook.skip_own) for hook in hooks(espocrm)] == [(event, None) for event in EVENTS]


def test_doubles_are_removed_and_an_inactive_one_is_switched_on_with_skip_own(espocrm: EspoCrmService) -> None:
    kept = espocrm.create_webhook("CBeteiligte.update", TARGET, skip_own=False)
    espocrm.update_webhook(kept.id, active=False)
    register(espocrm, URL)
    double = espocrm.create_webhook("CBeteiligte.update", TARGET, skip_own=False)
    espocrm.update_webhook(double.id, active=False)
    secrets = register(espocrm, URL)
    assert [(hook.event, hook.active, hook.skip_own) for hook in hooks(espocrm)] == [(e, True, True) for e in EVENTS]
    assert kept.id in secrets
    assert double.id not in secrets


def test_webhooks_for_other_addresses_and_events_stay_unless_asked(espocrm: EspoCrmService) -> None:
    moved = espocrm.create_webhook("CBeteiligte.update", "http://127.0.0.1:8/webhooks/espocrm/beteiligte", skip_own=True)
    foreign = espocrm.create_webhook("CBeteiligte.update", "http://127.0.0.1:8/something/else", skip_own=True)
    field = espocrm.create_webhook("CBeteiligte.fieldUpdate.betnr", TARGET, skip_own=True)
    register(espocrm, URL)
    assert {moved.id, foreign.id, field.id} <= {hook.id for hook in hooks(espocrm)}
    register(espocrm, URL, only_here=True)
    left = {hook.id for hook in hooks(espocrm)}
    assert moved.id not in left
    assert {foreign.id, field.id} <= left


@pytest.mark.parametrize("url", ["", "sync.example", "ftp://sync.example", "https://" + "a" * 500])
def test_an_unusable_address_is_refused_before_any_request(sandbox: Sandbox, espocrm: EspoCrmService, url: str) -> None:
    with pytest.raises(InvalidInput):
        register(espocrm, url)
    assert sandbox.espocrm.requests() == []


def run(sandbox: Sandbox, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "register_webhooks.py"), "--url", URL, *arguments]
    return subprocess.run(
        command, env={**os.environ, **sandbox.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_script_prints_the_line_for_env_and_only_that_on_stdout(
    sandbox: Sandbox, espocrm: EspoCrmService, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("# oben\nESPOCRM_WEBHOOK_SECRETS=alt:alt\nKOMM_API_TOKEN=x\n", encoding="utf-8")
    first, second = run(sandbox), run(sandbox, "--write", str(file))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout == second.stdout
    name, _, value = first.stdout.strip().partition("=")
    read = SyncSettings.from_environment({name: value}).webhook_secrets
    assert {key: secret.get_secret_value() for key, secret in read.items()} == {
        hook.id: hook.secret for hook in hooks(espocrm)
    }
    assert file.read_text(encoding="utf-8") == f"# oben\n{first.stdout.strip()}\nKOMM_API_TOKEN=x\n"


def test_the_script_registers_another_entity(sandbox: Sandbox, espocrm: EspoCrmService) -> None:
    assert run(sandbox, "--entity", "CBeteiligteOcc").returncode == 0
    assert {hook.event.partition(".")[0] for hook in hooks(espocrm)} == {"CBeteiligteOcc"}


def test_the_script_says_in_one_sentence_what_is_wrong(sandbox: Sandbox) -> None:
    failed = run(sandbox, ESPOCRM_API_KEY="canary")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "refused the credentials" in failed.stderr
    assert "canary" not in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "new.env"
    write_line(file, "ESPOCRM_WEBHOOK_SECRETS=a:b")
    assert file.read_text(encoding="utf-8") == "ESPOCRM_WEBHOOK_SECRETS=a:b\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_changed_record_reaches_the_registered_address_but_not_the_syncs_own_change(
    sandbox: Sandbox, espocrm: EspoCrmService
) -> None:
    from services.kommunikation_types import Art, EspoItem
    from tests.support.scripted import scripted_server

    with scripted_server() as receiver:
        receiver.answer("POST /webhooks/espocrm/beteiligte", b"")
        sandbox.espocrm.flush()
        register(espocrm, receiver.url)
        espo_id = sandbox.espocrm.create()
        sandbox.espocrm.flush()
        told = len(receiver.asked)
        espocrm.put_arrays(espo_id, emails=(EspoItem(Art.EMAIL, "eigene@example.com", primary=True),), phones=None)
        sandbox.espocrm.flush()
    assert told == 1
    assert len(receiver.asked) == told
    assert espo_id.encode() in receiver.asked[0][2]
