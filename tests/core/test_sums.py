"""Tries node/core/sums.py: order counts for nothing, and nobody chooses contents by equations."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.access import Invite
from node.core.conversation import ChatMessage
from node.core.history import History
from node.core.membership import Membership
from node.core.messages import Roster
from node.core.sums import SHORT_BYTES, SUM_BYTES, minus, plus, short, term

from .cast import WALL, line
from .laws import fixed

COUNT = 8 * SHORT_BYTES + 8  # of contents that are chosen: more than there are bits in a hash
sums = st.integers(0, 2 ** (8 * SUM_BYTES) - 1)


@fixed
@given(sums, sums, sums)
def test_what_came_and_went_leaves_no_trace(a: int, b: int, c: int) -> None:
    assert plus(a, b) == plus(b, a) < 2 ** (8 * SUM_BYTES)
    assert plus(plus(a, b), c) == plus(a, plus(b, c))
    assert minus(plus(a, b), b) == a
    assert plus(minus(a, b), b) == a


def test_a_hash_is_spread_over_the_whole_width() -> None:
    terms = [term(bytes([n])) for n in range(64)]
    assert all(any(one >> at & 1 for one in terms) for at in range(8 * SUM_BYTES))
    assert len({short(one) for one in terms}) == 64
    assert (short(0), short(1) >> 8 * SHORT_BYTES) == (0, 0)


def subset(hashes: Sequence[int], target: int) -> int:
    """Which of these have that exclusive or, as bits: by elimination."""
    basis = dict[int, tuple[int, int]]()

    def reduced(hash: int, chosen: int) -> tuple[int, int]:
        while hash and (found := basis.get(hash.bit_length())) is not None:
            hash, chosen = hash ^ found[0], chosen ^ found[1]
        return hash, chosen

    for at, one in enumerate(hashes):
        hash, chosen = reduced(one, 1 << at)
        if hash:
            basis[hash.bit_length()] = hash, chosen
    rest, chosen = reduced(target, 0)
    assert not rest, "there are enough of them"
    return chosen


def log(*messages: ChatMessage) -> History:
    history = History()
    for message in messages:
        history.add(message)
    return history


def two_logs(kind: int) -> tuple[History, History]:
    """Of one author, who has said the contrary to two others: and such lines after it that the
    exclusive or of all hashes of that kind is the same.
    """

    def hash_of(message: ChatMessage) -> int:
        alone = log(message)
        ((_, digest),), (run,) = alone.digests(), alone.held((9,))
        return (alone.hash, digest, run.hash)[kind]

    def either(seq: int) -> tuple[ChatMessage, ChatMessage]:
        one, other = line(9, seq, "this"), line(9, seq, "that")
        return one, replace(other, ids=one.ids, hlc=one.hlc)

    pairs = [either(seq) for seq in range(1, COUNT + 1)]
    differences = [hash_of(one) ^ hash_of(other) for one, other in pairs]
    chosen = subset(differences[1:], differences[0]) << 1 | 1
    others = [pair[chosen >> at & 1] for at, pair in enumerate(pairs)]
    return log(*(one for one, _ in pairs)), log(*others)


def test_two_logs_of_chosen_contents_do_not_look_alike() -> None:
    one, other = two_logs(0)
    assert one.hash != other.hash
    one, other = two_logs(1)
    assert other.differing(one.digests()) == (9,)
    one, other = two_logs(2)
    missing, _ = other.lacking((9,), one.held((9,)), newest_first=False, bytes_max=2**20)
    assert len(missing) == COUNT


def test_a_roster_does_not_look_like_one_of_before_whatever_invitations_are_added() -> None:
    def invite(id: int, check: int) -> Roster:
        return Roster((), invites=(Invite(id, bytes([check]) * 32, 3, WALL + id),))

    before = Membership(Roster((), invites=invite(999, 9).invites))
    pairs = [(invite(id, 1), invite(id, 2)) for id in range(1, COUNT + 1)]
    differences = [
        Membership(one).known.common ^ Membership(other).known.common for one, other in pairs
    ]
    target = before.known.common
    for one, _ in pairs:
        target ^= Membership(one).known.common
    chosen = subset(differences, target)
    after = Membership()
    for at, pair in enumerate(pairs):
        after.absorb(pair[chosen >> at & 1])
    assert after.known.common != before.known.common
    assert after.hash != before.hash
    assert before.beyond(after.known).invites == before.roster.invites
