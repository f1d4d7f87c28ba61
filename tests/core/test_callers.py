"""Dialogues about node/core/callers.py: whose certificate counts for whom, whatever is asked.

In the den are 1, who leads, 2 and we, 3; 6 has said no card yet.  4 has left, 5 was kicked.
"""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.effects import Change
from node.core.events import Opened, Received
from node.core.reasons import Reason
from node.core.types import NO_EPOCH

from .cast import CHAT, EPOCH, LEADING, WALL, address, identity, line, person, removal, stream
from .dialogue import STRANGER, Dialogue, follower, leading

Asked = Callable[[Dialogue, int], m.Request]


def certificate(member: int) -> bytes:
    return b"certificate of %d" % member


def card(member: int) -> m.Card:
    return m.Card(certificate(member), b"k" * 32, b"s" * 64)


def carded(member: int, **rest: Any) -> m.Member:
    return person(member, card=card(member), **rest)


STRANGE = b"certificate of nobody"
OTHERS = (carded(1), carded(2), person(4, left=True), person(5, kicked=True), person(6))


@pytest.fixture
def den() -> Dialogue:
    talk = follower(carded(3), *OTHERS, leader=1, card=card(3))
    assert talk.group.belonging == (1, 2, 3, 6)
    return talk


def ask(talk: Dialogue, request: m.Request, by: bytes | None) -> Any:
    """The answer to what comes from the node with this certificate; None: still to come."""
    call = 1_000 + len(talk.log)
    talk.hand(Received(call, request, by))
    return talk.reply(call)


def join(talk: Dialogue, card: m.Card, **caller: Any) -> m.Join:
    who = replace(m.Caller(CHAT, 0, 100, NO_EPOCH), **caller)
    return m.Join(who, "den", identity(9), "nine", address(9), process=9, card=card)


def own(talk: Dialogue, by: int) -> m.Member:
    return talk.group.member(by) or carded(by)


def elect(talk: Dialogue, by: int) -> m.Elect:
    return m.Elect(talk.caller(by), talk.view(by))


SAID: dict[str, Asked] = {
    "Tell": lambda talk, by: m.Tell(talk.caller(by), 3, (line(by),)),
    "Acks": lambda talk, by: m.Acks(talk.caller(by), 3, stream(), ()),
    "Ping": lambda talk, by: m.Ping(talk.caller(by), talk.view(by)),
    "Elect": elect,
    "Coordinator": lambda talk, by: m.Coordinator(talk.caller(by), talk.view(by), False),
    "Sync": lambda talk, by: m.Sync(talk.caller(by), talk.view(by)),
    "Update": lambda talk, by: m.Update(talk.caller(by), m.Roster((own(talk, by),))),
    "Leave": lambda talk, by: m.Leave(talk.caller(by), own(talk, by)),
}


def assert_unheard(talk: Dialogue, reply: Any, reason: str) -> None:
    """It was refused with that reason, and nothing came of it."""
    assert isinstance(reply, m.Refusal), reply
    assert reply.reason == reason
    assert [type(effect) for effect in talk.said] == [e.Respond]


def test_a_leader_of_before_there_were_cards_calls_back_whoever_asks_it_to_be_let_in(
    den: Dialogue,
) -> None:
    """Each would know the other's certificate by its card, if they could speak to each other."""

    def back(by: int) -> m.Ping:
        return m.Ping(den.caller(by, callee=0), den.view(by))

    assert_unheard(den, ask(den, back(6), STRANGE), Reason.WRONG_CERTIFICATE)
    den.hold(m.Join)
    den.group._joining.begin("m6:7000")
    heard = dict(den.group._s.liveness.heard_at)
    assert isinstance(ask(den, back(6), STRANGE), m.Pong)
    assert den.group._s.liveness.heard_at == heard, "that is all that comes of it"
    assert_unheard(den, ask(den, SAID["Ping"](den, 6), STRANGE), Reason.WRONG_CERTIFICATE)
    assert_unheard(den, ask(den, back(2), STRANGE), Reason.WRONG_CERTIFICATE)


# ---- members -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("by", [certificate(2), None], ids=["its own", "nothing proved"])
def test_a_member_is_heard_with_its_own_certificate(
    den: Dialogue, what: str, by: bytes | None
) -> None:
    reply = ask(den, SAID[what](den, 2), by)
    assert reply is not None
    assert not isinstance(reply, m.Refusal)


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("by", [certificate(1), certificate(3), STRANGE, b""])
def test_nobody_is_heard_as_a_member_with_anothers_certificate(
    den: Dialogue, what: str, by: bytes
) -> None:
    before = den.group.roster
    reply = ask(den, SAID[what](den, 2), by)
    assert_unheard(den, reply, Reason.WRONG_CERTIFICATE)
    assert reply.text == "the certificate of this connection is not the one of member 2"
    assert (den.group.roster, den.shown) == (before, [])


@pytest.mark.parametrize("what", SAID)
def test_a_member_that_has_said_no_card_cannot_be_told_from_others(
    den: Dialogue, what: str
) -> None:
    for by in (certificate(6), certificate(2), b"x"):
        assert_unheard(den, ask(den, SAID[what](den, 6), by), Reason.WRONG_CERTIFICATE)
    assert not isinstance(ask(den, SAID[what](den, 6), None), m.Refusal)


def test_a_card_that_is_said_counts_at_once(den: Dialogue) -> None:
    moved = carded(6, address_stamp=(101, 0))
    assert_unheard(den, ask(den, SAID["Tell"](den, 6), certificate(6)), Reason.WRONG_CERTIFICATE)
    ask(den, m.Update(den.caller(1), m.Roster((moved,))), certificate(1))
    assert isinstance(ask(den, SAID["Tell"](den, 6), certificate(6)), m.Told)


def test_who_has_another_card_is_not_heard_with_the_one_before(den: Dialogue) -> None:
    fresh = person(2, card=card(22), address_stamp=(101, 0))
    assert isinstance(
        ask(den, m.Update(den.caller(2), m.Roster((fresh,))), certificate(2)), m.Updated
    )
    assert_unheard(den, ask(den, elect(den, 2), certificate(2)), Reason.WRONG_CERTIFICATE)
    assert isinstance(ask(den, elect(den, 2), certificate(22)), m.Elected)


def test_another_process_of_ours_is_heard_as_ourselves_with_our_certificate(den: Dialogue) -> None:
    later = replace(own(den, 3), incarnation=200)
    update = m.Update(den.caller(3, incarnation=200), m.Roster((later,)))
    assert_unheard(den, ask(den, update, certificate(2)), Reason.WRONG_CERTIFICATE)
    assert isinstance(ask(den, update, certificate(3)), m.Updated)


def test_whom_it_is_meant_for_is_looked_at_first(den: Dialogue) -> None:
    tell = replace(SAID["Tell"](den, 2), caller=den.caller(2, callee=7))
    for by in (certificate(2), STRANGE, None):
        assert_unheard(den, ask(den, tell, by), Reason.WRONG_MEMBER)


# ---- who is no member any more -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "reason", "what"),
    [
        *((4, Reason.LEFT, what) for what in SAID),
        *((5, Reason.KICKED, what) for what in SAID),
    ],
)
def test_who_is_gone_is_told_so_whatever_it_shows(
    den: Dialogue, what: str, gone: int, reason: str
) -> None:
    for by in (certificate(gone), certificate(2), STRANGE):
        assert_unheard(den, ask(den, SAID[what](den, gone), by), reason)


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        (m.Roster(decisions=(removal(2),)), Reason.KICKED),
        (m.Roster((carded(2, left=True),)), Reason.LEFT),
    ],
    ids=["removed", "left"],
)
def test_whoever_goes_is_unheard_from_then_on_though_its_connection_lasts(
    den: Dialogue, news: m.Roster, reason: str
) -> None:
    assert isinstance(ask(den, SAID["Tell"](den, 2), certificate(2)), m.Told)
    ask(den, m.Update(den.caller(1), news), certificate(1))
    for n in (2, 3):
        tell = m.Tell(den.caller(2), 3, (line(2, n),))
        assert ask(den, tell, certificate(2)).reason == reason
        told = [effect.to for effect in den.said if isinstance(effect, e.Call)]
        assert told == [2] * (reason == Reason.KICKED and n == 2), "by whom it was removed, once"
    assert den.shown == ["2.1"]


def test_an_id_that_its_identity_has_outgrown_is_not_heard(den: Dialogue) -> None:
    """Its record has its card still, since nobody said that it has left."""
    newer = person(8, identity=identity(2), card=card(8))
    ask(den, m.Update(den.caller(1), m.Roster((newer,))), certificate(1))
    assert own(den, 2).card == card(2)
    assert_unheard(den, ask(den, SAID["Tell"](den, 2), certificate(2)), Reason.LEFT)
    assert_unheard(den, ask(den, nobody(den), certificate(2)), Reason.WRONG_CERTIFICATE)
    assert isinstance(ask(den, SAID["Tell"](den, 8), certificate(8)), m.Told)
    assert isinstance(ask(den, nobody(den), certificate(8)), m.Pong)


# ---- who says no name ----------------------------------------------------------------------------


def nobody(talk: Dialogue, **rest: Any) -> m.Ping:
    return replace(m.Ping(m.Caller(CHAT, 0, 0, EPOCH), None), **rest)


@pytest.mark.parametrize("by", [certificate(1), certificate(2), certificate(3), None])
def test_any_member_may_ping_without_its_name(den: Dialogue, by: bytes | None) -> None:
    assert isinstance(ask(den, nobody(den), by), m.Pong)


@pytest.mark.parametrize("by", [STRANGE, certificate(4), certificate(5), certificate(6), b"x"])
def test_nobody_else_may(den: Dialogue, by: bytes) -> None:
    reply = ask(den, nobody(den), by)
    assert_unheard(den, reply, Reason.WRONG_CERTIFICATE)
    assert reply.text == "the certificate of this connection is no member's"


def test_the_question_of_the_registry_was_looked_at_before_it_came_here() -> None:
    talk = leading(1, 2, 3)
    for by in (STRANGE, None):
        assert ask(talk, nobody(talk, asks_leading=EPOCH), by).standing is LEADING


@pytest.mark.parametrize("what", ["Tell", "Acks", "Elect", "Sync", "Update", "Leave"])
def test_nobody_says_anything_else_without_a_name(den: Dialogue, what: str) -> None:
    asked = SAID[what](den, 2)
    asked = replace(asked, caller=replace(asked.caller, node=0))
    assert ask(den, asked, STRANGE).reason == Reason.WRONG_CERTIFICATE
    assert ask(den, asked, certificate(2)).reason == Reason.UNKNOWN_MEMBER
    assert (den.shown, den.changes) == ([], [])


# ---- who wants in --------------------------------------------------------------------------------


def test_who_wants_in_shows_the_certificate_of_its_card_and_is_called_back_there() -> None:
    talk = leading(1, 2, 3)
    talk.hand(Opened(True, WALL))
    assert ask(talk, join(talk, card(9)), certificate(9)) is None
    call = talk.call(m.Ping, to=STRANGER)
    assert (call.address, call.certificate) == (address(9), certificate(9))
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    admitted = talk.group.member(50)
    assert admitted is not None
    assert admitted.card == card(9)
    assert isinstance(ask(talk, elect(talk, 50), certificate(9)), m.Elected)


@pytest.mark.parametrize("shown", [card(9), card(2), m.NO_CARD], ids=["own", "member's", "none"])
@pytest.mark.parametrize("by", [STRANGE, certificate(3)])
def test_nobody_gets_in_with_a_card_that_is_not_its_connections(shown: m.Card, by: bytes) -> None:
    talk = leading(1, 2, 3)
    reply = ask(talk, join(talk, shown), by)
    assert_unheard(talk, reply, Reason.WRONG_CERTIFICATE)
    assert reply.text == "the card is of another certificate"
    assert not talk.waits(m.Ping)


def test_where_nothing_is_proved_any_card_will_do() -> None:
    talk = leading(1, 2, 3)
    for shown in (card(9), m.NO_CARD):
        assert ask(talk, join(talk, shown), None) is None
        talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
        assert isinstance(talk.of(e.Respond)[0].reply, m.Welcome)


def test_a_member_comes_in_again_with_another_certificate() -> None:
    """As whoever lost its key does."""
    talk = leading(1, 9)
    assert_unheard(talk, ask(talk, elect(talk, 9), certificate(99)), Reason.WRONG_CERTIFICATE)
    assert ask(talk, join(talk, card(99)), certificate(99)) is None
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert isinstance(ask(talk, elect(talk, 9), certificate(99)), m.Elected)


# ---- whom we do not know -------------------------------------------------------------------------


def test_where_nothing_is_proved_who_is_not_known_yet_may_bring_its_own_record(
    den: Dialogue,
) -> None:
    assert isinstance(ask(den, SAID["Update"](den, 7), None), m.Updated)
    assert den.changes == [(7, Change.JOINED)]
    assert isinstance(ask(den, elect(den, 7), None), m.Elected)


@pytest.mark.parametrize("by", [certificate(7), STRANGE, certificate(2), b"x"])
@pytest.mark.parametrize("brought", [carded(7), person(7)], ids=["card", "no card"])
def test_else_that_takes_more_than_a_record(den: Dialogue, by: bytes, brought: m.Member) -> None:
    """The signature of who let it in: see test_admission.py."""
    reply = ask(den, m.Update(den.caller(7), m.Roster((brought,))), by)
    assert_unheard(den, reply, Reason.UNKNOWN_MEMBER)
    assert den.group.member(7) is None


@pytest.mark.parametrize("by", [certificate(7), certificate(2)])
def test_who_is_not_known_leads_nobody(den: Dialogue, by: bytes) -> None:
    """And nobody asks at the address that it names."""
    asked = m.Coordinator(den.caller(7), den.view(7), False)
    assert_unheard(den, ask(den, asked, by), Reason.UNKNOWN_MEMBER)


def test_who_is_not_known_says_nothing_of_others_alone(den: Dialogue) -> None:
    update = m.Update(den.caller(7), m.Roster((carded(2, kicked=True),)))
    for by in (certificate(7), certificate(2), None):
        assert ask(den, update, by).reason == Reason.UNKNOWN_MEMBER
    assert 2 in den.group.belonging


@pytest.mark.parametrize("what", ["Tell", "Acks", "Ping", "Elect", "Sync", "Leave"])
def test_what_else_comes_from_whom_we_do_not_know_is_refused(den: Dialogue, what: str) -> None:
    for by in (certificate(7), certificate(2), None):
        assert ask(den, SAID[what](den, 7), by).reason == Reason.UNKNOWN_MEMBER
    assert (den.shown, den.changes) == ([], [])


# ---- whom we call --------------------------------------------------------------------------------


def test_we_call_the_node_that_has_the_certificate_of_the_members_card(den: Dialogue) -> None:
    den.hold(m.Ping)
    den.wait_for(m.Ping, to=1)
    assert den.call(m.Ping, to=1).certificate == certificate(1)
    den.says("hello")
    told = [call for call in den.of(e.Call) if isinstance(call.request, m.Tell)]
    meant = {call.to: call.certificate for call in told}
    assert meant == {1: certificate(1), 2: certificate(2), 6: b""}, "6 has said none"


@pytest.mark.parametrize("reason", [Reason.WRONG_CERTIFICATE, Reason.UNKNOWN_MEMBER])
def test_whom_the_leader_does_not_take_for_itself_joins_again(den: Dialogue, reason: str) -> None:
    den.hold(m.Ping)
    den.wait_for(m.Ping, to=1)
    den.answer(m.Ping, m.Refusal(reason), to=1)
    call = den.call(m.Join)
    assert call.address == address(1)
    assert call.request.card == card(3)
    assert call.certificate == b"", "whoever leads there"


def test_what_another_member_takes_us_for_does_not_matter(den: Dialogue) -> None:
    den.says("hello")
    den.answer(m.Tell, m.Refusal(Reason.WRONG_CERTIFICATE), to=2)
    den.wait(2_000)
    assert not den.waits(m.Join)


# ---- who has a new certificate -------------------------------------------------------------------


def renewed(**rest: Any) -> m.Member:
    return replace(carded(2), card=card(22), address_stamp=(101, 0), **rest)


def test_a_member_says_by_its_identity_that_it_has_another_certificate(den: Dialogue) -> None:
    update = m.Update(den.caller(2), m.Roster((renewed(),)))
    assert isinstance(ask(den, update, certificate(22)), m.Updated)
    assert isinstance(ask(den, elect(den, 2), certificate(22)), m.Elected)
    assert_unheard(den, ask(den, elect(den, 2), certificate(2)), Reason.WRONG_CERTIFICATE)


@pytest.mark.parametrize(
    "record",
    [
        replace(renewed(), identity=identity(9)),  # whose card it is, the codec has looked at
        replace(renewed(), address_stamp=(100, 0)),  # as known: an old one, said again
        replace(renewed(), address_stamp=(99, 9)),
        replace(renewed(), card=card(2)),  # of another certificate than the connection's
        replace(renewed(), id=6),
    ],
    ids=["another's identity", "no news", "older", "another card", "another member"],
)
def test_nobody_else_says_it(den: Dialogue, record: m.Member) -> None:
    update = m.Update(den.caller(2), m.Roster((record,)))
    assert_unheard(den, ask(den, update, certificate(22)), Reason.WRONG_CERTIFICATE)
    assert own(den, 2).card == card(2)
