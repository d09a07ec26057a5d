"""Optional encryption of client data at rest in Redis (`KOMM_DATA_KEY`), by the Fernet scheme of `cryptography`.

Several keys may be given, separated by commas: the first one seals, all of them open, so that a key can be changed
without losing what an older one sealed. What was stored before there was a key stays readable and is sealed when it is
next written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.errors import NeedsPerson, Unconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.fernet import MultiFernet

_MARK = "f1:"
"""Before a sealed text; a plain one begins with the '{' of its JSON."""


class Seal(Protocol):
    """Closes and opens the written form of client data."""

    def close(self, text: str) -> str:
        """Give the form to store."""

    def open(self, stored: str, what: str) -> str:
        """Give the text back; `NeedsPerson` where it can't be opened. `what` says in the error what it is."""


class OpenSeal:
    """No encryption."""

    def close(self, text: str) -> str:
        """Give the text as it is."""
        return text

    def open(self, stored: str, what: str) -> str:
        """Give the text as it is; raises `NeedsPerson` where it was sealed."""
        if stored.startswith(_MARK):
            raise NeedsPerson(f"{what[:1].upper()}{what[1:]} is encrypted, and KOMM_DATA_KEY is not set.", system="Redis")
        return stored


class FernetSeal:
    """Encrypts with the first key, decrypts with any. Raises `Unconfigured` for unusable keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Imported late: only installations with a key pay for it.
        from cryptography.fernet import Fernet, MultiFernet

        try:
            self._fernet: MultiFernet = MultiFernet([Fernet(key.strip()) for key in keys])
        except ValueError:
            usable = False
        else:
            usable = True
        if not usable:
            raise Unconfigured("KOMM_DATA_KEY is unusable: one or more Fernet keys (44 characters), separated by commas.")

    def close(self, text: str) -> str:
        """Encrypt."""
        return _MARK + self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, stored: str, what: str) -> str:
        """Decrypt; what was stored in the open is given as it is."""
        if not stored.startswith(_MARK):
            return stored
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(stored.removeprefix(_MARK)).decode()
        except InvalidToken:
            pass
        raise NeedsPerson(f"No key in KOMM_DATA_KEY opens {what}.", system="Redis")


def seal_from(keys: str | None) -> Seal:
    """The seal for the value of `KOMM_DATA_KEY`; without one nothing is encrypted."""
    given = [key for key in (keys or "").split(",") if key.strip()]
    return FernetSeal(given) if given else OpenSeal()
