"""What people decide: conflicts under every policy, values tried again, a person forgotten."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from services.by_hand import Choice
from services.errors import InvalidInput
from services.kommunikation_mapper import canonical_key
from services.state import ListKind
from tests.by_hand.histories import RECORD, Past
from tests.simulation.values import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE, MINE, THEIRS, OTHER = "P0", "P1", "P2", "M0"
POLICIES = ("keep_both", "espocrm_wins", "advoware_wins")


def _key(letter: str) -> str:
    return canonical_key(spelled(letter, 0))


def _conflict(policy: str, more: Sequence[str] = ()) -> Past:
    """One number that both sides changed, and addresses that nobody touched."""
    entry = {"letter": BASE, "spell": 1, "kz": 1, "marker": "none", "text": "Büro"}
    addresses = [OTHER, *more]
    mails = [{"letter": letter, "spell": 0, "kz": 4, "marker": "none", "text": ""} for letter in addresses]
    past = Past.of(policy, [entry, *mails], [(BASE, "Office"), *((letter, "") for letter in addresses)])
    past.settle()
    (mine,) = (row.id for row in past.rows().values() if row.letter == BASE)
    assert past.history.people.do(["A", "change", 1, mine, MINE, 1])
    assert past.history.people.do(["E", "change", 1, BASE, THEIRS, 0])
    past.sync()
    return past


def _listed(past: Past) -> list[str]:
    return [entry["id"] for entry in past.world.store.lists(RECORD)[ListKind.CONFLICTS.value]]


@pytest.mark.parametrize(("policy", "choice"), list(itertools.product(POLICIES, Choice)))
def test_a_decision_holds_on_both_sides_whatever_the_policy_had_done(policy: str, choice: Choice) -> None:
    past = _conflict(policy)
    (conflict,) = _listed(past)
    past.hand.decide(RECORD, conflict, choice)
    kept = {Choice.BOTH: {MINE, THEIRS}, Choice.ESPOCRM: {THEIRS}, Choice.ADVOWARE: {MINE}}[choice]
    expected = {_key(letter) for letter in kept | {OTHER}}
    assert past.keys() == (expected, expected)
    assert _listed(past) == []
    past.settle()
    assert past.keys() == (expected, expected), "the next sync changes nothing about it"
    texts = [text for _, text in past.advoware().values() if text]
    assert texts == ["Büro"], "the user's text is where it was, behind its value or on its slot"


@pytest.mark.parametrize("choice", Choice)
def test_what_people_made_of_both_values_since_counts_more_than_a_decision(choice: Choice) -> None:
    past = _conflict("keep_both")
    (conflict,) = _listed(past)
    for letter, other in ((MINE, "P5"), (THEIRS, "P6")):
        assert past.history.people.do(["E", "change", 1, letter, other, 0])
    past.settle()
    before = past.keys()
    past.hand.decide(RECORD, conflict, choice)
    assert past.keys() == before
    assert _listed(past) == []


def test_a_decision_can_be_undone() -> None:
    past = _conflict("keep_both")
    before = past.advoware(), set(past.espocrm())
    run = past.hand.decide(RECORD, _listed(past)[0], Choice.ESPOCRM)["run"]
    past.hand.undo(run, dry_run=False)
    assert (past.advoware(), set(past.espocrm())) == before


def test_a_decision_about_what_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(InvalidInput):
        _conflict("keep_both").hand.decide(RECORD, "conflict:00000000:1", Choice.BOTH)


def test_a_decision_to_remove_needs_no_release_of_the_valve_and_releases_nothing_else() -> None:
    letters = ["M1", "M2", "M3", "M4", "M5"]
    past = _conflict("keep_both", more=letters)
    (conflict,) = _listed(past)
    for letter in letters:
        assert past.history.people.do(["E", "remove", 1, letter])
    assert past.hand.sync_bidirectional(RECORD, 1)["valve"]["tripped"]
    past.hand.decide(RECORD, conflict, Choice.ESPOCRM)
    assert past.keys()[0] == {_key(letter) for letter in [THEIRS, OTHER, *letters]}
    past.hand.release_valve(RECORD)
    assert past.keys()[0] == {_key(THEIRS), _key(OTHER)}


def test_trying_again_does_what_an_undo_had_taken_back() -> None:
    past = Past.of("keep_both", [{"letter": MINE, "spell": 0, "kz": 1, "marker": "none", "text": ""}], [(THEIRS, "Mobile")])
    run = past.sync()["run"]
    past.hand.undo(run, dry_run=False)
    past.settle()
    assert past.keys() == ({_key(MINE)}, {_key(THEIRS)})
    both = {_key(MINE), _key(THEIRS)}
    (first, second) = past.world.store.lists(RECORD)["held_back"]
    past.hand.retry(RECORD, first["id"])
    here, there = past.keys()
    assert {len(here), len(there)} == {1, 2}, "one of the two only"
    past.hand.retry(RECORD, second["id"])
    assert past.keys() == (both, both)
    with pytest.raises(InvalidInput):
        past.hand.retry(RECORD)


def test_an_undone_value_that_is_changed_is_carried_over_again() -> None:
    past = Past.of("keep_both", [{"letter": MINE, "spell": 0, "kz": 1, "marker": "none", "text": ""}], [])
    past.hand.undo(past.sync()["run"], dry_run=False)
    past.settle()
    (row,) = past.rows().values()
    assert past.history.people.do(["A", "change", 1, row.id, "P5", 0])
    past.settle()
    assert past.keys() == ({_key("P5")}, {_key("P5")})


def test_who_is_forgotten_leaves_nothing_in_the_store_and_is_met_anew() -> None:
    past = _conflict("keep_both")
    told = past.hand.forget(RECORD)
    store = past.world.store
    assert store.load(RECORD) is None
    assert store.status(RECORD) is None
    assert store.journal_of(RECORD, 10) == []
    assert not any(store.lists(RECORD).values())
    assert store.espo_ids([1]) == {1: ()}
    assert told["left_in_advoware"] == {"markers": 3, "slots": 0}
    assert told["still_linked"]
    before = past.keys()
    past.settle()
    assert past.keys() == before
