"""What is not publicly known about Advoware, as switches: each default is the likelier behaviour.

`python -m sandbox --advoware-switch NAME=VALUE` sets one at the start, `POST /_sandbox/switches` at any time.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel


class Limit(BaseModel):
    """A longest length in characters, and what happens beyond it. Written `40` or `40:truncate`."""

    model_config = ConfigDict(extra="forbid")

    length: int = Field(ge=0)
    mode: Literal["reject400", "truncate"] = "reject400"


def _limit(value: Any) -> Any:
    """Read `none`, `40`, `40:reject400`, `40:truncate` or the JSON form of `Limit`."""
    if value is None or str(value).lower() in {"none", ""}:
        return None
    if isinstance(value, (int, str)):
        length, _, mode = str(value).partition(":")
        return {"length": length, "mode": mode or "reject400"}
    return value


def _text(value: Any) -> Any:
    """Take a JSON number for a choice such as `403`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_MaxLength = Annotated[Limit | None, BeforeValidator(_limit)]


class Switches(BaseModel):
    """The state of all switches; names on the wire are camelCase (`kommKzInGet`)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    komm_kz_in_get: Literal["zero", "correct"] = "zero"
    """`zero`: every answer shows kommKz 0 (the bug). `correct`: a release without it."""
    put_komm_kz: Literal["ignore", "apply", "reject400"] = "ignore"
    """What a PUT with another kommKz does. `ignore`: 200, the kind stays."""
    delete: Annotated[Literal["403", "204"], BeforeValidator(_text)] = "403"
    """`204`: a future release that can delete entries."""
    write_answer: Literal["object", "list", "empty"] = "object"
    """The body of a POST or PUT answer."""
    get_answer: Literal["object", "list"] = "object"
    """`list`: a single Beteiligter comes wrapped in a list."""
    post_status: Annotated[Literal["200", "201"], BeforeValidator(_text)] = "200"
    put_omitted: Literal["keep", "null"] = "keep"
    """What a PUT does to members it leaves out."""
    noop_put_new_row_id: bool = True
    """Whether a PUT of the stored values gives a new rowId."""
    parent_row_id_on_komm_change: Literal["unchanged", "changed"] = "unchanged"
    geaendert_am_on_komm_change: Literal["unchanged", "changed"] = "unchanged"
    strict_row_id: bool = False
    """True: a `rowId` in a PUT is a lock, 409 when stale."""
    bemerkung_max: _MaxLength = None
    tlf_max: _MaxLength = None
    charset: Literal["utf8", "windows1252"] = "utf8"
    """`windows1252`: characters outside that code page are stored as `?`."""
    error_body: Literal["json", "text"] = "json"
    """`json`: `{"message": "..."}`; `text`: the bare German sentence."""
    token_lifetime_seconds: float = Field(default=3300, ge=0)
    check_nonce: bool = False
    """True: a replayed nonce is refused."""
    timestamp_window_seconds: float | None = Field(default=None, ge=0)
    """How far RequestTimeStamp may be from now; None: any."""
    connector: Literal["online", "offline"] = "online"
    """`offline`: the firm's PC is off, every call answers 503 'ist nicht angemeldet'."""
    activated: bool = True
    """False: the app is not activated for the firm ('nicht freigeschaltet')."""
    connector_url: Literal["null", "absent", "own"] = "null"
    """`connectorUrl` in the look-up. `own`: this server's address, which then beats `relayUrl`."""
    security_gateway: Literal["present", "absent"] = "present"
    """Whether the look-up's answer has `securityGateway` (one vendor page shows it without)."""

    def changed(self, values: dict[str, Any]) -> Switches:
        """Return a copy with `values` (names on the wire) set.

        Raises:
            ValueError: a name or value is unknown; the text names the switch and what it takes.
        """
        try:
            return Switches.model_validate(self.model_dump(by_alias=True) | values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'][:1]))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"Unusable switch. {faults}") from None
