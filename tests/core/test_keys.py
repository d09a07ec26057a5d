"""Canonical keys (for comparison only) and the spelling that EspoCRM takes."""

from __future__ import annotations

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kommunikation_mapper import (
    art_of,
    ascii_domain,
    canonical_key,
    email_form,
    espo_form,
    held_back_reason,
    is_blank,
    phone_form,
)
from services.kommunikation_types import Art

SAME = [
    ("0511 123-456", "+49511123456"),
    ("0511/123456", "(0511) 12 34 56"),
    ("0049 511 123456", "+49 (0)511 123456"),
    ("0511.12.34.56", "\u00a0+49\u00a0511\u00a0123456 "),
    ("0171 39200-01", "+491713920001"),
    ("Max@Example.COM", "max@example.com"),
    (" max@example.com\t", "max@example.com"),
    ("info@bücher.example", "INFO@xn--bcher-kva.example"),
    ("info@BÜCHER.example", "info@bücher.example"),
    ("info@faß.example", "info@xn--fa-hia.example"),
    ("+43 1 5880", "0043 1 5880"),
]
DIFFERENT = [
    ("0511 123456", "0511 123457"),
    ("0511 123456", "+43511123456"),
    ("info@straße.example", "info@strasse.example"),
    ("max+crm@example.com", "max@example.com"),
    ("max@example.com", "max@example.org"),
    ("0511 123456 (Büro)", "0511 123456"),
    ("0511 123456", "0511 123456 App. 12"),
    ("0511 123456 ext 12", "0511 123456 ext 13"),
    ("0511 VANITY", "0511 826489"),
    ("Anna", "anna"),
    ("tel:+49511123456", "+49511123456"),
    ("+49511123456", "text:+49511123456"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_value_have_one_key(one: str, other: str) -> None:
    assert canonical_key(one) == canonical_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values_and_notes_have_different_keys(one: str, other: str) -> None:
    assert canonical_key(one) != canonical_key(other)


@given(st.text(max_size=60))
def test_every_text_has_a_key_that_outer_spaces_do_not_change(text: str) -> None:
    assert canonical_key(f"  {text}\t") == canonical_key(text)


@given(st.text(max_size=60) | st.text(alphabet="0123456789+()/-. ", max_size=24) | st.emails())
def test_the_spelling_sent_to_espocrm_has_the_key_of_what_was_typed(text: str) -> None:
    for art in Art:
        form = espo_form(text, art)
        if form is not None:
            assert canonical_key(form) == canonical_key(text)
            assert espo_form(form, art) == form
            assert form.isascii()


@given(st.from_regex(r"[0-9]{1,18}", fullmatch=True))
def test_a_german_number_that_needs_no_parsing_gets_what_parsing_gives(digits: str) -> None:
    # With a space in it, it is parsed.
    assert phone_form(f"+49{digits}") == phone_form(f"+49 {digits}")


@given(st.text(alphabet="abXYZ019-.n", max_size=14) | st.text(alphabet="ab-.", min_size=55, max_size=70))
def test_a_domain_that_needs_no_idna_gets_what_idna_gives(domain: str) -> None:
    try:
        expected = idna.encode(domain, uts46=True, transitional=False).decode()
    except idna.IDNAError:
        expected = None
    assert ascii_domain(domain) == expected


@given(st.text(alphabet="0123456789+()/-. ", max_size=24))
def test_separators_do_not_change_the_key_of_a_number(text: str) -> None:
    form = phone_form(text)
    if form is not None:
        assert canonical_key(text.replace("-", " ")) == canonical_key(text)
        assert form[0] == "+"
        assert form[1:].isdecimal()
        assert len(form) <= 16


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("0511 123456", "+49511123456"),
        ("0049511123456", "+49511123456"),
        ("+49 (0) 511 123456", "+49511123456"),
        ("(0511) 12/34", "+495111234"),
        ("+1 650 253 0000", "+16502530000"),
    ],
)
def test_numbers_go_out_in_e164(typed: str, sent: str) -> None:
    assert espo_form(typed, Art.PHONE) == sent


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (" Max.Muster@Example.COM ", "Max.Muster@Example.COM"),
        ("info@müller.de", "info@xn--mller-kva.de"),
        ("info@straße.example", "info@xn--strae-oqa.example"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_addresses_go_out_trimmed_with_an_idna_domain_and_their_own_case(typed: str, sent: str) -> None:
    assert espo_form(typed, Art.EMAIL) == sent


@pytest.mark.parametrize(
    ("typed", "art", "reason"),
    [
        ("jürgen@example.com", Art.EMAIL, "umlaut before the @"),
        ("foo", Art.EMAIL, "no valid e-mail address"),
        ("root@localhost", Art.EMAIL, "no valid e-mail address"),
        ("a..b@example.com", Art.EMAIL, "no valid e-mail address"),
        ("a@example.com.", Art.EMAIL, "no valid e-mail address"),
        ("a@example.com; b@example.com", Art.EMAIL, "two values in one field"),
        ("a@example.com,b@example.com", Art.EMAIL, "two values in one field"),
        ("Max <max@example.com>", Art.EMAIL, "no valid e-mail address"),
        ("max@example.com, 0511 123456", Art.EMAIL, "two values in one field"),
        ("a" * 65 + "@example.com", Art.EMAIL, "too long"),
        (
            "a@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 60 + "." + "f" * 60 + ".com",
            Art.EMAIL,
            "too long",
        ),
        ("0511 123456 (Büro)", Art.PHONE, "letters or an extension in the number"),
        ("0511 123456 ext. 12", Art.PHONE, "letters or an extension in the number"),
        ("+1 800 FLOWERS", Art.PHONE, "letters or an extension in the number"),
        ("0511 123456, 0511 123457", Art.PHONE, "two values in one field"),
        ("0511 123456 + 0511 123457", Art.PHONE, "two values in one field"),
        ("0511 123456 0511 123457", Art.PHONE, "too long"),
        ("+999 123456", Art.PHONE, "no possible phone number"),
        ("+", Art.PHONE, "no possible phone number"),
    ],
)
def test_what_espocrm_would_refuse_or_spoil_is_held_back_with_its_reason(typed: str, art: Art, reason: str) -> None:
    assert espo_form(typed, art) is None
    assert held_back_reason(typed, art) == reason


@pytest.mark.parametrize(
    ("value", "kz", "art"),
    [
        ("max@example.com", 1, Art.EMAIL),
        ("0511 123456", 4, Art.PHONE),
        ("max@example.com", 4, Art.EMAIL),
        ("0511 123456", 1, Art.PHONE),
        ("nur nachts", 1, Art.PHONE),
        ("nur nachts", 4, Art.EMAIL),
        ("kein@", 8, Art.EMAIL),
    ],
)
def test_the_value_decides_the_array_and_the_kind_only_where_the_value_is_neither(value: str, kz: int, art: Art) -> None:
    assert art_of(value, kz) is art


@pytest.mark.parametrize("value", [None, "", " ", "\t\n", "\u00a0"])
def test_white_space_is_no_value(value: str | None) -> None:
    assert is_blank(value)


@given(st.emails())
def test_case_of_an_address_never_matters_for_its_key(address: str) -> None:
    assert canonical_key(address.upper()) == canonical_key(address.lower())


def test_an_address_literal_or_a_quoted_local_part_is_held_back_rather_than_guessed_at() -> None:
    assert email_form("a@[127.0.0.1]") is None
    assert email_form('"a b"@example.com') is None
