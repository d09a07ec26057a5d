"""Client values do not show themselves, and are values all the same."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import asdict

import pytest

from services.kommunikation_mapper import canonical_key, email_form, parse_remark, phone_form
from services.kommunikation_types import KommunikationWrite, OpenWrite
from services.secrecy import MASK, Wert, klar, plainly

CANARY = "canary.kim@example.com"


def test_a_value_shows_a_mask_wherever_text_is_made_of_it(caplog: pytest.LogCaptureFixture) -> None:
    wert = Wert(CANARY)
    logging.getLogger("x").warning("value %s and %r", wert, wert)
    shown = [str(wert), repr(wert), f"{wert}", f"{wert:>40}", "%s" % wert, str([wert]), str({"k": wert}), caplog.text]  # noqa: UP031 - old code formats like this
    shown.append(str(ValueError(wert)))
    assert not [text for text in shown if "canary" in text]
    assert shown[0] == MASK


def test_a_value_is_the_value_for_everything_else() -> None:
    wert = Wert(Wert(CANARY))
    assert wert == CANARY
    assert {wert: 1}[CANARY] == 1
    assert json.loads(json.dumps({"tlf": wert})) == {"tlf": CANARY}
    assert wert.encode() == CANARY.encode()
    assert klar(wert) == CANARY
    assert type(klar(wert)) is str
    assert json.dumps(copy.deepcopy(wert)) == json.dumps(CANARY)
    assert json.dumps(plainly({"a": [wert]})) == json.dumps({"a": [CANARY]})


def test_what_the_mapper_derives_from_a_value_is_masked_too() -> None:
    remark = parse_remark(f"[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4] {CANARY}", "max@example.com")
    assert remark.marker is not None
    derived = [remark.text, remark.marker.base, canonical_key(CANARY), email_form(CANARY), phone_form("0511 123456")]
    assert [str(value) for value in derived] == [MASK] * len(derived)


@pytest.mark.parametrize(
    "thing",
    [
        KommunikationWrite(CANARY, CANARY, 4, online=True),
        OpenWrite(1, 4, CANARY, CANARY, CANARY, CANARY),
    ],
)
def test_a_write_under_way_shows_nothing(thing: KommunikationWrite | OpenWrite) -> None:
    assert "canary" not in repr(thing)
    assert "canary" not in str(asdict(thing))
