"""What only a store in Redis can promise: leases that outlive pauses and crashes, durability, silence, few questions."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.errors import Bug, LeaseBusy, LeaseLost, NeedsPerson, ServerError, SyncError, Unconfigured, Unreachable
from services.kommunikation_types import Base, BaseEntry, OpenWrite
from services.state import DueEntry, RecordState, RecordStatus
from services.state_redis import RedisState
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.state.support import Clock, Server

ROOT = Path(__file__).resolve().parents[2]
CANARY = "+49511999123456"


class Worker:
    """Talks to `worker.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        """Wait for its next word."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, word: str) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()


@contextmanager
def worker(server: Server, prefix: str, seconds: float, espo_id: str) -> Iterator[Worker]:
    """Run a worker that has taken the record."""
    command = [sys.executable, "-m", "tests.state.worker", server.url, prefix, str(seconds), espo_id]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        other = Worker(process)
        assert other.hear() == "held"
        yield other
    finally:
        process.kill()
        process.communicate()


def free(store: RedisState, espo_id: str) -> bool:
    """Tell whether the record can be taken."""
    try:
        store.acquire(espo_id).release()
    except LeaseBusy:
        return False
    return True


def test_a_worker_that_was_paused_can_neither_write_nor_store(
    redis_server: Server, redis_state: RedisState, prefix: str
) -> None:
    with worker(redis_server, prefix, 0.6, "r1") as paused:
        paused.tell("check")
        assert paused.hear() == "ok"
        paused.process.send_signal(signal.SIGSTOP)
        eventually(lambda: free(redis_state, "r1"))
        with redis_state.acquire("r1") as lease:
            redis_state.save(lease, Base(betnr=1, digest_espocrm="the worker that took over"))
            paused.process.send_signal(signal.SIGCONT)
            for order in ("check", "save", "check"):
                paused.tell(order)
                assert paused.hear() == "LeaseLost"
            paused.tell("release")
            assert paused.hear() == "ok"
            lease.check()
    assert redis_state.load("r1") == Base(betnr=1, digest_espocrm="the worker that took over")


def test_the_record_of_a_killed_worker_is_free_after_its_lease(
    redis_server: Server, redis_state: RedisState, prefix: str
) -> None:
    with worker(redis_server, prefix, 0.6, "r1") as killed:
        assert not free(redis_state, "r1")
        killed.process.kill()
        eventually(lambda: free(redis_state, "r1"), 5)


def test_a_lease_lasts_as_long_as_the_work(redis_server: Server, prefix: str) -> None:
    store = RedisState.connect(redis_server.url, prefix=prefix, lease_seconds=0.3)
    other = RedisState.connect(redis_server.url, prefix=prefix)
    leases = [store.acquire(f"r{number}") for number in range(5)]
    time.sleep(1.2)
    for lease in leases:
        assert not free(other, lease.espo_id)
        lease.check()
        lease.release()


def test_one_thread_renews_all_leases_and_ends_with_them(redis_server: Server, prefix: str) -> None:
    def keepers() -> int:
        return len([thread for thread in threading.enumerate() if thread not in others])

    others = set(threading.enumerate())
    store = RedisState.connect(redis_server.url, prefix=prefix, lease_seconds=0.3)
    leases = [store.acquire(f"r{number}") for number in range(5)]
    assert keepers() == 1
    for lease in leases:
        lease.release()
    eventually(lambda: keepers() == 0)
    with store.acquire("r1") as lease:
        time.sleep(0.6)
        lease.check()


def test_a_worker_without_redis_stops_writing_when_its_lease_may_be_over(own_server: Server) -> None:
    store = RedisState.connect(own_server.url, lease_seconds=1)
    lease = store.acquire("r1")
    own_server.kill()
    with pytest.raises((Unreachable, LeaseLost)):
        lease.check()
    time.sleep(1)
    with pytest.raises(LeaseLost):
        lease.check()
    lease.release()  # says nothing: the work's own outcome is what counts


def test_a_lease_survives_a_short_absence_of_redis(own_server: Server) -> None:
    store = RedisState.connect(own_server.url, lease_seconds=10)
    with store.acquire("r1") as lease:
        own_server.kill()
        own_server.start()
        lease.check()
        store.save(lease, Base(betnr=1))


def test_nothing_stored_is_lost_when_redis_crashes(own_server: Server) -> None:
    store = RedisState.connect(own_server.url)
    with store.acquire("r1") as lease:
        store.save(lease, Base(betnr=1))
    store.ring(["r1", "r2"])
    store.park("r2", "two records")
    token = store.due_token(["r1"])["r1"]
    digest = store.digest(CANARY)
    own_server.kill()
    own_server.start()
    again = RedisState.connect(own_server.url)
    assert again.load("r1") == Base(betnr=1)
    assert again.due(10) == ["r1"]
    assert again.due_token(["r1"])["r1"] == token
    assert [entry.key for entry in again.parked()] == ["r2"]
    assert again.digest(CANARY) == digest


def test_a_store_that_lost_everything_knows_nothing_and_ends_the_work_under_way(
    redis_server: Server, redis_state: RedisState, prefix: str
) -> None:
    lease = redis_state.acquire("r1")
    redis_state.save(lease, Base(betnr=1))
    delete_all(redis_server, prefix)
    assert redis_state.load("r1") is None
    with pytest.raises(LeaseLost):
        redis_state.save(lease, Base(betnr=1))
    with pytest.raises(LeaseLost):
        lease.check()
    with redis_state.acquire("r1") as fresh:
        redis_state.save(fresh, Base(betnr=1))


def test_a_lost_counter_blocks_no_record(redis_server: Server, redis_state: RedisState, prefix: str) -> None:
    for _ in range(3):
        with redis_state.acquire("r1") as before:
            redis_state.save(before, Base(betnr=1))
    raw(redis_server).delete(prefix + "fence")
    with redis_state.acquire("r1") as after:
        redis_state.save(after, Base(betnr=2))
        assert after.fence > before.fence
    assert redis_state.load("r1") == Base(betnr=2)


def test_a_base_stored_under_a_higher_number_is_not_replaced(
    redis_server: Server, redis_state: RedisState, prefix: str
) -> None:
    with redis_state.acquire("r1") as lease:
        redis_state.save(lease, Base(betnr=1))
        raw(redis_server).hset(f"{prefix}data:base:r1", "fence", lease.fence + 1)
        with pytest.raises(LeaseLost):
            redis_state.save(lease, Base(betnr=2))
    assert redis_state.load("r1") == Base(betnr=1)


def test_all_workers_share_one_store(redis_server: Server, redis_state: RedisState, prefix: str, clock: Clock) -> None:
    other = RedisState.connect(redis_server.url, prefix=prefix, clock=clock)
    third = RedisState.connect(redis_server.url, prefix=prefix)
    assert redis_state.digest("x") == other.digest("x") == third.digest("x")
    redis_state.register_links([("a", 1), ("b", 2), ("c", 3)])
    assert (redis_state.next_links(2), other.next_links(2)) == ([("a", 1), ("b", 2)], [("c", 3), ("a", 1)])
    redis_state.ring(["r1"])
    assert (other.due(5), redis_state.due(5)) == (["r1"], [])
    redis_state.token_cache().put("k", "token", 60)
    assert other.token_cache().get("k") == "token"


def test_two_prefixes_are_two_stores(redis_server: Server, redis_state: RedisState) -> None:
    other = RedisState.connect(redis_server.url, prefix="other:")
    redis_state.set_mark("m", "x")
    redis_state.journal("r1", [{}])
    assert other.get_mark("m") is None
    assert other.digest("x") != redis_state.digest("x")
    with redis_state.acquire("r1"), other.acquire("r1"):
        pass


@pytest.mark.parametrize(
    "text", ['{"v":2,"betnr":1,"new":"%s"}', '{"v":1,"betnr":1,"entries":{"1":{"value":"%s"}}}', '["%s"]', "%s", '"%s"']
)
def test_a_base_that_cannot_be_read_stops_the_record_and_stays(
    redis_server: Server, redis_state: RedisState, prefix: str, text: str
) -> None:
    stored = text % CANARY
    raw(redis_server).hset(f"{prefix}data:base:r1", "base", stored)
    with pytest.raises(NeedsPerson, match="r1") as refused:
        redis_state.load("r1")
    assert CANARY not in everything_said_by(refused.value)
    assert raw(redis_server).hget(f"{prefix}data:base:r1", "base") == stored


def test_client_data_stands_under_data_only(redis_server: Server, redis_state: RedisState, prefix: str) -> None:
    use_everything(redis_state)
    client = raw(redis_server)
    with_canary = {key for key in keys_of(client, prefix) if CANARY in repr(content(client, key))}
    assert with_canary == {f"{prefix}data:{name}:r1" for name in ("base", "lists", "journal")}


@pytest.mark.parametrize("kind", ["hash", "string", "set"])
def test_a_refusal_of_redis_is_told_without_values(
    redis_server: Server, redis_state: RedisState, prefix: str, kind: str
) -> None:
    use_everything(redis_state)
    client = raw(redis_server)
    for key in keys_of(client, prefix):
        client.delete(key)
        {
            "hash": lambda key: client.hset(key, CANARY, CANARY),
            "string": lambda key: client.set(key, CANARY),
            "set": lambda key: client.sadd(key, CANARY),
        }[kind](key)
    failures = []
    for question in questions(redis_state):
        try:
            question()
        except SyncError as error:
            failures.append(error)
    refusals = [error for error in failures if isinstance(error, ServerError)]
    assert len(refusals) > 10
    assert {(error.system, error.counts_against_record) for error in refusals} == {("Redis", False)}
    assert not [error for error in failures if CANARY in everything_said_by(error)]


def test_a_redis_that_is_down_is_told_soon(own_server: Server) -> None:
    store = RedisState.connect(own_server.url)
    store.ping()
    own_server.kill()
    start = time.monotonic()
    with pytest.raises(Unreachable):
        store.ping()
    assert time.monotonic() - start < 3


def test_a_redis_that_is_down_is_told_by_every_question(own_server: Server) -> None:
    patient_for_nothing = Retry(NoBackoff(), 0)
    store = RedisState(redis.Redis(port=own_server.port, decode_responses=True, retry=patient_for_nothing))
    own_server.kill()
    for question in questions(store):
        with pytest.raises(Unreachable) as failed:
            question()
        assert failed.value.system == "Redis"
        assert not failed.value.counts_against_record
        assert CANARY not in everything_said_by(failed.value)


def test_a_redis_that_hangs_is_given_up(own_server: Server) -> None:
    store = RedisState.connect(own_server.url)
    store.ping()
    assert own_server.process is not None
    own_server.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(Unreachable):
        store.ping()
    assert time.monotonic() - start < 10


def test_a_wrong_password_is_told_without_it(own_server: Server) -> None:
    raw(own_server).config_set("requirepass", "right")
    for url in (own_server.url, own_server.url.replace("//", "//:wrong-password@")):
        with pytest.raises(Unreachable, match="REDIS_URL") as refused:
            RedisState.connect(url).ping()
        assert "wrong-password" not in everything_said_by(refused.value)
    RedisState.connect(own_server.url.replace("//", "//:right@")).ping()


def test_an_unusable_address_is_told_without_it() -> None:
    url = "http://:secret-word@127.0.0.1/"
    with pytest.raises(Unconfigured, match="REDIS_URL") as refused:
        RedisState.connect(url)
    assert "secret-word" not in everything_said_by(refused.value)


def test_a_client_that_gives_bytes_is_refused(redis_server: Server) -> None:
    with pytest.raises(Bug):
        RedisState(redis.Redis(port=redis_server.port))


def test_who_needs_no_redis_does_not_load_its_client() -> None:
    code = "import sys, services.state; sys.exit('redis' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_question_is_one_round_trip(own_server: Server) -> None:
    store = RedisState.connect(own_server.url)
    asked = questions(store)
    for question in asked:  # the server learns the scripts, the client connects
        question()
    store.release("r1")
    client = raw(own_server)
    lease = store.acquire("r1")
    base = Base(betnr=1)
    numbers = {}
    for name, question in [
        ("check", lease.check),
        ("save", lambda: store.save(lease, base)),
        ("load", lambda: store.load("r1")),
        ("register_link", lambda: store.register_link("a", 1)),
        ("next_links", lambda: store.next_links(5)),
        ("ring", lambda: store.ring(["r1", "r2"])),
        ("due", lambda: store.due(5)),
        ("settle", lambda: store.settle("r1", "")),
        ("postpone", lambda: store.postpone("r1", "x", counts=True)),
        ("set_status", lambda: store.set_status("r1", RecordStatus(1, RecordState.EQUAL))),
        ("set_lists", lambda: store.set_lists("r1", conflicts=[{"id": "a"}], held_back=[], notices=[{"id": "b"}])),
        ("journal", lambda: store.journal("r1", [{}, {}])),
        ("count", lambda: store.count(a=1, b=2)),
        ("digest", lambda: store.digest("x")),
        ("release", lease.release),
        ("acquire", lambda: store.acquire("r3").release()),
    ]:
        before = reads(client)
        question()
        numbers[name] = reads(client) - before - 1  # the question for the number itself
    assert numbers == dict.fromkeys(numbers, 1) | {"digest": 0, "acquire": 2}


def test_the_due_list_shows_what_failed(redis_state: RedisState, clock: Clock) -> None:
    """Keys may hold any text, also what separates fields in the store."""
    redis_state.ring(["a:b|c", "ü*"])
    entry = redis_state.postpone("a:b|c", "cause: with | signs", counts=True)
    assert entry == DueEntry("a:b|c", clock.now + 60, 1, "cause: with | signs")
    assert redis_state.due_entries(5) == [DueEntry("ü*", clock.now), entry]
    assert redis_state.settle("a:b|c", redis_state.due_token(["a:b|c"])["a:b|c"])


def raw(server: Server) -> redis.Redis:
    return redis.Redis(port=server.port, decode_responses=True)


def reads(client: redis.Redis) -> int:
    return int(client.info("stats")["total_reads_processed"])


def keys_of(client: redis.Redis, prefix: str) -> list[str]:
    return [key for key in client.scan_iter() if key.startswith(prefix)]


def delete_all(server: Server, prefix: str) -> None:
    client = raw(server)
    client.delete(*keys_of(client, prefix))


def content(client: redis.Redis, key: str) -> object:
    return {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }[client.type(key)](key)


def everything_said_by(error: BaseException) -> str:
    """What a logger could print, the errors behind it included, even those it would suppress."""
    said = "".join(traceback.format_exception(error))
    context = error.__context__
    while context is not None:
        said += repr(context)
        context = context.__context__
    return said + repr(error) + repr(vars(error))


def use_everything(store: RedisState) -> None:
    """Use every method that stores, with the canary wherever client data belongs."""
    with store.acquire("r1") as lease:
        entries = {1: BaseEntry(CANARY, 1, "A", CANARY, "Office")}
        writes = (OpenWrite(1, 1, CANARY, CANARY, CANARY, CANARY),)
        store.save(lease, Base(betnr=1, entries=entries, open_writes=writes, digest_advoware=store.digest(CANARY)))
    found = [{"id": store.digest(CANARY), "advoware": CANARY}]
    store.set_lists("r1", conflicts=found, held_back=found, notices=found)
    store.journal("r1", [{"before": CANARY, "after": CANARY}])
    for question in questions(store):
        question()


def questions(store: RedisState) -> list[Callable[[], object]]:
    """Every method, asked once, without client data."""

    def locked() -> None:
        with store.acquire("r1") as lease:
            lease.check()
            store.save(lease, Base(betnr=1, entries={1: BaseEntry(CANARY, 1, "A")}))

    status = RecordStatus(1, RecordState.PENDING, "x")
    return [
        locked,
        lambda: store.load("r1"),
        lambda: store.register_link("r1", 1),
        lambda: store.register_links([("r2", 2), ("r3", None)]),
        lambda: store.espo_ids([1, 2]),
        lambda: store.next_links(3),
        store.link_count,
        lambda: store.ring(["r1", "r2", "r3"]),
        lambda: store.due(1),
        lambda: store.due_token(["r1"]),
        lambda: store.settle("r1", ""),
        lambda: store.postpone("r2", "x", counts=True),
        lambda: store.park("r3", "x"),
        store.parked,
        lambda: store.due_entries(5),
        store.due_count,
        lambda: store.release("r1"),
        lambda: store.set_status("r1", status),
        lambda: store.status("r1"),
        store.status_counts,
        lambda: store.set_lists("r1", notices=[{"id": "n", "value": CANARY}]),
        lambda: store.lists("r1"),
        store.list_counts,
        lambda: store.acknowledge("r1", "none"),
        lambda: store.journal("r1", [{"after": CANARY}]),
        lambda: store.journal_of("r1", 5),
        store.cleanup,
        lambda: store.count(a=1),
        store.counters,
        lambda: store.set_mark("m", "x"),
        lambda: store.get_mark("m"),
        lambda: store.slot_since(1, [1, 2]),
        lambda: store.set_slot_report(1, {"slots": 2}),
        store.slot_reports,
        store.ping,
        lambda: store.digest(CANARY),
    ]
