"""Tasks and posts of the sandbox behave as EspoCRM's source and documentation say (9.x)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.espocrm.settings import PEOPLE, user_id

if TYPE_CHECKING:
    from tests.support.sandbox import JSON, Sandbox


@pytest.fixture
def record(sandbox: Sandbox) -> str:
    return sandbox.espocrm.create(assignedUserId=user_id(PEOPLE[0]))


def ask(sandbox: Sandbox, method: str, path: str, key: str = "sandbox-sync-key", **body: Any) -> Any:
    """A call of the sync's own user, whatever comes of it."""
    options = {"json": body} if body else {}
    return sandbox.espocrm.http.request(method, f"/api/v1/{path}", headers={"X-Api-Key": key}, **options)


def task(record: str, **more: Any) -> JSON:
    return {"name": "Anrufen", "parentType": "CBeteiligte", "parentId": record, **more}


def post(record: str, **more: Any) -> JSON:
    return {"type": "Post", "post": "Hallo", "parentType": "CBeteiligte", "parentId": record, **more}


def test_a_record_shows_who_it_is_assigned_to(sandbox: Sandbox, record: str) -> None:
    shown = sandbox.espocrm.get(record)
    assert (shown["assignedUserId"], shown["assignedUserName"]) == (user_id(PEOPLE[0]), PEOPLE[0])


def test_a_task_is_made_listed_by_its_parent_changed_and_deleted(sandbox: Sandbox, record: str) -> None:
    made = ask(sandbox, "POST", "Task", **task(record, description="Text", assignedUserId=user_id(PEOPLE[1]))).json()
    assert (made["status"], made["priority"], made["assignedUserName"]) == ("Not Started", "Normal", PEOPLE[1])
    assert made["parentName"] == sandbox.espocrm.get(record)["name"]
    where = f"where[0][type]=equals&where[0][attribute]=parentId&where[0][value]={record}"
    listed = ask(sandbox, "GET", f"Task?{where}&select=id,description").json()["list"]
    assert [(row["id"], row["description"]) for row in listed] == [(made["id"], "Text")]
    changed = ask(sandbox, "PUT", f"Task/{made['id']}", status="Completed").json()
    assert (changed["status"], changed["description"], changed["modifiedByName"]) == ("Completed", "Text", "sync")
    assert ask(sandbox, "DELETE", f"Task/{made['id']}").json() is True
    assert ask(sandbox, "GET", f"Task/{made['id']}").status_code == 404
    assert ask(sandbox, "PUT", f"Task/{made['id']}", status="Started").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"name": None}, "name", "required"),
        ({"name": "x" * 256}, "name", "maxLength"),
        ({"status": "Erledigt"}, "status", "valid"),
        ({"parentType": "CNobody"}, "parent", "valid"),
    ],
)
def test_a_task_is_checked(sandbox: Sandbox, record: str, changes: JSON, field: str, kind: str) -> None:
    answer = ask(sandbox, "POST", "Task", **{**task(record), **changes})
    assert answer.status_code == 400
    assert answer.json()["messageTranslation"]["data"] == {"field": field, "type": kind}


def test_tasks_ask_for_rights(sandbox: Sandbox, record: str) -> None:
    sandbox.espocrm.switch(deniedRights=["assign"])
    assert ask(sandbox, "POST", "Task", **task(record, assignedUserId=user_id(PEOPLE[0]))).status_code == 403
    assert ask(sandbox, "POST", "Task", **task(record)).status_code == 200
    sandbox.espocrm.switch(deniedRights=["task"])
    assert ask(sandbox, "POST", "Task", **task(record)).status_code == 403
    assert ask(sandbox, "GET", "App/user").json()["acl"]["table"]["Task"] is False


def test_without_a_stream_nobody_posts(sandbox: Sandbox, record: str) -> None:
    assert ask(sandbox, "POST", "Note", **post(record)).status_code == 403
    assert ask(sandbox, "GET", f"CBeteiligte/{record}/stream").status_code == 403
    assert "isFollowed" not in sandbox.espocrm.get(record)
    assert "stream" not in ask(sandbox, "GET", "App/user").json()["acl"]["table"]["CBeteiligte"]


def test_a_post_stands_in_the_stream_until_its_author_deletes_it(sandbox: Sandbox, record: str) -> None:
    sandbox.espocrm.switch(stream=True)
    made = ask(sandbox, "POST", "Note", **post(record)).json()
    assert ask(sandbox, "POST", "Note", **post(record, type="Update")).status_code == 403
    assert ask(sandbox, "POST", "Note", **post("0" * 17)).status_code == 403
    rows = ask(sandbox, "GET", f"CBeteiligte/{record}/stream?maxSize=200").json()["list"]
    assert [(row["id"], row["post"], row["createdByName"]) for row in rows] == [(made["id"], "Hallo", "sync")]
    changed = ask(sandbox, "PUT", f"Note/{made['id']}", post="Anders", parentId="other").json()
    assert (changed["post"], changed["parentId"]) == ("Anders", record)
    assert ask(sandbox, "DELETE", f"Note/{made['id']}", key="sandbox-staff-key").status_code == 403
    assert ask(sandbox, "DELETE", f"Note/{made['id']}").status_code == 200
    assert ask(sandbox, "GET", f"CBeteiligte/{record}/stream").json()["list"] == []
    assert sandbox.espocrm.get(record)["isFollowed"] is False


def test_a_post_can_be_edited_and_deleted_for_a_while_only(sandbox: Sandbox, record: str) -> None:
    sandbox.espocrm.switch(stream=True, noteEditSeconds=-1)
    made = ask(sandbox, "POST", "Note", **post(record)).json()
    assert ask(sandbox, "PUT", f"Note/{made['id']}", post="Anders").status_code == 403
    sandbox.espocrm.switch(noteDeleteSeconds=-1)
    assert ask(sandbox, "DELETE", f"Note/{made['id']}").status_code == 403


def test_neither_moves_the_record(sandbox: Sandbox, record: str) -> None:
    sandbox.espocrm.switch(stream=True)
    before = sandbox.espocrm.get(record)
    ask(sandbox, "POST", "Task", **task(record))
    ask(sandbox, "POST", "Note", **post(record))
    assert sandbox.espocrm.get(record) == before
