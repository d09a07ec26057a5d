"""A world of two running systems and the manager between them, looked at from outside.

Expected markers are written down here once more, by the specification's words, so that a wrong marker can't agree with
itself.
"""

from __future__ import annotations

import base64
import itertools
from collections import defaultdict
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from services.advoware_service import AdvowareService
from services.config import AdvowareSettings, EspoCrmSettings
from services.espocrm import EspoCrmService
from services.kommunikation_sync_utils import KommunikationSyncManager
from services.kommunikation_table import ConflictPolicy
from services.state_redis import RedisState
from tests.support.sandbox import JSON, Pair, email, phone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.state import StateStore
    from tests.support.sandbox import Sandbox

KEEP_BOTH = ConflictPolicy.KEEP_BOTH
ENTITY_OF_TYPE = {"Office": 1, "Fax": 2, "Mobile": 3, "Home": 6, "Other": 10}

_count = itertools.count(12345600)


def number() -> str:
    """A number no other test has, in E.164. EspoCRM shares numbers between records, so tests must not."""
    return f"+49511{next(_count)}"


def national(e164: str) -> str:
    """The same number as a German office types it: `0511/1234-5678`."""
    local = e164.removeprefix("+49511")
    return f"0511/{local[:4]}-{local[4:]}"


def address(name: str = "erika") -> str:
    """An address no other test has."""
    return f"{name}.{next(_count)}@example.com"


def marker(value: str, komm_kz: int, text: str = "") -> str:
    """The remark of a linked entry: design, section 1."""
    mark = f"[ESPOCRM:{base64.b64encode(value.encode()).decode()}:{komm_kz}]"
    return f"{mark} {text}" if text else mark


def slot(komm_kz: int, text: str = "") -> str:
    """The remark of an emptied entry."""
    return f"[ESPOCRM-SLOT:{komm_kz}]" + (f" {text}" if text else "")


def item(value: str, kind: str = "Office", **flags: bool) -> JSON:
    """An item as a person enters it, an address or a number."""
    return email(value, **flags) if "@" in value else phone(value, kind, **flags)


class Watched:
    """A client, and what people do right before or after certain of its calls: real edits over HTTP, at a chosen moment."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._plans: dict[tuple[str, str, int], Callable[[], Any]] = {}
        self._seen: defaultdict[str, int] = defaultdict(int)

    def before(self, method: str, do: Callable[[], Any], nth: int = 1) -> None:
        """Do this right before the nth call of the method from now on."""
        self._plans["before", method, self._seen[method] + nth] = do

    def after(self, method: str, do: Callable[[], Any], nth: int = 1) -> None:
        """Do this right after the nth call of the method from now on."""
        self._plans["after", method, self._seen[method] + nth] = do

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        if not callable(method):
            return method

        def call(*args: Any, **options: Any) -> Any:
            self._seen[name] += 1
            this = self._seen[name]
            self._plans.pop(("before", name, this), lambda: None)()
            answer = method(*args, **options)
            self._plans.pop(("after", name, this), lambda: None)()
            return answer

        return call


@dataclass
class Clients:
    """One client each for all tests: connections and token are reused, as in the real program."""

    advoware: AdvowareService
    espocrm: EspoCrmService


@contextmanager
def clients(sandbox: Sandbox, **more: str) -> Iterator[Clients]:
    """Make clients of the sandbox; `more` overrides settings by their names."""
    environ = {**sandbox.environ, **more}
    with (
        closing(AdvowareService(AdvowareSettings.from_environment(environ))) as advoware,
        closing(EspoCrmService(EspoCrmSettings.from_environment(environ))) as espocrm,
    ):
        yield Clients(advoware, espocrm)


@dataclass
class World:
    """Both systems, the people in them, and a manager. `state` None: the markers decide alone."""

    sandbox: Sandbox
    clients: Clients
    state: RedisState | None = None
    policy: ConflictPolicy = KEEP_BOTH
    entity: str = "CBeteiligte"
    advoware: Any = field(init=False)
    espocrm: Any = field(init=False)
    manager: KommunikationSyncManager = field(init=False)

    def __post_init__(self) -> None:
        self.advoware, self.espocrm = Watched(self.clients.advoware), Watched(self.clients.espocrm)
        self.manager = self.new_manager()

    def new_manager(self, *, policy: ConflictPolicy | None = None) -> KommunikationSyncManager:
        """A manager with nothing but what is stored: as after a restart of the process."""
        state: StateStore | None = self.state
        return KommunikationSyncManager(self.advoware, self.espocrm, state=state, policy=policy or self.policy)

    # ------------------------------------------------------------------------------------------------- people's work

    def pair(self, entries: Sequence[JSON] = (), items: Sequence[JSON] = (), **more: Any) -> Pair:
        """A Beteiligter with these entries, linked to a record with these items."""
        emails = [one for one in items if "emailAddress" in one]
        phones = [one for one in items if "phoneNumber" in one]
        return self.sandbox.pair(*entries, emails=emails, phones=phones, entity=self.entity, **more)

    def put_items(self, pair: Pair, *items: JSON) -> None:
        """A person saves the record with exactly these items."""
        emails = [one for one in items if "emailAddress" in one]
        phones = [one for one in items if "phoneNumber" in one]
        self.sandbox.espocrm.put(pair.espo_id, self.entity, emailAddressData=emails, phoneNumberData=phones)

    def swap_item(self, pair: Pair, old: str, new: str | None, **changes: Any) -> None:
        """A person changes an item's value or members; `new` None takes it away."""
        kept: list[JSON] = []
        for one in self.items(pair):
            name = "emailAddress" if "emailAddress" in one else "phoneNumber"
            if one[name] != old:
                kept.append(one)
            elif new is not None:
                kept.append({**one, name: new, **({"lower": new.lower()} if name == "emailAddress" else {}), **changes})
        self.put_items(pair, *kept)

    def add_items(self, pair: Pair, *items: JSON) -> None:
        """A person adds items to the record."""
        self.put_items(pair, *self.items(pair), *items)

    # ------------------------------------------------------------------------------------------------- what is there

    def items(self, pair: Pair) -> list[JSON]:
        """All items of the record as stored."""
        record = self.sandbox.espocrm.get(pair.espo_id, self.entity)
        return [*record["emailAddressData"], *record["phoneNumberData"]]

    def espo_values(self, pair: Pair) -> list[str]:
        """Values in EspoCRM, sorted."""
        return sorted(one.get("emailAddress") or one["phoneNumber"] for one in self.items(pair))

    def item_of(self, pair: Pair, value: str) -> JSON:
        """The item that holds this value."""
        found = [one for one in self.items(pair) if value in {one.get("emailAddress"), one.get("phoneNumber")}]
        assert len(found) == 1, f"{len(found)} items hold the value"
        return found[0]

    def entries(self, pair: Pair) -> list[JSON]:
        """All entries as stored, with their true kommKz."""
        return self.sandbox.advoware.entries(pair.betnr)

    def advoware_values(self, pair: Pair) -> list[str]:
        """Values in Advoware, sorted, each as often as it stands there."""
        return sorted(one["tlf"] for one in self.entries(pair) if (one["tlf"] or "").strip())

    def entry_of(self, pair: Pair, tlf: str) -> JSON:
        """The entry that holds this value."""
        found = [one for one in self.entries(pair) if one["tlf"] == tlf]
        assert len(found) == 1, f"{len(found)} entries hold the value"
        return found[0]

    def entry(self, pair: Pair, komm_id: int) -> JSON:
        """The entry with this id."""
        return next(one for one in self.entries(pair) if one["id"] == komm_id)

    def slots(self, pair: Pair) -> list[str]:
        """Remarks of the entries without a value, sorted."""
        return sorted(one["bemerkung"] or "" for one in self.entries(pair) if not (one["tlf"] or "").strip())

    # ----------------------------------------------------------------------------------------------------------- runs

    def sync(self, pair: Pair, direction: str = "both", **options: bool) -> JSON:
        """One run, without errors."""
        result = self.run(pair, direction, **options)
        errors = result["advoware_to_espocrm"]["errors"] + result["espocrm_to_advoware"]["errors"]
        assert errors == [], errors
        return result

    def run(self, pair: Pair, direction: str = "both", **options: bool) -> JSON:
        """One run; its request log starts here."""
        self.clear_logs()
        return self.manager.sync_bidirectional(pair.espo_id, pair.betnr, direction, **options)

    def clear_logs(self) -> None:
        """Forget the calls so far."""
        self.sandbox.advoware.clear_log()
        self.sandbox.espocrm.clear_log()

    def calls(self, system: str) -> list[str]:
        """The calls of the sync since the last run began, as method and kind of path.

        GET, PUT or POST of one record is `GET record` and so on, a list query `GET list`; token requests are left out:
        one serves for an hour.
        """
        # Calls of staff go below /api/v1 too: tests look at the log before they look at the record.
        rows = (self.sandbox.advoware if system == "advoware" else self.sandbox.espocrm).requests()
        told = []
        for row in rows:
            parts = row["path"].removeprefix("/api/v1/").removeprefix("advonet/").split("/")
            if parts[0] not in {"Token", "AdvonetConfigurator"}:
                told.append(f"{row['method']} {'list' if len(parts) == 1 else 'record'}")
        return told

    def writes(self) -> list[str]:
        """Calls of the last run that could change something, on either side."""
        return [call for system in ("advoware", "espocrm") for call in self.calls(system) if not call.startswith("GET")]

    def assert_quiet(self, pair: Pair, direction: str = "both") -> JSON:
        """A run that finds nothing to do: exactly one GET per side, no write, nothing changed. Gives its result."""
        before = (self.entries(pair), self.items(pair))
        result = self.sync(pair, direction)
        assert self.calls("advoware") == ["GET record"]
        assert self.calls("espocrm") == ["GET record"]
        assert result["plan"] == []
        assert (self.entries(pair), self.items(pair)) == before
        return result

    def known(self, pair: Pair) -> Any:
        """What the base store knows of the record."""
        assert self.state is not None
        return self.state.load(pair.espo_id)

    def status(self, pair: Pair) -> tuple[str, str]:
        """State and cause after the last run."""
        assert self.state is not None
        status = self.state.status(pair.espo_id)
        assert status is not None
        return status.state.value, status.cause


def connect_state(url: str, prefix: str) -> RedisState:
    """A store of its own in the running Redis."""
    return RedisState.connect(url, prefix=prefix)


def dump(url: str, prefix: str) -> dict[bytes, bytes]:
    """Everything stored under a prefix, byte for byte."""
    with closing(redis.Redis.from_url(url)) as client:
        return {key: client.dump(key) or b"" for key in client.scan_iter(f"{prefix}*", count=1000)}
