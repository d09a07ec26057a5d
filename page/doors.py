"""Who is in: sessions and refused logins, in Redis, so that each instance of the page knows them and they outlive it.

Redis holds only digests of what a browser holds: who reads Redis can't log in with that.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets

from services.state_redis_part import RedisPart

IDLE_SECONDS = 3600
"""A session nobody uses ends after this; what the page asks by itself is no use."""
WHOLE_SECONDS = 12 * 3600
"""And any session after this."""
TRIES, TRIES_SECONDS = 10, 900
"""So many refused logins an address has in this time."""

# KEYS: the session. ARGV: now, idle seconds, whole seconds, '1' if a person asked.
SESSION = """
local began = redis.call('GET', KEYS[1])
if not began then return 0 end
local left = math.floor(tonumber(began) + tonumber(ARGV[3]) - tonumber(ARGV[1]))
if left <= 0 then redis.call('DEL', KEYS[1]) return 0 end
if ARGV[4] == '1' then redis.call('EXPIRE', KEYS[1], math.min(left, tonumber(ARGV[2]))) end
return 1
"""

REFUSED = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class Doors(RedisPart):
    """Sessions and refused logins. Raises what Redis says (`services.errors`)."""

    def open(self) -> str:
        """Begin a session; gives what the browser keeps."""
        ticket = fresh()
        self._ask(lambda client: client.set(self._session(ticket), f"{self._clock():.0f}", ex=IDLE_SECONDS))
        return ticket

    def is_open(self, ticket: str, *, used: bool) -> bool:
        """Whether the ticket is of a session. `used`: a person asks, so it begins to idle anew."""
        if not ticket:
            return False
        arguments = (f"{self._clock():.0f}", IDLE_SECONDS, WHOLE_SECONDS, int(used))
        return bool(self._script(SESSION, (self._session(ticket),), arguments))

    def shut(self, ticket: str) -> None:
        """End a session."""
        self._ask(lambda client: client.delete(self._session(ticket)))

    def may_try(self, address: str) -> bool:
        """Whether somebody at this address may try to log in."""
        count = self._ask(lambda client: client.get(self._refused(address)))
        return int(count or 0) < TRIES

    def refused(self, address: str) -> None:
        """A login from this address was refused."""
        self._script(REFUSED, (self._refused(address),), (TRIES_SECONDS,))

    def _session(self, ticket: str) -> str:
        return self._key("session:" + hashlib.sha256(ticket.encode()).hexdigest())

    def _refused(self, address: str) -> str:
        return self._key("refused:" + hashlib.sha256(network(address).encode()).hexdigest()[:32])


def fresh() -> str:
    """Something nobody can guess."""
    return secrets.token_urlsafe(32)


def same(given: str, wanted: str) -> bool:
    """Compare secrets; the time taken tells nothing."""
    left, right = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, wanted))
    return hmac.compare_digest(left, right)


def seal_of(ticket: str) -> str:
    """What forms of this ticket's page send along, and other sites can't know (CSRF)."""
    return hmac.new(ticket.encode(), b"form", hashlib.sha256).hexdigest()


def network(address: str) -> str:
    """Where somebody is: an IPv4 address, or the 64 bits of IPv6 that one subscriber has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))  # noqa: PLR2004 - IPv4
