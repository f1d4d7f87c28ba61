"""What the laws of the core are tried with: seeds that are fixed, and strategies for its values."""

from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.conversation import ChatMessage
from node.core.messages import NO_CARD, Card, Fact, Life, Member
from node.core.types import Epoch, Hlc, Stream

from .cast import line

fixed = settings(derandomize=True, database=None, deadline=None, max_examples=80)

hlcs = st.builds(Hlc, st.integers(0, 3), st.integers(0, 2))
facts = st.builds(Fact, st.sampled_from(["", "a", "b"]), hlcs, st.integers(0, 3))
streams = st.builds(Stream, st.integers(1, 3), st.just(7))


def members(id: int = 1) -> st.SearchStrategy[Member]:
    """Records of one member as different nodes may have come to know them."""
    return st.builds(
        Member,
        id=st.just(id),
        identity=st.sampled_from([b"k", b"l"]),
        admitted=st.builds(Epoch, st.just(1), st.integers(1, 2)),
        incarnation=st.integers(1, 3),
        life=st.sampled_from(Life),
        address=st.sampled_from(["a:1", "b:1"]),
        address_stamp=st.tuples(st.integers(1, 2), st.integers(0, 2)),
        left=st.booleans(),
        kicked=st.booleans(),
        card=st.sampled_from([NO_CARD, Card(b"c"), Card(b"c", b"k")]),
        ends=st.lists(st.tuples(streams, st.integers(1, 3)), max_size=2).map(
            lambda ends: tuple(sorted(dict(ends).items()))
        ),
        nick=facts,
        away=facts,
    ).map(lambda member: member if member.belongs else replace(member, card=NO_CARD))


@st.composite
def conversations(draw: st.DrawFn) -> list[ChatMessage]:
    """Lines of up to four authors, in an order in which they may have been written.

    Each names as its predecessors the heads of some part of what came before.
    """
    said: list[ChatMessage] = []
    count: dict[int, int] = {}
    for at in range(draw(st.integers(0, 12))):
        author = draw(st.integers(1, 4))
        seen = said[: draw(st.integers(0, len(said)))]
        named = {key for other in seen for key in other.deps}
        named |= {other.key.before for other in seen if other.key.before is not None}
        heads = tuple(o for o in seen if o.key not in named and o.key.source != author)
        count[author] = count.get(author, 0) + 1
        said.append(line(author, count[author], after=heads, ms=at + 1))
    return said
