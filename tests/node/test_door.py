"""node/rpc/door.py: which connections are shut, and that real ones are."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.archive import SqliteArchive
from node.rpc import door
from node.rpc.door import Connection, Door, excess, host_of
from tests.logs import KEY, unguarded

NOW = 1_000.0


def strangers(count: int, address: str = "ipv4:10.0.0.1", since: float = 0.0) -> list[Connection]:
    return [Connection(f"{address}:{1 + n}", since + n / 1_000) for n in range(count)]


def members(count: int, certificate: bytes = b"m", since: float = 0.0) -> list[Connection]:
    peers = [f"ipv4:10.9.0.1:{1 + n}" for n in range(count)]
    return [Connection(peer, since + n / 1_000, certificate) for n, peer in enumerate(peers)]


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:10.0.0.1:5", "ipv4:10.0.0.1"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:5", "ipv6:2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:77", "ipv6:2001:db8:1:2::/64"),
        ("ipv6:[fe80::1%eth0]:5", "ipv6:fe80::/64"),
        ("ipv6:[nonsense]:5", "ipv6:[nonsense]"),
    ],
)
def test_a_subscriber_is_one_address(peer: str, host: str) -> None:
    assert host_of(peer) == host


def test_what_is_within_the_limits_is_left_alone() -> None:
    some = strangers(door.EACH_MAX) + strangers(door.EACH_MAX, "ipv4:10.0.0.2")
    assert list(excess(some + members(door.MEMBER_MAX), NOW)) == []


def test_the_oldest_of_too_many_from_one_address_are_shut() -> None:
    found = list(excess(strangers(door.EACH_MAX + 7) + strangers(9, "ipv4:10.0.0.2"), NOW))
    assert found == strangers(7)


def test_of_all_strangers_there_are_only_so_many() -> None:
    each = 64
    addresses = door.STRANGERS_MAX // each + 3
    some = [c for n in range(addresses) for c in strangers(each, f"ipv4:10.0.1.{n}")]
    assert len(list(excess(some, NOW))) == 3 * each


def test_a_new_connection_has_a_moment_to_say_whose_it_is() -> None:
    some = strangers(2 * door.EACH_MAX, since=NOW - door.NEW_S + 0.1)
    assert list(excess(some, NOW)) == []
    assert len(list(excess(some, NOW + 3))) == door.EACH_MAX


def test_members_are_not_counted_with_strangers() -> None:
    mine = Connection("ipv4:10.0.0.1:60000", 0.0, b"mine")
    assert mine not in set(excess([*strangers(5 * door.EACH_MAX), mine], NOW))


def test_the_newest_of_too_many_of_a_member_are_shut() -> None:
    some = members(door.MEMBER_MAX + 2)
    assert list(excess(some + members(3, b"other"), NOW)) == some[-2:]


def test_who_begins_a_call_and_says_nothing_more_is_shut() -> None:
    slow = Connection("ipv4:10.0.0.3:1", 0.0, untold_since=NOW - door.UNTOLD_S)
    fresh = Connection("ipv4:10.0.0.3:2", 0.0, untold_since=NOW - 1)
    assert list(excess([slow, fresh], NOW)) == [slow]


def test_who_goes_on_calling_while_it_is_dropped_is_shut_at_once() -> None:
    loud = Connection("ipv4:10.0.0.3:1", NOW, dropped=door.DROPPED_MAX + 1)
    less = Connection("ipv4:10.0.0.3:2", NOW, dropped=door.DROPPED_MAX)
    assert list(excess([loud, less], NOW)) == [loud]


# ---- real connections ----------------------------------------------------------------------------


class Entrance:
    """A port, and those who have connected to it."""

    def __init__(self, stack: ExitStack, host: str, family: socket.AddressFamily) -> None:
        self._stack, self._family = stack, family
        self._listening = stack.enter_context(socket.create_server((host, 0), family=family))
        self.port = self._listening.getsockname()[1]
        self.host = host

    def connect(self) -> tuple[socket.socket, socket.socket, str]:
        """Their end, ours, and who they are."""
        theirs = self._stack.enter_context(socket.create_connection((self.host, self.port)))
        ours, (host, port, *_) = self._listening.accept()
        self._stack.enter_context(ours)
        name = f"ipv6:[{host}]" if self._family == socket.AF_INET6 else f"ipv4:{host}"
        return theirs, ours, f"{name}:{port}"


@pytest.fixture(params=["127.0.0.1", "::1"])
def entrance(request: pytest.FixtureRequest) -> Iterator[Entrance]:
    family = socket.AF_INET6 if request.param == "::1" else socket.AF_INET
    with ExitStack() as stack:
        yield Entrance(stack, request.param, family)


def is_shut(theirs: socket.socket) -> bool:
    theirs.settimeout(0.05)
    try:
        return theirs.recv(1) == b""
    except TimeoutError:
        return False


def test_only_what_is_too_much_is_shut(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "EACH_MAX", 2)
    monkeypatch.setattr(door, "FEW", 0)
    made = Door(lambda: [entrance.port])
    connected = [entrance.connect() for _ in range(5)]
    made.proved(connected[0][2], b"a member")
    assert made.look(0.0) == 0, "they are new"
    assert made.look(10.0) == 2
    assert [is_shut(theirs) for theirs, _, _ in connected] == [False, True, True, False, False]
    assert made.shut == 2


def test_who_is_no_member_any_more_counts_as_a_stranger(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EACH_MAX", 0)
    monkeypatch.setattr(door, "FEW", 0)
    made = Door(lambda: [entrance.port])
    theirs, _, peer = entrance.connect()
    made.proved(peer, b"a member")
    made.look(0.0)
    assert made.look(10.0) == 0
    assert made.is_member(peer)
    made.disproved(peer)
    assert made.look(20.0) == 1
    assert is_shut(theirs)


def test_what_this_process_has_connected_elsewhere_is_not_looked_at(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "EACH_MAX", 0)
    monkeypatch.setattr(door, "FEW", 0)
    made = Door(lambda: [entrance.port + 1])
    theirs, ours, _ = entrance.connect()
    made.look(0.0)
    assert made.look(10.0) == 0
    assert not is_shut(theirs)
    assert not is_shut(ours)


def test_looking_gives_up_no_lock_of_this_process(
    tmp_path: Path, entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that others took for nobody's lost what was said last."""
    monkeypatch.setattr(door, "EACH_MAX", 0)
    monkeypatch.setattr(door, "FEW", 0)
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    made = Door(lambda: [entrance.port])
    theirs, ours, _ = entrance.connect()
    assert not unguarded(archive.path)
    made.look(0.0)
    assert not unguarded(archive.path)
    assert made.look(10.0) == 1
    assert is_shut(theirs)
    assert ours.fileno() > 0
    assert ours.getsockname()[1] == entrance.port, "who has it closes it"
    assert not unguarded(archive.path)
    archive.close()


def test_what_is_known_of_connections_goes_with_them(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "FEW", 0)
    made = Door(lambda: [entrance.port])
    for n in range(1_000):
        made.proved(f"ipv4:10.0.0.1:{n}", b"m")
        made.begun(f"ipv4:10.0.0.2:{n}", 0.0)
        made.dropped(f"ipv4:10.0.0.3:{n}")
    assert made.untold() == made.untold("ipv4:10.0.0.2") == 1_000
    made.look(0.0)
    assert made.untold() == 0
    assert not made.is_member("ipv4:10.0.0.1:1")
    assert not made._dropped


def test_a_call_whose_message_has_come_is_not_waited_for(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "FEW", 0)
    made = Door(lambda: [entrance.port])
    theirs, _, peer = entrance.connect()
    made.begun(peer, 0.0)
    made.begun(peer, 0.0)
    made.told(peer, 1.0)
    assert made.untold() == 1
    made.told(peer, 1.0)
    made.told(peer, 1.0)
    assert made.untold() == 0
    made.look(0.0)
    assert made.look(100.0) == 0
    made.begun(peer, 100.0)
    assert made.look(105.0) == 0
    assert made.look(100.0 + door.UNTOLD_S) == 1
    assert is_shut(theirs)
