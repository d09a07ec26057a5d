"""What is raised and logged when systems answer badly: they quote what they were sent, and nothing of it gets out."""

from __future__ import annotations

import io
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.errors import SyncError
from services.espocrm import EspoCrmService
from services.kommunikation_sync_utils import KommunikationSyncManager
from tests.silence.canaries import Canaries, hits
from tests.support.sandbox import email, entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox

STATUSES = [400, 401, 403, 404, 405, 409, 410, 412, 418, 422, 429, 500, 502, 503, 504, 200, 302]


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """All that any logger says, at every level a program may set."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


def shown(error: BaseException) -> str:
    """All that a program may print of an error: text, arguments, attributes, chain, stack."""
    parts = ["".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())]
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("system", "method"),
    [("advoware", "GET"), ("advoware", "POST"), ("advoware", "PUT"), ("espocrm", "GET"), ("espocrm", "PUT")],
)
def test_no_error_and_no_log_line_holds_what_an_answer_quotes(
    sandbox: Sandbox, said: io.StringIO, system: str, status: int, method: str
) -> None:
    canaries = Canaries.new()
    settings = {**sandbox.environ, "ADVOWARE_TIMEOUT_SECONDS": "3", "ESPOCRM_TIMEOUT_SECONDS": "3"}
    advoware = AdvowareService(AdvowareSettings.from_environment(settings))
    espocrm = EspoCrmService(EspoCrmSettings.from_environment(settings))
    pair = sandbox.pair(
        entry(canaries.landline(1), 1, canaries.text("Bemerkung")),
        entry(canaries.email("advoware"), 4, canaries.text("Bemerkung")),
        # Without it there is nothing to create in Advoware, and the run gets as far as the first PUT.
        emails=[] if (system, method) == ("advoware", "PUT") else [email(canaries.email("espo"), primary=True)],
    )
    quoted = json.dumps({"message": canaries.text("x"), "messageTranslation": {"data": {"field": canaries.word}}})
    rule: dict[str, Any] = {
        "status": status,
        "body": quoted,
        "headers": {"X-Status-Reason": f"{canaries.email('grund')} {canaries.word}", "Location": f"http://{canaries.word}/"},
    }
    server = getattr(sandbox, system)
    server.fault("status", method=method, path="eteiligte/", count=-1, **rule)
    result: dict[str, Any] = {}
    errors = []
    try:
        result = KommunikationSyncManager(advoware, espocrm).sync_bidirectional(pair.espo_id, pair.betnr)
    except SyncError as error:
        errors.append(shown(error))
    finally:
        advoware.close()
        espocrm.close()
    errors += result.get("advoware_to_espocrm", {}).get("errors", [])
    errors += result.get("espocrm_to_advoware", {}).get("errors", [])
    assert server.requests(method), "the fault has met nothing"
    everything = "\n".join([*errors, said.getvalue()]).encode()
    wanted = canaries.wanted()
    assert hits(wanted, everything) == []
    # What is refused as invalid is held back, and a lost answer to a write is settled by reading.
    assert everything.strip() or status in {200, 400, 418, 422}, "nothing was said of it at all"
