"""The doctor finds each misconfiguration that is planted here, names the remedy, and finds nothing else wrong."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import redis
from cryptography.fernet import Fernet

from scripts.register_webhooks import env_line, register
from services.config import EspoCrmSettings
from services.doctor import Finding, Level, examine
from services.espocrm import EspoCrmService
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.kommunikation_table import ConflictPolicy
from services.scope import Scope
from services.state_redis import RedisState
from tests.http.support import address, clients, number
from tests.state.support import running
from tests.support.sandbox import Sandbox, email, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.state.support import Server

URL = "http://127.0.0.1:9"


@dataclass
class Installation:
    """All that a sync needs, in order until a test puts something out of order."""

    sandbox: Sandbox
    redis: Server
    env: dict[str, str] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    """Records to be taken away again."""

    def findings(self, **changed: str) -> list[Finding]:
        """What the doctor finds, with these settings changed."""
        return list(examine({**self.env, **changed}))

    def wrong(self, **changed: str) -> list[Finding]:
        """What it finds to be wrong."""
        return [one for one in self.findings(**changed) if one.level in {Level.PROBLEM, Level.WARNING}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("redis-doctor")) as made:
        redis.Redis(port=made.port).config_set("slowlog-log-slower-than", "-1")
        yield made


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.pair(entry(number(), 1), emails=[email(address())])
        yield sandbox


@pytest.fixture
def here(server: Server, own: Sandbox) -> Iterator[Installation]:
    own.fresh()
    client = redis.Redis(port=server.port)
    client.flushall()
    made = Installation(own, server, dict(own.environ))
    espocrm = EspoCrmService(EspoCrmSettings.from_environment(made.env))
    for hook in espocrm.list_webhooks():
        espocrm.delete_webhook(hook.id)
    name, _, secrets = env_line(register(espocrm, URL)).partition("=")
    espocrm.close()
    made.env |= {
        name: secrets,
        "REDIS_URL": server.url,
        "KOMM_API_TOKEN": "0123456789abcdef0123456789abcdef",
        "KOMM_DATA_KEY": Fernet.generate_key().decode(),
        "MOTIA_DOCKER_DISABLE_WORKBENCH": "1",
    }
    yield made
    for espo_id in made.extra:
        own.espocrm.delete(espo_id)
    client.config_set("appendonly", "yes")
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "0")
    client.config_set("slowlog-log-slower-than", "-1")
    client.close()


def test_a_sound_installation_has_nothing_wrong(here: Installation) -> None:
    assert [(one.check, one.text) for one in here.wrong()] == []
    checks = {one.check for one in here.findings()}
    assert {
        *("settings", "redis.reachable", "redis.persistence", "espocrm.key", "espocrm.rights", "espocrm.fields", "clock"),
        *("espocrm.phone-numbers", "webhooks.registered", "advoware.credentials"),
    } <= checks


def _redis(here: Installation, **config: str) -> None:
    client = redis.Redis(port=here.redis.port)
    for name, value in config.items():
        client.config_set(name.replace("_", "-"), value)
    client.close()


def _webhooks(here: Installation) -> EspoCrmService:
    return EspoCrmService(EspoCrmSettings.from_environment(here.env))


def _drop_webhook(here: Installation) -> None:
    client = _webhooks(here)
    client.delete_webhook(next(hook.id for hook in client.list_webhooks() if hook.event.endswith(".update")))
    client.close()


def _switch_off(here: Installation, **what: Any) -> None:
    client = _webhooks(here)
    client.update_webhook(client.list_webhooks()[0].id, **what)
    client.close()


def _second_record(here: Installation) -> None:
    pair = here.sandbox.pair(entry(number(), 1))
    here.extra.append(here.sandbox.espocrm.create(betnr=pair.betnr))


def _unseen(here: Installation) -> None:
    """What is in Redis was sealed with another key."""
    with clients(here.sandbox) as made:
        from services.state_seal import seal_from

        state = RedisState.connect(here.redis.url, seal=seal_from(Fernet.generate_key().decode()))
        pair = here.sandbox.pair(entry(number(), 1))
        manager = KommunikationSyncManager(
            made.advoware, made.espocrm, state=state, policy=ConflictPolicy.KEEP_BOTH, scope=Scope()
        )
        manager.sync_bidirectional(pair.espo_id, pair.betnr)
        state.close()


def _late(here: Installation) -> None:
    state = RedisState.connect(here.redis.url, clock=lambda: 1_000_000.0)
    state.ring(["somebody"])
    state.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Plant = tuple[str, "Callable[[Installation], Any] | None", dict[str, str], str, str]

PLANTED: dict[str, Plant] = {
    # what is wrong: (check, what was done, settings, a word of the finding, the remedy)
    "EspoCRM's key is wrong": ("espocrm.key", None, {"ESPOCRM_API_KEY": "nobody"}, "credentials", "ESPOCRM_API_KEY"),
    "EspoCRM is not at its address": (
        "espocrm.reachable", None, {"ESPOCRM_API_BASE_URL": f"http://127.0.0.1:{_free_port()}"}, "EspoCRM",
        "ESPOCRM_API_BASE_URL",
    ),
    "the API user has no role": (
        "espocrm.rights", None, {"ESPOCRM_API_KEY": "sandbox-no-role-key"}, "may not read and edit", "Roles",
    ),
    "the API user may only read": (
        "espocrm.rights", lambda here: here.sandbox.espocrm.switch(deniedRights=["edit"]), {}, "may not edit",
        "edit 'all'",
    ),
    "the API user may not use webhooks": (
        "webhooks.rights", lambda here: here.sandbox.espocrm.switch(deniedRights=["webhook"]), {}, "polling", "Webhook",
    ),
    "the field betnr is missing": (
        "espocrm.fields", lambda here: here.sandbox.espocrm.switch(missingFields=["betnr"]), {}, "400", "field betnr",
    ),
    "the phone field may not be seen": (
        "espocrm.fields", lambda here: here.sandbox.espocrm.switch(missingFields=["phoneNumberData"]), {},
        "phoneNumberData", "Person",
    ),
    "the entity does not exist": (
        "espocrm.entity",
        None,
        {"ESPOCRM_ENTITY": "CNobody"},
        "entity",
        "ESPOCRM_ENTITY",
    ),
    "national numbers are allowed": (
        "espocrm.phone-numbers", lambda here: here.sandbox.espocrm.switch(phoneNumberInternational=False), {},
        "national numbers", "International numbers",
    ),
    "a webhook is missing": ("webhooks.registered", _drop_webhook, {}, "CBeteiligte.update", "--register"),
    "a webhook is switched off": (
        "webhooks.registered", lambda here: _switch_off(here, active=False), {}, "No active webhook", "--register",
    ),
    "a webhook reports own changes": (
        "webhooks.skip-own", lambda here: _switch_off(here, skip_own=False), {}, "skipOwn is off", "--register",
    ),
    "EspoCRM is too old for skipOwn": (
        "webhooks.skip-own", lambda here: here.sandbox.espocrm.switch(version="9.1.7"), {}, "9.1.7", "9.2",
    ),
    "a webhook's secret is not known": (
        "webhooks.secrets", None, {"ESPOCRM_WEBHOOK_SECRETS": ""}, "lacks the secret", "--register",
    ),
    "two records have one betnr": ("espocrm.doubles", _second_record, {}, "1 betnr", "Merge"),
    "the clocks are apart": (
        "clock", lambda here: here.sandbox.espocrm.switch(clockOffsetSeconds=-3600), {}, "60 minutes", "timedatectl",
    ),
    "tasks may not be made": (
        "notices.rights", lambda here: here.sandbox.espocrm.switch(deniedRights=["task"]), {"KOMM_NOTICES": "task"},
        "may not create and read and edit tasks", "Task: create",
    ),
    "there is no stream to post to": ("notices.rights", None, {"KOMM_NOTICES": "note"}, "stream", "Stream, on"),
    "the kind of notices is none": ("settings", None, {"KOMM_NOTICES": "email"}, "KOMM_NOTICES", ".env"),
    "Redis is not set": ("redis.settings", None, {"REDIS_URL": ""}, "REDIS_URL", "make run"),
    "Redis does not answer": (
        "redis.reachable", None, {"REDIS_URL": f"redis://127.0.0.1:{_free_port()}/0"}, "can't be reached", "Start Redis",
    ),
    "Redis has no append-only file": (
        "redis.persistence", lambda here: _redis(here, appendonly="no"), {}, "append-only", "appendonly yes",
    ),
    "Redis throws keys away": (
        "redis.eviction", lambda here: _redis(here, maxmemory="100mb", maxmemory_policy="allkeys-lru"), {},
        "allkeys-lru", "noeviction",
    ),
    "Redis' slow log shows values": (
        "redis.slowlog", lambda here: _redis(here, slowlog_log_slower_than="10000"), {}, "slow log", "-1",
    ),
    "the data key is another": ("redis.contents", _unseen, {}, "KOMM_DATA_KEY", "old key"),
    "nobody works on the list": ("flow.running", _late, {}, "nobody works", "make run"),
    "the data key is none": ("settings.data-key", None, {"KOMM_DATA_KEY": "abc"}, "unusable", "key"),
    "no data key": ("settings.data-key", None, {"KOMM_DATA_KEY": ""}, "not encrypted", ".env.example"),
    "no token": ("settings.token", None, {"KOMM_API_TOKEN": ""}, "KOMM_API_TOKEN", "openssl"),
    "a token that can be guessed": ("settings.token", None, {"KOMM_API_TOKEN": "secret"}, "guessed", "openssl"),
    "a setting is missing": ("advoware.settings", None, {"ADVOWARE_PASSWORD": ""}, "ADVOWARE_PASSWORD", ".env"),
    "a setting is unusable": ("settings", None, {"KOMM_CONFLICT_POLICY": "both"}, "KOMM_CONFLICT_POLICY", ".env"),
    "Advoware's password is wrong": (
        "advoware.credentials", None, {"ADVOWARE_PASSWORD": "wrong"}, "Advoware", "ADVOWARE_PASSWORD",
    ),
    "the app is not activated": (
        "advoware.activated", lambda here: here.sandbox.advoware.switch(activated=False), {}, "Advoware", "api@advoware.de",
    ),
    "the connector is off": (
        "advoware.connector", lambda here: here.sandbox.advoware.switch(connector="offline"), {}, "connector", "PC",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_the_doctor_finds_that(here: Installation, name: str) -> None:
    check, plant, changed, word, remedy = PLANTED[name]
    if plant is not None:
        plant(here)
    wrong = here.wrong(**changed)
    found = [one for one in wrong if one.check == check]
    assert found, f"found instead: {[(one.check, one.text) for one in wrong]}"
    assert any(word in one.text and remedy in one.remedy for one in found), [(one.text, one.remedy) for one in found]
    # What follows from it may be told, too; what has nothing to do with it may not.
    area = {check.partition(".")[0], *_FOLLOWS.get(name, ())}
    assert {one.check.partition(".")[0] for one in wrong} <= area, [(one.check, one.text) for one in wrong]


_FOLLOWS = {
    "the API user has no role": {"webhooks"},
    "the entity does not exist": {"webhooks"},
}


@pytest.mark.parametrize(("kind", "stream"), [("task", False), ("note", True)])
def test_the_right_to_tell_staff_is_seen(here: Installation, kind: str, stream: bool) -> None:
    here.sandbox.espocrm.switch(stream=stream)
    assert [one.level for one in here.findings(KOMM_NOTICES=kind) if one.check == "notices.rights"] == [Level.OK]
    assert here.wrong(KOMM_NOTICES=kind) == []


def test_every_problem_has_a_remedy(here: Installation) -> None:
    for name in ("EspoCRM's key is wrong", "Redis does not answer", "Advoware's password is wrong", "no token"):
        for one in here.wrong(**PLANTED[name][2]):
            assert one.remedy


def test_the_doctor_writes_nothing_and_tells_no_secret(here: Installation) -> None:
    here.sandbox.espocrm.clear_log()
    here.sandbox.advoware.clear_log()
    told = " ".join(f"{one.text} {one.remedy}" for one in here.findings())
    calls = here.sandbox.espocrm.requests() + here.sandbox.advoware.requests()
    assert {row["method"] for row in calls if "Token" not in row["path"]} == {"GET"}
    secrets = [value for name, value in here.env.items() if re.search("KEY|PASSWORD|TOKEN|SECRET", name) and value]
    assert not [secret for secret in secrets for part in secret.split(",") if part.split(":")[-1] in told]
