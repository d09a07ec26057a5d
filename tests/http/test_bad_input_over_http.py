"""Bad input: a typed error with one clear sentence and the id, no client value in it, no write, nothing forgotten."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from services import errors
from tests.http.support import World, address, clients, dump, item, number
from tests.support.sandbox import Pair, entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.sandbox import Sandbox


def linked(world: World) -> tuple[Pair, str]:
    canary = address("canary.kim")
    pair = world.pair([entry(canary, 4, "canary remark")], [item(canary)])
    world.sync(pair)
    return pair, canary


def refused(world: World, call: Callable[[], Any], kind: type[errors.SyncError]) -> errors.SyncError:
    """The call raises this error, silently, and writes nothing."""
    world.clear_logs()
    with pytest.raises(kind) as caught:
        call()
    assert world.writes() == []
    shown = "".join(traceback.format_exception(caught.value))
    assert "canary" not in shown.replace("canary = address", "")
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize("direction", ["", "sideways", "BOTH", None])
def test_an_unknown_direction_is_refused(world: World, direction: Any) -> None:
    pair, _ = linked(world)
    refused(world, lambda: world.run(pair, direction), errors.InvalidInput)


@pytest.mark.parametrize(
    ("espo_id", "betnr"), [("", 1), ("../x", 1), ("a b", 1), (None, 1), ("abc", 0), ("abc", "7"), ("abc", True)]
)
def test_an_unusable_id_is_refused_before_any_request(world: World, espo_id: Any, betnr: Any) -> None:
    refused(world, lambda: world.manager.sync_bidirectional(espo_id, betnr), errors.InvalidInput)
    assert world.calls("espocrm") == world.calls("advoware") == []


def test_a_record_deleted_in_espocrm_keeps_its_state_and_says_so(stored: World) -> None:
    pair, _ = linked(stored)
    before = stored.known(pair)
    stored.sandbox.espocrm.delete(pair.espo_id)
    error = refused(stored, lambda: stored.run(pair), errors.RecordProblem)
    assert pair.espo_id in str(error)
    assert stored.known(pair) == before
    assert stored.status(pair)[0] == "parked"


def test_a_beteiligter_deleted_in_advoware_touches_no_value_of_espocrm(stored: World) -> None:
    pair, canary = linked(stored)
    before = stored.known(pair)
    stored.sandbox.advoware.remove(pair.betnr)
    error = refused(stored, lambda: stored.run(pair), errors.RecordProblem)
    assert str(pair.betnr) in str(error)
    assert stored.espo_values(pair) == [canary]
    assert stored.known(pair) == before
    assert stored.status(pair)[0] == "parked"


def test_an_unknown_betnr_is_refused(world: World) -> None:
    pair, _ = linked(world)
    refused(world, lambda: world.manager.sync_bidirectional(pair.espo_id, 999_999_999), errors.RecordProblem)


def test_a_record_without_betnr_is_refused(world: World) -> None:
    espo_id = world.sandbox.espocrm.create(emails=[item(address("canary"))])
    refused(world, lambda: world.manager.sync_bidirectional(espo_id, 4711), errors.RecordProblem)


def test_a_betnr_linked_twice_is_refused_for_both_records(world: World) -> None:
    value = address("canary")
    pair = world.pair([entry(value, 4)], [])
    second = world.sandbox.espocrm.create(betnr=pair.betnr, emails=[item(address("canary"))])
    for espo_id in (pair.espo_id, second):
        error = refused(world, lambda: world.manager.sync_bidirectional(espo_id, pair.betnr), errors.RecordProblem)  # noqa: B023 - called at once
        assert pair.espo_id in str(error)
        assert second in str(error)


def test_a_second_record_with_the_betnr_of_a_synchronised_one_is_refused(stored: World) -> None:
    pair, canary = linked(stored)
    second = stored.sandbox.espocrm.create(betnr=pair.betnr, emails=[item(address("canary"))])
    refused(stored, lambda: stored.manager.sync_bidirectional(second, pair.betnr), errors.RecordProblem)
    stored.swap_item(pair, canary, address("canary"))
    refused(stored, lambda: stored.run(pair), errors.RecordProblem)


def test_a_doubled_link_that_was_put_right_goes_on(stored: World) -> None:
    pair, canary = linked(stored)
    second = stored.sandbox.espocrm.create(betnr=pair.betnr)
    refused(stored, lambda: stored.manager.sync_bidirectional(second, pair.betnr), errors.RecordProblem)
    stored.sandbox.espocrm.put(second, betnr=None)
    changed = address()
    stored.swap_item(pair, canary, changed)
    stored.sync(pair)
    assert stored.advoware_values(pair) == [changed]


@pytest.mark.parametrize(
    ("system", "path", "member"),
    [
        ("advoware", "Beteiligte", "kommunikation"),
        ("espocrm", "CBeteiligte", "emailAddressData"),
        ("espocrm", "CBeteiligte", "phoneNumberData"),
    ],
)
def test_an_answer_without_its_list_is_a_bad_answer_never_a_deletion(
    stored: World, system: str, path: str, member: str
) -> None:
    pair, canary = linked(stored)
    before = stored.known(pair)
    people = stored.sandbox.advoware if system == "advoware" else stored.sandbox.espocrm
    people.fault("omit", method="GET", path=path, count=-1, member=member)
    refused(stored, lambda: stored.manager.sync_bidirectional(pair.espo_id, pair.betnr), errors.BadAnswer)
    stored.sandbox.fresh()
    assert stored.known(pair) == before
    assert (stored.advoware_values(pair), stored.espo_values(pair)) == ([canary], [canary])
    stored.assert_quiet(pair)


@pytest.mark.parametrize(
    ("system", "variables"),
    [("advoware", {"ADVOWARE_PASSWORD": "wrong"}), ("espocrm", {"ESPOCRM_API_KEY": "wrong"})],
)
def test_wrong_credentials_are_said_and_cost_the_record_nothing(
    sandbox: Sandbox, stored: World, system: str, variables: dict[str, str]
) -> None:
    pair, _ = linked(stored)
    with clients(sandbox, **variables) as wrong:
        other = World(sandbox, wrong, stored.state)
        error = refused(other, lambda: other.manager.sync_bidirectional(pair.espo_id, pair.betnr), errors.AuthFailed)
    assert not error.counts_against_record
    assert error.system.lower() == system


def test_a_connector_that_is_offline_is_temporary_and_costs_the_record_nothing(stored: World) -> None:
    pair, _ = linked(stored)
    before = stored.known(pair)
    stored.sandbox.advoware.switch(connector="offline")
    error = refused(stored, lambda: stored.manager.sync_bidirectional(pair.espo_id, pair.betnr), errors.ConnectorOffline)
    assert not error.counts_against_record
    assert stored.known(pair) == before


def test_a_dry_run_leaves_redis_as_it_is(stored: World, redis_url: str, prefix: str) -> None:
    pair, canary = linked(stored)
    stored.swap_item(pair, canary, number() and address())
    before = dump(redis_url, prefix)
    stored.run(pair, dry_run=True)
    assert dump(redis_url, prefix) == before


@pytest.mark.parametrize(("system", "path"), [("advoware", "Beteiligte/"), ("espocrm", "CBeteiligte/")])
def test_an_answer_that_ends_in_the_middle_is_a_bad_answer(
    stored: World, redis_url: str, prefix: str, system: str, path: str
) -> None:
    pair, canary = linked(stored)
    before = dump(redis_url, f"{prefix}data:base:")
    assert before
    people = stored.sandbox.advoware if system == "advoware" else stored.sandbox.espocrm
    people.fault("truncate", method="GET", path=path, count=-1)
    error = refused(stored, lambda: stored.run(pair), errors.BadAnswer)
    assert str(pair.betnr) in str(error) or pair.espo_id in str(error)
    assert stored.status(pair) == ("failed", str(error))
    assert dump(redis_url, f"{prefix}data:base:") == before
    stored.sandbox.fresh()
    assert (stored.advoware_values(pair), stored.espo_values(pair)) == ([canary], [canary])
    stored.assert_quiet(pair)


def test_the_betnr_of_another_record_is_refused_and_touches_neither(stored: World) -> None:
    pair, canary = linked(stored)
    other, other_canary = linked(stored)
    before = stored.known(pair), stored.known(other)
    call = lambda: stored.manager.sync_bidirectional(pair.espo_id, other.betnr)  # noqa: E731 - one call, handed over
    error = refused(stored, call, errors.RecordProblem)
    assert pair.espo_id in str(error)
    assert str(other.betnr) in str(error)
    assert (stored.known(pair), stored.known(other)) == before
    assert stored.advoware_values(pair) == [canary]
    assert stored.advoware_values(other) == [other_canary]
    stored.assert_quiet(other)
    stored.assert_quiet(pair)


def test_an_id_espocrm_does_not_know_is_refused_with_its_id(world: World) -> None:
    betnr = world.sandbox.advoware.create(entry(address("canary"), 4))
    unknown = "6b05265061e5d4fff"
    error = refused(world, lambda: world.manager.sync_bidirectional(unknown, betnr), errors.RecordProblem)
    assert unknown in str(error)


@pytest.mark.parametrize("lost", ["betnr", "record"])
def test_a_record_that_comes_back_goes_on_from_its_base(stored: World, lost: str) -> None:
    pair, canary = linked(stored)
    if lost == "betnr":
        stored.sandbox.espocrm.put(pair.espo_id, betnr=None)
    else:
        stored.sandbox.espocrm.fault("status", method="GET", path=pair.espo_id, status=404)
    refused(stored, lambda: stored.run(pair), errors.RecordProblem)
    assert stored.status(pair)[0] == "parked"
    if lost == "betnr":
        stored.sandbox.espocrm.put(pair.espo_id, betnr=pair.betnr)
    kept = address()
    stored.add_items(pair, item(kept))
    stored.swap_item(pair, canary, None)
    stored.sync(pair)
    assert stored.advoware_values(pair) == stored.espo_values(pair) == [kept]
    assert stored.status(pair) == ("equal", "")


@pytest.mark.parametrize("key", ["SANDBOX_ESPOCRM_NO_ROLE_KEY", "SANDBOX_ESPOCRM_READ_ONLY_KEY"])
def test_a_user_without_the_right_is_told_so_and_nothing_is_half_done(sandbox: Sandbox, stored: World, key: str) -> None:
    mine, theirs = number(), address()
    pair = stored.pair([entry(mine, 1, "canary remark")], [item(theirs)])
    with clients(sandbox, ESPOCRM_API_KEY=sandbox.environ[key]) as weak, pytest.raises(errors.Forbidden) as caught:
        World(sandbox, weak, stored.state).sync(pair)
    assert "canary" not in str(caught.value)
    assert mine not in str(caught.value)
    assert (stored.advoware_values(pair), stored.espo_values(pair)) == ([mine], [theirs])
    stored.sync(pair)
    assert stored.advoware_values(pair) == stored.espo_values(pair) == sorted([mine, theirs])
    stored.assert_quiet(pair)
