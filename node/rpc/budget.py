"""How much others may ask of a node: buckets of tokens, and their figures.

A bucket of each key fills at a steady rate up to its burst, and a call takes tokens out of it.
Who it is that calls is one key, whatever it says: a member's certificate, or a stranger's address,
since a stranger can have as many certificates as it likes.  Strangers also share one bucket, so
that a thousand addresses get no more than a few.  Of so many keys only the last seen are known;
one that was forgotten begins with a full bucket, which that shared one bounds.

How each figure was chosen (2 cores of 2026; a call alone costs 0.4 ms, a line in a frame 0.05 ms):

- `CALL_BYTES`: the 0.4 ms are of a call of no length, and one is read before anybody knows whose it
  is.  Of what takes longest, entries of a few bytes each, 4 KiB take a millisecond.  So they count
  as one call more, in any case: who has a token may say what is long, and then waits for longer.
- `LINES`: a node that does nothing else takes in some 20,000 lines a second of catch-up and 7,000
  of a swarm, in which ten members each say 3,000; so this is met by no node that waits for
  acknowledgements, and one that does not is read as slowly as the rest of the swarm is heard.
  Rosters, also those asked for, and what is malformed count as so many as take as long
  (`codec/frames.py`).
- `BYTES`: pages of catch-up have 256 KiB and follow each other; a node reads and stores 100 a
  second (25 MiB) of the longest lines.
- `NOISE`: what is malformed or about a chat that is none is asked by honest nodes for as long as
  calls are under way that were made before somebody left: 128, and as many again from the queues.
- `MEMBER_CALLS`: a link carries nearly all; without one a member of 200 asks a few times a second,
  and what it has to say, one by one, goes in the burst and then at the rate: it is told when to
  come again, and does.
- `ADDRESS_CALLS`, `STRANGER_CALLS`: who joins makes three calls as a stranger, two hundred of one
  machine (the largest swarm that was measured) come at ten a second.  100 calls a second are 4 %
  of the processor, of the longest that there are 10 %.
- `JOINS`, of an address and of all: the same people; each costs a signature and a call back.
- `REFUSALS`: so many strangers are told that they ask too much; the others are told nothing, at
  half the cost.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K")

CALL_BYTES = 4_096  # that count as one call more
KEYS_MAX = 4_096  # keys of each limit, of 200 bytes


class Rate(Struct, frozen=True):
    """Tokens a second, up to `burst` of them."""

    a_second: float
    burst: float


LINES = Rate(20_000, 60_000)  # calls and lines of one link
BYTES = Rate(64 * 2**20, 128 * 2**20)  # of one link
NOISE = Rate(100, 2_000)  # of one link, and of one member's calls
MEMBER_CALLS = Rate(500, 5_000)  # made alone, of one certificate
ADDRESS_CALLS = Rate(20, 200)  # of strangers at one address
STRANGER_CALLS = Rate(100, 500)  # of all of them
ADDRESS_JOINS = Rate(10, 100)
STRANGER_JOINS = Rate(20, 200)
REFUSALS = Rate(50, 100)  # told to strangers

UNTOLD_MAX = 200  # calls of strangers that have begun, and whose message has not come
UNTOLD_EACH_MAX = 100  # of one address
HOLD_MAX_S = 5.0  # a link is not held up for longer at one time: its other end waits for answers
FLOOD_S = 1.0
CALM_S = 30.0
LINKS_EACH_MAX = 8  # of one certificate: two at a time, and what a bad network has left behind


class Buckets(Generic[K]):
    """A bucket for each key; those seen least recently are forgotten."""

    def __init__(self, rate: Rate, keys_max: int = KEYS_MAX) -> None:
        self.rate, self._keys_max = rate, keys_max
        self._held: OrderedDict[K, tuple[float, float]] = OrderedDict()  # tokens, and at when

    def __len__(self) -> int:
        return len(self._held)

    def _level(self, key: K, now: float) -> float:
        tokens, at = self._held.get(key, (self.rate.burst, now))
        return min(self.rate.burst, tokens + max(0.0, now - at) * self.rate.a_second)

    def _keep(self, key: K, tokens: float, now: float) -> None:
        self._held[key] = tokens, now
        self._held.move_to_end(key)
        if len(self._held) > self._keys_max:
            self._held.popitem(last=False)

    def wait_s(self, key: K, now: float, amount: float = 1.0) -> float:
        """In how many seconds there will be so many tokens; 0 for now.  Nothing is taken."""
        return max(0.0, (amount - self._level(key, now)) / self.rate.a_second)

    def take(self, key: K, now: float, amount: float = 1.0) -> float:
        """Take so many tokens, and give 0; or take none, and give in how many seconds they are
        there.
        """
        level = self._level(key, now)
        if level < amount:
            self._keep(key, level, now)
            return (amount - level) / self.rate.a_second
        self._keep(key, level - amount, now)
        return 0.0

    def owe(self, key: K, now: float, amount: float) -> float:
        """Take so many tokens in any case; in how many seconds the debt is paid, 0 for none."""
        level = self._level(key, now) - amount
        self._keep(key, level, now)
        return max(0.0, -level / self.rate.a_second)


class Excess(Struct, frozen=True):
    """A call over a limit: which one, and when to come again."""

    limit: str
    wait_s: float


class Budget:
    """Whether a call that was made alone is taken."""

    def __init__(self) -> None:
        self._members: Buckets[bytes] = Buckets(MEMBER_CALLS)
        self._noise: Buckets[bytes] = Buckets(NOISE)
        self._addresses: Buckets[str] = Buckets(ADDRESS_CALLS)
        self._strangers: Buckets[None] = Buckets(STRANGER_CALLS, 1)
        self._joins: Buckets[str] = Buckets(ADDRESS_JOINS)
        self._stranger_joins: Buckets[None] = Buckets(STRANGER_JOINS, 1)
        self._refusals: Buckets[None] = Buckets(REFUSALS, 1)

    def member(self, certificate: bytes, now: float, size: int = 0) -> Excess | None:
        """Why a call of this member, or registry, of so many bytes is not taken."""
        if wait_s := self._noise.wait_s(certificate, now):
            return Excess(f"{NOISE.a_second} calls a second that make no sense here", wait_s)
        wait_s = self._members.take(certificate, now)
        if not wait_s:
            self._members.owe(certificate, now, size // CALL_BYTES)
        text = f"{MEMBER_CALLS.a_second} calls a second of a member"
        return Excess(text, wait_s) if wait_s else None

    def senseless(self, certificate: bytes, now: float) -> None:
        """A call of this member was malformed, or about a chat that is none."""
        self._noise.owe(certificate, now, 1)

    def stranger(self, address: str, now: float, size: int = 0) -> Excess | None:
        """Why a call of so many bytes, of a stranger at this address, is not taken."""
        excess = _both(self._addresses, self._strangers, address, now, "calls")
        if excess is None:
            self._addresses.owe(address, now, size // CALL_BYTES)
            self._strangers.owe(None, now, size // CALL_BYTES)
        return excess

    def joiner(self, address: str, now: float) -> Excess | None:
        """Why a stranger at this address may not ask to be let in."""
        return _both(self._joins, self._stranger_joins, address, now, "joins")

    def is_spent(self, address: str, now: float) -> bool:
        """Would a call of a stranger at this address not be taken?"""
        return bool(self._addresses.wait_s(address, now) or self._strangers.wait_s(None, now))

    def may_be_told(self, now: float) -> bool:
        """Is one more stranger told that it asks too much?"""
        return not self._refusals.take(None, now)


def _both(
    each: Buckets[str], all_: Buckets[None], address: str, now: float, what: str
) -> Excess | None:
    """Taken from both, or from neither."""
    if wait_s := all_.wait_s(None, now):
        return Excess(f"{all_.rate.a_second} {what} a second of all who are no members", wait_s)
    if wait_s := each.take(address, now):
        text = f"{each.rate.a_second} {what} a second of an address that is no member's"
        return Excess(text, wait_s)
    all_.take(None, now)
    return None


class Pace:
    """How fast one link may be read on, and whether its other end floods.

    It does once it was held up for `FLOOD_S` in all, and until it has not been for `CALM_S`.
    """

    def __init__(self) -> None:
        self.held_s = 0.0  # for so long it was not read on
        self._lines: Buckets[None] = Buckets(LINES, 1)
        self._bytes: Buckets[None] = Buckets(BYTES, 1)
        self._noise: Buckets[None] = Buckets(NOISE, 1)
        self._flood_s, self._held_at, self._is_told = 0.0, -CALM_S, False

    def wait_s(self, now: float, *, size: int, lines: int) -> float:
        """For how long it is not to be read on, after a frame of so many bytes, calls and lines."""
        owed_s = (
            self._lines.owe(None, now, lines),
            self._bytes.owe(None, now, size),
            self._noise.wait_s(None, now, 0),
        )
        wait_s = min(max(owed_s), HOLD_MAX_S)
        if wait_s:
            if now - self._held_at > CALM_S:
                self._flood_s, self._is_told = 0.0, False
            self._held_at = now + wait_s
            self._flood_s += wait_s
            self.held_s += wait_s
        return wait_s

    def senseless(self, now: float) -> None:
        """A call was malformed, or about a chat that is none."""
        self._noise.owe(None, now, 1)

    def floods(self, now: float) -> bool:
        return self._flood_s >= FLOOD_S and now - self._held_at <= CALM_S

    def began(self, now: float) -> bool:
        """Does it flood, and has this not said so yet?"""
        is_new = self.floods(now) and not self._is_told
        self._is_told = self._is_told or is_new
        return is_new
