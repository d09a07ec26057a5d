"""The page of the notices (`docs/notices.md`), made from the texts themselves."""

from __future__ import annotations

from services.notice_texts import CLOSED, ONLY_TO_KNOW, TEXTS, Topic, title_of
from services.notices import LASTING

HEAD = f"""# Hinweise in EspoCRM

*Erzeugt von `scripts/generate_docs.py` aus `services/notice_texts.py`; ein Test schlägt fehl, wenn die Seite veraltet ist.
Nicht von Hand ändern.*

Für die Mitarbeiter der Kanzlei und für den Administrator. Was der Abgleich nicht selbst entscheiden kann, sagt er dort, wo
gearbeitet wird: beim Beteiligten in EspoCRM, dem zugewiesenen Benutzer.

- `KOMM_NOTICES=off` (Voreinstellung): nichts. Alles steht nur auf der Kommandozeile (`scripts/kommunikation.py conflicts`,
  `held-back`, `notices`, `status`, `slots`).
- `KOMM_NOTICES=task`: eine Aufgabe am Datensatz, dem zugewiesenen Benutzer des Datensatzes zugeteilt. Ist er niemandem
  zugewiesen, gehört sie niemandem. Rolle des API-Benutzers: Aufgaben anlegen, alle lesen und bearbeiten;
  Zuweisungsberechtigung „alle“ (fehlt sie, bleibt die Aufgabe ohne Benutzer).
- `KOMM_NOTICES=note`: ein Beitrag im Stream des Datensatzes; wer ihm folgt, wird benachrichtigt. Der Stream der Entität muss
  eingeschaltet sein; Rolle: Stream „alle“.

Voreingestellt ist `off`: ein Update soll niemandem ungefragt Aufgaben geben, und die Rechte dafür muss jemand erteilen.
Empfohlen ist `task`: eine Aufgabe hat einen Zuständigen und ein Ende. `scripts/kommunikation.py doctor` prüft die Rechte.

**Einer je Ursache.** Zu jeder Ursache gibt es einen Hinweis, wie oft auch abgeglichen wird. Ist die Ursache behoben oder vom
Administrator bestätigt (`acknowledge`), schließt der Abgleich ihn: die Aufgabe wird „Abgeschlossen“, mit dem Satz
„{CLOSED}“; der Beitrag wird gelöscht. Einen Beitrag, der älter als ein Monat ist, lässt EspoCRM seinen Verfasser nicht mehr
löschen: dann folgt ein zweiter, der ihn für erledigt erklärt. Bei nächtlichen Ursachen (leere Einträge) und bei Konflikten
kann es bis zur nächsten Nacht dauern.

**Von Hand schließen** darf man jeden: Aufgabe abschließen oder löschen, Beitrag löschen. Zu derselben Ursache kommt dann
kein neuer. Kommt sie später wieder, nachdem sie behoben war, gibt es einen neuen Hinweis. Die letzte Zeile („Kennung“)
bitte stehen lassen: an ihr erkennt der Abgleich seinen Hinweis wieder, wenn er unterbrochen wurde.

**Was nicht geschieht.** Im Schattenbetrieb (`KOMM_MODE=shadow`) und für Datensätze, die nicht auf der Pilotliste stehen,
wird nichts in EspoCRM geschrieben, auch kein Hinweis. Was ein `undo` bewusst stehen lässt, wird nicht gemeldet. Gibt es den
Datensatz in EspoCRM nicht mehr, werden seine offenen Aufgaben abgeschlossen. Wird `KOMM_NOTICES` ausgeschaltet, bleiben
vorhandene Hinweise, wie sie sind. Kann ein Hinweis nicht geschrieben werden, läuft der Abgleich weiter; der Hinweis steht
als `hinweis:<Id>` mit seinem Grund in `scripts/kommunikation.py status` und wird wieder versucht.

Titel enthalten nie Namen, Adressen oder Nummern: sie stehen in Listen und in Benachrichtigungen. Im Text stehen sie.

Unten steht jeder Hinweis mit seinem Text; `{{...}}` steht für den Wert. """

PARTS: dict[str, tuple[str, ...]] = {
    "Konflikte": ("conflict-",),
    "Nicht übernommene Werte": ("held-",),
    "Viele Löschungen": ("valve",),
    "Arten von Nummern": ("type-",),
    "Bemerkungen und leere Einträge in Advoware": ("marker", "slots-"),
    "Datensätze, die nicht abgeglichen werden": ("parked-",),
}


def notices_page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip()]
    for name, starts in PARTS.items():
        lines += ["", f"## {name}"]
        for topic in Topic:
            if topic.value.startswith(starts):
                lines += ["", *_one(topic)]
    return "\n".join(lines) + "\n"


def _one(topic: Topic) -> list[str]:
    text = TEXTS[topic]
    told = [f"> {line}".rstrip() for line in text.happened.splitlines()]
    steps = [f"{number}. {step}" for number, step in enumerate(text.steps, 1)]
    if topic in LASTING:
        steps = [f"{ONLY_TO_KNOW} Eine Aufgabe entsteht schon abgeschlossen, ein Beitrag bleibt stehen."]
    return [f"### {title_of(topic)}", "", *told, "", *steps]
