"""Real step processes against both sandboxes and a real Redis, with a relay before it that counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.state_redis import RedisState
from tests.budget.counting import Relay
from tests.state.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.sandbox import JSON, Pair, Sandbox

ROOT = Path(__file__).resolve().parents[2]
STEPS = ROOT / "steps" / "kommunikation"
GATE_KEY = "key-of-this-test"


@dataclass
class Told:
    """What one step process did."""

    modules: set[str]
    emitted: list[dict[str, Any]]
    result: Any
    trips: int


@dataclass
class Budget:
    """The systems, and steps as processes."""

    sandbox: Sandbox
    relay: Relay
    state: RedisState
    env: dict[str, str]

    def step(self, name: str, argument: Any) -> Told:
        """Call a step in a process of its own."""
        command = [sys.executable, str(ROOT / "tests" / "budget" / "step_process.py"), str(STEPS / f"{name}_step.py")]
        before = self.relay.trips
        done = subprocess.run(
            [*command, json.dumps(argument)], env=self.env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        return Told(set(told["modules"]), told["emitted"], told["result"], self.relay.trips - before)

    def webhook(self, ids: Sequence[str]) -> Told:
        """A delivery as the gate hands it on."""
        request = {
            "headers": {"x-komm-gate": GATE_KEY},
            "pathParams": {"quelle": "espocrm"},
            "body": {"ids": list(ids), "attributes": ["phoneNumberData"]},
        }
        return self.step("beteiligte_webhook", request)

    def ring(self, *pairs: Pair) -> JSON:
        """Make the records due, as the gate does; gives the event for them."""
        ids = [pair.espo_id for pair in pairs]
        self.state.ring(ids, delay=90)
        return {"ids": ids, "quelle": "espocrm"}

    def requests(self) -> int:
        """Calls of both systems since the logs were cleared."""
        return len(self.sandbox.advoware.requests()) + len(self.sandbox.espocrm.requests())

    def clear_logs(self) -> None:
        """Forget the calls so far."""
        self.sandbox.advoware.clear_log()
        self.sandbox.espocrm.clear_log()


@pytest.fixture(scope="session")
def budget(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Budget]:
    """One Redis for all tests of this folder; the scripts are known to it, as after the first minutes of a run."""
    with running(tmp_path_factory.mktemp("redis-budget")) as server:
        relay = Relay(server.port)
        state = RedisState.connect(server.url)
        own = {"REDIS_URL": f"redis://127.0.0.1:{relay.port}/0", "KOMM_GATE_KEY": GATE_KEY}
        env = {"PATH": os.environ.get("PATH", ""), **sandbox.environ, **own}
        yield Budget(sandbox, relay, state, env)
        state.close()
        relay.close()
