"""German words for what the services say in English. What is missing here is shown as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.errors import (
    AuthFailed,
    Bug,
    ConnectorOffline,
    Forbidden,
    InvalidInput,
    LeaseBusy,
    NotActivated,
    NotFound,
    NotInScope,
    PlanOutdated,
    RateLimited,
    RecordProblem,
    RetryLater,
    SyncError,
    Unconfigured,
    Unreachable,
    Validation,
)
from services.kommunikation_decide import REASON as DECIDED
from services.kommunikation_mapper import KINDS
from services.kommunikation_rules import SHORT_MARKER, UNDONE, WITHHELD
from services.kommunikation_table import Act
from services.kommunikation_types import MarkerForm
from services.kommunikation_undo import CHANGED_SINCE, GONE_SINCE, NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDES = {"espocrm": "EspoCRM", "advoware": "Advoware"}

STATES = {
    "equal": "gleich",
    "pending": "offen",
    "failed": "fehlgeschlagen",
    "parked": "geparkt",
    "never looked at": "noch nie angesehen",
}

OPERATIONS = {
    "create_entry": "Eintrag angelegt",
    "write_entry": "Eintrag geschrieben",
    "empty_entry": "Eintrag geleert",
    "set_marker": "Marker gesetzt",
    "restore_entry": "Eintrag wiederhergestellt",
    "add_item": "Wert hinzugefügt",
    "replace_item": "Wert ersetzt",
    "remove_item": "Wert entfernt",
}

KIND_NAMES = {int(kz): info.name for kz, info in KINDS.items()}

TYPES = {"Office": "Büro", "Fax": "Fax", "Mobile": "Mobil", "Home": "Privat", "Other": "Sonstige"}

_NO_BASE = "Kein gemeinsamer Stand bekannt, also wird nichts gelöscht: der Wert wird ergänzt, wo er fehlt."

REASONS: Mapping[str, str] = {
    Act.NOTHING.value: "Nichts zu tun.",
    Act.EMPTY_ENTRY.value: "In EspoCRM entfernt: der Eintrag in Advoware wird geleert.",
    Act.WRITE_ENTRY.value: "In EspoCRM geändert: der neue Wert kommt in den Eintrag.",
    Act.REPLACE_ITEM.value: "In Advoware geändert: der neue Wert kommt nach EspoCRM.",
    Act.RENEW_MARKER.value: "Auf beiden Seiten gleich geändert: nur der Marker wird erneuert.",
    Act.ADD_CHANGED.value: "In Advoware geändert, in EspoCRM entfernt: die Änderung zählt mehr.",
    Act.CONFLICT.value: "Auf beiden Seiten verschieden geändert: beide Werte bleiben, ein Mensch entscheidet.",
    Act.REMOVE_ITEM.value: "In Advoware geleert: der Wert wird aus EspoCRM entfernt.",
    Act.MAKE_SLOT.value: "Auf beiden Seiten entfernt: der Eintrag wird zum Leerplatz.",
    Act.REWRITE_ENTRY.value: "In Advoware geleert, in EspoCRM geändert: die Änderung zählt mehr.",
    Act.REMOVE_GONE.value: "In Advoware gelöscht: der Wert wird aus EspoCRM entfernt.",
    Act.FORGET.value: "Auf beiden Seiten gelöscht: der gemeinsame Stand wird vergessen.",
    Act.RECREATE.value: "In Advoware gelöscht, in EspoCRM geändert: der Wert wird in Advoware angelegt.",
    Act.ADOPT.value: "Auf beiden Seiten gleich: nur der Marker wird gesetzt.",
    Act.ADD_ITEM.value: "Neu in Advoware: der Wert kommt nach EspoCRM.",
    Act.CREATE_ENTRY.value: "Neu in EspoCRM: der Wert kommt nach Advoware.",
    Act.FREE_SLOT.value: "Freier Leerplatz.",
    Act.TYPED_INTO_SLOT.value: "Jemand hat in einen Leerplatz geschrieben: wie ein neuer Wert.",
    "no base, no deletion: the value is added where it is missing": _NO_BASE,
    "both sides changed the value": "Beide Seiten haben den Wert geändert.",
    WITHHELD: "Das Ventil hält diese Löschung zurück: so viel auf einmal geschieht nur nach Freigabe.",
    UNDONE: "Von Hand zurückgenommen: bleibt, wie es ist, bis der Wert geändert oder erneut versucht wird.",
    SHORT_MARKER[MarkerForm.HASH]: "Die Bemerkung hat keinen Platz für den ganzen Marker, sie hält den kurzen.",
    SHORT_MARKER[MarkerForm.NONE]: "Die Bemerkung hat keinen Platz für einen Marker.",
    "EspoCRM refused it": "EspoCRM hat den Wert abgelehnt.",
    "Advoware refused it": "Advoware hat den Wert abgelehnt.",
    "two values in one field": "Zwei Werte in einem Feld: bitte trennen.",
    "umlaut before the @": "Ein Umlaut vor dem @: das nimmt EspoCRM nicht.",
    "no valid e-mail address": "Keine gültige E-Mail-Adresse.",
    "too long": "Zu lang.",
    "letters or an extension in the number": "Buchstaben oder eine Durchwahl in der Nummer.",
    "no possible phone number": "Keine mögliche Telefonnummer.",
    "more than 10 of a kind in EspoCRM": "EspoCRM nimmt höchstens zehn Werte einer Art.",
    "the type does not fit the kind in Advoware": "Der Typ in EspoCRM passt nicht zur Art in Advoware.",
    "the type was changed, but another record holds the number too": "Der Typ wurde geändert, doch ein anderer Datensatz "
    "hat die Nummer auch: es bleibt, wie es ist.",
    "the type was changed in EspoCRM: the value moves to another entry": "Der Typ wurde in EspoCRM geändert: der Wert "
    "wechselt in einen anderen Eintrag.",
    "change of type: the value moves to an entry of the new kind": "Typ geändert: der Wert kommt in einen Eintrag der neuen "
    "Art.",
    "change of type: the value has moved, the old entry becomes a slot": "Typ geändert: der alte Eintrag wird Leerplatz.",
    DECIDED: "Ein Mensch hat den Konflikt entschieden.",
    CHANGED_SINCE: "Seither geändert: bleibt, wie es jetzt ist.",
    GONE_SINCE: "Nicht mehr da: nichts zurückzunehmen.",
    NO_ROOM: "EspoCRM nimmt höchstens zehn Werte einer Art: nicht zurückgeholt.",
}

OUTCOMES = {
    "will be carried out": "wird ausgeführt",
    "nothing to do": "nichts zu tun",
    "held back": "zurückgehalten",
    "withheld by the valve": "vom Ventil zurückgehalten",
    "pending": "wartet",
}

BASE_FROM = {"marker": "Marker", "store": "Speicher"}

_CAUSES = (
    (r"^A notice could not be written", "Ein Hinweis für die Mitarbeiter konnte nicht nach EspoCRM geschrieben werden"),
    (r"missing in EspoCRM", "In EspoCRM nicht (mehr) vorhanden"),
    (r"missing in Advoware|Advoware has no Beteiligter", "In Advoware gibt es diesen Beteiligten nicht"),
    (r"betnr linked twice|linked twice|is linked to .* and to", "Zwei Datensätze sind mit demselben Beteiligten verknüpft"),
    (r"linked to another Beteiligter|is linked to Beteiligter", "Mit einem anderen Beteiligten verknüpft"),
    (r"no record", "In EspoCRM gibt es keinen Datensatz mit dieser Nummer"),
    (r"no betnr", "Keine Nummer eines Beteiligten (betnr) eingetragen"),
    (r"connector|not signed in", "Der Connector der Kanzlei ist nicht erreichbar"),
    (r"Redis", "Redis ist nicht erreichbar"),
    (r"(Advoware|EspoCRM).*(can't be reached|not be reached|no connection|Connection)", r"{} ist nicht erreichbar"),
    (r"(Advoware|EspoCRM).*(in time|timed out)", r"{} antwortet nicht rechtzeitig"),
    (r"(Advoware|EspoCRM).*(429|too many)", r"{} bittet um Geduld (zu viele Anfragen)"),
    (r"(Advoware|EspoCRM).*(401|refused the credentials|credentials)", r"{} nimmt die Anmeldung nicht an"),
    (r"(Advoware|EspoCRM).*\(5\d\d", r"{} meldet einen Fehler"),
)

_ERRORS: tuple[tuple[type[SyncError], str], ...] = (
    (PlanOutdated, "Seit dem Plan hat sich etwas geändert. Sehen Sie sich einen neuen Plan an; geschrieben wurde nichts."),
    (NotInScope, "Dieser Datensatz darf nicht geschrieben werden: Schattenbetrieb oder nicht auf der Pilotliste."),
    (LeaseBusy, "Der Abgleich arbeitet gerade an diesem Datensatz. Versuchen Sie es gleich noch einmal."),
    (ConnectorOffline, "Der Connector der Kanzlei ist nicht erreichbar. Es wird von selbst weiter versucht."),
    (RateLimited, "Das System bittet um Geduld. Versuchen Sie es in einigen Minuten noch einmal."),
    (Unreachable, "Ein System ist nicht erreichbar. Versuchen Sie es später noch einmal."),
    (RetryLater, "Das hat gerade nicht geklappt. Versuchen Sie es noch einmal."),
    (AuthFailed, "Die Anmeldung am System wurde abgelehnt: bitte den Administrator fragen."),
    (NotActivated, "Der Zugang zu Advoware ist nicht freigeschaltet: bitte den Administrator fragen."),
    (Forbidden, "Dem Abgleich fehlt im System das Recht dazu: bitte den Administrator fragen."),
    (NotFound, "Diesen Datensatz gibt es nicht (mehr)."),
    (Validation, "Das System hat den Wert nicht angenommen."),
    (InvalidInput, "Das geht nicht (mehr): der Eintrag steht nicht mehr auf der Liste, oder die Eingabe passt nicht."),
    (Unconfigured, "Eine Einstellung fehlt oder ist unbrauchbar: bitte den Administrator fragen."),
    (Bug, "Das hat nicht geklappt. Der Fehler liegt im Programm."),
)

MESSAGES = {
    "entschieden": "Entschieden. Die Entscheidung steht auf beiden Seiten.",
    "gesehen": "Als gesehen vermerkt.",
    "freigegeben": "Freigegeben: die Löschungen sind ausgeführt.",
    "erneut": "Erneut versucht.",
    "abgeglichen": "Abgeglichen.",
    "nichts": "Es war nichts zu tun: beide Seiten stimmen überein.",
    "schatten": "Nur geplant, nichts geschrieben: Schattenbetrieb oder nicht auf der Pilotliste.",
    "zurueckgenommen": "Zurückgenommen.",
    "gesamt": "Ein Gesamtabgleich ist angefordert; er beginnt mit dem nächsten Takt.",
    "abgemeldet": "Sie sind abgemeldet.",
}


def reason(text: str) -> str:
    """A reason of a plan, a list or the journal."""
    if text.startswith("undo of run "):
        return f"Rücknahme von {text.removeprefix('undo of run ')}."
    return REASONS.get(text, text)


def cause(text: str) -> str:
    """A cause of a failed or parked record, as a headline; the sentence itself where it is a new one."""
    for pattern, german in _CAUSES:
        found = re.search(pattern, text)
        if found:
            return german.format(*found.groups()[:1])
    return text


def error(problem: SyncError) -> str:
    """What a person has to know of a failure."""
    if isinstance(problem, RecordProblem):
        return f"{cause(problem.cause)}. Kein Wert wurde angefasst."
    return next((german for kind, german in _ERRORS if isinstance(problem, kind)), "Das hat nicht geklappt.")
