"""EspoCRM: the facts the sync relies on, asked of one test record. Its arrays are put back as they were.

Where a system may differ without harm the test allows for it and says why.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from services.errors import NotFound, Validation
from services.kommunikation_types import Art, EspoItem
from tests.support.sandbox import email, phone

if TYPE_CHECKING:
    from tests.systems.conftest import Espo

UNKNOWN = "0000000000000beef"
ANNA, BERT = "kontrakt.anna@example.com", "kontrakt.bert@example.com"
OFFICE, MOBILE = "+4951112345678", "+491713920098"


def mail(address: str, *, primary: bool = False, opt_out: bool = False) -> EspoItem:
    return EspoItem(Art.EMAIL, address, primary=primary, opt_out=opt_out)


def test_the_version_is_one_the_sync_knows(espo: Espo) -> None:
    version = espo.service.server_version()
    assert version is not None
    # 7.4: phone numbers in E.164 were introduced with 8.0; before, any spelling is taken.
    assert int(version.split(".")[0]) >= 7


def test_a_record_is_read_with_both_arrays(espo: Espo) -> None:
    record = espo.raw()
    assert isinstance(record["emailAddressData"], list)
    assert isinstance(record["phoneNumberData"], list)
    assert espo.read().id == espo.record_id


def test_an_unknown_record_is_not_found(espo: Espo) -> None:
    with pytest.raises(NotFound):
        espo.service.get_record(UNKNOWN)


def test_a_put_replaces_the_whole_array(espo: Espo) -> None:
    espo.service.put_arrays(espo.record_id, emails=(mail(ANNA, primary=True), mail(BERT)), phones=None)
    espo.service.put_arrays(espo.record_id, emails=(mail(BERT, primary=True),), phones=None)
    assert [item.value for item in espo.read().emails] == [BERT]


def test_a_get_shows_what_a_put_has_stored(espo: Espo) -> None:
    sent = (mail(ANNA, primary=True), mail(BERT, opt_out=True))
    espo.service.put_arrays(espo.record_id, emails=sent, phones=None)
    assert {(item.value, item.primary, item.opt_out) for item in espo.read().emails} == {
        (ANNA, True, False),
        (BERT, False, True),
    }


def test_an_array_left_out_of_a_put_stays(espo: Espo) -> None:
    espo.service.put_arrays(espo.record_id, emails=(mail(ANNA, primary=True),), phones=None)
    phones = (EspoItem(Art.PHONE, OFFICE, "Office", primary=True),)
    espo.service.put_arrays(espo.record_id, emails=None, phones=phones)
    record = espo.read()
    assert [item.value for item in record.emails] == [ANNA]
    assert [(item.value, item.type) for item in record.phones] == [(OFFICE, "Office")]


def test_an_empty_array_removes_all(espo: Espo) -> None:
    espo.service.put_arrays(espo.record_id, emails=(mail(ANNA, primary=True),), phones=None)
    espo.service.put_arrays(espo.record_id, emails=(), phones=())
    record = espo.read()
    assert (record.emails, record.phones) == ((), ())


@pytest.mark.parametrize("kind", ["Office", "Mobile", "Fax", "Home", "Other"])
def test_each_type_the_sync_sends_is_stored(espo: Espo, kind: str) -> None:
    phones = (EspoItem(Art.PHONE, OFFICE, kind, primary=True),)
    espo.service.put_arrays(espo.record_id, emails=None, phones=phones)
    assert [(item.value, item.type) for item in espo.read().phones] == [(OFFICE, kind)]


def test_what_is_no_address_is_refused_with_the_name_of_the_field(espo: Espo) -> None:
    before = espo.read().emails
    with pytest.raises(Validation) as refused:
        espo.service.put_arrays(espo.record_id, emails=(mail("kontrakt ohne adresse", primary=True),), phones=None)
    assert refused.value.field == "emailAddress"
    assert espo.read().emails == before


def test_a_national_number_is_refused_or_kept_as_it_is(espo: Espo) -> None:
    """Refused where numbers are international (the usual setting since 8.0); else the sync's E.164 is taken all the same."""
    answer = espo.put(phoneNumberData=[phone("0511 12345678", primary=True)])
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert [item.value for item in espo.read().phones] == ["0511 12345678"]


def test_lists_show_no_arrays(espo: Espo) -> None:
    espo.service.put_arrays(espo.record_id, emails=(mail(ANNA, primary=True),), phones=None)
    query = {"where[0][type]": "equals", "where[0][attribute]": "id", "where[0][value]": espo.record_id}
    select = {"select": "id,emailAddressData,phoneNumberData"}
    (row,) = espo.http.get(espo.settings.entity, params=query | select).raise_for_status().json()["list"]
    assert not {"emailAddressData", "phoneNumberData"} & row.keys()


def test_a_change_shows_in_the_list_of_changed_records(espo: Espo) -> None:
    before = espo.read().modified_at
    time.sleep(1.1)  # modifiedAt has whole seconds
    address = ANNA if [item.value for item in espo.read().emails] != [ANNA] else BERT
    espo.service.put_arrays(espo.record_id, emails=(mail(address, primary=True),), phones=None)
    after = espo.read().modified_at
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", after)
    assert after > before
    assert espo.record_id in {row.id for row in espo.service.list_changed(after, offset=0)}
    newest = espo.service.newest_change()
    assert newest is not None
    assert newest >= after


def test_one_query_finds_the_holders_of_any_of_several_values(espo: Espo) -> None:
    phones = (EspoItem(Art.PHONE, OFFICE, "Office", primary=True), EspoItem(Art.PHONE, MOBILE, "Mobile"))
    espo.service.put_arrays(espo.record_id, emails=(mail(ANNA, primary=True), mail(BERT)), phones=phones)
    for art, values in (
        (Art.EMAIL, [BERT, "kontrakt.niemand@example.com"]),
        (Art.EMAIL, [BERT.upper()]),
        (Art.PHONE, ["+495111234567999", MOBILE]),
    ):
        assert espo.record_id in {row.id for row in espo.service.find_holders(art, values, betnr=None)}, values
    assert not espo.service.find_holders(Art.EMAIL, ["kontrakt.niemand@example.com"], betnr=None)


def test_records_are_found_by_betnr(espo: Espo) -> None:
    betnr = espo.read().betnr
    if betnr is None:
        assert espo.record_id not in {row.id for row in espo.service.find_by_betnr([2_000_000_000])}
    else:
        assert espo.record_id in {row.id for row in espo.service.find_by_betnr([betnr])}


def test_at_most_200_rows_a_list(espo: Espo) -> None:
    assert espo.http.get(espo.settings.entity, params={"maxSize": "200"}).status_code == 200
    assert espo.http.get(espo.settings.entity, params={"maxSize": "201"}).status_code == 403


def test_a_body_without_a_json_type_changes_nothing(espo: Espo) -> None:
    before = espo.read().emails
    espo.http.put(espo.path(), content=b'{"emailAddressData": []}', headers={"Content-Type": "text/plain"})
    assert espo.read().emails == before


def test_webhooks_can_be_made_listed_and_deleted(espo: Espo) -> None:
    made = espo.service.create_webhook(f"{espo.settings.entity}.update", "https://kontrakt.example/hook", skip_own=True)
    try:
        assert made.secret
        espo.service.update_webhook(made.id, active=False)
        assert made.id in {hook.id for hook in espo.service.list_webhooks()}
    finally:
        espo.service.delete_webhook(made.id)
    assert made.id not in {hook.id for hook in espo.service.list_webhooks()}


def test_the_arrays_of_the_helpers_are_those_of_the_system(espo: Espo) -> None:
    """Members of an item: those the sync carries over. Others would be lost with each PUT."""
    items = [email(ANNA, primary=True)], [phone(OFFICE, primary=True)]
    espo.put(emailAddressData=items[0], phoneNumberData=items[1]).raise_for_status()
    record = espo.raw()
    assert record["emailAddressData"][0].keys() == items[0][0].keys()
    assert record["phoneNumberData"][0].keys() == items[1][0].keys()
