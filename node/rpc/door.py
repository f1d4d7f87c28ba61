"""Who is connected to a node, and whose connections are shut.

gRPC takes every connection and knows no limit for each address, so the sockets of this process are
looked at once a second: those that somebody has connected to one of our ports.  One over which a
member has called is that member's.  Any other is a stranger's, and there are so many of those and
no more, of an address and of all; so are there of a member's.  A connection that is new has a
moment to say whose it is.  Shutting a socket is what its other end could have done: gRPC notices,
and tidies up.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from ipaddress import AddressValueError, IPv6Address, IPv6Network

from msgspec import Struct

_log = logging.getLogger(__name__)

NEW_S = 3.0  # so long a connection need not be anybody's
EACH_MAX = 1_024  # strangers' connections of one address ...
STRANGERS_MAX = (
    2_048  # ... and of all; each costs 60 KiB, and shutting it the handshake of the next
)
DROPPED_MAX = 50  # calls over one connection, until that costs more than the next handshake
MEMBER_MAX = 16  # of a member: one, and what a bad network has left until keepalive ends it
UNTOLD_S = 10.0  # a stranger's call whose message has not come by then is not waited for
FEW = 64  # descriptors: of so few nothing is too much
DESCRIPTORS = "/dev/fd"


class Connection(Struct, frozen=True):
    """One that somebody has made to us: from where, and since when it is known."""

    peer: str  # as gRPC says it: ipv4:HOST:PORT
    since: float
    certificate: bytes = b""  # empty: a stranger's
    untold_since: float | None = None  # since when a call's message is waited for
    dropped: int = 0  # calls

    @property
    def address(self) -> str:
        return host_of(self.peer)


def host_of(peer: str) -> str:
    """The address of a peer without the port; of IPv6 the network, which is one subscriber's."""
    host = peer.rpartition(":")[0]
    family, _, literal = host.partition(":")
    if family != "ipv6":
        return host
    with suppress(AddressValueError):
        address = IPv6Address(literal.strip("[]").partition("%")[0])
        return f"ipv6:{IPv6Network((address, 64), strict=False)}"
    return host


def excess(connections: Collection[Connection], now: float) -> Iterator[Connection]:
    """Those that are to be shut: of strangers the oldest, of a member the newest."""
    old = [one for one in connections if now - one.since >= NEW_S or one.dropped]
    strange = sorted((one for one in old if not one.certificate), key=lambda one: one.since)
    left = Counter(one.address for one in strange)
    rest = len(strange)
    for one in strange:
        is_slow = one.untold_since is not None and now - one.untold_since >= UNTOLD_S
        if (
            is_slow
            or one.dropped > DROPPED_MAX
            or left[one.address] > EACH_MAX
            or rest > STRANGERS_MAX
        ):
            left[one.address] -= 1
            rest -= 1
            yield one
    kept: Counter[bytes] = Counter()
    for one in sorted((one for one in old if one.certificate), key=lambda one: one.since):
        kept[one.certificate] += 1
        if kept[one.certificate] > MEMBER_MAX:
            yield one


class Door:
    """The connections to the ports of this process that `ports` gives."""

    def __init__(self, ports: Callable[[], Collection[int]]) -> None:
        self._ports = ports
        self._since: dict[str, float] = {}
        self._members: dict[str, bytes] = {}  # whose each connection is
        self._untold: dict[str, tuple[int, float]] = {}  # calls without their message, since when
        self._dropped: Counter[str] = Counter()
        self.shut = 0  # connections, so far

    # ---- what the calls say ----------------------------------------------------------------------

    def is_member(self, peer: str) -> bool:
        return peer in self._members

    def proved(self, peer: str, certificate: bytes) -> None:
        """A member, or registry, has called over this connection."""
        self._members[peer] = certificate

    def disproved(self, peer: str) -> None:
        """Who calls over this connection is nobody any more."""
        self._members.pop(peer, None)

    def begun(self, peer: str, now: float) -> None:
        """A stranger has begun a call."""
        count, since = self._untold.get(peer, (0, now))
        self._untold[peer] = count + 1, since

    def told(self, peer: str, now: float) -> None:
        """The message of a call has come."""
        count, _ = self._untold.pop(peer, (0, now))
        if count > 1:
            self._untold[peer] = count - 1, now

    def dropped(self, peer: str) -> None:
        """A stranger's call was dropped."""
        self._dropped[peer] += 1

    def untold(self, address: str = "") -> int:
        """Calls of strangers whose message has not come: at that address, or all."""
        counts = self._untold.items()
        return sum(count for peer, (count, _) in counts if not address or host_of(peer) == address)

    # ---- looking ---------------------------------------------------------------------------------

    def look(self, now: float) -> int:
        """Shut what is too much; how many connections that were."""
        names = os.listdir(DESCRIPTORS)
        of_note = self._untold or self._dropped
        if len(names) <= FEW and len(self._members) <= FEW and not of_note:
            self._since.clear()
            return 0
        found = dict(self._connected(names))
        self._since = {peer: self._since.get(peer, now) for peer in found}
        self._members = {peer: whose for peer, whose in self._members.items() if peer in found}
        self._untold = {peer: one for peer, one in self._untold.items() if peer in found}
        self._dropped = Counter({peer: n for peer, n in self._dropped.items() if peer in found})
        over = [one.peer for one in excess(list(map(self._connection, found)), now)]
        for peer in over:
            _shut(found[peer], peer)
            self._untold.pop(peer, None)
            del self._dropped[peer]
        self.shut += len(over)
        if over:
            _log.info("%s connections too many are shut, %s are left", len(over), len(found))
        return len(over)

    def _connection(self, peer: str) -> Connection:
        _, untold_since = self._untold.get(peer, (0, None))
        whose, dropped = self._members.get(peer, b""), self._dropped[peer]
        return Connection(peer, self._since[peer], whose, untold_since, dropped)

    def _connected(self, names: Collection[str]) -> Iterator[tuple[str, int]]:
        """The peer and the descriptor of each connection to our ports."""
        ports = frozenset(self._ports())
        for name in names:
            with _opened(int(name)) as ours:
                if ours is not None and (peer := _peer(ours, ports)):
                    yield peer, int(name)


@contextmanager
def _opened(descriptor: int) -> Iterator[socket.socket | None]:
    """What this number stands for just now; None for no socket.

    Nothing is closed by that, nor copied: whoever closes a number of a file gives up all locks that
    this process has on it, and without those SQLite's other readers take a log for nobody's.
    """
    try:
        opened = socket.socket(fileno=descriptor)
    except OSError:  # It is a file, or was closed meanwhile.
        yield None
        return
    try:
        yield opened
    finally:
        opened.detach()


def _peer(ours: socket.socket, ports: Collection[int]) -> str:
    """Who is at the other end, as gRPC says it; empty for what nobody has connected to `ports`."""
    if ours.family not in (socket.AF_INET, socket.AF_INET6) or ours.type != socket.SOCK_STREAM:
        return ""
    try:
        if ours.getsockname()[1] not in ports:
            return ""
        host, port, *_ = ours.getpeername()
    except OSError:  # It listens, or its other end is gone.
        return ""
    mapped = host.removeprefix("::ffff:")
    if ours.family == socket.AF_INET or "." in mapped:
        return f"ipv4:{mapped}:{port}"
    return f"ipv6:[{host}]:{port}"


def _shut(descriptor: int, peer: str) -> None:
    """Both ways, if it is still that peer's.

    Should it go and its number be taken in between, somebody connects again.
    """
    with _opened(descriptor) as ours, suppress(OSError):
        if ours is not None and _is_to(ours, peer):
            ours.shutdown(socket.SHUT_RDWR)


def _is_to(ours: socket.socket, peer: str) -> bool:
    return _peer(ours, (ours.getsockname()[1],)) == peer
