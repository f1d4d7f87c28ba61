"""Whom the service calls for whom: nds/service/reach.py, and nds/service/questions.py with it."""

import asyncio
import socket

import pytest

from nds.record import Ask, Epoch, Word
from nds.service.questions import Questions
from nds.service.reach import QUESTIONS, Allowance, host_of, may_call
from tests.nds.test_proofs import OURS, begin, replace
from tests.nds.test_record import NOW, kept, nds


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:10.0.0.1:5001", "10.0.0.1"),
        ("ipv6:%5B2001:db8::1%5D:5001", "2001:db8::1"),
        ("ipv6:[fe80::1%25eth0]:5001", "fe80::1%eth0"),
        ("unix:/tmp/x", ""),
        ("", ""),
        ("ipv4:somebody:1", ""),
    ],
)
def test_where_a_client_comes_from(peer, host):
    assert host_of(peer) == host


@pytest.mark.parametrize(
    ("came_from", "named"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.5"),
        ("::1", "8.8.8.8"),
        ("8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:4860::1", "2001:4860::1"),
        ("10.0.0.5", "192.168.7.7"),
        ("100.64.1.1", "10.0.0.5"),
        ("fd00::1", "fd00::2"),
        ("fe80::1%eth0", "fe80::2%eth0"),
    ],
)
def test_a_leader_is_called_where_its_client_could_call(came_from, named):
    assert may_call(came_from, named)


@pytest.mark.parametrize(
    ("came_from", "named"),
    [
        ("8.8.8.8", "8.8.4.4"),
        ("8.8.8.8", "10.0.0.5"),
        ("10.0.0.5", "8.8.8.8"),
        ("8.8.8.8", "127.0.0.1"),
        ("10.0.0.5", "127.0.0.1"),
        ("10.0.0.5", "::1"),
        ("10.0.0.5", "::ffff:127.0.0.1"),
        ("10.0.0.5", "169.254.169.254"),
        ("127.0.0.1", "224.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("", "127.0.0.1"),
        ("", ""),
        ("10.0.0.5", "host"),
    ],
)
def test_nobody_else_is_called(came_from, named):
    assert not may_call(came_from, named)


@pytest.fixture
async def port():
    """Somebody listens there, and notes that it is called."""
    called = asyncio.Event()

    async def note(_, writer):
        called.set()
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], called


async def word(host, address, allowance=None):
    questions = Questions("test", None, allowance)
    return (await questions.put(7, Ask(1, address, Epoch(1, 1), host=host))).word


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_who_comes_from_elsewhere_has_nothing_here_called(port, name):
    number, called = port
    assert await word("10.0.0.5", f"{name}:{number}") is Word.SILENT
    assert await word("", f"{name}:{number}") is Word.SILENT
    assert not called.is_set()
    assert await word("127.0.0.1", f"localhost:{number}") is not Word.LEADING
    assert called.is_set()


async def test_a_name_that_nobody_has_is_silent():
    assert await word("127.0.0.1", "nobody.invalid:5001") is Word.SILENT


async def test_what_an_address_causes_is_bounded(port):
    number, called = port
    instant = [0.0]
    allowance = Allowance(lambda: instant[0])
    for _ in range(int(QUESTIONS.burst)):
        assert allowance.take("127.0.0.1")
    assert await word("127.0.0.1", f"127.0.0.1:{number}", allowance) is Word.SILENT
    assert not called.is_set()
    assert allowance.take("10.0.0.5")
    instant[0] = 1 / QUESTIONS.a_second
    assert await word("127.0.0.1", f"127.0.0.1:{number}", allowance) is not Word.LEADING
    assert called.is_set()


async def test_an_address_is_called_as_it_was_looked_at(monkeypatch, port):
    """Who names it cannot have it lead elsewhere a moment later."""
    number, called = port
    asked = []

    async def look_up(_, host, *more, **rest):
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", number)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.255.255.1", number)),
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    assert await word("9.9.9.9", f"moves.example:{number}") is Word.SILENT
    assert asked == ["moves.example"]
    assert not called.is_set()


def test_the_host_of_who_named_the_address_is_kept_with_it():
    by = nds.Speaker(proved=frozenset({OURS.claim_key}), host="10.0.0.9")
    renewal = nds.Renewal(OURS.chat, OURS.leader, OURS.epoch, "10.0.0.9:5001", by=by)
    record = nds.renew(kept(replace(OURS, answered=False)), renewal, NOW)
    assert record.record.host == record.reply.ask.host == "10.0.0.9"
    claimant = replace(by, host="10.0.0.2")
    assert begin(record.record, claimant).reply.host == "10.0.0.9", "not the claimant's"
