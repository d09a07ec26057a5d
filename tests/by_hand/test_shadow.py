"""Shadow mode and pilot list: plans are made and reported, and both request logs show that nothing is written."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from services import errors, flow, flow_wiring
from services.by_hand import ByHand, Choice
from services.config import SyncSettings
from services.flow_wiring import Wiring
from services.kommunikation_table import ConflictPolicy
from services.kommunikation_types import Base
from services.scope import Mode, Scope
from services.state_redis import RedisState
from services.whole_pass import carry
from tests.http.support import World, address, clients, item, number, slot
from tests.state.support import running
from tests.support.sandbox import Sandbox, entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis-shadow")) as server:
        yield server.url


class Firm:
    """A firm whose sync may write only what `scope` says."""

    def __init__(self, world: World, scope: Scope) -> None:
        assert world.state is not None
        self.world, self.state = world, world.state
        self.hand = ByHand(world.advoware, world.espocrm, state=world.state, policy=ConflictPolicy.KEEP_BOTH, scope=scope)
        parts: dict[str, object] = {
            "manager": self.hand,
            "advoware": world.clients.advoware,
            "espocrm": world.clients.espocrm,
        }
        self.wired = Wiring(world.state, 25, 2, 100, 5, delete_slots=True, _parts=parts)

    def day(self) -> dict[str, Any]:
        """A full pass, a few ticks, the nightly clean-up; gives its summary."""
        with flow_wiring.use(self.wired):
            flow.request_pass()
            for _ in range(3):
                carry(flow.reconcile()["events"])
            summary: dict[str, Any] = flow.cleanup()["summary"]
        return summary


@pytest.fixture
def firm(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    store = RedisState.connect(redis_url, prefix=f"{request.node.name}:")
    with Sandbox() as sandbox, clients(sandbox) as made, closing(store) as state:
        yield lambda scope: Firm(World(sandbox, made, state), scope)


def test_in_shadow_mode_no_write_leaves_and_the_summary_says_what_would_have_been_written(firm: Any) -> None:
    here = firm(Scope(Mode.SHADOW))
    world = here.world
    to_add = world.pair([entry(number(), 1), entry(address(), 4)], [item(number(), "Mobile")])
    slots = world.pair([entry("", 1, slot(1)) for _ in range(8)])
    world.advoware_before = world.entries(to_add), world.entries(slots)
    world.clear_logs()
    summary = here.day()
    assert world.writes() == []
    assert (world.entries(to_add), world.entries(slots)) == world.advoware_before
    assert summary["mode"] == "shadow"
    assert summary["records_it_would_write"] == 1
    assert summary["changes_it_would_make"] >= 3
    assert summary.get("deleted", 0) == 0
    status = here.state.status(to_add.espo_id)
    assert status.state.value == "pending"
    assert status.counts["planned"] == summary["changes_it_would_make"]


def test_in_shadow_mode_conflicts_and_held_back_values_are_listed_all_the_same(firm: Any) -> None:
    here = firm(Scope(Mode.SHADOW))
    pair = here.world.pair([entry("0511 123456 Büro", 1)], [item(number(), "Mobile")])
    here.world.clear_logs()
    here.day()
    assert here.world.writes() == []
    assert [one["reason"] for one in here.state.lists(pair.espo_id)["held_back"]] == [
        "letters or an extension in the number"
    ]


def test_what_people_ask_for_by_hand_is_refused_in_shadow_mode(firm: Any) -> None:
    live = firm(Scope())
    world = live.world
    pair = world.pair([entry(number(), 1)])
    run = live.hand.sync_bidirectional(pair.espo_id, pair.betnr)["run"]
    mine, theirs = address("mine"), address("theirs")
    live.state.set_lists(
        pair.espo_id, conflicts=[{"id": "c", "art": "email", "advoware": mine, "espocrm": theirs, "base": "", "reason": ""}]
    )
    shadow = firm(Scope(Mode.SHADOW))
    world.clear_logs()
    with pytest.raises(errors.NotInScope):
        shadow.hand.undo(run, dry_run=False)
    with pytest.raises(errors.NotInScope):
        shadow.hand.decide(pair.espo_id, "c", Choice.ESPOCRM)
    with pytest.raises(errors.NotInScope):
        shadow.hand.check_scope(pair.espo_id)
    shadow.hand.release_valve(pair.espo_id)
    shadow.hand.sync_bidirectional(pair.espo_id, pair.betnr, allow_removals=True)
    assert world.writes() == []
    assert shadow.hand.undo(run, dry_run=True)["plan"], "showing it is allowed"


def test_a_pilot_list_limits_what_is_written_to_its_records(firm: Any) -> None:
    first = firm(Scope())
    world = first.world
    by_id, by_number, other = (world.pair([entry(number(), 1)]) for _ in range(3))
    here = firm(Scope(pilot=frozenset({by_id.espo_id, str(by_number.betnr)})))
    world.clear_logs()
    summary = here.day()
    puts = [row["path"] for row in world.sandbox.espocrm.requests("PUT")]
    assert sorted(puts) == sorted(f"/api/v1/CBeteiligte/{pair.espo_id}" for pair in (by_id, by_number))
    assert len(world.espo_values(by_id)) == len(world.espo_values(by_number)) == 1
    assert world.espo_values(other) == []
    assert (summary["mode"], summary["pilot_records"], summary["records_it_would_write"]) == ("live", 2, 1)


def test_when_shadow_mode_ends_everything_it_planned_is_carried_out(firm: Any) -> None:
    shadow = firm(Scope(Mode.SHADOW))
    pair = shadow.world.pair([entry(number(), 1)], [item(address())])
    shadow.day()
    assert "mode" not in firm(Scope()).day(), "nothing is left unwritten, so the summary need not say so"
    assert len(shadow.world.espo_values(pair)) == len(shadow.world.advoware_values(pair)) == 2


def test_the_lease_of_a_record_out_of_scope_writes_nothing_whoever_forgets_to_ask(firm: Any) -> None:
    here = firm(Scope(Mode.SHADOW))
    pair = here.world.pair([entry(number(), 1)])
    from services.kommunikation_plan import Rules
    from services.kommunikation_report import Report
    from services.kommunikation_run import Run
    from services.kommunikation_table import Direction

    run = here.hand._run(Report(pair.espo_id, pair.betnr, Direction.BOTH, dry_run=False), Rules(), Run)
    with here.state.acquire(pair.espo_id) as run._lease:
        run._begin()
        with pytest.raises(errors.Bug):
            run._put_once(run._plan())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a1,b2", {"a1", "b2"}), (" 4711 , a1,", {"4711", "a1"})],
)
def test_the_pilot_list_is_read_from_the_setting(text: str, expected: set[str]) -> None:
    settings = SyncSettings.from_environment({"KOMM_PILOT": text})
    assert settings.scope.pilot == expected


def test_the_pilot_list_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pilot.txt"
    file.write_text("# the first ones\n4711\n\na1b2  # the senior partner's\n")
    assert SyncSettings.from_environment({"KOMM_PILOT": str(file)}).scope.pilot == {"4711", "a1b2"}


@pytest.mark.parametrize("text", ["./there-is-no-such-file.txt", "a b", ",", "x" * 40])
def test_an_unusable_pilot_list_stops_everything_instead_of_meaning_all_records(text: str) -> None:
    with pytest.raises(errors.Unconfigured, match="KOMM_PILOT"):
        SyncSettings.from_environment({"KOMM_PILOT": text})


def test_an_unknown_mode_stops_everything_instead_of_meaning_live() -> None:
    with pytest.raises(errors.Unconfigured, match="KOMM_MODE"):
        SyncSettings.from_environment({"KOMM_MODE": "shaddow"})


def test_the_base_written_by_this_program_can_be_read_back_with_what_was_undone() -> None:
    from services.state_forms import base_from_json, base_to_json

    base = Base(7, undone=("a:tel:+49511123456", "e:mail:a@example.com"))
    assert base_from_json(base_to_json(base), "r") == base
