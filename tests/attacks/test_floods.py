"""Whoever asks for too much: strangers by the thousand, and a member that floods.

All of it goes on while honest members talk.  The site is one of its own: what an address has asked
for here is not forgotten at once.
"""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from node.codec import PROTOCOL
from node.codec.frames import write_hello
from node.rpc import budget
from node.rpc.options import REQUEST_BYTES_MAX
from p2pchat.v1 import common_pb2, node_pb2
from tests.attacks.site import CHAT, HONEST, Refused, Site, build, call, channel, refused
from tests.e2e.cluster import Cluster
from tests.e2e.ears import Ear
from tests.e2e.figures import resident_mb
from tests.waiting import CALL_S, WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("floods")

TOO_MANY = Refused("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
ENDS_S = 90.0  # for a thousand strangers to hang up, beside other tests
PATIENCE_S = 15.0  # for a line to be with everybody meanwhile, beside other tests, too
MIXED = (
    "idle=300",
    "calling=200",
    "silent=200",
    "halfway=200",
    "opened=50",
    "resets=30",
    "pings=20",
)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = build(tmp_path_factory.mktemp("yard"))
    yield made
    made.cluster.check_logs()
    made.cluster.close()


@contextmanager
def strangers(address: str, *kinds: str) -> Iterator[Counter[str]]:
    """They are there, each of them; their counts at the end."""
    command = [sys.executable, "-m", "tests.attacks.strangers", address, *kinds]
    counts: Counter[str] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        try:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == "ready\n"
            yield counts
            crowd.terminate()
            counts.update(json.loads(crowd.communicate(timeout=ENDS_S)[0]))
        finally:
            crowd.kill()


def talk(site: Site, count: int, by: str = "alice") -> None:
    """So many lines, each with all within `PATIENCE_S`."""
    for n in range(count):
        text = f"{by} says {n} at {time.monotonic()}"
        site.cluster[by].post(CHAT, text)
        for name in HONEST:
            _comes_to(site, name, text)


def _comes_to(site: Site, name: str, text: str) -> None:
    wait_for(lambda: site.cluster[name].texts(CHAT)[-1] == text, f"{name} has it", PATIENCE_S)


# ---- strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [0, 200], ids=["of the honest", "of their own"])
def test_a_thousand_strangers_silence_nobody(yard: Site, addresses: int) -> None:
    """Who comes back, and who is invited, gets in meanwhile."""
    victim = yard.listen["bob"]
    with strangers(victim, *MIXED, "--rate", "5", "--addresses", str(addresses)) as counts:
        talk(yard, 5)
        carol = yard.cluster["carol"]
        carol.down()
        carol.up()
        wait_for(lambda: carol.chat(CHAT) and carol.chat(CHAT).alive == 3, "carol is back")
        yard.listen["carol"] = carol.ask("GetStatus").listen
        line = yard.cluster["bob"].row("invite", "-c", CHAT, "--once")["join"]
        guest = yard.cluster.add(f"guest{addresses}")
        guest.run("join", line, "--no-ui", "--nick", guest.name)
        guest.run("leave", CHAT)
        guest.down()
        talk(yard, 5, "carol")
    assert counts["calls"] > 1_000
    assert counts["idle opened"] >= 300
    served = budget.STRANGER_CALLS.burst + 120 * budget.STRANGER_CALLS.a_second
    assert counts["answers"] - counts["streams reset"] < served


def test_who_says_nothing_or_stops_in_the_handshake_is_shut(yard: Site) -> None:
    with strangers(yard.listen["bob"], "silent=50", "halfway=50") as counts:
        time.sleep(12)
        talk(yard, 1)
    assert counts["silent shut"] >= 50 + counts["silent now"]
    assert counts["silent opened"] > 50, "it was shut, and came back"
    assert counts["halfway opened"] > 50


def test_calls_that_are_begun_and_never_made_hold_nothing_up(yard: Site) -> None:
    bob = yard.cluster["bob"]
    before = resident_mb(bob.pid)
    with strangers(yard.listen["bob"], "opened=200") as counts:
        talk(yard, 3)
        for name in ("alice", "carol"):
            assert yard.cluster[name].run("ping", "bob", "-c", CHAT)
        grown = resident_mb(bob.pid) - before
        time.sleep(12)
    assert counts["calls"] >= 20_000
    assert counts["opened opened"] > 200, "who says no more is shut"
    assert grown < 120, f"{grown:.0f} MB for calls that nobody made"  # 20,000 of some 3.5 KB


def test_a_stranger_that_asks_too_much_is_told_once_what_and_when(yard: Site) -> None:
    """At carol, of whom nobody has asked anything yet."""
    with channel(yard.listen["carol"], yard.stranger.tls) as made:
        ping = made.unary_unary("/p2pchat.v1.Node/LivenessPing")
        request = node_pb2.LivenessPingRequest(caller=common_pb2.Caller(chat_id=1))
        ends: Counter[str] = Counter()
        told = ""
        until = time.monotonic() + 60
        while not ends["CANCELLED"] and time.monotonic() < until:
            many = [ping.future(request.SerializeToString(), timeout=WAIT_S) for _ in range(50)]
            for error in (one.exception() for one in many):
                end = refused(error)
                ends[f"{end.code} {end.reason}".strip()] += 1
                told = told or (error.details() if end == TOO_MANY else "")
    assert ends["NOT_FOUND UNKNOWN_CHAT"] >= budget.ADDRESS_CALLS.burst
    assert ends["RESOURCE_EXHAUSTED TOO_MANY_CALLS"] > 0
    assert ends["CANCELLED"] > 0
    assert "calls a second of an address that is no member's; come again in" in told
    talk(yard, 1)


def test_a_stranger_s_calls_full_of_signatures_depose_nobody(yard: Site) -> None:
    """Thousands of records under an id of its own making, each to be looked at, ten times a second
    at the leader.
    """
    before = yard.calm()
    leader = next(name for name in HONEST if yard.id[name] == _led(before)["bob"][0])
    over, ends = threading.Event(), Counter[str]()

    def told(future: Any) -> None:
        end = refused(future.exception())
        ends[f"{end.code} {end.reason}".strip()] += 1

    def flood() -> None:
        with channel(yard.listen[leader], yard.stranger.tls) as made:
            update, calls = made.unary_unary("/p2pchat.v1.Node/UpdateMembers"), list[Any]()
            while not over.wait(0.05):
                calls.append(update.future(_unsigned(yard, 3_000), timeout=CALL_S))
                calls[-1].add_done_callback(told)
            for one in calls:
                one.exception()

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        time.sleep(8)
        talk(yard, 3)
    finally:
        over.set()
        flooding.join()
    assert _led(yard.calm()) == _led(before)
    assert set(ends) == {"INVALID_ARGUMENT BAD_FIELD", "RESOURCE_EXHAUSTED TOO_MANY_CALLS"}, ends
    assert sum(ends.values()) > 50


def _led(state: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """By whom, and in which epoch, as each member has it."""
    return {name: state[name][1] for name in HONEST}


def _unsigned(site: Site, count: int) -> bytes:
    """So many records of nobody, in the clear, and no signature of a card twice."""
    caller = common_pb2.Caller(
        chat_id=site.chat, node_id=2**53 - 5, incarnation=1, protocol=PROTOCOL
    )
    request = node_pb2.UpdateMembersRequest(caller=caller)
    one = common_pb2.MemberRecord(
        member_id=caller.node_id,
        identity=site.stranger.identity,
        address="a:1",
        life=common_pb2.LIFE_ALIVE,
        card=common_pb2.KeyCard(certificate=b"c", seal_key=b"s" * 32),
    )
    for _ in range(count):
        one.card.signature = site.stranger.identity + os.urandom(31) + b"\0"
        request.roster.members.append(one)
    data = request.SerializeToString()
    assert len(data) < REQUEST_BYTES_MAX
    return data


# ---- a member ------------------------------------------------------------------------------------


def test_a_member_that_calls_too_much_alone_is_told_so(yard: Site) -> None:
    """The others are not held up, and what it says after that is taken."""
    asked = yard.requests(yard.id["bob"], "carol")["ping"]
    ends: Counter[str] = Counter()
    over = threading.Event()

    def flood() -> None:
        from node.codec import method_of

        method = method_of(asked)
        with channel(yard.listen["carol"], yard.keys["bob"].tls) as made:
            ping, payload = made.unary_unary(method.path), method.write_request(asked)
            while not over.is_set():
                futures = [ping.future(payload, timeout=CALL_S) for _ in range(100)]
                for future in futures:
                    error = future.exception()
                    end = refused(error) if error is not None else Refused("OK")
                    ends[f"{end.code} {end.reason}".strip()] += 1

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: ends["RESOURCE_EXHAUSTED TOO_MANY_CALLS"] > 100, "it is told")
        talk(yard, 2)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(ends) == {"OK", "RESOURCE_EXHAUSTED TOO_MANY_CALLS"}
    wait_for(
        lambda: not isinstance(call(yard.listen["carol"], yard.keys["bob"].tls, asked), Refused),
        "it is taken again",
    )


@pytest.fixture
def square(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three of whom one will have flooded."""
    made = build(tmp_path_factory.mktemp("square"))
    yield made
    made.cluster.check_logs()
    made.cluster.close()


def test_a_member_that_floods_its_link_is_read_slowly_and_it_is_shown(square: Site) -> None:
    carol = square.cluster["carol"]
    junk = b"".join(_senseless(n) for n in range(1, 2_000))
    over, written = threading.Event(), Counter[str]()

    def frames() -> Iterator[bytes]:
        yield write_hello((square.record("bob").address,))
        while not over.is_set():
            written["frames"] += 1
            yield junk

    with (
        Ear(carol) as ear,
        channel(square.listen["carol"], square.keys["bob"].tls) as made,
    ):
        stream = made.stream_stream("/p2pchat.v1.Node/Link")(frames())
        reading = threading.Thread(target=lambda: _drain(stream), daemon=True)
        reading.start()
        try:
            wait_for(lambda: _held(square), "carol reads bob slowly")
            talk(square, 5)
            before, began = written["frames"], time.monotonic()
            time.sleep(3)
            rate = (written["frames"] - before) / (time.monotonic() - began)
            problems = carol.ask("GetStatus").problems
            page = carol.run("peers", "-c", CHAT)
        finally:
            over.set()
            stream.cancel()
            reading.join(WAIT_S)
        said = [one.nick for one in ear.heard("member") if one.change == "throttled"]
    assert rate < 10, f"{rate:.0f} frames of 2,000 senseless calls are read a second"
    assert [one for one in problems if "bob floods #dev" in one], problems
    assert "throttled for" in page.stdout
    assert said == ["bob"], "it is said once"
    talk(square, 1, "bob")


def _senseless(number: int) -> bytes:
    """A call, about a chat that is none."""
    from node.codec import AskWriter
    from node.core import messages as m
    from node.core.types import Epoch

    caller = m.Caller(999, 1, 2**41, Epoch(0, 0))
    return AskWriter().write(number, m.Ping(caller, None))


def _drain(stream: Iterator[bytes]) -> None:
    try:
        for _ in stream:
            pass
    except grpc.RpcError:
        return


def _held(site: Site) -> bool:
    rows = site.cluster["carol"].ask("ListPeers", chat=CHAT).peers
    return any(row.nick == "bob" and row.held_ms > 1_000 for row in rows)


# ---- bytes ---------------------------------------------------------------------------------------


def test_what_is_compressed_is_refused_before_it_is_blown_up(yard: Site) -> None:
    """A bomb of 300 KB that would be 300 MB, by a member and by a stranger."""
    bob = yard.cluster["bob"]
    zeros = bytes(300 * 2**20)
    assert len(gzip.compress(zeros)) < REQUEST_BYTES_MAX
    for tls in (yard.keys["carol"].tls, yard.stranger.tls):
        before, most = resident_mb(bob.pid), 0.0
        with channel(yard.listen["bob"], tls) as made:
            for path, kind in (("LivenessPing", "unary"), ("Link", "stream")):
                for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
                    with pytest.raises(grpc.RpcError) as caught:
                        _send(made, f"/p2pchat.v1.Node/{path}", kind, zeros, algorithm)
                    assert caught.value.code().name in ("UNIMPLEMENTED", "RESOURCE_EXHAUSTED")  # type: ignore[attr-defined]
                    most = max(most, resident_mb(bob.pid))
        assert most - before < 30, f"{most - before:.0f} MB more"
    talk(yard, 1)


def _send(
    made: grpc.Channel, path: str, kind: str, data: bytes, algorithm: grpc.Compression
) -> None:
    if kind == "unary":
        made.unary_unary(path)(data, timeout=WAIT_S, compression=algorithm)
    else:
        list(made.stream_stream(path)(iter([data]), timeout=WAIT_S, compression=algorithm))


@pytest.mark.parametrize("size", [20_000, 2**20])
def test_headers_have_a_limit(yard: Site, size: int) -> None:
    with channel(yard.listen["bob"], yard.keys["carol"].tls) as made:
        with pytest.raises(grpc.RpcError) as caught:
            made.unary_unary("/p2pchat.v1.Node/LivenessPing")(
                b"", metadata=[("x-much", "y" * size)], timeout=WAIT_S
            )
        assert caught.value.code().name in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")  # type: ignore[attr-defined]
    talk(yard, 1)


# ---- the discovery service -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("service"))
    made.nds.start()
    made.raise_nodes("alice")
    yield made
    made.check_logs()
    made.close()


@pytest.mark.parametrize("what", ["list", "watch"])
def test_who_asks_the_discovery_service_too_much_is_told_and_others_are_served(
    service: Cluster, what: str
) -> None:
    """From another address than the honest have; what that may ask at once is used up before."""
    flags = ("--call", what, "--addresses", "1", "--rate", "20", "--refused", "100")
    with strangers(service.nds.address, "calling=100", "idle=300", "silent=100", *flags) as counts:
        for n in range(5):
            began = time.monotonic()
            service["alice"].run("create", f"{what}{n}")
            assert time.monotonic() - began < PATIENCE_S
    assert 100 <= counts["too many"] < counts["calls"]


def test_rapid_resets_and_pings_cost_the_service_little(service: Cluster) -> None:
    before = resident_mb(service.nds.pid)
    kinds = ("resets=20", "opened=50", "pings=20")
    with strangers(service.nds.address, *kinds, "--rate", "500") as counts:
        time.sleep(5)
        service["alice"].run("create", "unhurried")
        grown = resident_mb(service.nds.pid) - before
    assert counts["calls"] > 5_000
    assert counts["pings"] > 5_000
    assert grown < 150, f"{grown:.0f} MB"
