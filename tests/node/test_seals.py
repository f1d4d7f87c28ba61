"""What is said is opened by the member that it goes to, and by nobody else.

Tries node/trust/seals.py, node/codec/sealing.py and node/host/sealing.py.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.codec import METHODS, AskWriter, Malformed, Method, call_of
from node.codec.frames import Asked, read_frame, write_answer
from node.codec.sealing import SEALED, about
from node.core import messages as core
from node.core.access import Challenge
from node.core.messages import NO_CARD, Card
from node.core.types import Hlc
from node.host.sealing import ChatSeals
from node.limits import Limits
from node.trust import keys, seals
from p2pchat.v1 import common_pb2
from p2pchat.v1 import node_pb2 as pb
from tests.node import wire_values as values
from tests.node.wire_values import CALLER
from tests.sealing import Sealer

LIMITS = Limits()
ALICE, BOB, EVE = 1_000_001, CALLER.node, 1_000_003
KEYS = {member: keys.make() for member in (ALICE, BOB, EVE)}
CARDS = {member: own.card for member, own in KEYS.items()}
TOLD_KIND = pb.Messages.DESCRIPTOR.full_name
ABOUT = about(TOLD_KIND, CALLER.chat)
TOLD = replace(values.TELL, caller=replace(CALLER, callee=ALICE), to=ALICE)

SYNCED = next(one for one in values.REPLIES if isinstance(one, core.Synced) and one.messages)


def sealer(member: int) -> Sealer:
    return Sealer(KEYS[member], lambda other: CARDS[other])


def method(kind: type) -> Method:
    return METHODS[kind]


# ---- the pair ----------------------------------------------------------------------------------


def pair(own: int, other: int) -> seals.Pair:
    return seals.Pair(KEYS[own].seal, CARDS[other].seal_key)


@given(st.binary(max_size=2_000))
def test_the_other_one_opens_what_was_closed(said: bytes) -> None:
    content, key = seals.close(said)
    wrap = pair(BOB, ALICE).wrap(key, ABOUT)
    assert len(wrap) == 60
    assert pair(ALICE, BOB).open(content, wrap, ABOUT) == said
    assert said not in content or len(said) < 8


def test_nobody_else_does() -> None:
    content, key = seals.close(b"the secret plan")
    wrap = pair(BOB, ALICE).wrap(key, ABOUT)
    for own, other in ((EVE, BOB), (EVE, ALICE), (ALICE, EVE), (BOB, EVE)):
        assert pair(own, other).open(content, wrap, ABOUT) is None


def test_what_goes_out_does_not_come_back() -> None:
    """Bob cannot be told his own words as if they were alice's."""
    content, key = seals.close(b"the secret plan")
    assert pair(BOB, ALICE).open(content, pair(BOB, ALICE).wrap(key, ABOUT), ABOUT) is None


@pytest.mark.parametrize(
    "part", ["content", "wrap", "nonce", "short wrap", "no wrap", "no content"]
)
def test_what_was_altered_is_not_opened(part: str) -> None:
    content, key = seals.close(b"the secret plan")
    wrap = pair(BOB, ALICE).wrap(key, ABOUT)
    bent = {
        "content": (bytes([content[0] ^ 1]) + content[1:], wrap),
        "wrap": (content, wrap[:-1] + bytes([wrap[-1] ^ 1])),
        "nonce": (content, bytes([wrap[0] ^ 1]) + wrap[1:]),
        "short wrap": (content, wrap[:5]),
        "no wrap": (content, b""),
        "no content": (b"", wrap),
    }
    assert pair(ALICE, BOB).open(*bent[part], ABOUT) is None
    assert pair(ALICE, BOB).open(content, wrap, ABOUT) == b"the secret plan"


@pytest.mark.parametrize(
    "what", [about(TOLD_KIND, CALLER.chat + 1), about("p2pchat.v1.SyncResponse", CALLER.chat), b""]
)
def test_what_was_sealed_for_one_chat_and_kind_opens_in_no_other(what: bytes) -> None:
    content, key = seals.close(b"the secret plan")
    assert pair(ALICE, BOB).open(content, pair(BOB, ALICE).wrap(key, ABOUT), what) is None
    assert pair(ALICE, BOB).open(content, pair(BOB, ALICE).wrap(key, what), ABOUT) is None


def test_nothing_is_closed_alike_twice() -> None:
    (one, its_key), (other, another_key) = seals.close(b"same"), seals.close(b"same")
    assert one != other
    assert its_key != another_key
    assert pair(BOB, ALICE).wrap(its_key, ABOUT) != pair(BOB, ALICE).wrap(its_key, ABOUT)


@pytest.mark.parametrize("key", [bytes(32), b"", b"k" * 31])
def test_what_is_no_key_makes_no_pair(key: bytes) -> None:
    """All zero is one whose secret everybody knows."""
    assert seals.pair(KEYS[ALICE].seal, key) is None


# ---- the calls ---------------------------------------------------------------------------------


def asked(data: bytes, by: int = ALICE) -> core.Request | Malformed:
    (one,) = read_frame(data, LIMITS, sealer(by)).asked
    return one.request


def test_what_is_told_over_a_link_is_sealed() -> None:
    data = AskWriter(sealer(BOB)).write(1, TOLD)
    for line in TOLD.messages[0].texts:
        assert line.encode() not in data
    assert asked(data) == TOLD


def test_it_is_encrypted_once_for_all_who_are_told() -> None:
    writer = AskWriter(sealer(BOB))
    for_alice = pb.Frame.FromString(writer.write(1, TOLD)).asks[0].messages.sealed
    to_eve = replace(TOLD, caller=replace(CALLER, callee=EVE), to=EVE)
    data = writer.write(2, to_eve)
    for_eve = pb.Frame.FromString(data).asks[0].messages.sealed
    assert for_alice.content == for_eve.content
    assert for_alice.wrap != for_eve.wrap
    assert asked(data, by=EVE) == to_eve


@pytest.mark.parametrize("kind", ["clear", "for eve", "by eve", "both"])
def test_what_is_not_sealed_for_us_by_the_caller_says_nothing(kind: str) -> None:
    """The group then refuses it, or the caller."""
    plain = AskWriter().write(1, TOLD)
    for_eve = replace(TOLD, caller=replace(CALLER, callee=EVE))
    data = {
        "clear": plain,
        "for eve": AskWriter(sealer(BOB)).write(1, for_eve),
        "by eve": AskWriter(sealer(EVE)).write(1, TOLD),
        "both": b"",
    }[kind]
    if kind == "both":  # in the clear, and beside that something sealed for somebody else
        frame = pb.Frame.FromString(plain)
        other = pb.Frame.FromString(AskWriter(sealer(BOB)).write(1, for_eve))
        frame.asks[0].messages.sealed.CopyFrom(other.asks[0].messages.sealed)
        data = frame.SerializeToString()
    request = asked(data)
    assert isinstance(request, core.Tell)
    assert request.messages == ()
    assert request.caller.node == BOB


def test_nothing_but_what_is_said_is_taken_from_inside() -> None:
    """Who calls, and for whom, stands outside and nowhere else."""
    content, key = seals.close(pb.Messages(destination_id=EVE).SerializeToString())
    frame = pb.Frame.FromString(AskWriter(sealer(BOB)).write(1, TOLD))
    told = frame.asks[0].messages
    wrap = sealer(BOB).wrap(key, TOLD_KIND, CALLER.chat, ALICE)
    told.sealed.CopyFrom(pb.Sealed(content=content, wrap=wrap))
    request = asked(frame.SerializeToString())
    assert isinstance(request, core.Tell)
    assert (request.to, request.messages) == (ALICE, ())


def test_noise_inside_says_nothing() -> None:
    content, key = seals.close(b"\xff" * 9)
    frame = pb.Frame.FromString(AskWriter(sealer(BOB)).write(1, TOLD))
    sealed = pb.Sealed(content=content, wrap=sealer(BOB).wrap(key, TOLD_KIND, CALLER.chat, ALICE))
    frame.asks[0].messages.sealed.CopyFrom(sealed)
    request = asked(frame.SerializeToString())
    assert isinstance(request, core.Tell)
    assert request.messages == ()


def test_a_bad_field_inside_is_named() -> None:
    frame = pb.Frame.FromString(AskWriter().write(1, TOLD))
    inner = pb.Messages(messages=frame.asks[0].messages.messages)
    inner.messages[0].header.seq = 0
    content, key = seals.close(inner.SerializeToString())
    frame.asks[0].messages.ClearField("messages")
    sealed = pb.Sealed(content=content, wrap=sealer(BOB).wrap(key, TOLD_KIND, CALLER.chat, ALICE))
    frame.asks[0].messages.sealed.CopyFrom(sealed)
    request = asked(frame.SerializeToString())
    assert isinstance(request, Malformed)
    assert "messages.messages[0].header.seq" in str(request)


def test_one_message_alone_is_sealed_too() -> None:
    data = method(core.Tell).write_request(TOLD, sealer(BOB))
    message = pb.MessageRequest.FromString(data)
    left = {field.name for field, _ in message.ListFields()}
    assert left == {"chat_id", "caller", "destination_id", "pass_on", "sealed"}
    assert method(core.Tell).read_request(data, LIMITS, sealer(ALICE)) == TOLD
    clear = method(core.Tell).write_request(TOLD)
    request = method(core.Tell).read_request(clear, LIMITS, sealer(ALICE))
    assert isinstance(request, core.Tell)
    assert request.messages == ()


def test_a_page_of_catch_up_is_sealed_for_who_asked() -> None:
    sync = method(core.Sync)
    asks = replace(CALLER, callee=ALICE)
    data = sync.write_reply(SYNCED, asks, sealer(ALICE))
    assert not pb.SyncResponse.FromString(data).messages
    assert sync.read_reply(data, LIMITS, asks, sealer(BOB)) == SYNCED
    for wrong in (data, sync.write_reply(SYNCED)):
        with pytest.raises(Malformed, match="must be sealed by the member that answers"):
            sync.read_reply(wrong, LIMITS, asks, sealer(EVE))


def test_calls_that_say_nothing_are_as_they_were() -> None:
    for request in values.EXAMPLES:
        kind = method(type(request))
        if kind.request not in SEALED:
            assert kind.write_request(request, sealer(BOB)) == kind.write_request(request)
            assert kind.read_request(kind.write_request(request), LIMITS, sealer(ALICE)) == request


def test_every_field_that_says_something_is_sealed() -> None:
    """Whatever of a chat message a carrier has, and nothing else."""
    says = {"msg_id", "source_id", "msg", "header", "more_ids", "more_msgs", "messages", "roster"}
    for kind, fields in SEALED.items():
        assert fields == {field.name for field in kind.DESCRIPTOR.fields} & says
    message = {field.name for field in common_pb2.ChatMessage.DESCRIPTOR.fields}
    assert message <= says
    assert call_of(TOLD)[0] == "/p2pchat.v1.Node/Message"


# ---- rosters -----------------------------------------------------------------------------------

OTHER = replace(values.RECORD, id=EVE, identity=KEYS[EVE].identity, card=CARDS[EVE])
ROSTER = replace(
    values.ROSTER,
    members=(OTHER,),
    password=replace(values.PASSWORD, seed=b"the seed" * 4),
    topic=core.Fact("what nobody else may read", Hlc(5, 0), BOB),
)
UPDATE = core.Update(TOLD.caller, ROSTER, want_roster=True)
UPDATED = core.Updated(ROSTER, values.VIEW)
LEADER = replace(values.RECORD, id=BOB, identity=KEYS[BOB].identity, card=CARDS[BOB])
WELCOME = core.Welcome(
    ALICE,
    replace(ROSTER, members=(LEADER,)),
    replace(values.VIEW, leader=BOB),
    7,
    "tea",
    1,
    5,
    "127.0.0.1:5001",
)
HELD = (
    *(invite.check for invite in ROSTER.invites),
    ROSTER.password.seed,
    *(key.secret for key in ROSTER.claim_keys),
    OTHER.identity,
    ROSTER.topic.value.encode(),
)


def assert_none_in(data: bytes) -> None:
    assert len(HELD) == 6
    assert all(HELD)
    assert not any(held in data for held in HELD)


def test_a_roster_is_sealed_wherever_it_goes() -> None:
    """By link and by call, asked and answered, and to who comes in."""
    seals, update = sealer(BOB), method(core.Update)
    by_link, by_call = AskWriter(seals).write(1, UPDATE), update.write_request(UPDATE, seals)
    assert asked(by_link) == update.read_request(by_call, LIMITS, sealer(ALICE)) == UPDATE
    asks = replace(CALLER, callee=BOB, node=ALICE)
    question = Asked(1, "update", replace(UPDATE, caller=asks))
    answered = write_answer(question, UPDATED, seals)
    (answer,) = read_frame(answered, LIMITS, sealer(ALICE), lambda _: asks).answers
    reply = update.write_reply(UPDATED, asks, seals)
    assert answer.reply == update.read_reply(reply, LIMITS, asks, sealer(ALICE)) == UPDATED
    newcomer = replace(CALLER, callee=0, node=0)
    welcome = method(core.Join).write_reply(WELCOME, newcomer, seals)
    assert method(core.Join).read_reply(welcome, LIMITS, newcomer, sealer(ALICE)) == WELCOME
    for data in (by_link, by_call, answered, reply, welcome):
        assert_none_in(data)


def test_a_newcomer_need_not_know_the_chat_that_it_comes_into() -> None:
    seals = ChatSeals(lambda: [chat(WELCOME.chat, BOB, {ALICE: CARDS[ALICE]})])
    newcomer = replace(CALLER, chat=0, callee=0, node=0)
    welcome = method(core.Join).write_reply(WELCOME, newcomer, seals)
    assert method(core.Join).read_reply(welcome, LIMITS, newcomer, sealer(ALICE)) == WELCOME


@pytest.mark.parametrize("kind", ["for eve", "by eve", "in the clear"])
def test_a_roster_is_taken_from_nobody_who_has_not_sealed_it_for_us(kind: str) -> None:
    update = method(core.Update)
    to_eve = replace(UPDATE, caller=replace(CALLER, callee=EVE))
    data = {
        "for eve": update.write_request(to_eve, sealer(BOB)),
        "by eve": update.write_request(UPDATE, sealer(EVE)),
        "in the clear": update.write_request(UPDATE),
    }[kind]
    request = update.read_request(data, LIMITS, sealer(ALICE))
    assert isinstance(request, core.Update)
    assert request.roster == core.Roster()
    reply = update.write_reply(UPDATED)
    answer = update.read_reply(reply, LIMITS, UPDATE.caller, sealer(BOB))
    assert answer == core.Updated(core.Roster(), values.VIEW)
    newcomer = replace(CALLER, callee=0, node=0)
    for welcome in (
        method(core.Join).write_reply(WELCOME, newcomer, sealer(EVE)),
        method(core.Join).write_reply(WELCOME),
    ):
        with pytest.raises(Malformed, match="must be sealed by the member that answers"):
            method(core.Join).read_reply(welcome, LIMITS, newcomer, sealer(ALICE))


OWN = replace(LEADER, ends=())
INTRODUCED = replace(UPDATE, roster=replace(ROSTER, members=(OWN, OTHER)))


@pytest.mark.parametrize("known", ["nothing", "another key", "the key"])
def test_who_is_not_known_yet_is_by_its_own_record_alone(known: str) -> None:
    """Of whom the key is known, nothing is believed that it has not sealed."""
    card = {"nothing": NO_CARD, "another key": CARDS[EVE], "the key": CARDS[BOB]}[known]
    ours = ChatSeals(lambda: [chat(CALLER.chat, ALICE, {BOB: card})])
    update = method(core.Update)
    data = update.write_request(INTRODUCED, sealer(BOB))
    assert_none_in(data)
    request = update.read_request(data, LIMITS, ours)
    assert isinstance(request, core.Update)
    bare = replace(OWN, nick=core.Fact(), away=core.Fact())
    said = {"nothing": (OWN,), "another key": (bare,), "the key": ()}[known]
    assert request == INTRODUCED if known == "the key" else request.roster == core.Roster(said)
    clear = update.read_request(update.write_request(INTRODUCED), LIMITS, ours)
    assert isinstance(clear, core.Update)
    assert clear.roster == core.Roster(said)


def test_one_record_and_no_more_is_taken_of_what_nobody_has_sealed() -> None:
    """Each has a signature, and thousands fit into a call of who is nobody."""
    ours = ChatSeals(lambda: [chat(CALLER.chat, ALICE, {})])
    message = pb.UpdateMembersRequest.FromString(method(core.Update).write_request(INTRODUCED))
    own = next(one for one in message.roster.members if one.member_id == BOB)
    message.roster.members.extend([own] * 1_000)
    request = method(core.Update).read_request(message.SerializeToString(), LIMITS, ours)
    assert isinstance(request, core.Update)
    assert request.roster == core.Roster((OWN,))


@pytest.mark.parametrize("card", [NO_CARD, CARDS[BOB]], ids=["none", "the known one"])
def test_who_has_no_other_key_says_nothing_in_the_clear(card: core.Card) -> None:
    """Whoever has stolen the certificate of a node, and none of its other keys."""
    said = replace(OWN, card=card, left=True, life=core.Life.DROPPED, incarnation=9)
    update = method(core.Update)
    data = update.write_request(replace(UPDATE, roster=core.Roster((said,))), sealer(EVE))
    request = update.read_request(data, LIMITS, sealer(ALICE))
    assert isinstance(request, core.Update)
    assert request.roster == core.Roster()


def test_for_whom_there_is_no_key_the_roster_is_left_out() -> None:
    ours = ChatSeals(lambda: [chat(CALLER.chat, BOB, {ALICE: NO_CARD})])
    data = method(core.Update).write_request(UPDATE, ours)
    assert_none_in(data)
    assert not pb.UpdateMembersRequest.FromString(data).HasField("sealed")


def test_what_a_newcomer_is_asked_is_not_sealed() -> None:
    newcomer, join = replace(CALLER, callee=0, node=0), method(core.Join)
    challenge = next(one for one in values.REPLIES if isinstance(one, Challenge))
    data = join.write_reply(challenge, newcomer, ChatSeals(list))
    assert join.read_reply(data, LIMITS, newcomer, sealer(ALICE)) == challenge


# ---- the node's own ----------------------------------------------------------------------------


def chat(number: int, own: int, cards: dict[int, Card], broken: str = "") -> Any:
    members = {member: SimpleNamespace(card=card) for member, card in cards.items()}
    group = SimpleNamespace(chat=number, member=members.get)
    return SimpleNamespace(group=group, seal_key=KEYS[own].seal, broken=broken, removed=False)


def test_a_node_seals_by_the_cards_of_each_chat() -> None:
    """One of its chats may be transient, and have keys of its own."""
    chats = [chat(7, ALICE, {BOB: CARDS[BOB]}), chat(8, EVE, {BOB: CARDS[BOB]})]
    ours = ChatSeals(lambda: chats)
    content, key = ours.close(b"said")
    for number, us in ((7, ALICE), (8, EVE)):
        what = about(TOLD_KIND, number)
        assert pair(BOB, us).open(content, ours.wrap(key, TOLD_KIND, number, BOB), what) == b"said"
        wrap = pair(BOB, us).wrap(key, what)
        assert ours.open(content, wrap, TOLD_KIND, number, BOB) == b"said"
        assert ours.key_of(number, BOB) == CARDS[BOB].seal_key


def test_for_whom_there_is_no_key_nothing_is_sealed() -> None:
    chats = [chat(7, ALICE, {BOB: NO_CARD}), chat(9, ALICE, {BOB: CARDS[BOB]}, broken="it has")]
    ours = ChatSeals(lambda: chats)
    content, key = ours.close(b"said")
    for number, member in ((7, BOB), (7, EVE), (8, BOB), (9, BOB)):
        assert ours.wrap(key, TOLD_KIND, number, member) == b""
        wrap = pair(BOB, ALICE).wrap(key, about(TOLD_KIND, number))
        assert ours.open(content, wrap, TOLD_KIND, number, member) is None
        assert ours.key_of(number, member) == b""


def test_a_newcomer_opens_with_the_keys_of_any_chat_of_the_node() -> None:
    """It may not know which one it comes into."""
    ours = ChatSeals(lambda: [chat(8, EVE, {}), chat(0, ALICE, {})])
    content, key = seals.close(b"said")
    wrap = pair(BOB, ALICE).wrap(key, ABOUT)
    to = TOLD_KIND, CALLER.chat
    assert ours.open_by(content, wrap, *to, CARDS[BOB].seal_key) == b"said"
    assert ours.open_by(content, wrap, TOLD_KIND, 8, CARDS[BOB].seal_key) is None
    assert ours.open_by(content, wrap, *to, CARDS[EVE].seal_key) is None
    assert ours.open_by(content, wrap, *to, b"") is None


def test_a_card_that_is_said_anew_is_used_at_once() -> None:
    cards = {BOB: CARDS[EVE]}
    ours = ChatSeals(lambda: [chat(7, ALICE, cards)])
    content, key = ours.close(b"said")
    what = about(TOLD_KIND, 7)
    assert pair(BOB, ALICE).open(content, ours.wrap(key, TOLD_KIND, 7, BOB), what) is None
    cards[BOB] = CARDS[BOB]
    assert pair(BOB, ALICE).open(content, ours.wrap(key, TOLD_KIND, 7, BOB), what) == b"said"
