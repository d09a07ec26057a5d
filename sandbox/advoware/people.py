"""Edits by people in Advoware's own windows, as `/_sandbox/` routes without authentication.

People can do what the API can't: delete entries, copy them with their remark, type into an emptied one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.advoware import bodies
from sandbox.advoware.api import AdvowareApi, true_entry
from sandbox.advoware.errors import bad_request, not_found
from sandbox.advoware.kinds import top_level

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.advoware.store import Entry

_ENTRY = "/_sandbox/beteiligte/{betnr}/kommunikation/{id}"


class People:
    """Handlers for edits by people, and the switches."""

    def __init__(self, api: AdvowareApi) -> None:
        self._api = api
        self._store = api.store

    def routes(self) -> list[Route]:
        """Return the `/_sandbox/` routes."""
        return [
            Route("/_sandbox/switches", self.switches, methods=["GET", "POST"]),
            Route("/_sandbox/tokens", self.revoke_tokens, methods=["DELETE"]),
            Route("/_sandbox/beteiligte", self.list_beteiligte, methods=["GET"]),
            Route("/_sandbox/beteiligte", self.create_beteiligter, methods=["POST"]),
            Route("/_sandbox/beteiligte/{betnr}", self.get_beteiligter, methods=["GET"]),
            Route("/_sandbox/beteiligte/{betnr}", self.delete_beteiligter, methods=["DELETE"]),
            Route("/_sandbox/beteiligte/{betnr}/kommunikation", self.add_entry, methods=["POST"]),
            Route(_ENTRY, self.change_entry, methods=["PATCH"]),
            Route(_ENTRY, self.delete_entry, methods=["DELETE"]),
            Route(_ENTRY + "/clear", self.clear_entry, methods=["POST"]),
            Route(_ENTRY + "/duplicate", self.duplicate_entry, methods=["POST"]),
            Route(_ENTRY + "/fill", self.fill_entry, methods=["POST"]),
        ]

    async def switches(self, request: Request) -> Response:
        """Show the switches; POST sets the ones in its body first."""
        if request.method == "POST":
            try:
                body = await bodies.json_object(request, fold_keys=False)
                self._api.switches = self._api.switches.changed(body)
            except ValueError as error:
                raise bad_request(str(error)) from None
        return JSONResponse(self._api.switches.model_dump(by_alias=True))

    async def revoke_tokens(self, _request: Request) -> Response:
        """Make all tokens invalid."""
        self._api.gateway.revoke_all()
        return Response(status_code=204)

    async def list_beteiligte(self, request: Request) -> Response:
        """List the true state of all Beteiligte; `limit` and `offset` page through them."""
        limit, offset = (int(request.query_params.get(name) or default) for name, default in _PAGING)
        rows = self._store.list_beteiligte(limit=limit, offset=offset)
        return JSONResponse({"total": self._store.count(), "list": [self.state(row.betnr) for row in rows]})

    async def get_beteiligter(self, request: Request) -> Response:
        """Show the true state of one Beteiligter."""
        return JSONResponse(self.state(self._betnr(request)))

    async def create_beteiligter(self, request: Request) -> Response:
        """Create a Beteiligter, with entries where the body has them."""
        body = await bodies.json_object(request)
        betnr, entries = body.get("betnr"), body.get("kommunikation") or []
        if not isinstance(betnr, (int, type(None))) or not isinstance(entries, list):
            raise bad_request("betNr muss eine Ganzzahl sein, kommunikation eine Liste.")
        with self._store.transaction():
            try:
                betnr = self._store.add_beteiligter(str(body.get("name") or "Muster"), betnr=betnr)
            except ValueError:
                raise bad_request(f"betNr {betnr} ist vergeben.") from None
            for entry in entries:
                if not isinstance(entry, dict):
                    raise bad_request("Jeder Eintrag von kommunikation muss ein Objekt sein.")
                self._add(betnr, {key.lower(): value for key, value in entry.items()})
        return JSONResponse(self.state(betnr), status_code=201)

    async def delete_beteiligter(self, request: Request) -> Response:
        """Delete a Beteiligter with its entries."""
        self._store.delete_beteiligter(self._betnr(request))
        return Response(status_code=204)

    async def add_entry(self, request: Request) -> Response:
        """Add an entry: no marker, unless the body has one."""
        betnr = self._betnr(request)
        entry = self._add(betnr, await bodies.json_object(request))
        return JSONResponse(true_entry(entry), status_code=201)

    async def change_entry(self, request: Request) -> Response:
        """Change any of `tlf`, `bemerkung`, `online`; members left out stay."""
        old = self._entry(request)
        body = await bodies.json_object(request)
        online = bodies.online(body) if "online" in body else old.online
        return self._save(replace(bodies.with_texts(old, body, self._api.switches), online=online))

    async def clear_entry(self, request: Request) -> Response:
        """Empty the value; the remark, with whatever marker is in it, stays."""
        return self._save(replace(self._entry(request), tlf=""))

    async def fill_entry(self, request: Request) -> Response:
        """Type a value into an entry, an emptied one as a rule; its remark stays."""
        old = self._entry(request)
        tlf = bodies.text(await bodies.json_object(request), "tlf", self._api.switches)
        if not tlf:
            raise bad_request("tlf fehlt.")
        return self._save(replace(old, tlf=tlf))

    async def duplicate_entry(self, request: Request) -> Response:
        """Copy an entry with everything in it, the marker included."""
        old = self._entry(request)
        with self._store.transaction():
            copy = self._store.add_entry(
                old.betnr, komm_kz=old.komm_kz, tlf=old.tlf, bemerkung=old.bemerkung, online=old.online
            )
        return JSONResponse(true_entry(copy), status_code=201)

    async def delete_entry(self, request: Request) -> Response:
        """Delete an entry."""
        self._store.delete_entry(self._entry(request).id)
        return Response(status_code=204)

    def state(self, betnr: int) -> dict[str, Any]:
        """Return a Beteiligter as stored, true kinds included."""
        beteiligter = self._store.get_beteiligter(betnr)
        if beteiligter is None:
            raise not_found(f"Beteiligter {betnr}")
        entries = self._store.entries(betnr)
        return {
            "betNr": betnr,
            "rowId": beteiligter.row_id,
            "geaendertAm": beteiligter.geaendert_am,
            "name": beteiligter.name,
            **beteiligter.stammdaten,
            **top_level(entries),
            "kommunikation": [true_entry(entry) for entry in entries],
        }

    def _add(self, betnr: int, body: dict[str, Any]) -> Entry:
        kind = bodies.komm_kz(body, required=True) or 0
        tlf, bemerkung = (bodies.text(body, name, self._api.switches) for name in ("tlf", "bemerkung"))
        return self._store.add_entry(betnr, komm_kz=kind, tlf=tlf, bemerkung=bemerkung, online=bodies.online(body))

    def _save(self, entry: Entry) -> Response:
        return JSONResponse(true_entry(self._store.save_entry(entry)))

    def _betnr(self, request: Request) -> int:
        betnr = bodies.path_number(request, "betnr", "Der Beteiligte")
        if self._store.get_beteiligter(betnr) is None:
            raise not_found(f"Beteiligter {betnr}")
        return betnr

    def _entry(self, request: Request) -> Entry:
        betnr = self._betnr(request)
        komm_id = bodies.path_number(request, "id", "Die Kommunikation")
        entry = self._store.get_entry(betnr, komm_id)
        if entry is None:
            raise not_found(f"Kommunikation {komm_id}")
        return entry


_PAGING = (("limit", -1), ("offset", 0))
