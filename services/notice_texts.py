"""What staff read in EspoCRM: one German text for each thing they may be told. Pure.

A title goes into lists and e-mails, so it never holds a client's value; the body does, inside EspoCRM, where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_VALUE = 200
"""Characters of a value that are shown: an entry may hold a whole note."""


class Topic(Enum):
    """What staff may be told."""

    CONFLICT_KEPT = "conflict-kept"
    CONFLICT_ESPOCRM = "conflict-espocrm"
    CONFLICT_ADVOWARE = "conflict-advoware"
    HELD_TWO_VALUES = "held-two-values"
    HELD_UMLAUT = "held-umlaut"
    HELD_TOO_LONG = "held-too-long"
    HELD_NO_EMAIL = "held-no-email"
    HELD_LETTERS = "held-letters"
    HELD_NO_NUMBER = "held-no-number"
    HELD_TOO_MANY = "held-too-many"
    HELD_REFUSED_BY_ESPOCRM = "held-refused-by-espocrm"
    HELD_REFUSED_BY_ADVOWARE = "held-refused-by-advoware"
    HELD_OTHERWISE = "held-otherwise"
    VALVE = "valve"
    TYPE_MISFIT = "type-misfit"
    TYPE_SHARED = "type-shared"
    TYPE_MOVED = "type-moved"
    MARKER = "marker"
    PARKED_NOT_IN_ADVOWARE = "parked-not-in-advoware"
    PARKED_NO_BETNR = "parked-no-betnr"
    PARKED_TWICE = "parked-twice"
    PARKED_OTHERWISE = "parked-otherwise"
    SLOTS_MANY = "slots-many"
    SLOTS_WITH_TEXT = "slots-with-text"


@dataclass(frozen=True, slots=True)
class Text:
    """One text. `steps`: what to do; none where nothing is to be done. `{...}` are facts of the cause."""

    title: str
    happened: str
    steps: tuple[str, ...] = ()


_BOTH = "Vor der Änderung: {base}\nIn Advoware geändert in: {advoware}\nIn EspoCRM geändert in: {espocrm}\n\n"
_IN_ADVOWARE = "In Advoware steht: {value} ({kind})\n\n"
_EDIT = "In Advoware beim Beteiligten {betnr} unter Kommunikation"
_COMMAND = "scripts/kommunikation.py"

TEXTS: dict[Topic, Text] = {
    Topic.CONFLICT_KEPT: Text(
        "Auf beiden Seiten geändert: bitte entscheiden, was gilt",
        _BOTH + "Derselbe Wert wurde in beiden Systemen verschieden geändert. Damit nichts verloren geht, behält "
        "der Abgleich beide Werte in beiden Systemen.",
        (
            "Klären, welcher Wert stimmt.",
            "Den falschen hier in EspoCRM oder in Advoware löschen; der Abgleich löscht ihn auf der anderen Seite.",
            "Stimmen beide: diesen Hinweis von Hand schließen.",
        ),
    ),
    Topic.CONFLICT_ESPOCRM: Text(
        "Auf beiden Seiten geändert: EspoCRM hat gewonnen",
        _BOTH + "Derselbe Wert wurde in beiden Systemen verschieden geändert. So ist es eingestellt: es gilt der "
        "Wert aus EspoCRM, der aus Advoware steht nur noch hier.",
        (
            "Prüfen, ob der Wert aus EspoCRM stimmt.",
            "Stimmt der aus Advoware oder fehlt er: ihn hier in EspoCRM eintragen.",
            "Danach diesen Hinweis von Hand schließen.",
        ),
    ),
    Topic.CONFLICT_ADVOWARE: Text(
        "Auf beiden Seiten geändert: Advoware hat gewonnen",
        _BOTH + "Derselbe Wert wurde in beiden Systemen verschieden geändert. So ist es eingestellt: es gilt der "
        "Wert aus Advoware, der aus EspoCRM steht nur noch hier.",
        (
            "Prüfen, ob der Wert aus Advoware stimmt.",
            "Stimmt der aus EspoCRM oder fehlt er: ihn hier in EspoCRM eintragen.",
            "Danach diesen Hinweis von Hand schließen.",
        ),
    ),
    Topic.HELD_TWO_VALUES: Text(
        "Nicht übernommen: zwei Werte in einem Feld",
        _IN_ADVOWARE
        + "EspoCRM nimmt in einem Feld nur eine Adresse oder Nummer. Der Eintrag bleibt in Advoware, wie er ist, "
        "und fehlt in EspoCRM.",
        (f"{_EDIT} für jede Adresse oder Nummer einen eigenen Eintrag anlegen.",),
    ),
    Topic.HELD_UMLAUT: Text(
        "Nicht übernommen: Umlaut vor dem @",
        _IN_ADVOWARE
        + "EspoCRM nimmt keine E-Mail-Adresse mit Umlaut oder anderem Sonderzeichen vor dem @. Meist ist es ein "
        "Tippfehler.",
        (f"{_EDIT} die Adresse prüfen und berichtigen (ä = ae, ö = oe, ü = ue?).",),
    ),
    Topic.HELD_TOO_LONG: Text(
        "Nicht übernommen: zu lang",
        _IN_ADVOWARE + "Der Wert ist länger, als EspoCRM ihn nimmt. Er fehlt dort.",
        (f"{_EDIT} den Eintrag kürzen; Zusätze gehören in die Bemerkung.",),
    ),
    Topic.HELD_NO_EMAIL: Text(
        "Nicht übernommen: keine gültige E-Mail-Adresse",
        _IN_ADVOWARE + "Das ist keine gültige E-Mail-Adresse. Sie fehlt in EspoCRM.",
        (f"{_EDIT} die Adresse berichtigen, oder den Text in die Bemerkung setzen.",),
    ),
    Topic.HELD_LETTERS: Text(
        "Nicht übernommen: Buchstaben oder Durchwahl in der Nummer",
        _IN_ADVOWARE
        + "EspoCRM würde die Nummer verfälschen (aus einer Durchwahl werden Ziffern der Nummer). Sie fehlt dort.",
        (f"{_EDIT} nur die Nummer stehen lassen; Text wie „Durchwahl“ oder einen Namen in die Bemerkung setzen.",),
    ),
    Topic.HELD_NO_NUMBER: Text(
        "Nicht übernommen: keine mögliche Telefonnummer",
        _IN_ADVOWARE + "Diese Nummer kann es nicht geben. Sie fehlt in EspoCRM.",
        (f"{_EDIT} die Nummer prüfen und berichtigen.",),
    ),
    Topic.HELD_TOO_MANY: Text(
        "Nicht übernommen: mehr als 10 Adressen oder Nummern",
        _IN_ADVOWARE + "EspoCRM nimmt je Datensatz 10 E-Mail-Adressen und 10 Nummern. Für diesen Wert ist kein Platz.",
        (
            "Hier in EspoCRM oder in Advoware Werte löschen, die nicht mehr gebraucht werden.",
            "Der Abgleich trägt diesen Wert dann nach.",
        ),
    ),
    Topic.HELD_REFUSED_BY_ESPOCRM: Text(
        "Nicht übernommen: EspoCRM hat den Wert abgelehnt",
        _IN_ADVOWARE + "EspoCRM hat den Wert nicht angenommen. Der Abgleich versucht es nach einem Tag wieder.",
        (
            f"{_EDIT} prüfen, ob der Wert so stimmt.",
            f"Stimmt er, den Administrator fragen ({_COMMAND} explain {{espo_id}}).",
        ),
    ),
    Topic.HELD_REFUSED_BY_ADVOWARE: Text(
        "Nicht übernommen: Advoware hat den Wert abgelehnt",
        "In EspoCRM steht: {value}\n\nAdvoware hat den Wert nicht angenommen, er fehlt dort. Der Abgleich versucht "
        "es nach einem Tag wieder.",
        (
            "Prüfen, ob der Wert hier in EspoCRM so stimmt.",
            f"Stimmt er, den Administrator fragen ({_COMMAND} explain {{espo_id}}).",
        ),
    ),
    Topic.HELD_OTHERWISE: Text(
        "Nicht übernommen",
        "Es geht um: {value}\n\nDer Abgleich hat diesen Wert nicht auf die andere Seite gebracht. Grund: {reason}",
        (f"Den Administrator fragen ({_COMMAND} explain {{espo_id}}).",),
    ),
    Topic.VALVE: Text(
        "Viele Werte gelöscht: bitte bestätigen",
        "Auf einer Seite sind auf einmal viele Werte verschwunden:\n{values}\n\nDas kann ein Versehen sein. Der "
        "Abgleich löscht sie deshalb auf der anderen Seite noch nicht.",
        (
            "Klären, ob diese Werte gelöscht werden sollen.",
            "Nein: sie auf der Seite, auf der sie fehlen, wieder eintragen.",
            f"Ja: den Administrator bitten, sie freizugeben ({_COMMAND} valve release {{espo_id}}).",
        ),
    ),
    Topic.TYPE_MISFIT: Text(
        "Art der Nummer verschieden",
        "Es geht um: {value}\nIn EspoCRM: {type}\nIn Advoware: {kind}\n\nDie Art passt nicht zusammen. Die Nummer "
        "selbst ist auf beiden Seiten gleich; an der Art ändert der Abgleich nichts.",
        ("Prüfen, welche Art stimmt, und sie hier in EspoCRM oder in Advoware ändern.",),
    ),
    Topic.TYPE_SHARED: Text(
        "Art der Nummer geändert, aber sie gehört mehreren",
        "Es geht um: {value}\nIn EspoCRM: {type}\nIn Advoware: {kind}\n\nDie Art wurde in EspoCRM geändert. "
        "Dieselbe Nummer steht auch bei einem anderen Datensatz, und EspoCRM kennt für alle nur eine Art. Advoware "
        "bleibt deshalb, wie es ist.",
        (
            "Stimmt die Art in Advoware für diesen Beteiligten, ist nichts zu tun: diesen Hinweis von Hand schließen.",
            f"{_EDIT} sonst die Art ändern.",
        ),
    ),
    Topic.TYPE_MOVED: Text(
        "Art der Nummer übernommen",
        "Es geht um: {value}\nNeue Art in EspoCRM: {type}\n\nIn Advoware lässt sich die Art eines Eintrags nicht "
        "ändern. Die Nummer steht dort jetzt in einem anderen Eintrag der neuen Art, mit ihrer Bemerkung; der alte "
        "ist leer.",
    ),
    Topic.MARKER: Text(
        "Bemerkung in Advoware zu lang",
        "Es geht um den Eintrag {entry_id} ({kind}) des Beteiligten {betnr}.\n\nIn seiner Bemerkung ist neben dem "
        "Text kein Platz für den ganzen Vermerk des Abgleichs ([ESPOCRM:...]). Der Abgleich läuft weiter; ginge "
        "sein Speicher verloren, wüsste er bei diesem Eintrag weniger.",
        (f"{_EDIT} die Bemerkung dieses Eintrags kürzen. Den Vermerk am Anfang stehen lassen.",),
    ),
    Topic.PARKED_NOT_IN_ADVOWARE: Text(
        "Wird nicht abgeglichen: Beteiligten gibt es in Advoware nicht",
        "Dieser Datensatz ist mit dem Beteiligten {betnr} verknüpft. Den gibt es in Advoware nicht (mehr). Es wird "
        "nichts geändert, auf keiner Seite.",
        (
            "Prüfen, ob die Nummer im Feld betnr stimmt, und sie berichtigen.",
            "Soll der Datensatz nicht mehr abgeglichen werden: das Feld betnr leeren.",
        ),
    ),
    Topic.PARKED_NO_BETNR: Text(
        "Wird nicht abgeglichen: keine Nummer aus Advoware",
        "Dieser Datensatz wurde bisher abgeglichen; sein Feld betnr ist jetzt leer.",
        (
            "Soll er weiter abgeglichen werden: die Nummer des Beteiligten ins Feld betnr eintragen.",
            "War das Absicht: diesen Hinweis von Hand schließen.",
        ),
    ),
    Topic.PARKED_TWICE: Text(
        "Wird nicht abgeglichen: zwei Datensätze für einen Beteiligten",
        "Mit dem Beteiligten {betnr} in Advoware ist mehr als ein Datensatz verknüpft. Solange das so ist, wird "
        "keiner von ihnen abgeglichen.\nTechnische Angabe: {cause}",
        (
            "Die Datensätze vergleichen und zusammenführen (in der Liste beide wählen, Aktionen, Zusammenführen).",
            "Oder in allen bis auf einen das Feld betnr leeren.",
        ),
    ),
    Topic.PARKED_OTHERWISE: Text(
        "Wird nicht abgeglichen: Fehler",
        "Der Abgleich dieses Datensatzes ist mehrmals gescheitert und ruht; einmal am Tag wird er wieder "
        "versucht.\nTechnische Angabe: {cause}",
        (
            f"Den Administrator fragen ({_COMMAND} status {{espo_id}}).",
            f"Ist die Ursache behoben: {_COMMAND} sync {{espo_id}}",
        ),
    ),
    Topic.SLOTS_MANY: Text(
        "Viele leere Einträge in Advoware",
        "Beim Beteiligten {betnr} stehen in Advoware viele leere Einträge ([ESPOCRM-SLOT:...]). Sie bleiben übrig, "
        "weil der Abgleich in Advoware nichts löschen kann; er füllt sie wieder, wenn Werte dazukommen.",
        (f"{_EDIT} die leeren Einträge löschen, bis auf einen je Art.",),
    ),
    Topic.SLOTS_WITH_TEXT: Text(
        "Leere Einträge mit Bemerkung in Advoware",
        "Beim Beteiligten {betnr} stehen in Advoware leere Einträge, hinter deren Vermerk ([ESPOCRM-SLOT:...]) noch "
        "eine Bemerkung steht. Der Abgleich füllt sie deshalb nicht wieder.\nEinträge: {entries}",
        (f"{_EDIT} die Bemerkung prüfen und diese Einträge löschen, oder die Bemerkung leeren.",),
    ),
}

KINDS = {
    1: "Telefon geschäftlich",
    2: "Fax geschäftlich",
    3: "Mobil",
    4: "E-Mail geschäftlich",
    5: "Internet",
    6: "Telefon privat",
    7: "Fax privat",
    8: "E-Mail privat",
    9: "Autotelefon",
    10: "Sonstige",
    11: "EPost",
    12: "beA",
}
"""kommKz -> name."""

TYPES = {"Mobile": "Mobil", "Office": "Büro", "Home": "Privat", "Fax": "Fax", "Other": "Andere"}
"""Types of numbers, as EspoCRM's German translation shows them."""

BY_ITSELF = "Dieser Hinweis schließt sich von selbst, wenn die Ursache behoben ist. Sie können ihn auch von "
"Hand schließen."
ONLY_TO_KNOW = "Nur zur Kenntnis: es ist nichts zu tun."
CLOSED = "Erledigt: die Ursache besteht nicht mehr oder wurde bestätigt. Der Abgleich hat diesen Hinweis geschlossen."
MARK = "Kennung: "
MARK_CLOSED = " (abgeschlossen)"
"""Behind the mark of a notice whose cause is gone: should the cause come back, it gets a new notice."""


def shown(value: str) -> str:
    """A client's value as it stands in a text: on one line, in quotation marks, cut where it is too long."""
    flat = " ".join(value.split())
    return f"„{flat[: LONGEST_VALUE - 1]}…“" if len(flat) > LONGEST_VALUE else f"„{flat}“"


def title_of(topic: Topic) -> str:
    """The title of a notice."""
    return f"Abgleich mit Advoware: {TEXTS[topic].title}"


def body_of(topic: Topic, facts: Mapping[str, str], mark: str) -> str:
    """The text of a notice; `mark`: by which it is found again."""
    text = TEXTS[topic]
    steps = [f"{number}. {step}" for number, step in enumerate(text.steps, 1)]
    parts = [text.happened, "\n".join(["Was zu tun ist:", *steps]) if steps else ONLY_TO_KNOW]
    filled = [part.format_map(facts) for part in parts]
    return "\n\n".join([*filled, *([BY_ITSELF] if steps else []), MARK + mark])


def closing_of(topic: Topic) -> str:
    """A post that says that an earlier one is settled, where that can't be taken away any more."""
    return f"{title_of(topic)}\n\n{CLOSED}"
