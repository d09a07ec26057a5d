"""Getting in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from page.doors import same
from page.guard import ROOT, keep
from page.render import back, show

if TYPE_CHECKING:
    from starlette.responses import Response

    from page.guard import Visit


def form(visit: Visit) -> Response:
    """The form; who is in already goes on."""
    return back(ROOT) if visit.logged_in else show(visit, "login.html", problem="")


def log_in(visit: Visit) -> Response:
    """Begin a session with a ticket of its own: one that was known before the login never becomes a session's."""
    doors = visit.desk.doors
    if not doors.may_try(visit.address):
        return show(visit, "login.html", status=429, problem="Zu viele Versuche. Bitte in einer Viertelstunde noch einmal.")
    if not same(visit.form.get("token", "").strip(), visit.desk.token):
        doors.refused(visit.address)
        return show(visit, "login.html", status=403, problem="Das ist nicht das Zugangswort.")
    answer = back(ROOT)
    keep(answer, visit.request, doors.open())
    return answer


def log_out(visit: Visit) -> Response:
    """End the session."""
    visit.desk.doors.shut(visit.ticket)
    return back(f"{ROOT}/anmelden", "abgemeldet")
