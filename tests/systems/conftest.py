"""The systems to ask: those of `.env.contract` (see `.env.contract.example`), and the sandbox for each it does not name.

`CONTRACT_ENV` names another file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scripts.kommunikation_api_probe import Probe
from scripts.launch.places import ROOT, read_env
from services.config import AdvowareSettings, EspoCrmSettings
from services.espocrm import EspoCrmService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.kommunikation_types import EspoRecord


def named() -> dict[str, str]:
    """Settings of the real systems; {} without the file."""
    return read_env(Path(os.environ.get("CONTRACT_ENV") or ROOT / ".env.contract"))


@dataclass
class Espo:
    """An EspoCRM and one test record in it. `http` asks it below the project's own client."""

    settings: EspoCrmSettings
    record_id: str
    real: bool
    service: EspoCrmService
    http: httpx.Client

    def path(self, record_id: str = "") -> str:
        """Path of the test record, or of another one."""
        return f"{self.settings.entity}/{record_id or self.record_id}"

    def read(self) -> EspoRecord:
        """The test record through the client."""
        return self.service.get_record(self.record_id)

    def raw(self) -> dict[str, Any]:
        """The test record as it is answered."""
        found: dict[str, Any] = self.http.get(self.path()).raise_for_status().json()
        return found

    def put(self, **members: Any) -> httpx.Response:
        """A PUT of any members."""
        return self.http.put(self.path(), json=members)


@pytest.fixture(scope="session")
def probe(request: pytest.FixtureRequest) -> Iterator[tuple[Probe, bool]]:
    """A probe of Advoware, and whether it is a real one."""
    env = named()
    if env.get("CONTRACT_BETNR"):
        yield Probe(AdvowareSettings.from_environment(env), int(env["CONTRACT_BETNR"])), True
        return
    sandbox = request.getfixturevalue("sandbox")
    settings = dict(sandbox.environ) | {"ADVOWARE_API_BASE_URL": "", "ADVOWARE_SECURITY_GATEWAY_URL": ""}
    yield Probe(AdvowareSettings.from_environment(settings), sandbox.advoware.create(), all_kinds=True), False


@pytest.fixture(scope="session")
def espo(request: pytest.FixtureRequest) -> Iterator[Espo]:
    """EspoCRM with its test record, whose arrays are put back as they were afterwards."""
    env = named()
    real = bool(env.get("CONTRACT_ESPO_ID"))
    if real:
        settings, record_id = EspoCrmSettings.from_environment(env), env["CONTRACT_ESPO_ID"]
    else:
        sandbox = request.getfixturevalue("sandbox")
        settings, record_id = EspoCrmSettings.from_environment(sandbox.environ), sandbox.espocrm.create()
    if settings.hmac_secret is not None:
        pytest.skip("The contract is asked with a key that is sent, not with one that signs.")
    local = "127.0.0.1" in settings.base_url
    headers = {"X-Api-Key": settings.api_key.get_secret_value()}
    # trust_env: a proxy of the firm stays in use for a real system, never for this machine.
    with httpx.Client(base_url=f"{settings.base_url}/", headers=headers, timeout=30, trust_env=not local) as http:
        asked = Espo(settings, record_id, real, EspoCrmService(settings), http)
        before = asked.raw()
        yield asked
        asked.put(**{name: before[name] for name in ("emailAddressData", "phoneNumberData")}).raise_for_status()
        asked.service.close()
