"""Strategies and examples of everything that travels, for the tests of the wire."""

from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import access
from node.core import messages as core
from node.core.conversation import LINES_MAX, SALT_BYTES, ChatMessage, Kind, Spot
from node.core.deciding import ID_BYTES, Act, Decision
from node.core.sums import SHORT_BYTES, SUM_BYTES
from node.core.types import NO_IDS, Epoch, Floor, Hlc, IdBlock, Key, Run, Stored, Stream
from node.limits import (
    CHAT_MAX,
    COUNTER_MAX,
    HLC_MAX,
    MESSAGES_MAX,
    NUMBER_MAX,
    SIGNATURE_BYTES,
)
from node.trust.keys import make as make_keys

OWN = make_keys()

numbers = st.integers(0, NUMBER_MAX)
members = st.integers(1, NUMBER_MAX)
hashes = st.integers(0, 2**64 - 1)
shorts = st.integers(0, 2 ** (8 * SHORT_BYTES) - 1)  # of sums
chats = st.integers(1, CHAT_MAX)
epochs = st.builds(Epoch, numbers, numbers)
hlcs = st.builds(Hlc, st.integers(0, HLC_MAX), st.integers(0, COUNTER_MAX))
streams = st.builds(Stream, members, st.integers(0, 2**32 - 1))
keys = st.builds(Key, members, streams, members)
words = st.text("abcXYZ019-_.äΩ日", min_size=1, max_size=24)
addresses = st.builds(
    "{}:{}".format, st.sampled_from(["h", "1.2.3.4", "[::1]"]), st.integers(1, 65_535)
)
maybe_addresses = st.just("") | addresses
lines = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200)
ids = st.uuids().map(str)
member_lists = st.lists(members, max_size=5).map(tuple)

knowns = st.builds(
    core.Known,
    st.dictionaries(members, hashes, max_size=5).map(lambda them: tuple(sorted(them.items()))),
    hashes,
)
callers = st.builds(core.Caller, chats, members, numbers, epochs)
strangers = st.builds(core.Caller, chats, st.just(0), numbers, epochs)
views = st.builds(
    core.View,
    epoch=epochs,
    leader=numbers,
    leader_address=maybe_addresses,
    provisional=numbers,
    highest_n=st.integers(0, 999_999),
    roster_hash=hashes,
    history_hash=hashes,
    incarnation=numbers,
    process=hashes,
    grant=st.just(core.NO_GRANT)
    | st.builds(
        core.Grant,
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=1, max_size=72),
        st.just(b"") | st.binary(min_size=32, max_size=32),
    ),
)
records = st.builds(
    core.Member,
    id=members,
    identity=st.binary(min_size=32, max_size=32),
    admitted=epochs,
    incarnation=numbers,
    life=st.sampled_from(core.Life),
    address=addresses,
    address_stamp=st.tuples(numbers, numbers),
    farewell=st.just(b""),
    left=st.booleans(),
    kicked=st.booleans(),
    ends=st.lists(st.tuples(streams, members), max_size=3).map(tuple),
    nick=st.builds(core.Fact, words, hlcs, numbers),
    away=st.builds(core.Fact, lines, hlcs, numbers),
    admitted_by=numbers,
    admission=st.sampled_from([b"", b"a" * 64]),
    affirmation=st.sampled_from([b"", b"m" * 64]),
    since=numbers,
    issued=st.just(NO_IDS)
    | st.builds(
        IdBlock, st.integers(1, NUMBER_MAX - 64), st.integers(0, 64), st.binary(max_size=72)
    ),
)
proofs = st.sampled_from([b"", b"p" * 32])
invites = st.builds(
    access.Invite,
    id=st.integers(1, 2**64 - 1),
    check=st.binary(min_size=32, max_size=32),
    by=members,
    made=numbers,
    expires=numbers,
    once=st.booleans(),
    revoked=st.booleans(),
    used=st.sets(members, max_size=3).map(lambda used: tuple(sorted(used))),
    signature=st.sampled_from([b"", b"i" * 64]),
)
terms = st.builds(
    access.Terms, st.binary(min_size=16, max_size=16), st.integers(14, 17), p=st.integers(1, 4)
)
passwords = st.just(access.NO_PASSWORD) | st.builds(
    access.Password, st.just(None), st.just(b""), hlcs, members
)
passwords |= st.builds(access.Password, terms, st.binary(min_size=32, max_size=32), hlcs, members)
steps = st.sampled_from(
    [access.Knows(), access.Knows(b"e" * 33), access.Knows(session=2**64 - 1, proof=b"p" * 32)]
)
records |= records.map(lambda record: replace(record, identity=OWN.identity, card=OWN.card))
rosters = st.builds(
    core.Roster,
    st.lists(records, max_size=3, unique_by=lambda member: member.id).map(
        lambda them: tuple(sorted(them, key=lambda member: member.id))
    ),
    st.builds(core.Fact, lines, hlcs, numbers),
    st.builds(core.Fact, st.sampled_from(["", "open"]), hlcs, numbers),
    st.lists(invites, max_size=3, unique_by=lambda invite: invite.id).map(
        lambda them: tuple(sorted(them, key=lambda invite: invite.id))
    ),
    passwords,
    claim_keys=st.lists(
        st.builds(
            access.ClaimKey, members, st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1)
        ),
        max_size=4,
    ).map(lambda them: tuple(sorted(them, key=lambda key: key.rank))),
)
heads = st.sets(st.binary(min_size=ID_BYTES, max_size=ID_BYTES), max_size=3).map(
    lambda them: tuple(sorted(them))
)
decisions = st.builds(
    Decision,
    by=members,
    act=st.sampled_from(Act),
    hlc=hlcs,
    whom=numbers,
    person=st.sampled_from([b"", b"i" * 32]),
    value=lines,
    after=heads,
    signature=st.sampled_from([b"", b"d" * 64]),
)
rosters |= st.builds(
    core.Roster, decisions=st.lists(decisions, max_size=3, unique_by=lambda one: one.id).map(tuple)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


@st.composite
def chat_messages_of(draw: st.DrawFn, lines: st.SearchStrategy[int]) -> ChatMessage:
    """Of so many lines, with salts and a signature or without; some erased, or a change."""
    if draw(st.integers(0, 4)) == 0:
        return draw(changes())
    count = draw(lines)
    named = draw(st.lists(ids, min_size=count, max_size=count, unique=True))
    said = ChatMessage(
        key=draw(keys),
        ids=tuple(named),
        texts=draw(st.tuples(*[texts] * count)),
        deps=draw(st.lists(keys, max_size=3).map(tuple)),
        hlc=draw(hlcs),
        sent=draw(numbers),
        epoch=draw(epochs),
        kind=draw(st.sampled_from([Kind.TEXT, Kind.ACTION])),
        salts=draw(_none_or(SALT_BYTES * count)),
        signature=draw(_none_or(SIGNATURE_BYTES)),
        heads=draw(heads),
    )
    return said.without(draw(st.sets(st.integers(0, count - 1), max_size=2)))


@st.composite
def changes(draw: st.DrawFn) -> ChatMessage:
    """A message that changes a line, or did."""
    about, key = Spot(draw(keys), draw(st.integers(0, LINES_MAX - 1))), draw(keys)
    kind = draw(st.sampled_from([Kind.EDIT, Kind.REDACT]))
    said = ChatMessage(
        key=key,
        ids=(draw(ids),),
        texts=(draw(texts) if kind is Kind.EDIT else "",),
        deps=(*draw(st.lists(keys, max_size=2).map(tuple)), about.key),
        hlc=draw(hlcs),
        sent=draw(numbers),
        epoch=draw(epochs),
        kind=kind,
        salts=draw(_none_or(SALT_BYTES)),
        signature=draw(_none_or(SIGNATURE_BYTES)),
        heads=tuple(sorted(draw(st.sets(st.binary(min_size=16, max_size=16), max_size=2)))),
        about=about,
    )
    return said.without((0,)) if kind is Kind.EDIT and draw(st.booleans()) else said


def _none_or(size: int) -> st.SearchStrategy[bytes]:
    return st.just(b"") | st.binary(min_size=size, max_size=size)


chat_messages = chat_messages_of(st.integers(1, 4))
long_messages = chat_messages_of(st.sampled_from([1, 2, LINES_MAX - 1, LINES_MAX]))
runs = st.builds(
    lambda source, stream, first, more, hash: Run(
        source, stream, first, min(first + more, NUMBER_MAX), hash
    ),
    members,
    streams,
    members,
    numbers,
    shorts,
)
stored = st.builds(
    lambda member, first, more: Stored(member, first, first + more),
    members,
    st.integers(1, NUMBER_MAX - MESSAGES_MAX),
    st.integers(0, MESSAGES_MAX - 1),
)

requests = st.one_of(
    st.builds(
        core.Join,
        callers | strangers,
        words,
        st.binary(min_size=32, max_size=32),
        words,
        addresses,
        hashes,
        member_lists.map(lambda ids: tuple(sorted(set(ids)))),
        st.sampled_from([core.LOGGED, core.TRANSIENT]),
        farewells=st.just(()),
        invite=hashes,
        proof=proofs,
        knows=st.none() | steps,
    ),
    st.builds(core.Leave, callers, records),
    st.builds(core.Update, callers, rosters, st.booleans(), st.none() | knowns),
    st.builds(
        core.Ping, callers | strangers, st.none() | views, st.none() | epochs, member_lists, numbers
    ),
    st.builds(core.Elect, callers, views),
    st.builds(core.Coordinator, callers, views, st.booleans(), numbers),
    st.builds(core.Tell, callers, members, st.tuples(chat_messages), member_lists),
    st.builds(core.Acks, callers, members, streams, st.lists(stored, min_size=1).map(tuple)),
    st.builds(
        core.Sync,
        callers,
        views,
        st.lists(st.tuples(members, shorts), max_size=3).map(tuple),
        st.lists(runs, max_size=3).map(tuple),
        member_lists,
        st.booleans(),
    ),
)
replies = st.one_of(
    st.builds(
        core.Welcome,
        members,
        rosters,
        views,
        chats,
        words,
        st.integers(1, 2),
        numbers,
        maybe_addresses,
    ),
    st.builds(access.Challenge, st.integers(1, 2**64 - 1), st.binary(min_size=33, max_size=33)),
    st.builds(core.LeaveNoted, views),
    st.builds(core.Updated, rosters, views, member_lists, st.booleans()),
    st.builds(core.Pong, st.sampled_from(core.Standing), views, st.booleans(), st.booleans()),
    st.builds(
        core.Elected,
        st.booleans(),
        st.booleans(),
        st.sampled_from(core.Vote),
        views,
        st.booleans(),
    ),
    st.builds(core.Followed, st.booleans(), views),
    st.builds(
        core.Told,
        st.sampled_from(core.Receipt),
        ids,
        members,
        st.binary(min_size=64, max_size=64) | st.just(b""),
    ),
    st.just(core.AcksNoted()),
    st.builds(
        core.Synced,
        views,
        member_lists,
        st.lists(chat_messages, max_size=3).map(tuple),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.lists(runs, max_size=3).map(tuple),
    ),
)
REPLY_OF = {
    core.Join: core.Welcome,
    core.Leave: core.LeaveNoted,
    core.Update: core.Updated,
    core.Ping: core.Pong,
    core.Elect: core.Elected,
    core.Coordinator: core.Followed,
    core.Tell: core.Told,
    core.Acks: core.AcksNoted,
    core.Sync: core.Synced,
}

ANSWER_OF = REPLY_OF | {core.Join: core.Entry}  # of any kind

# ---- one good example of each ------------------------------------------------------------------

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CHAT = 7
EPOCH = Epoch(1_700_000_000, 3)
CALLER = core.Caller(CHAT, 1_000_002, 1_700_000_000_000, EPOCH)
STREAM = Stream(1_700_000_000_000, 77)
MESSAGE = ChatMessage(
    key=Key(1_000_002, STREAM, 2),
    ids=(ID,),
    texts=("hello",),
    deps=(Key(1_000_001, STREAM, 5),),
    hlc=Hlc(1_700_000_000_500, 1),
    sent=1_700_000_000_499,
    epoch=EPOCH,
)
ID_2 = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TWO_LINES = replace(
    MESSAGE,
    ids=(ID, ID_2),
    texts=("hello", "and more"),
    salts=b"s" * 2 * SALT_BYTES,
    signature=b"g" * SIGNATURE_BYTES,
    heads=(b"h" * ID_BYTES, b"i" * ID_BYTES),
)
TELL = core.Tell(CALLER, 1_000_001, (TWO_LINES,), (1_000_003,))
GRANT = core.Grant(b"h" * 32, b"s" * 71, b"k" * 32)
VIEW = core.View(EPOCH, 1_000_001, "127.0.0.1:5001", 0, 2, 11, 12, 1_700_000_000_000, 13, GRANT)
IDS = IdBlock(1_000_001, 8, b"s" * 71)
RECORD = core.Member(
    id=1_000_002,
    identity=OWN.identity,
    admitted=EPOCH,
    incarnation=5,
    life=core.Life.ALIVE,
    address="127.0.0.1:5002",
    address_stamp=(5, 1),
    ends=((STREAM, 2),),
    nick=core.Fact("bob", Hlc(1, 0), 1_000_002),
    away=core.Fact("lunch", Hlc(2, 0), 1_000_002),
    card=OWN.card,
    admitted_by=1_000_001,
    admission=b"a" * 64,
    affirmation=b"m" * 64,
    issued=IDS,
)
GONE = core.Member(
    id=1_000_003,
    identity=OWN.identity,
    admitted=EPOCH,
    incarnation=5,
    life=core.Life.ALIVE,
    address="127.0.0.1:5003",
    address_stamp=(5, 1),
    left=True,
    farewell=b"f" * 64,
)
INVITE = access.Invite(9, b"c" * 32, 1_000_001, 5, 6, True, True, (1_000_002,), b"v" * 64)
DECISION = Decision(
    1_000_001, Act.KICK, Hlc(6, 0), 1_000_002, b"i" * 32, "x", (b"a" * ID_BYTES,), b"d" * 64
)
PASSWORD = access.Password(access.Terms(b"s" * 16, 16, 8, 2), b"k" * 32, Hlc(5, 1), 1_000_002)
OPEN = core.Fact("open", Hlc(4, 0), 1_000_002)
CLAIM_KEYS = access.ClaimKey(1, b"1" * 32, 7), access.ClaimKey(2, b"2" * 32, 2**64 - 1)
ROSTER = core.Roster(
    (RECORD, GONE),
    core.Fact("tea", Hlc(3, 0), 1_000_002),
    OPEN,
    (INVITE,),
    PASSWORD,
    (DECISION,),
    claim_keys=CLAIM_KEYS,
)
JOIN = core.Join(
    CALLER,
    "tea",
    OWN.identity,
    "bob",
    "127.0.0.1:5002",
    99,
    (1_000_001,),
    farewells=(b"f" * 64,),
    card=OWN.card,
    invite=9,
    proof=b"p" * 32,
    knows=access.Knows(b"e" * 33),
    word=b"w" * 64,
)
RUN = Run(1_000_001, STREAM, 1, 9, 5)
FLOOR = Floor(1_000_001, STREAM, 7, 2 ** (8 * SUM_BYTES) - 1)
EXAMPLES: list[core.Request] = [
    JOIN,
    core.Leave(CALLER, RECORD),
    core.Update(CALLER, ROSTER, True, core.Known(((1_000_001, 2**64 - 1), (1_000_002, 1)), 7)),
    core.Ping(CALLER, VIEW, EPOCH, (1_000_002,), 1_000_003),
    core.Elect(CALLER, VIEW, hand_over=True, leaving=True),
    core.Coordinator(
        CALLER, VIEW, provisional=True, handed_over_by=1_000_001, handed_over_leaving=True
    ),
    TELL,
    core.Acks(CALLER, 1_000_001, STREAM, (Stored(1_000_003, 1, 9),)),
    core.Sync(
        CALLER,
        VIEW,
        ((1_000_001, 5),),
        (RUN,),
        (1_000_001,),
        newest_first=True,
        floors=(FLOOR,),
        holes=(MESSAGE.key,),
        wanted=(MESSAGE.key,),
    ),
]
NETWORK = core.Record(CHAT, "tea", EPOCH, 1_000_001, "127.0.0.1:5001")
FACTS = core.Facts("tea", 1, 1_700_000_000_000, EPOCH, 1_000_001, "127.0.0.1:5001", 5, GRANT)
REPLIES: list[core.Reply] = [
    core.Welcome(1_000_002, ROSTER, VIEW, 7, "tea", 1, 5, NETWORK.address, b"p" * 32, b"der"),
    access.Challenge(9, b"e" * 33),
    core.LeaveNoted(VIEW),
    core.Updated(ROSTER, VIEW, (1_000_001, 1_000_002), wants_common=True),
    core.Pong(core.Standing.LEADING, VIEW, reached=True, refused=True),
    core.Elected(True, True, core.Vote.ALIVE, VIEW, about_provisional=True),
    core.Followed(True, VIEW),
    core.Told(core.Receipt.STORED, ID, 1_000_001, b"s" * 64),
    core.AcksNoted(),
    core.Synced(
        VIEW,
        (1_000_001,),
        (MESSAGE, TWO_LINES),
        True,
        True,
        True,
        (RUN,),
        (FLOOR,),
        (MESSAGE.key,),
        (MESSAGE.key,),
        (STREAM, 9),
    ),
]
