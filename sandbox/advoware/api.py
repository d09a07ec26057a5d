"""The endpoints a client of Advoware sees: look-up, token, Beteiligte (E1 to E5) and Kommunikationen (E6 to E8)."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.advoware import bodies
from sandbox.advoware.auth import Credentials, Gateway
from sandbox.advoware.errors import ApiError, bad_request, forbidden, not_found, not_registered, offline
from sandbox.advoware.kinds import KOMM_ART, top_level

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.advoware.store import AdvowareStore, Beteiligter, Entry
    from sandbox.advoware.switches import Switches

PREFIXES = ("/api/v1/advonet", "/api/v1")
"""Both are in public use; the first is the one of the vendor's own program."""

_STAMMDATEN = ("vorname", "anrede", "rechtsform", "geburtsdatum", "strasse", "plz", "ort")


class AdvowareApi:
    """Handlers over one store. `switches` may be replaced at any time."""

    def __init__(self, store: AdvowareStore, credentials: Credentials, switches: Switches) -> None:
        self.store = store
        self.gateway = Gateway(credentials)
        self.switches = switches
        self._credentials = credentials

    def routes(self) -> list[Route]:
        """Return the routes, each under both prefixes."""
        table = [
            ("/Beteiligte", self.list_beteiligte, ["GET"]),
            ("/Beteiligte", self.create_beteiligter, ["POST"]),
            ("/Beteiligte/{betnr}", self.get_beteiligter, ["GET"]),
            ("/Beteiligte/{betnr}", self.update_beteiligter, ["PUT"]),
            ("/Beteiligte/{betnr}", self.delete_beteiligter, ["DELETE"]),
            ("/Beteiligte/{betnr}/Kommunikationen", self.create_kommunikation, ["POST"]),
            ("/Beteiligte/{betnr}/Kommunikationen/{id}", self.update_kommunikation, ["PUT"]),
            ("/Beteiligte/{betnr}/Kommunikationen/{id}", self.delete_kommunikation, ["DELETE"]),
        ]
        return [
            Route("/AdvonetConfigurator/api/Url", self.look_up, methods=["GET"]),
            Route("/api/v1/Token", self.token, methods=["POST"]),
            *(Route(prefix + path, handler, methods=methods) for prefix in PREFIXES for path, handler, methods in table),
        ]

    # --- Before the API ---------------------------------------------------------------------------------------------

    async def look_up(self, request: Request) -> Response:
        """Tell a firm's addresses, with a trailing slash as the vendor does."""
        if request.query_params.get("Kanzlei") != self._credentials.kanzlei:
            raise not_registered()
        base = str(request.base_url)
        answer: dict[str, str | None] = {"relayUrl": base}
        if self.switches.connector_url != "absent":
            answer["connectorUrl"] = base if self.switches.connector_url == "own" else None
        if self.switches.security_gateway == "present":
            answer["securityGateway"] = base
        return JSONResponse(answer)

    async def token(self, request: Request) -> Response:
        """Answer a token for signed credentials."""
        body = await bodies.json_object(request, fold_keys=False)
        if self.switches.connector == "offline":
            raise offline()
        return JSONResponse(self.gateway.issue(body, self.switches))

    def _enter(self, request: Request) -> None:
        if self.switches.connector == "offline":
            raise offline()
        self.gateway.check(request.headers.get("authorization", ""))

    # --- Beteiligte -------------------------------------------------------------------------------------------------

    async def list_beteiligte(self, request: Request) -> Response:
        """E2: all Beteiligte. Filters are not public; unknown query names are ignored, as they are in Advoware."""
        self._enter(request)
        rows = self.store.list_beteiligte()
        return JSONResponse(
            [{"betNr": b.betnr, "name": b.name, "rowId": b.row_id, "geaendertAm": b.geaendert_am} for b in rows]
        )

    async def create_beteiligter(self, request: Request) -> Response:
        """E3: a new Beteiligter from its Stammdaten."""
        self._enter(request)
        body = await bodies.json_object(request)
        name, rest = _stammdaten(body, {})
        if not name:
            raise bad_request("name fehlt.")
        return self._written(self._beteiligter(self.store.add_beteiligter(name, rest)), int(self.switches.post_status))

    async def get_beteiligter(self, request: Request) -> Response:
        """E1: a Beteiligter with all its entries."""
        self._enter(request)
        answer = self._beteiligter(self._existing(request).betnr)
        return JSONResponse([answer] if self.switches.get_answer == "list" else answer)

    async def update_beteiligter(self, request: Request) -> Response:
        """E4: Stammdaten only; `kommunikation` and the convenience members in the body are ignored without an error."""
        self._enter(request)
        beteiligter = self._existing(request)
        name, rest = _stammdaten(await bodies.json_object(request), beteiligter.stammdaten)
        self.store.change_stammdaten(beteiligter.betnr, name or beteiligter.name, rest)
        return self._written(self._beteiligter(beteiligter.betnr), 200)

    async def delete_beteiligter(self, request: Request) -> Response:
        """E5: not offered."""
        self._enter(request)
        raise forbidden()

    # --- Kommunikationen --------------------------------------------------------------------------------------------

    async def create_kommunikation(self, request: Request) -> Response:
        """E6: a new entry; here kommKz is honoured."""
        self._enter(request)
        betnr = self._existing(request).betnr
        body = await bodies.json_object(request)
        kind = bodies.komm_kz(body, required=True) or 0
        tlf, bemerkung = (bodies.text(body, name, self.switches) for name in ("tlf", "bemerkung"))
        entry = self.store.add_entry(betnr, komm_kz=kind, tlf=tlf, bemerkung=bemerkung, online=bodies.online(body))
        self._touch(betnr)
        return self._written(self._entry(entry), int(self.switches.post_status))

    async def update_kommunikation(self, request: Request) -> Response:
        """E7: three of the four members take effect; kommKz stays what it was, without an error."""
        self._enter(request)
        old = self._existing_entry(request)
        body = await bodies.json_object(request)
        if self.switches.strict_row_id and body.get("rowid") not in {None, old.row_id}:
            raise ApiError(409, "Der Datensatz wurde zwischenzeitlich geändert.")
        new = self._changed(old, body)
        same = new == old
        saved = self.store.save_entry(new, new_version=not same or self.switches.noop_put_new_row_id)
        if not same:
            self._touch(old.betnr)
        return self._written(self._entry(saved), 200)

    async def delete_kommunikation(self, request: Request) -> Response:
        """E8: 403, the entry stays."""
        self._enter(request)
        if self.switches.delete == "403":
            raise forbidden()
        entry = self._existing_entry(request)
        self.store.delete_entry(entry.id)
        self._touch(entry.betnr)
        return Response(status_code=204)

    def _changed(self, old: Entry, body: dict[str, Any]) -> Entry:
        """Apply a PUT's body to an entry."""
        clear = self.switches.put_omitted == "null"
        kind = bodies.komm_kz(body, required=False) or old.komm_kz
        if self.switches.put_komm_kz == "reject400" and kind != old.komm_kz:
            raise bad_request("kommKz kann nicht geändert werden.")
        new = bodies.with_texts(old, body, self.switches, clear_omitted=clear)
        if self.switches.put_komm_kz == "apply":
            new = replace(new, komm_kz=kind)
        return replace(new, online=bodies.online(body)) if "online" in body or clear else new

    # --- Shapes -----------------------------------------------------------------------------------------------------

    def _existing(self, request: Request) -> Beteiligter:
        betnr = bodies.path_number(request, "betnr", "Der Beteiligte")
        beteiligter = self.store.get_beteiligter(betnr)
        if beteiligter is None:
            raise not_found(f"Beteiligter {betnr}")
        return beteiligter

    def _existing_entry(self, request: Request) -> Entry:
        betnr = self._existing(request).betnr
        komm_id = bodies.path_number(request, "id", "Die Kommunikation")
        entry = self.store.get_entry(betnr, komm_id)
        if entry is None:
            raise not_found(f"Kommunikation {komm_id}")
        return entry

    def _touch(self, betnr: int) -> None:
        self.store.touch_beteiligter(
            betnr,
            row_id=self.switches.parent_row_id_on_komm_change == "changed",
            geaendert_am=self.switches.geaendert_am_on_komm_change == "changed",
        )

    def _beteiligter(self, betnr: int) -> dict[str, Any]:
        beteiligter = self.store.get_beteiligter(betnr)
        entries = self.store.entries(betnr)
        if beteiligter is None:
            raise not_found(f"Beteiligter {betnr}")
        return {
            "betNr": betnr,
            "rowId": beteiligter.row_id,
            "geaendertAm": beteiligter.geaendert_am,
            "name": beteiligter.name,
            **{name: beteiligter.stammdaten.get(name) for name in _STAMMDATEN},
            **top_level(entries),
            "kommunikation": [self._entry(entry) for entry in entries],
        }

    def _entry(self, entry: Entry) -> dict[str, Any]:
        shown = entry.komm_kz if self.switches.komm_kz_in_get == "correct" else 0
        return {
            "id": entry.id,
            "betNr": entry.betnr,
            "rowId": entry.row_id,
            "kommArt": KOMM_ART.get(shown, 0),
            "kommKz": shown,
            "tlf": entry.tlf,
            "bemerkung": entry.bemerkung,
            "online": entry.online,
        }

    def _written(self, answer: dict[str, Any], status: int) -> Response:
        if self.switches.write_answer == "empty":
            return Response(status_code=status)
        return JSONResponse([answer] if self.switches.write_answer == "list" else answer, status_code=status)

    async def refuse(self, _request: Request, error: Exception) -> Response:
        """Answer an `ApiError` in the form the switch `errorBody` says."""
        status, message = (error.status, error.message) if isinstance(error, ApiError) else (500, "Interner Fehler.")
        if self.switches.error_body == "text":
            return PlainTextResponse(message, status_code=status)
        return JSONResponse({"message": message}, status_code=status)


def _stammdaten(body: dict[str, Any], old: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name ('' if none is sent) and the other Stammdaten after a write; unknown members are dropped."""
    for key in ("name", *_STAMMDATEN):
        if not isinstance(body.get(key), (str, type(None))):
            raise bad_request(f"{key} muss ein Text sein.")
    return body.get("name") or "", old | {key: body[key] for key in _STAMMDATEN if key in body}


def true_entry(entry: Entry) -> dict[str, Any]:
    """Return an entry as it is stored, with its true kind: for people's edits and the page, not for API clients."""
    shown = asdict(entry)
    return {
        "id": shown["id"],
        "betNr": shown["betnr"],
        "rowId": shown["row_id"],
        "kommKz": shown["komm_kz"],
        "tlf": shown["tlf"],
        "bemerkung": shown["bemerkung"],
        "online": shown["online"],
    }
