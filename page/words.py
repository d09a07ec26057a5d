"""German words for what the services say in English. What is missing here is shown as it is."""

from __future__ import annotations

import re

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
from services.german import OPERATIONS, REASONS, reason
from services.kommunikation_mapper import KINDS
from services.notice_texts import TYPES

__all__ = ["OPERATIONS", "REASONS", "TYPES", "reason"]  # and all that is below

SIDES = {"espocrm": "EspoCRM", "advoware": "Advoware"}

STATES = {
    "equal": "gleich",
    "pending": "offen",
    "failed": "fehlgeschlagen",
    "parked": "geparkt",
    "never looked at": "noch nie angesehen",
}


KIND_NAMES = {int(kz): info.name for kz, info in KINDS.items()}


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
