"""What an administrator of the EspoCRM could have set differently, and who may call it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

_OLD: dict[str, dict[str, Any]] = {
    "8.4.2": {"signatureHeader": False, "skipOwnSupported": False, "maxCount": None},
    "9.1.7": {"skipOwnSupported": False},
    "9.2.7": {"signatureHeader": True, "skipOwnSupported": True, "maxCount": 10},
}


class Switches(BaseModel):
    """The state of all switches; names on the wire are camelCase (`phoneNumberInternational`)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    phone_number_international: bool = True
    """False: numbers are stored as typed, as in an installation older than 8.1."""
    phone_number_extensions: bool = False
    """True: `+49511123456 ext. 12` keeps its extension."""
    max_count: int | None = 10
    """Most addresses, and most numbers, of one record; None: any count."""
    skip_own_supported: bool = True
    """False: webhooks have no `skipOwn` (before 9.2)."""
    signature_header: bool = True
    """False: deliveries carry `X-Signature` only (before 9.0)."""
    version: Literal["8.4.2", "9.1.7", "9.2.7"] = "9.2.7"
    """Setting it sets the switches above as in that version; 8.4.2 also answers without a new primary."""
    denied_rights: tuple[Literal["read", "create", "edit", "delete", "webhook", "task", "assign"], ...] = ()
    """Rights that the role of the sync's API user lacks. `task`: all of Task; `assign`: giving records to others."""
    stream: bool = False
    """Whether the entities of persons have a stream; a new custom entity has none."""
    task_parents: tuple[str, ...] = ("Account", "Contact", "Lead", "Opportunity", "Case", "CBeteiligte", "CBeteiligteOcc")
    """Entities a task may belong to. A new entity of type Person is added by EspoCRM itself."""
    note_edit_seconds: float = 7 * 86400
    note_delete_seconds: float = 30 * 86400
    """How long its author may edit and delete a post."""
    missing_fields: tuple[Literal["betnr", "emailAddressData", "phoneNumberData"], ...] = ()
    """Fields that the entity does not have, or that the role may not see."""
    clock_offset_seconds: int = 0
    """How far this server's clock is off, as its answers show it."""
    retry_delay_seconds: float = Field(default=600, ge=0)
    """Until a failed delivery is tried again."""

    def changed(self, values: Mapping[str, Any]) -> Switches:
        """Return a copy with `values` (names on the wire) set.

        Raises:
            ValueError: a name or value is unknown; the text names the switch.
        """
        implied = _OLD.get(str(values.get("version")), {})
        try:
            return Switches.model_validate(self.model_dump(by_alias=True) | implied | dict(values))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'][:1]))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"Unusable switch. {faults}") from None


@dataclass(frozen=True, slots=True)
class User:
    """One user. `rights`: which of read, create, edit, delete, webhook he has."""

    name: str
    rights: frozenset[str] = frozenset()
    key: str = ""
    secret: str = ""
    """Not empty: the user signs (HMAC) instead of sending the key."""

    @property
    def id(self) -> str:
        """A record id that stays the same over restarts."""
        return user_id(self.name)


FULL = frozenset({"read", "create", "edit", "delete", "webhook", "task", "assign"})
PEOPLE = ("Anna Anwalt", "Bernd Büro", "Carla Kanzlei")
"""Staff to whom records are assigned; they have no API key."""
_USERS = {"sync": FULL, "staff": FULL, "hmac": FULL, "read-only": frozenset({"read"}), "no-role": frozenset[str]()}


def user_id(name: str) -> str:
    """Return the record id of a user of the sandbox."""
    return hashlib.sha256(f"user {name}".encode()).hexdigest()[:17]


USER_NAMES = {user_id(name): name for name in (*_USERS, *PEOPLE)}


def users_from(settings: Mapping[str, str]) -> list[User]:
    """Return the users with the keys of `.env.sandbox`; one whose key is not set can't sign in.

    Args:
        settings: environment names and values.
    """
    keys = {
        "sync": settings.get("ESPOCRM_API_KEY", ""),
        "staff": settings.get("SANDBOX_ESPOCRM_STAFF_KEY", ""),
        "hmac": settings.get("SANDBOX_ESPOCRM_HMAC_KEY", ""),
        "read-only": settings.get("SANDBOX_ESPOCRM_READ_ONLY_KEY", ""),
        "no-role": settings.get("SANDBOX_ESPOCRM_NO_ROLE_KEY", ""),
    }
    secret = settings.get("SANDBOX_ESPOCRM_HMAC_SECRET", "")
    return [
        User(name, rights, keys[name], secret if name == "hmac" else "") for name, rights in _USERS.items() if keys[name]
    ]
