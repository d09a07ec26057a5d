"""From templates to answers. Everything is escaped; values pass `wert`, which leaves nothing in them that could steer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse

from page import words
from services.errors import InvalidInput, NotFound, PlanOutdated, RetryLater
from services.secrecy import klar

if TYPE_CHECKING:
    from starlette.responses import Response

    from page.guard import Visit
    from services.errors import SyncError

try:
    _ZONE: ZoneInfo | None = ZoneInfo("Europe/Berlin")
except ZoneInfoNotFoundError:
    _ZONE = None
_DAY, _HOUR, _MINUTE = 86400, 3600, 60
_SAFE_CODE = re.compile(r"[a-z]{1,20}")


def wert(value: object) -> str:
    """A client's value as text: no character in it moves others about or is invisible."""
    text = "" if value is None else klar(value) if isinstance(value, str) else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def zeit(seconds: float) -> str:
    """A moment, by German clocks."""
    if not seconds:
        return "noch nie"
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(_ZONE or UTC)
    return moment.strftime("%d.%m.%Y, %H:%M:%S") + ("" if _ZONE else " UTC")


def tag(seconds: float) -> str:
    """A day, by German calendars."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(_ZONE or UTC).strftime("%d.%m.%Y")


def dauer(seconds: float) -> str:
    """So many seconds, in a word or two."""
    seconds = max(0, int(seconds))
    for size, one, more in ((_DAY, "Tag", "Tagen"), (_HOUR, "Stunde", "Stunden"), (_MINUTE, "Minute", "Minuten")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {one if count == 1 else more}"
    return f"{seconds} Sekunden" if seconds != 1 else "1 Sekunde"


def zahl(number: int) -> str:
    """A number with German thousands."""
    return f"{number:,}".replace(",", ".")


_ENVIRONMENT = Environment(
    loader=PackageLoader("page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "wert": wert,
    "zeit": zeit,
    "tag": tag,
    "dauer": dauer,
    "zahl": zahl,
    "grund": words.reason,
    "ursache": words.cause,
}
_ENVIRONMENT.globals["words"] = words


def show(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page for this visit."""
    code = visit.request.query_params.get("m", "")
    told = words.MESSAGES.get(code, "") if _SAFE_CODE.fullmatch(code) else ""
    text = _ENVIRONMENT.get_template(template).render(
        seal=visit.seal, logged_in=visit.logged_in, told=told, here=visit.request.url.path, **values
    )
    return HTMLResponse(text, status)


def failed(status: int, text: str, *, detail: str = "", login: bool = False) -> Response:
    """A page that says why nothing was done."""
    page = _ENVIRONMENT.get_template("failed.html")
    html = page.render(seal="", logged_in=False, told="", here="", text=text, detail=detail, login=login)
    return HTMLResponse(html, status)


def message(error: SyncError) -> Response:
    """The page for an error of the services; its own sentence holds ids, never values."""
    status = 503 if isinstance(error, RetryLater) else 404 if isinstance(error, NotFound) else 422
    if isinstance(error, InvalidInput | PlanOutdated):
        status = 409
    return failed(status, words.error(error), detail=str(error))


def back(path: str, code: str = "") -> Response:
    """Send the browser to a page of ours, with a message's code."""
    return RedirectResponse(path + (f"?m={code}" if code else ""), 303)
