"""German for what a plan or a line of the journal says in English: for the control page and the sandbox's page.

What is missing here is shown as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kommunikation_decide import REASON as DECIDED
from services.kommunikation_rules import SHORT_MARKER, UNDONE, WITHHELD
from services.kommunikation_table import Act
from services.kommunikation_types import MarkerForm
from services.kommunikation_undo import CHANGED_SINCE, GONE_SINCE, NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def reason(text: str) -> str:
    """A reason of a plan, a list or the journal."""
    if text.startswith("undo of run "):
        return "Rücknahme von " + text.removeprefix("undo of run ") + "."
    return REASONS.get(text, text)
