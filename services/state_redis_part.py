"""The one place through which everything asks Redis: names of keys, scripts, errors.

Scripts touch several keys at once, so the store is one Redis (or Valkey), not a Redis Cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from services.errors import Bug, RetryLater, ServerError, Unreachable
from services.lean_redis import redis
from services.state_seal import OpenSeal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from redis.client import Pipeline

    from services.state_seal import Seal

    Argument = str | int | float


class Part(NamedTuple):
    """One of several scripts that run as one, with its own KEYS and ARGV."""

    lua: str
    keys: Sequence[str]
    arguments: Sequence[Argument] = ()


_DRIVER = """
local key, argument, answers = 0, 2 * #parts, {}
for number, part in ipairs(parts) do
  local keys, arguments = {}, {}
  for i = 1, tonumber(ARGV[2 * number - 1]) do keys[i] = KEYS[key + i] end
  for i = 1, tonumber(ARGV[2 * number]) do arguments[i] = ARGV[argument + i] end
  key, argument = key + #keys, argument + #arguments
  answers[number] = part(keys, arguments) or 1
  if number == 1 and answers[1] == 0 then return answers end
end
return answers
"""


def chained(scripts: Iterable[str]) -> str:
    """One script of several: each sees its own share under the names KEYS and ARGV."""
    functions = (f"function(KEYS, ARGV)\n{lua}\nend" for lua in scripts)
    return f"local parts = {{\n{','.join(functions)}\n}}\n{_DRIVER}"


COUNT = "for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end"
AnyPart = TypeVar("AnyPart", bound="RedisPart")


class RedisPart:
    """Common part of the pieces `RedisState` is made of."""

    seal: Seal = OpenSeal()
    """Closes what stands under `data:`; set once by `RedisState`."""

    def __init__(self, client: redis.Redis, prefix: str, clock: Callable[[], float]) -> None:
        if not client.get_encoder().decode_responses:
            raise Bug("RedisState needs a client with decode_responses=True; RedisState.connect makes one.")
        self._redis = client
        self._prefix = prefix
        self._clock = clock

    def beside(self, kind: type[AnyPart], prefix: str) -> AnyPart:
        """Another part on the same connection, with keys of its own."""
        return kind(self._redis, self._prefix + prefix, self._clock)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _ask(self, question: Callable[[redis.Redis], object]) -> Any:
        """Run one command. Errors of Redis become ours, without what they say: they may repeat the command's values.

        `Any`, because the client's own types allow for bytes, which `decode_responses` rules out.
        """
        try:
            return question(self._redis)
        except (redis.RedisError, OSError) as error:
            failure = _as_ours(error)
        raise failure  # outside the handler, so that the original is not even its context

    def _all(self, fill: Callable[[Pipeline], object]) -> list[Any]:
        """Run several commands as one transaction, in one round trip."""

        def question(client: redis.Redis) -> list[Any]:
            with client.pipeline(transaction=True) as pipe:
                fill(pipe)
                return pipe.execute()

        answers: list[Any] = self._ask(question)
        return answers

    def _counting(self, increments: Mapping[str, int]) -> list[Part]:
        """Adds to counters, as part of another script; nothing to add, no part."""
        pairs = [part for pair in increments.items() for part in pair]
        return [Part(COUNT, (self._key("counters"),), pairs)] if pairs else []

    def _scripts(self, parts: Sequence[Part]) -> list[Any]:
        """Run several scripts as one, in one round trip; where the first one gives 0, it alone. Gives their answers."""
        lua = chained(part.lua for part in parts)
        sizes = [size for part in parts for size in (len(part.keys), len(part.arguments))]
        keys = [key for part in parts for key in part.keys]
        answers: list[Any] = self._script(lua, keys, [*sizes, *(one for part in parts for one in part.arguments)])
        return answers

    def _script(self, lua: str, keys: Iterable[str], arguments: Iterable[Argument]) -> Any:
        """Run a script: one round trip, or three the first time a server sees it."""
        return self._ask(lambda client: client.register_script(lua)(list(keys), list(arguments)))


def _as_ours(error: Exception) -> RetryLater:
    if isinstance(error, redis.AuthenticationError):
        return Unreachable("Redis refused the credentials in REDIS_URL.", system="Redis", maybe_done=False)
    if isinstance(error, redis.TimeoutError):
        return Unreachable("Redis did not answer in time.", system="Redis", maybe_done=True)
    if isinstance(error, redis.ConnectionError | OSError):
        return Unreachable("Redis can't be reached.", system="Redis", maybe_done=True)
    # An error code is the first word, in capitals (OOM, READONLY, MISCONF); what follows may hold values.
    words = str(error).split(maxsplit=1)
    code = f" ({words[0]})" if words and words[0].isalpha() and words[0].isupper() else ""
    failure = ServerError(f"Redis refused a command{code}: {type(error).__name__}.", system="Redis")
    failure.counts_against_record = False  # a full disk or memory is not the record's fault
    return failure
