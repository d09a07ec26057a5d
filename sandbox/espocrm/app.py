"""EspoCRM's HTTP side: routes, rights, status codes and headers; and the sandbox's own controls below `/_sandbox/`."""

from __future__ import annotations

import contextlib
import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.espocrm import requests
from sandbox.espocrm.delivery import Deliverer
from sandbox.espocrm.entities import ACTIVITIES, PERSONS
from sandbox.espocrm.errors import ApiError
from sandbox.espocrm.settings import users_from
from sandbox.faults import FaultTable, SandboxApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request

    from sandbox.espocrm.settings import User
    from sandbox.espocrm.store import EspoStore

_PREFIX = "/api/v1/"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_ALLOWED = {1: ("GET", "POST"), 2: ("GET", "PUT", "PATCH", "DELETE"), 3: ("GET", "POST", "PUT", "DELETE")}
"""Methods by the number of path segments."""
_CLOSED = {"EmailAddress", "PhoneNumber", "User", "Role", "Team"}
"""Entity types that exist and that no API user here has a right to."""
_LONGEST_REQUEST_LINE = 8192
_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_RIGHTS = {"GET": "read", "POST": "create", "PUT": "edit", "PATCH": "edit", "DELETE": "delete"}


def create_app(
    store: EspoStore, settings: Mapping[str, str], *, faults: FaultTable | None = None, interval: float = 2
) -> SandboxApp:
    """Build the application.

    Args:
        store: the state.
        settings: keys of the users, named as in `.env.sandbox`.
        faults: what goes wrong with which call, and the request log.
        interval: seconds between runs of the delivery job.
    """
    api = _Api(store, settings, interval)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        api.deliverer.start()
        yield
        await api.deliverer.stop()

    return SandboxApp(
        faults or FaultTable(),
        "espocrm",
        routes=[
            Route(_PREFIX + "{path:path}", api.handle, methods=_METHODS),
            Route("/_sandbox/flush", api.flush, methods=["POST"]),
            Route("/_sandbox/webhook-queue", api.queue, methods=["GET"]),
            Route("/_sandbox/settings", api.settings, methods=["GET", "POST"]),
            Route("/_sandbox/protect/{id}", api.protect, methods=["PUT", "DELETE"]),
        ],
        exception_handlers={404: _no_route, Exception: _stumbled},
        lifespan=lifespan,
    )


async def _no_route(_: Request, __: Exception) -> Response:
    return _page(404, "Not Found")


async def _stumbled(_: Request, __: Exception) -> Response:
    """EspoCRM's own errors have an empty body too; the cause goes to the log."""
    return _json_response(500, b"")


def _page(status: int, title: str, headers: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(_PAGE.format(title), status, headers)


class _Api:
    def __init__(self, store: EspoStore, settings: Mapping[str, str], interval: float) -> None:
        self.store = store
        self.deliverer = Deliverer(store, interval)
        self._doorman = requests.Doorman(users_from(settings))

    # --- The API ----------------------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response:
        """Answer a call of the API."""
        resource = request.scope["path"].removeprefix(_PREFIX)
        if len(request.scope.get("raw_path") or b"") + len(request.scope["query_string"]) > _LONGEST_REQUEST_LINE - 20:
            return _page(414, "Request-URI Too Large")
        parts = resource.split("/")
        if "" in parts or len(parts) not in _ALLOWED:
            return _page(404, "Not Found")
        allowed = ("GET",) if parts == ["App", "user"] else _ALLOWED[len(parts)]
        if request.method not in {*allowed, "HEAD"}:
            return _page(405, "Method Not Allowed", {"Allow": ", ".join(allowed)})
        try:
            user = self._doorman.user(request, resource)
            status, answer = await self._dispatch(request, user, parts)
        except requests.Unauthorized as error:
            asks = {"WWW-Authenticate": 'Basic realm=""'} if error.asks else {}
            return Response(b"", 401, {"Content-Type": "text/html; charset=UTF-8", **asks})
        except ApiError as error:
            return _json_response(error.status, error.body, error.reason)
        response = _json_response(status, json.dumps(answer, separators=(",", ":")).encode())
        response.headers["X-App-Timestamp"] = str(int(time.time()) + self.store.switches.clock_offset_seconds)
        return response

    async def _dispatch(self, request: Request, user: User, parts: list[str]) -> tuple[int, Any]:
        entity, record_id = parts[0], parts[1] if len(parts) > 1 else ""
        if request.method == "HEAD":
            raise ApiError(404, f"Action 'head' does not exist in controller '{entity}'.")
        if parts == ["App", "user"]:
            return 200, self._whoami(user)
        is_stream = entity in PERSONS and request.method == "GET" and parts[2:] == ["stream"]
        _check_entity(entity, is_link=len(parts) > 2 and not is_stream)  # noqa: PLR2004 - a link of a record
        right = _RIGHTS[request.method]
        # A post asks for no right of its own but for the parent's.
        needed = {"Webhook": "webhook", "Task": "task", "Note": "read"}.get(entity, right)
        if needed not in self.store.rights_of(user):
            raise ApiError(403, f"No {right} access.")
        data = await requests.body(request) if right in {"create", "edit"} else {}
        has_query = not record_id or is_stream
        query = requests.php_query(request.scope["query_string"].decode("latin-1")) if has_query else {}
        if entity == "Webhook":
            return self._webhook(request, user, record_id, data, query)
        if is_stream or entity in ACTIVITIES:
            return 200, self._activity(request, user, parts, data, query)
        missing = self.store.switches.missing_fields
        if any(f"'{field}'" in str(query.get("where")) for field in missing):
            raise ApiError(400, "Not existing attribute in where.")
        answer = self._person(request, user, parts, data, query)
        if isinstance(answer, dict):
            answer = {name: value for name, value in answer.items() if name not in missing}
        return 200, answer

    def _activity(
        self, request: Request, user: User, parts: list[str], data: Mapping[str, Any], query: Mapping[str, Any]
    ) -> Any:
        entity, activities = parts[0], self.store.activities
        no_total = _is_true(request.headers.get("x-no-total"))
        match request.method, parts[1:]:
            case "GET", []:
                return activities.find(entity, query, no_total=no_total)
            case "GET", [record_id]:
                return activities.read(entity, record_id)
            case "GET", [record_id, _]:
                return activities.stream(entity, record_id, query, no_total=no_total)
            case "POST", _:
                return activities.create(entity, data, user)
            case "DELETE", [record_id]:
                activities.delete(entity, record_id, user)
                return True
            case _, [record_id]:
                return activities.update(entity, record_id, data, user)
        raise AssertionError(request.method)  # the routes let nothing else through

    def _person(
        self, request: Request, user: User, parts: list[str], data: Mapping[str, Any], query: Mapping[str, Any]
    ) -> Any:
        entity, headers, store = parts[0], request.headers, self.store
        match request.method, parts[1:]:
            case "GET", []:
                return store.list_records(entity, query, no_total=_is_true(headers.get("x-no-total")))
            case "GET", [record_id]:
                record = store.read_record(entity, record_id)
                if record is None:
                    raise ApiError(404, f"Record {record_id} does not exist.")
                return record
            case "POST", _:
                skip = _is_true(headers.get("x-skip-duplicate-check"))
                return store.create(entity, data, user.id, check_duplicates=not skip)
            case "DELETE", [record_id]:
                store.delete_record(entity, record_id, user.id)
                return True
            case _, [record_id]:
                return store.update_record(entity, record_id, data, user.id, _version(headers.get("x-version-number")))
        raise AssertionError(request.method)  # the routes let nothing else through

    def _webhook(
        self, request: Request, user: User, hook_id: str, data: Mapping[str, Any], query: Mapping[str, Any]
    ) -> tuple[int, Any]:
        hooks, switches = self.store.webhooks, self.store.switches
        match request.method, hook_id:
            case "GET", "":
                no_total = _is_true(request.headers.get("x-no-total"))
                return 200, hooks.find(query, user, switches, no_total=no_total)
            case "GET", _:
                return 200, hooks.read(hook_id, user, switches)
            case "POST", _:
                return 201, hooks.create(data, user, switches)
            case "DELETE", _:
                hooks.delete(hook_id, user)
                return 200, True
        return 200, hooks.update(hook_id, data, user, switches)

    def _whoami(self, user: User) -> dict[str, Any]:
        rights, switches = self.store.rights_of(user), self.store.switches
        levels = {right: "all" if right in rights else "no" for right in _RIGHTS.values()}
        stream = {"stream": levels["read"]} if switches.stream else {}
        table: dict[str, Any] = dict.fromkeys(PERSONS, levels | stream)
        table["Task"] = dict.fromkeys(_RIGHTS.values(), "all") if "task" in rights else False
        return {
            "user": {"id": user.id, "userName": user.name, "name": user.name, "type": "api", "isActive": True},
            "acl": {"table": {**table, "Webhook": "webhook" in rights}},
            "settings": {
                "version": switches.version,
                "phoneNumberInternational": switches.phone_number_international,
                "phoneNumberExtensions": switches.phone_number_extensions,
            },
        }

    # --- The sandbox's controls -------------------------------------------------------------------------------------

    async def flush(self, _: Request) -> Response:
        """Deliver what waits now; answers when the attempts were made."""
        return JSONResponse({"delivered": await self.deliverer.flush()})

    async def queue(self, _: Request) -> Response:
        """Show what waits and what failed."""
        return JSONResponse(self.store.events.overview())

    async def settings(self, request: Request) -> Response:
        """Show the switches, or change some."""
        if request.method == "POST":
            try:
                self.store.switches = self.store.switches.changed(await request.json())
            except (ValueError, AttributeError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self.store.switches.model_dump(by_alias=True))

    async def protect(self, request: Request) -> Response:
        """Take from API users the right to edit a record (PUT), or give it back (DELETE)."""
        protected = request.method == "PUT"
        self.store.protect(request.path_params["id"], protected=protected)
        return JSONResponse({"protected": protected})


def _check_entity(entity: str, *, is_link: bool) -> None:
    if entity in _CLOSED:
        raise ApiError(403, f"No access to '{entity}'.")
    if entity not in {"Webhook", *PERSONS, *ACTIVITIES}:
        raise ApiError(404, f"Controller '{entity}' does not exist.")
    if is_link:
        raise ApiError(403, "No access.")


def _is_true(header: str | None) -> bool:
    return header is not None and header.lower() == "true"


def _version(header: str | None) -> int | None:
    """Return the header's number; PHP takes 0 for what is none."""
    if header is None:
        return None
    return int(header) if header.strip().isdigit() else 0


def _json_response(status: int, body: bytes, reason: str = "") -> Response:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
        "Expires": "0",
        "Last-Modified": formatdate(usegmt=True),
        "X-App-Timestamp": str(int(time.time())),
    }
    if reason:
        printable = "".join(c if c.isprintable() and c.isascii() else "?" for c in reason)
        headers["X-Status-Reason"] = printable
    return Response(body, status, headers)
