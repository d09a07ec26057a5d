"""What EspoCRM's list requests do (beyond the recorded cases)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.sandbox.espocrm_server import Espo, running, unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

SCALARS = {
    *("id", "name", "deleted", "salutationName", "firstName", "lastName", "middleName", "description"),
    *("emailAddress", "phoneNumber", "addressStreet", "addressCity", "addressState", "addressCountry"),
    *("addressPostalCode", "createdAt", "modifiedAt", "betnr", "syncStatus", "advowareLastSync", "kommunikationHash"),
    *("emailAddressIsOptedOut", "emailAddressIsInvalid", "phoneNumberIsOptedOut", "phoneNumberIsInvalid"),
    *("createdById", "createdByName", "modifiedById", "modifiedByName", "assignedUserId", "assignedUserName"),
}


@pytest.fixture(scope="module")
def espo() -> Iterator[Espo]:
    """Four records: betnr 1 to 4; what each has besides is said here."""
    with running() as server:
        for betnr in range(1, 5):
            server.create(
                betnr=betnr,
                firstName="Max" if betnr % 2 else None,
                lastName=f"Muster {betnr}",
                advowareLastSync=f"2026-01-0{betnr} 10:00:00",
                syncStatus=None if betnr == 4 else "clean",
                emailAddressData=[
                    {"emailAddress": f"erste{betnr}@example.com", "primary": True, "optOut": betnr == 2},
                    {"emailAddress": f"zweite{betnr}@example.com"},
                ]
                if betnr < 4
                else [],
                phoneNumberData=[{"phoneNumber": f"+4951112345{betnr}", "type": "Office", "primary": True}],
            )
        yield server


def numbers(espo: Espo, *where: dict[str, Any], **parameters: Any) -> list[int]:
    """The betnr of the records found, in order of betnr unless said otherwise."""
    found = espo.find(**{"where": list(where), "orderBy": "betnr", "order": "asc"} | parameters)
    return [row["betnr"] for row in found["list"]]


def item(kind: str, attribute: str, value: Any = None) -> dict[str, Any]:
    return {"type": kind, "attribute": attribute, "value": value}


def raw(espo: Espo, query: str, **headers: str) -> httpx.Response:
    return espo.sync.get(f"CBeteiligte?{query}", headers=headers)


# --- Attributes and pages -------------------------------------------------------------------------------------------


def test_without_select_all_scalar_attributes_come(espo: Espo) -> None:
    assert espo.find()["list"][0].keys() == SCALARS


@pytest.mark.parametrize("name", ["select", "attributeSelect"])
def test_select_adds_id_order_field_creator_and_assigned_user(espo: Espo, name: str) -> None:
    row = raw(espo, f"{name}=betnr,gibtEsNicht,emailAddressData").json()["list"][0]
    assert row.keys() == {"betnr", "id", "createdAt", "createdById", "assignedUserId"}


def test_an_array_as_select_is_ignored_as_a_whole(espo: Espo) -> None:
    assert raw(espo, "select[]=betnr").json()["list"][0].keys() == SCALARS


def test_the_newest_come_first_by_default(espo: Espo) -> None:
    ids = [row["id"] for row in espo.find()["list"]]
    times = [(row["createdAt"], row["id"]) for row in espo.find()["list"]]
    assert times == sorted(times, reverse=True)
    assert len(ids) == 4


def test_size_zero_is_an_empty_list_and_offset_skips(espo: Espo) -> None:
    assert espo.find(maxSize=0)["list"] == []
    assert numbers(espo, offset=1, maxSize=2) == [2, 3]
    assert espo.find(offset=100) == {"total": 4, "list": []}


def test_paging_by_modified_at_is_stable(espo: Espo) -> None:
    pages = [espo.find(orderBy="modifiedAt", order="asc", maxSize=1, offset=o)["list"][0]["id"] for o in range(4)]
    whole = [row["id"] for row in espo.find(orderBy="modifiedAt", order="asc")["list"]]
    assert pages == whole
    assert len(set(whole)) == 4


def test_the_order_can_be_that_of_an_address(espo: Espo) -> None:
    where = item("isNotNull", "emailAddress")
    assert numbers(espo, where, orderBy="emailAddress", order="desc") == [3, 2, 1]


def test_no_total_says_only_whether_more_follow(espo: Espo) -> None:
    assert raw(espo, "maxSize=4", **{"X-No-Total": "true"}).json()["total"] == -2
    assert raw(espo, "maxSize=3", **{"X-No-Total": "true"}).json()["total"] == -1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("orderBy=gibtEsNicht", 400),
        ("orderBy=emailAddressData", 500),
        ("maxSize=-1", 500),
        ("maxSize=201", 403),
        ("where[0][attribute]=betnr&where[0][value]=1", 500),
        ("where[0][type]=equals&where[0][attribute]=emailAddressData&where[0][value]=1", 500),
        ("where[0][type]=equals&where[0][attribute]=gibtEsNicht&where[0][value]=1", 400),
        ("where[0][type]=gibtEsNicht&where[0][attribute]=betnr&where[0][value]=1", 400),
        ("where[0][type]=not&where[0][value][0][type]=isNull&where[0][value][0][attribute]=betnr", 400),
    ],
)
def test_parameters_that_are_not_taken(espo: Espo, query: str, status: int) -> None:
    answer = raw(espo, query)
    assert (answer.status_code, answer.content) == (status, b"")
    assert ("X-Status-Reason" in answer.headers) is (status != 500)


def test_a_line_over_8_kib_is_too_long_and_200_ids_are_not(espo: Espo) -> None:
    ids = [f"{n:017x}" for n in range(200)]
    query = quote(json.dumps({"where": [item("in", "id", ids)]}, separators=(",", ":")), safe=':,"')
    assert raw(espo, f"searchParams={query}").json() == {"total": 0, "list": []}
    assert raw(espo, f"select={'x' * 8200}").status_code == 414


# --- Where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (item("equals", "betnr", 2), [2]),
        (item("notEquals", "betnr", 2), [1, 3, 4]),
        (item("in", "betnr", [1, 3, 9]), [1, 3]),
        (item("notIn", "betnr", [1, 3]), [2, 4]),
        (item("isNull", "firstName"), [2, 4]),
        (item("equals", "firstName", None), [2, 4]),
        (item("notEquals", "firstName", "Moritz"), [1, 3]),
        (item("notEquals", "emailAddress", "erste1@example.com"), [2, 3, 4]),
        (item("isNotNull", "firstName"), [1, 3]),
        (item("startsWith", "lastName", "must"), [1, 2, 3, 4]),
        (item("endsWith", "lastName", " 3"), [3]),
        (item("contains", "lastName", "ster 2"), [2]),
        (item("like", "lastName", "%2"), [2]),
        (item("greaterThan", "betnr", 2), [3, 4]),
        (item("greaterThanOrEquals", "betnr", "2"), [2, 3, 4]),
        (item("lessThan", "betnr", 2), [1]),
        (item("lessThanOrEquals", "betnr", 2), [1, 2]),
        (item("between", "betnr", [2, 3]), [2, 3]),
        (item("equals", "lastName", "MUSTER 1"), [1]),
        (item("equals", "syncStatus", "clean"), [1, 2, 3]),
        (item("after", "advowareLastSync", "2026-01-02 10:00:00"), [3, 4]),
        (item("after", "advowareLastSync", "2026-01-02T09:59:59Z"), [2, 3, 4]),
        (item("before", "advowareLastSync", "2026-01-02 10:00:00"), [1]),
        (item("after", "advowareLastSync", "irgendwann"), [1, 2, 3, 4]),
        (item("before", "advowareLastSync", "irgendwann"), [1, 2, 3, 4]),
        (item("on", "advowareLastSync", "2026-01-02 10:00:00"), [2]),
        (item("on", "advowareLastSync", "2026-01-02 10:00:01"), []),
        (item("greaterThanOrEquals", "advowareLastSync", "2026-01-03 10:00:00"), [3, 4]),
        (item("between", "advowareLastSync", ["2026-01-02 00:00:00", "2026-01-03 23:00:00"]), [2, 3]),
        (item("equals", "emailAddress", "ZWEITE2@example.com"), [2]),
        (item("in", "emailAddress", ["erste1@example.com", "Zweite3@example.com"]), [1, 3]),
        (item("isNull", "emailAddress"), [4]),
        (item("isNotNull", "emailAddress"), [1, 2, 3]),
        (item("startsWith", "emailAddress", "zweite"), [1, 2, 3]),
        (item("equals", "phoneNumber", "+49511123453"), [3]),
        (item("in", "phoneNumber", ["+49511123453", "+49511123451"]), [1, 3]),
        (item("equals", "phoneNumber", "0511 123453"), []),
        (item("isTrue", "emailAddressIsOptedOut"), [2]),
    ],
)
def test_where(espo: Espo, where: dict[str, Any], found: list[int]) -> None:
    assert numbers(espo, where) == found


def test_and_or_nest(espo: Espo) -> None:
    one = {"type": "and", "value": [item("equals", "betnr", 1), item("isNotNull", "firstName")]}
    three = {"type": "and", "value": [item("equals", "betnr", 2), item("isNotNull", "firstName")]}
    assert numbers(espo, {"type": "or", "value": [one, three, item("equals", "betnr", 4)]}) == [1, 4]


@pytest.mark.parametrize("name", ["where", "whereGroup"])
def test_where_in_php_style(espo: Espo, name: str) -> None:
    parts = [
        f"{name}[0][type]=or",
        f"{name}[0][value][0][type]=in",
        f"{name}[0][value][0][attribute]=betnr",
        f"{name}[0][value][0][value][]=1",
        f"{name}[0][value][0][value][]=2",
        f"{name}[0][value][1][type]=equals",
        f"{name}[0][value][1][attribute]=betnr",
        f"{name}[0][value][1][value]=3",
        f"{name}[1][type]=isNotNull",
        f"{name}[1][attribute]=firstName",
    ]
    rows = raw(espo, "&".join(parts) + "&orderBy=betnr&order=asc").json()["list"]
    assert [row["betnr"] for row in rows] == [1, 3]


def test_lists_show_the_primary_and_its_flags_only(espo: Espo) -> None:
    [row] = espo.find(where=[item("equals", "betnr", 2)])["list"]
    assert (row["emailAddress"], row["emailAddressIsOptedOut"]) == ("erste2@example.com", True)
    [row] = espo.find(where=[item("equals", "betnr", 4)])["list"]
    assert (row["emailAddress"], row["emailAddressIsOptedOut"]) == (None, None)


def test_deleted_records_are_never_listed(espo: Espo) -> None:
    name = unique()
    record = espo.create(lastName=name, betnr=99, emailAddress=f"{name}@example.com")
    espo.sync.delete(f"CBeteiligte/{record}")
    assert numbers(espo, item("equals", "lastName", name)) == []
    assert numbers(espo, item("equals", "emailAddress", f"{name}@example.com")) == []


def test_the_types_do_not_mix(espo: Espo) -> None:
    espo.create("CBeteiligteOcc")
    assert espo.find()["total"] == 4
    assert espo.sync.get("CBeteiligteOcc").json()["list"][0]["versionNumber"] == 1


def test_webhooks_are_listed_like_any_entity_but_only_the_own_ones(espo: Espo) -> None:
    mine = espo.hook("http://127.0.0.1:9/a")
    espo.staff.post("Webhook", json={"event": "CBeteiligte.update", "url": "http://127.0.0.1:9/a"})
    query = "where[0][type]=equals&where[0][attribute]=url&where[0][value]=http://127.0.0.1:9/a"
    answer = espo.sync.get(f"Webhook?{query}").json()
    assert [(row["id"], row["secretKey"]) for row in answer["list"]] == [(mine["id"], mine["secretKey"])]
    assert answer["total"] == 1
