"""What Motia only finds out at run time, or never says: names, keys, signatures and topics of the step files."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "steps").rglob("*_step.py"))

# Motia 0.17 drops a step with any other key (reference of its step validator).
_COMMON = {"type", "name", "description", "flows", "virtualEmits", "virtualSubscribes"}
ALLOWED = {
    "api": _COMMON
    | {"path", "method", "emits", "bodySchema", "responseSchema", "queryParams", "middleware", "includeFiles"},
    "event": _COMMON | {"subscribes", "emits", "input", "infrastructure", "includeFiles"},
    "cron": _COMMON | {"cron", "emits", "includeFiles"},
    "noop": _COMMON,
}
REQUIRED = {
    "api": {"name", "path", "method", "emits"},
    "event": {"name", "subscribes", "emits"},
    "cron": {"name", "cron", "emits"},
    "noop": {"name", "virtualEmits", "virtualSubscribes"},
}
PARAMETERS = {"api": ["req", "ctx"], "event": ["data", "ctx"], "cron": ["ctx"]}


def load(path: Path) -> Any:
    """Load a step file the way Motia's runner does: by its path."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STEPS = {path.stem: load(path) for path in FILES}
CONFIGS: dict[str, dict[str, Any]] = {name: module.config for name, module in STEPS.items()}

each_step = pytest.mark.parametrize("name", STEPS)


def topics(config: dict[str, Any], *keys: str) -> set[str]:
    return {item if isinstance(item, str) else item["topic"] for key in keys for item in config.get(key, [])}


def test_the_flow_has_every_step_of_the_design() -> None:
    assert {config["name"] for config in CONFIGS.values()} >= {
        "beteiligte_webhook",
        "detect_komm_changes",
        "sync_to_espocrm",
        "sync_to_advoware",
        "reconcile",
        "cleanup_empty_slots",
        "EspoCRM",
        "Advoware",
    }


@each_step
def test_a_step_is_named_after_its_file_and_belongs_to_the_flow(name: str) -> None:
    config = CONFIGS[name]
    if config["type"] != "noop":
        assert config["name"] == name.removesuffix("_step")
    assert config["flows"] == ["kommunikation"]


@each_step
def test_a_step_has_only_keys_that_motia_accepts(name: str) -> None:
    config = CONFIGS[name]
    assert set(config) <= ALLOWED[config["type"]]
    assert set(config) >= REQUIRED[config["type"]]
    for emit in [*config.get("emits", []), *config.get("virtualEmits", [])]:
        assert isinstance(emit, str) or set(emit) <= {"topic", "label", "conditional"}


@each_step
def test_a_handler_takes_what_motia_hands_it(name: str) -> None:
    kind = CONFIGS[name]["type"]
    if kind == "noop":
        assert not hasattr(STEPS[name], "handler")
        return
    assert inspect.iscoroutinefunction(STEPS[name].handler)
    assert list(inspect.signature(STEPS[name].handler).parameters) == PARAMETERS[kind]


@each_step
def test_an_event_step_has_a_time_limit_and_is_not_taken_for_dead_before_it(name: str) -> None:
    config = CONFIGS[name]
    if config["type"] != "event":
        return
    limit = config["infrastructure"]["handler"]["timeout"]
    assert 0 < limit < config["infrastructure"]["queue"]["visibilityTimeout"] <= limit + 60
    assert config["infrastructure"]["queue"]["maxRetries"] <= 3


@each_step
def test_a_configuration_can_be_sent_to_motia(name: str) -> None:
    assert json.loads(json.dumps(CONFIGS[name])) == CONFIGS[name]


@pytest.mark.parametrize(
    ("emitting", "subscribing"), [(("emits",), ("subscribes",)), (("virtualEmits",), ("virtualSubscribes",))]
)
def test_every_emitted_topic_has_a_subscriber_and_every_subscribed_one_an_emitter(
    emitting: tuple[str], subscribing: tuple[str]
) -> None:
    emitted = {topic for config in CONFIGS.values() for topic in topics(config, *emitting)}
    subscribed = {topic for config in CONFIGS.values() for topic in topics(config, *subscribing)}
    assert emitted == subscribed
    assert emitted


def test_a_step_emits_only_topics_it_declares() -> None:
    for path in FILES:
        used = set(re.findall(r'emit_all\(ctx, "([^"]+)"', path.read_text(encoding="utf-8")))
        assert used == topics(CONFIGS[path.stem], "emits"), path.name


def test_no_step_orders_events_by_group() -> None:
    """A `messageGroupId` becomes the job's id: while the finished job is kept, further events with it are dropped."""
    for path in (ROOT / "steps").rglob("*.py"):
        assert "messageGroupId" not in path.read_text(encoding="utf-8"), path.name


def test_step_names_are_unique() -> None:
    names = [config["name"] for config in CONFIGS.values()]
    assert len(names) == len(set(names))


def test_every_step_has_its_place_in_the_picture() -> None:
    (flow,) = json.loads((ROOT / "motia-workbench.json").read_text(encoding="utf-8"))
    assert flow["id"] == "kommunikation"
    assert set(flow["config"]) == {path.relative_to(ROOT).as_posix() for path in FILES}
