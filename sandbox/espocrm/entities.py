"""Which attributes the entities have, in the order of EspoCRM's answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property


class Type(Enum):
    """Types of attributes, as far as they are treated differently."""

    ID = auto()
    VARCHAR = auto()
    TEXT = auto()
    ENUM = auto()
    INT = auto()
    BOOL = auto()
    DATETIME = auto()
    ADDRESS = auto()
    """`emailAddress`, `phoneNumber`: the primary of the shared objects linked to the record."""
    FLAG = auto()
    """`emailAddressIsOptedOut` and its like: a property of that primary."""
    ARRAY = auto()
    """`emailAddressData`, `phoneNumberData`."""
    NAME = auto()
    """A user's name beside his id; of a person: the name put together from its parts."""
    TEAMS = auto()


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. `writable`: a client may set it. `maximum`: characters."""

    name: str
    type: Type
    writable: bool = True
    maximum: int | None = None
    options: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Entity:
    """An entity type. `fields`: the webhook and conflict names, each with its attributes in order."""

    name: str
    table: str
    attributes: tuple[Attribute, ...]
    fields: dict[str, tuple[str, ...]]
    versioned: bool = False

    @cached_property
    def by_name(self) -> dict[str, Attribute]:
        """Attributes by name."""
        return {a.name: a for a in self.attributes}

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in order of the answers."""
        return tuple(a.name for a in self.attributes)


SYNC_STATUS = ("", "pending_sync", "syncing", "clean", "dirty", "conflict", "failed", "permanently_failed")
SALUTATIONS = ("", "Mr.", "Ms.", "Mrs.", "Dr.")
PHONE_TYPES = ("Mobile", "Office", "Home", "Fax", "Other")
NAME_PARTS = ("salutationName", "firstName", "lastName", "middleName")
ARRAY_FIELDS = ("emailAddress", "phoneNumber")


def address_field(field: str) -> tuple[str, str, str, str]:
    """Return the four attributes of `emailAddress` or `phoneNumber`, in EspoCRM's order."""
    return f"{field}IsOptedOut", f"{field}IsInvalid", field, f"{field}Data"


_VERSION = Attribute("versionNumber", Type.INT, writable=False)


def _person(name: str, *, versioned: bool = False) -> Entity:
    flags = [a for f in ARRAY_FIELDS for a in address_field(f)[:2]]
    attributes = (
        Attribute("id", Type.ID, writable=False),
        Attribute("name", Type.NAME),
        Attribute("deleted", Type.BOOL, writable=False),
        Attribute("salutationName", Type.ENUM, options=SALUTATIONS),
        Attribute("firstName", Type.VARCHAR, maximum=100),
        Attribute("lastName", Type.VARCHAR, maximum=100, required=True),
        Attribute("description", Type.TEXT),
        Attribute("emailAddress", Type.ADDRESS),
        Attribute("phoneNumber", Type.ADDRESS),
        Attribute("addressStreet", Type.VARCHAR, maximum=255),
        Attribute("addressCity", Type.VARCHAR, maximum=100),
        Attribute("addressState", Type.VARCHAR, maximum=100),
        Attribute("addressCountry", Type.VARCHAR, maximum=100),
        Attribute("addressPostalCode", Type.VARCHAR, maximum=40),
        Attribute("createdAt", Type.DATETIME, writable=False),
        Attribute("modifiedAt", Type.DATETIME, writable=False),
        Attribute("betnr", Type.INT),
        Attribute("syncStatus", Type.ENUM, options=SYNC_STATUS),
        Attribute("advowareLastSync", Type.DATETIME),
        Attribute("kommunikationHash", Type.VARCHAR, maximum=64),
        *([_VERSION] if versioned else []),
        Attribute("middleName", Type.VARCHAR, maximum=100),
        *(Attribute(flag, Type.FLAG) for flag in flags),
        *(Attribute(f"{f}Data", Type.ARRAY) for f in ARRAY_FIELDS),
        Attribute("createdById", Type.ID, writable=False),
        Attribute("createdByName", Type.NAME, writable=False),
        Attribute("modifiedById", Type.ID, writable=False),
        Attribute("modifiedByName", Type.NAME, writable=False),
        Attribute("assignedUserId", Type.ID),
        Attribute("assignedUserName", Type.NAME, writable=False),
        Attribute("teamsIds", Type.TEAMS, writable=False),
        Attribute("teamsNames", Type.TEAMS, writable=False),
    )
    fields: dict[str, tuple[str, ...]] = {"name": (*NAME_PARTS, "name")}
    for attribute in attributes:
        if attribute.name in ARRAY_FIELDS:
            fields[attribute.name] = address_field(attribute.name)
        elif attribute.type in {Type.VARCHAR, Type.TEXT, Type.ENUM, Type.INT, Type.DATETIME}:
            fields[attribute.name] = (attribute.name,)
    address = ("Street", "City", "Country", "State", "PostalCode")
    fields["address"] = tuple(f"address{part}" for part in address)
    fields |= {link: (f"{link}Id", f"{link}Name") for link in ("createdBy", "modifiedBy", "assignedUser")}
    fields["teams"] = ("teamsIds", "teamsNames")
    return Entity(name, "espo_record", attributes, fields, versioned)


PERSONS = {e.name: e for e in (_person("CBeteiligte"), _person("CBeteiligteOcc", versioned=True))}

WEBHOOK = Entity(
    "Webhook",
    "espo_webhook",
    (
        Attribute("id", Type.ID, writable=False),
        Attribute("deleted", Type.BOOL, writable=False),
        Attribute("event", Type.VARCHAR, maximum=100, required=True),
        Attribute("url", Type.VARCHAR, maximum=512, required=True),
        Attribute("isActive", Type.BOOL),
        Attribute("entityType", Type.VARCHAR, writable=False),
        Attribute("type", Type.VARCHAR, writable=False),
        Attribute("field", Type.VARCHAR, writable=False),
        Attribute("secretKey", Type.VARCHAR, writable=False),
        Attribute("skipOwn", Type.BOOL),
        Attribute("createdAt", Type.DATETIME, writable=False),
        Attribute("modifiedAt", Type.DATETIME, writable=False),
        Attribute("createdById", Type.ID, writable=False),
        Attribute("createdByName", Type.NAME, writable=False),
        Attribute("modifiedById", Type.ID, writable=False),
        Attribute("modifiedByName", Type.NAME, writable=False),
    ),
    {},
)

_MADE = (
    Attribute("createdAt", Type.DATETIME, writable=False),
    Attribute("modifiedAt", Type.DATETIME, writable=False),
    Attribute("createdById", Type.ID, writable=False),
    Attribute("createdByName", Type.NAME, writable=False),
    Attribute("modifiedById", Type.ID, writable=False),
    Attribute("modifiedByName", Type.NAME, writable=False),
)
_PARENT = (Attribute("parentType", Type.VARCHAR, maximum=100), Attribute("parentId", Type.ID))

TASK_STATUS = ("Not Started", "Started", "Completed", "Canceled", "Deferred")

TASK = Entity(
    "Task",
    "espo_task",
    (
        Attribute("id", Type.ID, writable=False),
        Attribute("name", Type.VARCHAR, maximum=255, required=True),
        Attribute("deleted", Type.BOOL, writable=False),
        Attribute("status", Type.ENUM, options=TASK_STATUS),
        Attribute("priority", Type.ENUM, options=("Low", "Normal", "High", "Urgent")),
        Attribute("dateEnd", Type.DATETIME),
        Attribute("description", Type.TEXT),
        *_PARENT,
        *_MADE,
        Attribute("assignedUserId", Type.ID),
        Attribute("assignedUserName", Type.NAME, writable=False),
    ),
    {},
)

NOTE = Entity(
    "Note",
    "espo_note",
    (
        Attribute("id", Type.ID, writable=False),
        Attribute("deleted", Type.BOOL, writable=False),
        Attribute("post", Type.TEXT),
        Attribute("type", Type.VARCHAR, maximum=24),
        Attribute("isInternal", Type.BOOL),
        *_PARENT,
        *_MADE,
    ),
    {},
)

ACTIVITIES = {entity.name: entity for entity in (TASK, NOTE)}
