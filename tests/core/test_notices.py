"""What staff are told: a text for everything, one notice a cause, and plans that come to rest."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kommunikation_mapper import held_back_reason
from services.kommunikation_rules import SHORT_MARKER, UNDONE, WITHHELD
from services.kommunikation_types import Art
from services.notice_kind import NoticeKind
from services.notice_texts import KINDS, MARK, ONLY_TO_KNOW, TEXTS, Topic, body_of, closing_of, shown, title_of
from services.notices import (
    CONFLICTS,
    HELD,
    LASTING,
    PARKED,
    TYPES_TOLD,
    Cause,
    Situation,
    Told,
    causes,
    make_notice_plan,
)
from services.state_types import DueEntry, RecordState, RecordStatus

ID = "6b05265061e5d435a"
FACTS = {"espo_id", "betnr", "kind", "entry_id", "base", "advoware", "espocrm", "value", "reason", "values", "type", "cause"}
FACTS |= {"entries"}


def listed(kind: str, *entries: dict[str, Any]) -> Situation:
    return Situation(ID, 4711, {kind: entries})


def conflict(policy: str = "keep_both", **more: Any) -> dict[str, Any]:
    values = {"base": "+495111", "advoware": "+495112", "espocrm": "+495113", "art": "phone", "policy": policy}
    return {"id": "conflict:ab12cd34:5", "row": 7, "reason": "both", "entry_id": 5, "kommKz": 1, **values, **more}


def held(reason: str, **more: Any) -> dict[str, Any]:
    return {"id": "held:5", "row": 15, "reason": reason, "entry_id": 5, "kommKz": 1, "value": "0511 {x} 4", **more}


def noticed(reason: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "type:Fax:5",
        "row": 1,
        "reason": reason,
        "entry_id": 5,
        "kommKz": 3,
        "value": "+495111",
        "type": "Fax",
        **more,
    }


def parked(cause: str) -> Situation:
    return Situation(ID, 4711, status=RecordStatus(4711, RecordState.PARKED, cause))


EVERY = {
    **{topic: listed("conflicts", conflict(policy)) for policy, topic in CONFLICTS.items()},
    **{topic: listed("held_back", held(reason)) for reason, topic in HELD.items()},
    Topic.HELD_OTHERWISE: listed("held_back", held("something new")),
    Topic.VALVE: listed("held_back", held(WITHHELD), held(WITHHELD, id="valve:6", value="b@example.com")),
    **{topic: listed("notices", noticed(reason)) for reason, topic in TYPES_TOLD.items()},
    Topic.MARKER: listed("notices", noticed(next(iter(SHORT_MARKER.values())))),
    **{topic: parked(f"{name}: Record {ID} can't be synchronised.") for name, topic in PARKED.items()},
    Topic.PARKED_OTHERWISE: parked("EspoCRM does not allow it (403) while reading."),
    Topic.SLOTS_MANY: Situation(ID, 4711, slots={"above_limit": True, "slots": 9}),
    Topic.SLOTS_WITH_TEXT: Situation(ID, 4711, slots={"above_limit": False, "with_text": [7, 9]}),
}


def test_every_topic_can_come_up() -> None:
    assert EVERY.keys() == set(Topic) == TEXTS.keys()


@pytest.mark.parametrize("topic", Topic, ids=lambda topic: topic.value)
def test_a_situation_gives_its_notice_with_a_whole_german_text(topic: Topic) -> None:
    (cause,) = causes(EVERY[topic])
    assert cause.topic is topic
    title, body = title_of(topic), body_of(topic, cause.facts, cause.mark)
    assert title.startswith("Abgleich mit Advoware: ")
    assert len(title) <= 255
    assert body.endswith(f"\n\n{MARK}{cause.mark}")
    assert ("Was zu tun ist:\n1. " in body) != (ONLY_TO_KNOW in body)
    assert (topic in LASTING) == (ONLY_TO_KNOW in body)
    assert "{" not in body.replace("{x}", ""), "a fact is missing"
    assert "None" not in body
    assert not re.search(r"\b(the|and|both|value|record)\b", body.partition("Technische Angabe")[0].partition("Grund:")[0])
    assert title in closing_of(topic)


@pytest.mark.parametrize("topic", Topic, ids=lambda topic: topic.value)
def test_a_title_holds_no_fact_at_all(topic: Topic) -> None:
    assert [name for _, name, _, _ in Formatter().parse(TEXTS[topic].title) if name] == []
    for part in (TEXTS[topic].happened, *TEXTS[topic].steps):
        assert {name for _, name, _, _ in Formatter().parse(part) if name} <= FACTS


def test_both_values_stand_in_the_text_of_a_conflict() -> None:
    (cause,) = causes(EVERY[Topic.CONFLICT_KEPT])
    body = body_of(cause.topic, cause.facts, cause.mark)
    assert all(f"„{value}“" in body for value in ("+495111", "+495112", "+495113"))


@pytest.mark.parametrize(
    ("value", "art"),
    [
        ("a@example.com, b@example.com", Art.EMAIL),
        ("jürgen@example.com", Art.EMAIL),
        ("l" * 70 + "@example.com", Art.EMAIL),
        ("keine@adresse", Art.EMAIL),
        ("0511 123 Frau Klein", Art.PHONE),
        ("0511 1234567 0171 1234567", Art.PHONE),
        ("1" * 40, Art.PHONE),
        ("+49 1", Art.PHONE),
    ],
)
def test_every_reason_to_hold_a_value_back_has_a_text_of_its_own(value: str, art: Art) -> None:
    assert held_back_reason(value, art) in HELD


def test_every_kind_has_a_name() -> None:
    assert KINDS.keys() == set(range(1, 13))


def test_a_value_is_shown_on_one_line_and_not_at_any_length() -> None:
    assert shown(" 0511\n 123 ") == "„0511 123“"
    assert len(shown("x" * 5000)) <= 202


def test_what_a_person_acknowledged_or_an_undo_left_is_not_told() -> None:
    assert causes(listed("held_back", held("too long", seen=True))) == []
    assert causes(listed("held_back", held(UNDONE))) == []
    assert causes(listed("notices", noticed(next(iter(TYPES_TOLD)), seen=True))) == []


def test_nobody_can_be_told_on_a_record_that_is_gone() -> None:
    gone = RecordStatus(4711, RecordState.PARKED, "missing in EspoCRM: EspoCRM has no record.")
    assert causes(Situation(ID, 4711, {"conflicts": [conflict()]}, gone)) == []


def test_the_daily_try_of_a_parked_record_does_not_end_its_notice() -> None:
    failed = RecordStatus(4711, RecordState.FAILED, "broken")
    resting = causes(Situation(ID, 4711, status=failed, due=DueEntry(ID, 0.0, 6, "broken", parked=True)))
    trying = causes(Situation(ID, 4711, status=failed, due=DueEntry(ID, 0.0, 6, "broken", parked=False)))
    assert resting == trying != []
    assert causes(Situation(ID, 4711, status=failed, due=DueEntry(ID, 0.0, 2, "broken"))) == []


def test_the_count_of_slots_is_no_part_of_the_cause() -> None:
    one, other = (causes(Situation(ID, 4711, slots={"above_limit": True, "slots": count})) for count in (6, 7))
    assert one[0].mark == other[0].mark


def test_marks_tell_records_and_values_apart_and_stay() -> None:
    marks = {causes(listed("held_back", held("too long", value=value)))[0].mark for value in ("a", "b", "a")}
    assert len(marks) == 2
    other = causes(Situation("other", 4711, {"held_back": [held("too long", value="a")]}))[0].mark
    assert other not in marks


def test_the_stored_form_comes_back() -> None:
    for topic in Topic:
        notice = Told(NoticeKind.TASK, ID, topic, both_seen=True)
        assert Told.read(str(notice)) == notice


# --- plans -----------------------------------------------------------------------------------------------------------

digests = st.text("0123456789abcdef", min_size=1, max_size=2)
wanted_ones = st.dictionaries(digests, st.sampled_from(Topic).map(lambda topic: Cause(topic, "komm-0", {})), max_size=8)
told_ones = st.dictionaries(
    digests, st.builds(Told, st.sampled_from(NoticeKind), digests, st.sampled_from(Topic)), max_size=8
)


@given(wanted_ones, told_ones)
def test_after_a_plan_is_carried_out_each_cause_has_one_notice_and_nothing_is_left_to_do(
    wanted: dict[str, Cause], told: dict[str, Told]
) -> None:
    plan = make_notice_plan(wanted, told)
    assert not plan.create.keys() & told.keys()
    after = dict(told)
    for digest, cause in plan.create.items():
        after[digest] = Told(NoticeKind.TASK, "id", cause.topic)
    for digest in (*plan.close, *plan.drop):
        del after[digest]
    assert after.keys() == wanted.keys()
    again = make_notice_plan(wanted, after)
    assert (again.create, again.close, again.drop) == ({}, {}, ())


@given(wanted_ones, told_ones)
def test_a_plan_never_touches_what_is_still_open(wanted: dict[str, Cause], told: dict[str, Told]) -> None:
    plan = make_notice_plan(wanted, told)
    assert not {*plan.close, *plan.drop} & wanted.keys()
    assert all(notice.topic not in LASTING for notice in plan.close.values())


@given(st.lists(st.sampled_from(sorted(EVERY, key=lambda topic: topic.value)), max_size=6), st.text(max_size=300))
def test_any_mixture_of_things_gives_each_its_notice_once(topics: list[Topic], value: str) -> None:
    lists: dict[str, list[dict[str, Any]]] = {}
    for number, topic in enumerate(topics):
        for kind, entries in EVERY[topic].lists.items():
            lists.setdefault(kind, []).extend({**entry, "id": f"{entry['id']}{number}", "value": value} for entry in entries)
    found = causes(Situation(ID, 4711, lists))
    assert len({cause.mark for cause in found}) == len(found)
    for cause in found:
        assert cause.mark in body_of(cause.topic, cause.facts, cause.mark)
