"""Every error the sync raises. The main split is what to do about it.

* `RetryLater`: nothing is wrong with the record; try again later.
* `NeedsPerson`: trying again will not help; a person must look.
* `Bug`: our own fault.

An error's text is one clear sentence that may name ids and kinds, never a client's value.
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of all errors. `system` is 'Advoware', 'EspoCRM', 'Redis' or ''; `status` the HTTP status, if there was one."""

    counts_against_record = True
    """False where the cause is not the record's (a system is down): no retry budget is used up."""

    def __init__(self, message: str, *, system: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.system = system
        self.status = status


class RetryLater(SyncError):
    """Nothing is wrong with the record; the same call may succeed later."""


class NeedsPerson(SyncError):
    """Trying again will not help before a person has looked."""


class Bug(SyncError):
    """The code broke one of its own promises."""


class InvalidInput(NeedsPerson):
    """A caller's argument is unusable (unknown direction, no id, ...)."""


class Unconfigured(NeedsPerson):
    """A setting is missing or unusable; the text names the variable, never its value."""

    counts_against_record = False


class AuthFailed(NeedsPerson):
    """Credentials were refused, also after one renewal of the token (401)."""

    counts_against_record = False


class NotActivated(NeedsPerson):
    """Advoware: the app or the employee is not activated for this firm ('freigeschaltet', 'nicht registriert')."""

    counts_against_record = False


class Forbidden(NeedsPerson):
    """The right is missing (403). Expected for every DELETE in Advoware."""


class NotFound(NeedsPerson):
    """The record does not exist, or no longer (404)."""


class Validation(NeedsPerson):
    """The request was refused as invalid (400). `field`: the field EspoCRM names, '' if none; `kind`: type of failure."""

    def __init__(self, message: str, *, system: str, status: int | None = 400, field: str = "", kind: str = "") -> None:
        super().__init__(message, system=system, status=status)
        self.field = field
        self.kind = kind


class Conflict(RetryLater):
    """The record moved since it was read (409, 412)."""


class ConnectorOffline(RetryLater):
    """The firm's connector is not reachable through the relay ('ist nicht angemeldet')."""

    counts_against_record = False


class RateLimited(RetryLater):
    """429. `retry_after`: seconds the server asks for, or None."""

    counts_against_record = False

    def __init__(self, message: str, *, system: str, status: int | None = 429, retry_after: float | None = None) -> None:
        super().__init__(message, system=system, status=status)
        self.retry_after = retry_after


class ServerError(RetryLater):
    """The server failed (5xx). A write may have been carried out all the same."""


class Unreachable(RetryLater):
    """No connection, or it broke. `maybe_done`: a write may have been carried out (the request had been sent)."""

    counts_against_record = False

    def __init__(self, message: str, *, system: str, maybe_done: bool) -> None:
        super().__init__(message, system=system)
        self.maybe_done = maybe_done


class TimedOut(Unreachable):
    """No answer within the time limit. A write may have been, or may still be, carried out (`maybe_done`)."""

    counts_against_record = True


class BadAnswer(RetryLater):
    """The answer is not what the system gives (broken JSON, no `kommunikation`, ...): never read as 'everything is gone'."""


class LeaseBusy(RetryLater):
    """Another worker has the record. Costs no retry budget."""

    counts_against_record = False


class LeaseLost(RetryLater):
    """Our lease on the record ran out, and another worker may have it: nothing more may be written."""

    counts_against_record = False


class PlanOutdated(NeedsPerson):
    """Either side, the base or the rules have changed since the plan was made: look at a new one."""


class NotInScope(NeedsPerson):
    """Shadow mode, or the record is not on the pilot list: nothing may be written."""

    counts_against_record = False


class RecordProblem(NeedsPerson):
    """The pair of records can't be synchronised; `cause` says why. No value was touched."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause
