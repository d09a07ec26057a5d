"""The marker grammar. Markers stand in people's remarks: whatever the text, reading gives an answer and loses nothing."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kommunikation_mapper import (
    Remark,
    calculate_hash,
    join_remark,
    make_hash_marker,
    make_marker,
    make_slot_marker,
    parse_remark,
)

MAX = "max@example.com"
MARKER = "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4]"


def link(remark: Remark) -> tuple[str | None, int] | None:
    return None if remark.marker is None else (remark.marker.base, remark.marker.kz)


def test_the_marker_of_the_specification_is_written_byte_for_byte() -> None:
    assert make_marker(MAX, 4) == MARKER
    assert make_slot_marker(12) == "[ESPOCRM-SLOT:12]"


@pytest.mark.parametrize("kz", range(1, 13))
def test_every_kind_travels_through_both_markers(kz: int) -> None:
    assert link(parse_remark(make_marker(MAX, kz), "")) == (MAX, kz)
    assert link(parse_remark(make_slot_marker(kz), "")) == (None, kz)


@pytest.mark.parametrize("kz", ["0", "13", "99", "04", "", "-1", "4 ", " 4", "x"])
def test_a_kind_that_does_not_exist_makes_no_marker(kz: str) -> None:
    for text in (f"[ESPOCRM:bWF4QGV4YW1wbGUuY29t:{kz}]", f"[ESPOCRM-SLOT:{kz}]"):
        assert parse_remark(text, MAX) == Remark(None, text)


@pytest.mark.parametrize(
    ("remark", "text"),
    [
        (MARKER, ""),
        (f"{MARKER} Büro", "Büro"),
        (f"{MARKER}Büro", "Büro"),
        (f"{MARKER}  zwei", " zwei"),
        (f"{MARKER} ", " "),
        (f"{MARKER}\n", "\n"),
        (f"vorn {MARKER} hinten", "vorn hinten"),
        (f"am Ende {MARKER}", "am Ende "),
        (f"{MARKER} {MARKER} Büro", f"{MARKER} Büro"),
        (f"{MARKER} [ESPOCRM-SLOT:1]", "[ESPOCRM-SLOT:1]"),
        (f"[ESPOCRM:kaputt {MARKER} x", "[ESPOCRM:kaputt x"),
        (f"[ESPOCRM:####:4] {MARKER} x", "[ESPOCRM:####:4] x"),
        (f"[{MARKER}]", "[]"),
        (f"[WORDPRESS:1:2] {MARKER}", "[WORDPRESS:1:2] "),
    ],
)
def test_the_first_well_formed_marker_counts_and_the_rest_stays_to_the_byte(remark: str, text: str) -> None:
    parsed = parse_remark(remark, "other@example.com")
    assert link(parsed) == (MAX, 4)
    assert parsed.text == text


@pytest.mark.parametrize(
    "remark",
    [
        "[ESPOCRM:bWF4QGV4YW1wbGUuY29t:4",
        "[ESPOCRM:bWF4QGV4YW1wbGUuY29t]",
        "ESPOCRM:bWF4QGV4YW1wbGUuY29t:4]",
        "[ESPOCRM:bWF4QGV4YW1wbGUuY29:4]",
        "[ESPOCRM:bWF4QGV4YW1wbGUuY29t=:4]",
        "[ESPOCRM:bWF4 QGV4YW1wbGUuY29t:4]",
        "[ESPOCRM:bWF4QGV4YW1wbGUuY29t\n:4]",
        "[ESPOCRM::4]",
        "[ESPOCRM:/+8=:4]",
        "[ESPOCRM:IA==:4]",
        "[espocrm:bWF4QGV4YW1wbGUuY29t:4]",
        "[ESPOCRM-SLOT]",
        "[ESPOCRM-SLOT:]",
        "[CRM:bWF4QGV4YW1wbGUuY29t:4]",
        "[ESPOCRM:deadbeef:4]",
        "",
    ],
)
def test_a_damaged_or_foreign_marker_is_the_users_text(remark: str) -> None:
    assert parse_remark(remark, MAX) == Remark(None, remark)


def test_a_remark_that_is_missing_reads_as_empty() -> None:
    assert parse_remark(None, None) == Remark(None, "")


def test_base64_with_bits_beyond_the_padding_is_damaged() -> None:
    # "bWE=" is "ma"; "bWF=" decodes to the same bytes in a lenient decoder, but nobody encoded it so.
    assert link(parse_remark("[ESPOCRM:bWE=:4]", "")) == ("ma", 4)
    assert link(parse_remark("[ESPOCRM:bWF=:4]", "")) is None


@pytest.mark.parametrize("make", [hashlib.sha256, hashlib.sha1, hashlib.md5], ids=["SHA-256", "SHA-1", "MD5"])
@pytest.mark.parametrize("upper", [False, True])
def test_a_hash_that_fits_the_present_value_links_to_it(make: type, upper: bool) -> None:
    digits = make(MAX.encode()).hexdigest()[:8]
    remark = f"[ESPOCRM:{digits.upper() if upper else digits}:4] alt"
    parsed = parse_remark(remark, MAX)
    assert link(parsed) == (MAX, 4)
    assert parsed.marker is not None
    assert parsed.marker.legacy
    assert parsed.text == "alt"


@pytest.mark.parametrize("make", [hashlib.sha256, hashlib.sha1, hashlib.md5], ids=["SHA-256", "SHA-1", "MD5"])
def test_a_hash_of_another_value_is_damaged_unless_the_base_store_knows_the_value(make: type) -> None:
    remark = f"[ESPOCRM:{make(MAX.encode()).hexdigest()[:8]}:4]"
    assert link(parse_remark(remark, "neu@example.com")) is None
    assert link(parse_remark(remark, "neu@example.com", known=MAX)) == (MAX, 4)


def test_a_hash_that_fits_counts_before_what_it_would_mean_as_base64() -> None:
    # Eight hex digits are valid base64 of six bytes as well: here of six letters.
    made = ((f"{n}@example.com", calculate_hash(f"{n}@example.com")) for n in range(400_000))
    value, digits = next((value, digits) for value, digits in made if _letters(digits))
    assert link(parse_remark(f"[ESPOCRM:{digits}:4]", value)) == (value, 4)
    assert link(parse_remark(f"[ESPOCRM:{digits}:4]", "x@example.com")) == (base64.b64decode(digits).decode(), 4)


def _letters(digits: str) -> bool:
    try:
        return base64.b64decode(digits).decode().isprintable()
    except UnicodeDecodeError:
        return False


def test_the_hash_function_stays_what_older_markers_were_made_with() -> None:
    # First 8 hex digits of the SHA-256 of the UTF-8 bytes; sha256sum gives the same.
    assert calculate_hash(MAX) == hashlib.sha256(b"max@example.com").hexdigest()[:8]
    assert make_hash_marker(MAX, 4) == f"[ESPOCRM:{calculate_hash(MAX)}:4]"
    assert len(calculate_hash("")) == 8


values = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()))
any_text = st.text(max_size=40) | st.text(alphabet="[]ESPOCRM:-SLOT4 =bWF", max_size=60)


@given(st.text(max_size=40).filter(lambda text: "[" not in text), any_text)
def test_taking_the_marker_out_leaves_everything_else_in_its_place(before: str, after: str) -> None:
    parsed = parse_remark(before + MARKER + after, "other@example.com")
    assert link(parsed) == (MAX, 4)
    assert parsed.text == before + (after[1:] if len(after) > 1 and after[0] == " " else after)


@given(values, st.integers(1, 12), any_text)
def test_what_is_written_reads_back_the_same(value: str, kz: int, text: str) -> None:
    for marker, base in ((make_marker(value, kz), value), (make_slot_marker(kz), None)):
        parsed = parse_remark(join_remark(marker, text), "anything")
        assert parsed.marker is not None
        assert (parsed.marker.base, parsed.marker.kz, parsed.text) == (base, kz, text)


@given(values, st.integers(1, 12), any_text)
def test_the_short_marker_reads_back_while_its_value_stands_there(value: str, kz: int, text: str) -> None:
    parsed = parse_remark(join_remark(make_hash_marker(value, kz), text), value)
    assert parsed.marker is not None
    assert (parsed.marker.base, parsed.marker.kz, parsed.text) == (value, kz, text)


@given(st.text(max_size=80), st.text(max_size=30))
def test_any_text_can_be_read(remark: str, tlf: str) -> None:
    parsed = parse_remark(remark, tlf)
    assert parsed.marker is not None or parsed.text == remark
