"""Refusals of the simulated Advoware: a status and a German sentence.

Clients tell the activation problems apart by fixed parts of these sentences (`freigeschaltet`, `ist nicht angemeldet`,
`ist nicht registriert`, `Falscher Name oder falsches Kennwort`), known from the vendor's own program; the statuses are
assumptions.
"""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than success. `message`: German, as Advoware's users would read it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, message)


def no_token() -> ApiError:
    """401 on an API call: no token, an unknown one, or one that ran out."""
    return ApiError(401, "Das Token fehlt, ist ungültig oder abgelaufen.")


def wrong_credentials() -> ApiError:
    """401 on the token request: user or password."""
    return ApiError(401, "Falscher Name oder falsches Kennwort.")


def not_activated() -> ApiError:
    """403: the app is not activated for this firm."""
    return ApiError(403, "Das Produkt ist für diese Kanzlei nicht freigeschaltet.")


def not_registered() -> ApiError:
    """403: firm or database unknown to the relay."""
    return ApiError(403, "Die Kanzlei/Datenbank ist nicht registriert.")


def offline() -> ApiError:
    """503: the firm's connector is not connected to the relay."""
    return ApiError(503, "Die Kanzlei/Datenbank ist nicht angemeldet.")


def not_found(what: str) -> ApiError:
    """404: no such Beteiligter or entry. `what`: noun and number."""
    return ApiError(404, f"{what} wurde nicht gefunden.")


def forbidden() -> ApiError:
    """403: every DELETE."""
    return ApiError(403, "Das Löschen ist über die Schnittstelle nicht erlaubt.")
