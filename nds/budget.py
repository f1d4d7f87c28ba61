"""How much one address may ask of the service: buckets of tokens, and their figures.

Whoever reaches the service may call it, and certificates cost nothing: so it is by address that
calls are counted.  A bucket fills at a steady rate up to its burst.  Only the addresses seen last
are known; what all together may ask is bounded too, so that it does not help to have many.

How each figure was chosen: a node asks three times when it starts and once every three seconds for
each chat that it leads, else every ten; the largest swarm that was measured had 200 nodes on one
machine, which began within a minute: 100 calls a second.  A call costs about a millisecond, half of
it before it is looked at, or two where it changes a record.  What costs more takes further tokens,
each before it is done: a signature after the second that a call depends on (0.2 ms; a removal has
two at most, a chain of hand-overs 16), and 100 networks after the first that are listed (1 ms).
A network is made once, by hand, and stays for good: 50 at once is somebody who moves house.
A node watches once; one that lost its connection is noticed within 40 s, and counts till then.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import AddressValueError, IPv6Address, IPv6Network
from threading import Lock
from urllib.parse import unquote

from msgspec import Struct

ADDRESSES_MAX = 4_096


class Rate(Struct, frozen=True):
    """Tokens a second, up to `burst` of them."""

    a_second: float
    burst: float
    what: str


CALLS = Rate(200, 1_000, "calls")  # of an address
ALL_CALLS = Rate(1_000, 4_000, "calls")
CREATES = Rate(0.2, 50, "networks made")
ALL_CREATES = Rate(5, 200, "networks made")
WATCHES_EACH_MAX = 250


class Excess(Struct, frozen=True):
    """A call over a limit: which one, and when to come again."""

    limit: str
    wait_s: float


class Exceeded(Exception):
    """Raised in the middle of a call, of which nothing has happened."""

    def __init__(self, excess: Excess) -> None:
        super().__init__(excess.limit)
        self.excess = excess


class Buckets:
    """A bucket for each address; those seen least recently are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def level(self, key: str, now: float) -> float:
        tokens, at = self._held.get(key, (self.rate.burst, now))
        return min(self.rate.burst, tokens + max(0.0, now - at) * self.rate.a_second)

    def wait_s(self, key: str, now: float) -> float:
        return max(0.0, (1 - self.level(key, now)) / self.rate.a_second)

    def take(self, key: str, now: float) -> None:
        self._held[key] = self.level(key, now) - 1, now
        self._held.move_to_end(key)
        if len(self._held) > ADDRESSES_MAX:
            self._held.popitem(last=False)


class Budget:
    """Whether a call is taken.  Asked by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls = Buckets(CALLS), Buckets(ALL_CALLS)
        self._creates = Buckets(CREATES), Buckets(ALL_CREATES)
        self._watches: Counter[str] = Counter()

    def call(self, peer: str, now: float, *, creates: bool = False) -> Excess | None:
        """Why a call of this peer, as gRPC names it, is not taken; `creates`: it makes a network.

        One that is not taken costs nothing.
        """
        address = address_of(peer)
        pairs = [self._calls, self._creates] if creates else [self._calls]
        keys = [(one, key) for each, all_ in pairs for one, key in ((each, address), (all_, ""))]
        with self._lock:
            for buckets, key in keys:
                if wait_s := buckets.wait_s(key, now):
                    whose = "an address" if key else "all together"
                    limit = f"{buckets.rate.a_second:g} {buckets.rate.what} a second of {whose}"
                    return Excess(limit, wait_s)
            for buckets, key in keys:
                buckets.take(key, now)
        return None

    @contextmanager
    def watch(self, peer: str) -> Iterator[Excess | None]:
        """A stream of changes for this peer, as long as it lasts; or why it is not to be had."""
        address = address_of(peer)
        if self._watches[address] >= WATCHES_EACH_MAX:
            yield Excess(f"{WATCHES_EACH_MAX} watchers of an address", 10.0)
            return
        self._watches[address] += 1
        try:
            yield None
        finally:
            self._watches[address] -= 1
            if not self._watches[address]:
                del self._watches[address]


def address_of(peer: str) -> str:
    """Of ipv4:HOST:PORT the host; of IPv6 the network, which is one subscriber's."""
    family, _, rest = unquote(peer).partition(":")
    host = rest.rpartition(":")[0]
    if family != "ipv6":
        return f"{family}:{host}"
    try:
        address = IPv6Address(host.strip("[]").partition("%")[0])
    except AddressValueError:
        return f"{family}:{host}"
    return f"{family}:{IPv6Network((address, 64), strict=False)}"
