"""Tasks and stream posts on a record of EspoCRM. A notice is found by its mark, which stands in its text.

How EspoCRM behaves here (public source and documentation, 9.x): a task's parent has to be in the field's list of entities,
where a new entity of type Person is put by itself; giving a task to somebody needs the assignment permission; a post needs
the stream of its parent, has no list of its own worth using, can be edited by its author for 7 days and deleted for a month.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.errors import BadAnswer, Forbidden, NotFound
from services.espocrm import MAX_ROWS, SYSTEM
from services.espocrm_wire import equals, flat
from services.notice_kind import NoticeKind
from services.notice_texts import CLOSED, MARK, MARK_CLOSED, body_of, closing_of, title_of
from services.notices import LASTING

if TYPE_CHECKING:
    from services.espocrm import EspoCrmService
    from services.notices import Cause, Told

_MARK = re.compile(rf"{re.escape(MARK)}(komm-[0-9a-f]{{16}})(?!{re.escape(MARK_CLOSED)})(?![0-9a-f])")
_ENDED = frozenset({"Completed", "Canceled"})


class NoticeBoard:
    """Where staff see notices: the tasks or the stream of a record. Raises the errors of `EspoCrmService`."""

    def __init__(self, espocrm: EspoCrmService) -> None:
        self._espocrm = espocrm

    def find(self, kind: NoticeKind, espo_id: str) -> dict[str, str]:
        """The notices on a record whose cause has not ended yet: mark -> id. Also those that a person has closed."""
        entity, what = self._espocrm.entity, f"listing the notices of {self._espocrm.entity} {espo_id}"
        if kind is NoticeKind.NOTE:
            path, text = f"{entity}/{espo_id}/stream", "post"
            query = [("maxSize", str(MAX_ROWS))]
        else:
            path, text = "Task", "description"
            where = [equals("parentType", entity), equals("parentId", espo_id)]
            query = [("select", "id,description"), ("orderBy", "createdAt"), ("order", "desc"), *flat(where)]
            query.append(("maxSize", str(MAX_ROWS)))
        rows = self._espocrm.read(path, what, _rows, query=tuple(query))
        found: dict[str, str] = {}
        for row in rows:
            for mark in _MARK.findall(str(row.get(text) or "")):
                found.setdefault(mark, str(row.get("id") or ""))
        return found

    def create(self, kind: NoticeKind, espo_id: str, assigned_user: str | None, cause: Cause) -> str:
        """Make a notice and give its id. A task that nobody may be given is made without an assigned user."""
        title, text = title_of(cause.topic), body_of(cause.topic, cause.facts, cause.mark)
        what = f"telling the staff of {self._espocrm.entity} {espo_id}"
        if kind is NoticeKind.NOTE:
            return self._post(espo_id, "**" + title + "**\n\n" + text, what)
        parent = {"parentType": self._espocrm.entity, "parentId": espo_id}
        body: dict[str, Any] = {"name": title, "description": text, **parent}
        if cause.topic in LASTING:
            body["status"] = "Completed"
        if assigned_user is not None:
            try:
                return _id_of(self._espocrm.send("POST", "Task", what, body={**body, "assignedUserId": assigned_user}), what)
            except Forbidden:
                pass  # no right to assign, or no right at all, which the next line shows
        return _id_of(self._espocrm.send("POST", "Task", what, body=body), what)

    def close(self, notice: Told, espo_id: str) -> None:
        """End a notice whose cause is gone: a task is completed and says why, a post is taken away.

        What a person has closed or deleted is left as it is. Of a post too old to be deleted a second one says that it is
        settled.
        """
        what = f"closing notice {notice.id}"
        try:
            if notice.kind is NoticeKind.NOTE:
                self._espocrm.send("DELETE", f"Note/{notice.id}", what)
            else:
                self._complete(notice.id, what)
        except NotFound:
            pass
        except Forbidden:
            if notice.kind is not NoticeKind.NOTE:
                raise
            self._post(espo_id, closing_of(notice.topic), what)

    def _complete(self, task_id: str, what: str) -> None:
        task = self._espocrm.read(f"Task/{task_id}", what, _row)
        text = str(task.get("description") or "")
        if CLOSED in text:
            return
        ended = _MARK.sub(lambda found: found[0] + MARK_CLOSED, text) + "\n\n" + CLOSED
        body = {"description": ended}
        if task.get("status") not in _ENDED:
            body["status"] = "Completed"
        self._espocrm.send("PUT", f"Task/{task_id}", what, body=body)

    def _post(self, espo_id: str, text: str, what: str) -> str:
        body = {"type": "Post", "parentType": self._espocrm.entity, "parentId": espo_id, "post": text}
        return _id_of(self._espocrm.send("POST", "Note", what, body=body), what)


def _row(payload: Any, what: str) -> dict[str, Any]:
    if not isinstance(payload, dict) or not isinstance(payload.get("id"), str):
        raise BadAnswer(f"{SYSTEM}'s answer lacks what it should hold (id) while {what}.", system=SYSTEM)
    return payload


def _rows(payload: Any, what: str) -> list[dict[str, Any]]:
    rows = payload.get("list") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadAnswer(f"{SYSTEM}'s answer lacks what it should hold (list) while {what}.", system=SYSTEM)
    return rows


def _id_of(answer: Any, what: str) -> str:
    return str(_row(answer.json(), what)["id"])
