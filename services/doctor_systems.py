"""Whether both systems let the sync do its work: address, key, rights, fields, settings, webhooks, clock."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.doctor import Finding, Level
from services.errors import (
    AuthFailed,
    BadAnswer,
    ConnectorOffline,
    Forbidden,
    NotActivated,
    NotFound,
    SyncError,
    Unconfigured,
    Unreachable,
    Validation,
)
from services.espocrm import MAX_ROWS, EspoCrmService
from services.notice_kind import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from services.config import AdvowareSettings, EspoCrmSettings, SyncSettings
    from services.espocrm_answers import EspoSelf, EspoWebhook
    from services.kommunikation_types import EspoListRow

RECEIVER_PATH = "/webhooks/espocrm/beteiligte"
EVENTS = ("create", "update", "delete")
CLOCK_SECONDS = 120.0
"""Off by more, Advoware may refuse the time in a request for a token, and times in journal and EspoCRM do not fit."""
MOST_PAGES = 50

_ROLE = "In EspoCRM: Administration > Roles, the role of the API user"
_REGISTER = "kommunikation.py webhooks --register URL --write .env (URL: where EspoCRM reaches this machine)"
_ESPOCRM: dict[type[SyncError], tuple[str, str]] = {
    AuthFailed: (
        "espocrm.key",
        "Copy the API user's key (Administration > API Users) into ESPOCRM_API_KEY; HMAC: also ESPOCRM_HMAC_SECRET.",
    ),
    Unconfigured: ("espocrm.address", "ESPOCRM_API_BASE_URL is the address of EspoCRM followed by /api/v1."),
    Unreachable: (
        "espocrm.reachable",
        "Check ESPOCRM_API_BASE_URL, and whether EspoCRM runs and a firewall lets you through.",
    ),
    Forbidden: ("espocrm.rights", f"{_ROLE}: read and edit 'all' for the entity."),
    Validation: ("espocrm.fields", "Add the field betnr (whole number) to the entity in EspoCRM's Entity Manager."),
    BadAnswer: ("espocrm.address", "Is ESPOCRM_API_BASE_URL an EspoCRM, or does a proxy in front of it answer?"),
}
_ADVOWARE: dict[type[SyncError], tuple[str, str]] = {
    AuthFailed: ("advoware.credentials", "Check ADVOWARE_USER, ADVOWARE_PASSWORD, ADVOWARE_APP_ID and ADVOWARE_API_KEY."),
    NotActivated: ("advoware.activated", "Have the app activated for the firm (api@advoware.de), and the employee for it."),
    ConnectorOffline: ("advoware.connector", "Start the connector on the firm's PC, and check ADVOWARE_KANZLEI."),
    Unreachable: ("advoware.reachable", "Check the ADVOWARE_..._URL settings and the network."),
    Unconfigured: ("advoware.address", "Check the ADVOWARE_..._URL settings and ADVOWARE_API_PREFIX."),
    Forbidden: ("advoware.rights", "The employee ADVOWARE_USER needs the right to read and edit Beteiligte."),
}


def _explained(error: SyncError, table: Mapping[type[SyncError], tuple[str, str]], otherwise: str) -> Finding:
    for kind, (check, remedy) in table.items():
        if isinstance(error, kind):
            return Finding(check, Level.PROBLEM, str(error), remedy)
    return Finding(otherwise, Level.PROBLEM, str(error), "Try again in a while; the text says what went wrong.")


def examine_espocrm(
    settings: EspoCrmSettings, sync: SyncSettings | None, environ: Mapping[str, str], now: Callable[[], float]
) -> Generator[Finding, None, int | None]:
    """All about EspoCRM. Returns the betnr of a linked record, for Advoware to be asked about."""
    client = EspoCrmService(settings)
    try:
        me = client.whoami()
    except SyncError as error:
        yield _explained(error, _ESPOCRM, "espocrm.reachable")
        return None
    yield Finding("espocrm.key", Level.OK, f"EspoCRM {me.version or '(version unknown)'} knows the key.")
    try:
        yield from _clock(me, now)
        yield from _rights(me, settings.entity)
        yield from _notices(me, settings.entity, sync)
        yield from _phone_settings(me)
        betnr = yield from _records(client)
        yield from _webhooks(client, me, sync, environ)
    finally:
        client.close()
    return betnr


def _clock(me: EspoSelf, now: Callable[[], float]) -> Iterator[Finding]:
    off = abs(me.server_time - now()) if me.server_time is not None else 0.0
    if off > CLOCK_SECONDS:
        text = f"This machine's clock and EspoCRM's are {int(off // 60)} minutes apart."
        remedy = "Switch time synchronisation on, on both machines (timedatectl set-ntp true)."
        yield Finding("clock", Level.PROBLEM, text, remedy)
    else:
        yield Finding("clock", Level.OK, "This machine's clock and EspoCRM's agree.")


def _rights(me: EspoSelf, entity: str) -> Iterator[Finding]:
    lacking = [right for right in ("read", "edit") if me.rights.get(right, "all") != "all"]
    if lacking:
        text = f"The API user may not {' and '.join(lacking)} all records of {entity}."
        yield Finding("espocrm.rights", Level.PROBLEM, text, f"{_ROLE}: {' and '.join(lacking)} 'all' for {entity}.")
    else:
        yield Finding("espocrm.rights", Level.OK, f"The API user may read and edit {entity}.")
    if me.user_type not in {"", "api"}:
        text = f"The key belongs to a user of type '{me.user_type}': people's edits and the sync's would look alike."
        yield Finding("espocrm.user", Level.WARNING, text, "Make an API user of its own for the sync.")


def _notices(me: EspoSelf, entity: str, sync: SyncSettings | None) -> Iterator[Finding]:
    """Whether staff can be told what is open, where that is wanted."""
    kind = sync.notices if sync is not None else NoticeKind.OFF
    if kind is NoticeKind.NOTE and me.rights and me.rights.get("stream", "no") != "all":
        text = f"KOMM_NOTICES=note, and the API user may not post to the stream of {entity} (or it has none)."
        remedy = f"Entity Manager > {entity}: Stream, on; {_ROLE}: stream 'all' for {entity}. Or KOMM_NOTICES=task."
        yield Finding("notices.rights", Level.PROBLEM, text, remedy)
    elif kind is NoticeKind.TASK and (lacking := _lacking_for_tasks(me)):
        text = f"KOMM_NOTICES=task, and the API user may not {' and '.join(lacking)} tasks."
        remedy = f"{_ROLE}: Task: create yes, read and edit 'all'; Assignment Permission 'all'."
        yield Finding("notices.rights", Level.PROBLEM, text, remedy)
    elif kind is not NoticeKind.OFF:
        yield Finding("notices.rights", Level.OK, "The API user may tell staff what is open.")


def _lacking_for_tasks(me: EspoSelf) -> list[str]:
    """A task that was given to somebody is no longer the API user's own: 'own' is not enough to end it."""
    if not me.task_rights:
        return []
    lacking = ["create"] if me.task_rights.get("create", "no") == "no" else []
    return lacking + [right for right in ("read", "edit") if me.task_rights.get(right) != "all"]


def _phone_settings(me: EspoSelf) -> Iterator[Finding]:
    if me.phone_international is False:
        text = "EspoCRM takes national numbers: one number may be stored twice, in two spellings."
        remedy = (
            "Administration > Settings > Phone Numbers: International numbers, on (then edit what is stored nationally)."
        )
        yield Finding("espocrm.phone-numbers", Level.WARNING, text, remedy)
    elif me.phone_extensions:
        text = "EspoCRM takes extensions in numbers; the sync holds numbers with an extension back."
        yield Finding("espocrm.phone-numbers", Level.NOTE, text)
    else:
        yield Finding("espocrm.phone-numbers", Level.OK, "EspoCRM takes international numbers.")


def _records(client: EspoCrmService) -> Generator[Finding, None, int | None]:
    """Fields of the entity, and records that share a betnr."""
    try:
        rows = _linked(client)
        if rows:
            client.get_record(rows[0].id)
    except BadAnswer as error:
        remedy = "The entity must be of type Person, with Email and Phone fields the role may read (field-level security)."
        yield Finding("espocrm.fields", Level.PROBLEM, str(error), remedy)
        return None
    except Unconfigured as error:
        remedy = "ESPOCRM_ENTITY is the name of the entity, as the Entity Manager shows it (CBeteiligte)."
        yield Finding("espocrm.entity", Level.PROBLEM, str(error), remedy)
        return None
    except SyncError as error:
        yield _explained(error, _ESPOCRM, "espocrm.fields")
        return None
    betnrs = Counter(row.betnr for row in rows)
    doubles = sum(1 for count in betnrs.values() if count > 1)
    if doubles:
        text = f"{doubles} betnr are set in more than one record: these records are parked."
        remedy = "Merge the records in EspoCRM, or clear betnr in all but one ('kommunikation.py status' names them)."
        yield Finding("espocrm.doubles", Level.PROBLEM, text, remedy)
    if not rows:
        text = f"No {client.entity} has a betnr: there is nothing to synchronise."
        yield Finding("espocrm.records", Level.WARNING, text, "Enter Advoware's number in the field betnr of the records.")
        return None
    yield Finding("espocrm.fields", Level.OK, f"{len(betnrs)} linked records; betnr and both arrays are there.")
    return rows[0].betnr


def _linked(client: EspoCrmService) -> list[EspoListRow]:
    """Linked records, up to what a doctor has patience for."""
    rows: list[EspoListRow] = []
    for _ in range(MOST_PAGES):
        page = client.list_linked(after_id=rows[-1].id if rows else None, limit=MAX_ROWS)
        rows += page
        if len(page) < MAX_ROWS:
            break
    return rows


def _webhooks(
    client: EspoCrmService, me: EspoSelf, sync: SyncSettings | None, environ: Mapping[str, str]
) -> Iterator[Finding]:
    try:
        hooks = [hook for hook in client.list_webhooks() if hook.url.endswith(RECEIVER_PATH)]
    except Forbidden:
        text = "The API user may not use webhooks: changes in EspoCRM are seen by polling only."
        yield Finding("webhooks.rights", Level.PROBLEM, text, f"{_ROLE}: Webhook, enabled.")
        return
    except SyncError as error:
        yield _explained(error, _ESPOCRM, "webhooks.rights")
        return
    events = {f"{client.entity}.{event}" for event in EVENTS}
    missing = sorted(events - {hook.event for hook in hooks if hook.active})
    if len(missing) == len(events) and not environ.get("KOMM_PUBLIC_URL"):
        text = "No webhooks are registered: changes in EspoCRM are seen with the next tick of reconcile."
        yield Finding("webhooks.registered", Level.WARNING, text, f"To have them at once: {_REGISTER}")
        return
    if missing:
        text = f"No active webhook for {', '.join(missing)}."
        yield Finding("webhooks.registered", Level.PROBLEM, text, _REGISTER)
    else:
        yield Finding("webhooks.registered", Level.OK, "Webhooks for create, update and delete are active.")
    yield from _each_webhook([hook for hook in hooks if hook.event in events], me, sync)


def _each_webhook(hooks: list[EspoWebhook], me: EspoSelf, sync: SyncSettings | None) -> Iterator[Finding]:
    known = sync.webhook_secrets if sync is not None else {}
    secrets = {name: secret.get_secret_value() for name, secret in known.items()}
    strangers = [hook.id for hook in hooks if sync is not None and secrets.get(hook.id, "") != hook.secret]
    if strangers:
        text = f"ESPOCRM_WEBHOOK_SECRETS lacks the secret of webhook {', '.join(strangers)}: its calls are refused (401)."
        yield Finding("webhooks.secrets", Level.PROBLEM, text, _REGISTER)
    if any(hook.skip_own is False for hook in hooks):
        text = "A webhook reports the sync's own changes, too (skipOwn is off): each write costs another look."
        yield Finding("webhooks.skip-own", Level.WARNING, text, _REGISTER)
    elif hooks and all(hook.skip_own is None for hook in hooks):
        text = f"EspoCRM {me.version or ''} knows no skipOwn: the sync's own changes come back, and cost one look each."
        yield Finding("webhooks.skip-own", Level.WARNING, text, "EspoCRM 9.2 or newer leaves them out.")
    pairs = [(hook.event, hook.url) for hook in hooks]
    if len(pairs) > len({event for event, _ in pairs}):
        text = "There is more than one webhook for an event: at another address, or twice at one."
        yield Finding("webhooks.doubles", Level.WARNING, text, "kommunikation.py webhooks --register URL --only-here")


def examine_advoware(settings: AdvowareSettings, betnr: int | None) -> Iterator[Finding]:
    """All about Advoware that can be seen without writing. `betnr`: a Beteiligter to ask for, None if none is known."""
    from services.advoware_service import AdvowareService

    client = AdvowareService(settings)
    try:
        person = client.get_beteiligter(betnr or 1)
    except NotFound:
        if betnr is None:
            yield Finding("advoware.credentials", Level.OK, "Advoware accepts the credentials.")
        else:
            text = f"Advoware accepts the credentials, and has no Beteiligter {betnr}, to whom a record is linked."
            yield Finding("advoware.record", Level.WARNING, text, "Is ADVOWARE_DATABASE the right one?")
        return
    except SyncError as error:
        yield _explained(error, _ADVOWARE, "advoware.reachable")
        return
    finally:
        client.close()
    yield Finding("advoware.credentials", Level.OK, "Advoware accepts the credentials and shows a Beteiligter.")
    if person.kommunikation and not any(entry.komm_kz for entry in person.kommunikation):
        text = "This Advoware shows kommKz 0 for every entry (a known fault): markers and values tell the kind."
        yield Finding("advoware.kinds", Level.NOTE, text)
    text = "Whether the employee may write can only be seen by writing."
    yield Finding("advoware.writing", Level.NOTE, text, "scripts/test_kommunikation_api.py --betnr N, with a test record")
