"""Dialogues about node/core/ruling.py: what owner and admins decide, at them and at the others.

1 has founded the den and is its owner; everybody's signature is a hash with its identity.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core import vetting
from node.core.deciding import ADMINS, Act, Decision, hand_over_statement, in_value, statement
from node.core.effects import Change
from node.core.events import Changed, Decided, Field, Invited
from node.core.reasons import Reason
from node.core.types import Hlc

from .cast import CHAT, WALL, identity, line, person, wished
from .dialogue import Dialogue, follower, leading
from .test_vouching import is_signed, signer

KICK, BAN, UNBAN, OP, DEOP, OWNER, INVITES, TOPIC, TITLE = Act


def den(me: int, *others: m.Member, **rest: Any) -> Dialogue:
    signs = {"sign": signer(me), "verify": is_signed}
    known = [person(id) for id in (1, 2, 3, 4) if id != me]
    if me == 1:
        return leading(1, *known, *others, signs=signs, **rest)
    return follower(me, *known, *others, leader=1, signs=signs, **rest)


def decided(by: int, act: Act, whom: int = 0, *after: Decision, **rest: Any) -> Decision:
    """That, signed by its author."""
    ms = 1 + max((one.hlc.ms for one in after), default=0)
    known = tuple(sorted(one.id for one in after))
    made = Decision(by, act, Hlc(ms, 0), whom, identity(whom) if whom else b"", after=known)
    made = replace(made, **rest)
    if "signature" in rest:
        return made
    return replace(made, signature=signer(by)(statement(CHAT, made)))


def told(talk: Dialogue, *decisions: Decision, by: int = 2) -> None:
    talk.hears(m.Update(talk.caller(by), m.Roster(decisions=decisions)))


def wants(talk: Dialogue, act: Act, whom: int = 0, value: str = "") -> Decision | None:
    """Our user decides; gives what is told to the others."""
    who = identity(whom) if whom else b""
    talk.hold(m.Update)
    talk.hand(Decided(act, WALL, whom, who, value))
    made = [s.request.roster.decisions for s in talk.of(e.Call) if isinstance(s.request, m.Update)]
    return made[0][-1] if made and made[0] else None


OP2 = decided(1, OP, 2)
KICK4 = decided(2, KICK, 4, OP2)


# ---- at who decides ------------------------------------------------------------------------------


def test_the_owner_makes_an_admin_and_tells_everybody() -> None:
    talk = den(1)
    made = wants(talk, OP, 2)
    assert made is not None
    assert (made.by, made.act, made.whom, made.person) == (1, OP, 2, identity(2))
    assert is_signed(identity(1), made.signature, statement(CHAT, made))
    assert sorted(talk.callees(m.Update)) == [2, 3, 4]
    assert talk.one(e.StoreRoster).roster.decisions == (made,)
    assert talk.changes == [(2, Change.ADMIN)]
    assert talk.group.order.admins == {2}


def test_what_follows_names_what_was_known() -> None:
    talk = den(1)
    first, second = wants(talk, OP, 2), wants(talk, OP, 3)
    assert first is not None
    assert second is not None
    assert second.after == (first.id,)
    assert second.hlc > first.hlc


def test_who_hands_ownership_on_signs_that_for_the_registry() -> None:
    made = wants(den(1), OWNER, 2, "anything")
    assert made is not None
    assert is_signed(identity(1), in_value(made), hand_over_statement(CHAT, identity(2)))
    assert is_signed(identity(1), made.signature, statement(CHAT, made)), "and for the others"
    bent = replace(made, value=bytes(64).hex())
    assert not is_signed(identity(1), made.signature, statement(CHAT, bent)), "it covers that, too"
    plain = leading(1, 2)
    plain.hold(m.Update)
    plain.hand(Decided(OWNER, WALL, 2, identity(2)))
    (unsigned,) = plain.group.roster.decisions
    assert unsigned.value == ""


@pytest.mark.parametrize("act", [OP, DEOP, OWNER, KICK, BAN, UNBAN, INVITES, TOPIC])
def test_who_has_no_right_to_it_decides_nothing(act: Act) -> None:
    talk = den(3)
    assert wants(talk, act, 4) is None
    assert talk.of(e.StoreRoster) == []
    assert talk.one(e.Dropped).reason == "a decision by somebody who has no right to it"


# ---- at the others -------------------------------------------------------------------------------


def test_who_is_removed_is_told_of_and_is_a_member_no_longer() -> None:
    talk = den(3)
    told(talk, OP2, KICK4)
    assert talk.changes == [(4, Change.KICKED), (2, Change.ADMIN)]
    gone = [s for s in talk.of(e.MemberChanged) if s.change is Change.KICKED]
    assert gone[0].detail == "user4"
    assert talk.group.belonging == (1, 2, 3)
    refusal = talk.hears(m.Tell(talk.caller(4), 3, (line(4),)))
    assert refusal.reason == Reason.KICKED


def test_who_reads_that_it_was_removed_is_out() -> None:
    talk = den(4)
    told(talk, OP2, KICK4)
    assert talk.one(e.Departed) == e.Departed(0, 0, deleted=False, kicked=True)
    assert talk.hears(m.Ping(talk.caller(2), talk.view(2))).reason == Reason.UNKNOWN_CHAT


@pytest.mark.parametrize(
    "wrong",
    [
        decided(2, KICK, 4, OP2, signature=b""),
        decided(2, KICK, 4, OP2, signature=b"s" * 64),
        replace(KICK4, whom=3, person=identity(3)),
        decided(2, KICK, 4, OP2, person=identity(3)),
        decided(3, KICK, 4, OP2),
        decided(2, KICK, 4),
        decided(9, KICK, 4, OP2),
    ],
    ids=["unsigned", "any signature", "bent", "another person", "no right", "not yet", "nobody"],
)
def test_what_is_not_signed_or_not_rightful_changes_nothing(wrong: Decision) -> None:
    talk = den(3)
    told(talk, OP2)
    told(talk, wrong)
    assert talk.group.belonging == (1, 2, 3, 4)
    assert len(talk.group.order.removed) == 0
    assert talk.group.roster.decisions == (OP2,)


def test_nobody_is_removed_by_what_a_member_says_of_it() -> None:
    talk = den(3)
    talk.hears(m.Update(talk.caller(2), m.Roster((person(4, kicked=True, incarnation=105),))))
    assert talk.group.belonging == (1, 2, 3, 4)
    assert talk.group.member(4).incarnation == 105  # type: ignore[union-attr]


def test_nobody_is_taken_back_by_what_a_member_says_of_it() -> None:
    talk = den(3)
    told(talk, OP2, KICK4)
    talk.hears(m.Update(talk.caller(2), m.Roster((person(4, incarnation=105),))))
    assert talk.group.belonging == (1, 2, 3)


def test_a_removal_that_does_not_count_after_all_is_taken_back() -> None:
    """Its author was unmade by somebody who did not know of it."""
    talk = den(3)
    told(talk, OP2, KICK4)
    told(talk, decided(1, DEOP, 2, OP2))
    assert talk.group.belonging == (1, 2, 3, 4)
    assert talk.group.order.admins == set()


def test_the_hash_of_rosters_differs_until_decisions_are_known() -> None:
    one, other = den(3), den(3)
    told(one, OP2)
    assert one.group._s.members.hash != other.group._s.members.hash
    told(other, OP2)
    assert one.group._s.members.hash == other.group._s.members.hash


# ---- who may invite, and set the topic -----------------------------------------------------------

ALONE = decided(1, INVITES, 0, value=ADMINS)


def test_where_admins_alone_invite_a_member_s_invitation_is_none() -> None:
    talk = den(3)
    told(talk, ALONE)
    talk.hand(Invited(7, b"c" * 32, WALL))
    assert talk.of(e.StoreRoster) == []
    assert talk.one(e.Dropped).reason == "an invitation by somebody who may not invite"


def test_where_admins_alone_set_the_topic_a_member_does_not() -> None:
    talk = den(3)
    told(talk, decided(1, TOPIC, 0, value=ADMINS))
    talk.hand(Changed(Field.TOPIC, "mine", WALL))
    assert talk.group.roster.topic.value == ""
    talk.hand(Changed(Field.NICK, "other", WALL))
    assert talk.group.shown_nick(3) == "other"


# ---- what they are called ------------------------------------------------------------------------


def called(talk: Dialogue, *ids: int) -> list[str]:
    return [talk.group.shown_nick(id) for id in ids]


def test_the_name_of_who_was_removed_goes_to_nobody_else_while_it_is_out() -> None:
    bobs = [person(id, nick=m.Fact("bob", Hlc(id, 0), id)) for id in (5, 6, 7)]
    talk = den(1, *bobs)
    assert called(talk, 5, 6, 7) == ["bob", "bob2", "bob3"]
    kick = wants(talk, KICK, 5)
    assert kick is not None
    assert called(talk, 5, 6, 7) == ["bob", "bob2", "bob3"], "a second kick means the same one"
    assert wants(talk, KICK, 6) is not None
    assert called(talk, 5, 6, 7) == ["bob", "bob2", "bob3"], "nor does it take an earlier one's"
    assert wants(talk, UNBAN, 5) is not None
    assert called(talk, 6, 7) == ["bob", "bob2"], "who may come again comes anew"


def test_who_is_banned_after_it_had_left_takes_no_name_back() -> None:
    gone = person(5, nick=m.Fact("bob", Hlc(1, 0), 5), left=True)
    talk = den(1, gone, person(6, nick=m.Fact("bob", Hlc(2, 0), 6)))
    assert wants(talk, BAN, 5) is not None
    assert called(talk, 5, 6) == ["bob", "bob"]


# ---- who comes -----------------------------------------------------------------------------------


def asks(talk: Dialogue, by: int) -> Any:
    caller = m.Caller(CHAT, 0, 200, m.NO_EPOCH if hasattr(m, "NO_EPOCH") else talk.group.epoch)
    return talk.hears(wished(m.Join(caller, "den", identity(by), "back", f"m{by}:7000", by)))


def test_who_was_removed_is_not_let_in_again_until_that_is_taken_back() -> None:
    talk = den(1)
    kick = wants(talk, KICK, 4)
    assert kick is not None
    assert asks(talk, 4).reason == Reason.KICKED
    talk.hand(Decided(UNBAN, WALL, 0, identity(4)))
    assert asks(talk, 4) is None, "it is called back now"


# ---- the topic, where admins alone set it --------------------------------------------------------

RESTRICTED = decided(1, TOPIC, 0, OP2, value=ADMINS)
TEA = decided(2, TITLE, 0, RESTRICTED, value="tea")


def test_where_admins_alone_set_the_topic_it_is_what_they_have_signed() -> None:
    talk = den(3)
    told(talk, OP2, RESTRICTED, TEA)
    assert (2, Change.TOPIC) in talk.changes
    forged = m.Fact("mine", Hlc(WALL, 0), 2)
    talk.hears(m.Update(talk.caller(4), m.Roster((), forged)))
    assert (talk.changes, talk.group.about.value) == ([], "tea")
    told(talk, decided(3, TITLE, 0, TEA, value="mine"), by=4)
    assert talk.group.about == m.Fact("tea", TEA.hlc, 2)
    told(talk, decided(1, TOPIC, 0, TEA, value=""))
    assert talk.group.about == forged


def test_an_admin_who_sets_it_there_signs_it() -> None:
    talk = den(2)
    told(talk, OP2, RESTRICTED, by=1)
    talk.hold(m.Update)
    talk.hand(Changed(Field.TOPIC, "milk", WALL))
    (sent, *_) = talk.sent(m.Update)
    assert (sent.roster.decisions[-1] in talk.group.roster.decisions, talk.group.about.value) == (
        True,
        "milk",
    )
    assert talk.group.order.title.signature  # type: ignore[union-attr]


# ---- who is who ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        person(1, identity=b"\0" * 32),
        replace(person(1), id=0x7, identity=identity(1)),
        person(4, identity=b"\0" * 31 + b"\1"),
    ],
    ids=["the founder is another", "known by another id", "a member is another"],
)
def test_nobody_is_made_another_by_what_a_member_says(record: m.Member) -> None:
    talk = den(3)
    before = talk.group.order
    talk.hears(m.Update(talk.caller(2), m.Roster((record,))))
    assert [talk.group.member(id).identity for id in (1, 2, 4)] == [  # type: ignore[union-attr]
        identity(id) for id in (1, 2, 4)
    ]
    assert talk.group.order == before


def test_nobody_was_there_before_the_founder() -> None:
    from .dialogue import follower

    talk = follower(5, *(person(id) for id in (3, 4, 6)), leader=3)
    talk.hears(m.Update(talk.caller(4), m.Roster((person(2), person(7)))))
    assert talk.group.belonging == (3, 4, 5, 6, 7)
    assert talk.group.order.owner == 3
    assert talk.group.drops["a record of somebody who cannot have that id"] == 1


# ---- what people hear ----------------------------------------------------------------------------

CHANGES = [
    (OP2, 2, Change.ADMIN, "", 1),
    (decided(1, DEOP, 2, OP2), 2, Change.NO_ADMIN, "", 1),
    (KICK4, 4, Change.KICKED, "user4", 2),
    (decided(2, UNBAN, 0, KICK4, person=identity(4)), 4, Change.PARDONED, "", 2),
    (decided(1, OWNER, 4, OP2), 4, Change.OWNER, "", 1),
    (decided(2, INVITES, 0, OP2, value=ADMINS), 2, Change.RIGHTS, "invite admins", 2),
    (decided(1, TOPIC, 0, OP2, value=ADMINS), 1, Change.RIGHTS, "topic admins", 1),
    (decided(2, TOPIC, 0, RESTRICTED, value=""), 2, Change.RIGHTS, "topic all", 2),
]
KNOWN = {one.id: one for one in (OP2, KICK4, RESTRICTED)}


@pytest.mark.parametrize(("decision", "member", "change", "detail", "by"), CHANGES, ids=str)
def test_people_hear_what_was_decided_and_by_whom(
    decision: Decision, member: int, change: Change, detail: str, by: int
) -> None:
    talk = den(3)
    told(talk, *((OP2, *(KNOWN[id] for id in decision.after)) if decision.after else ()))
    told(talk, decision)
    assert talk.of(e.MemberChanged) == [e.MemberChanged(member, change, detail, by)]


def test_who_had_left_is_told_to_be_banned() -> None:
    talk = den(3)
    word = signer(4)(vetting.statement(CHAT, 4))
    talk.hears(m.Leave(talk.caller(4), person(4, left=True, farewell=word)))
    told(talk, decided(1, BAN, 4))
    assert talk.of(e.MemberChanged) == [e.MemberChanged(4, Change.BANNED, "user4", 1)]


def test_a_removal_that_does_not_count_after_all_is_told() -> None:
    talk = den(3)
    told(talk, OP2, KICK4)
    told(talk, decided(1, DEOP, 2, OP2))
    assert (4, Change.REINSTATED) in talk.changes


def test_who_joins_is_not_told_what_was_decided_before() -> None:
    talk = den(3)
    talk.group._belonging.absorb(m.Roster(decisions=(OP2,)), quiet=True)
    assert talk.group._s.out == [s for s in talk.group._s.out if not isinstance(s, e.MemberChanged)]


# ---- room ----------------------------------------------------------------------------------------


def test_admins_leave_room_for_the_owner_and_nobody_takes_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.core.ruling.DECISIONS_MAX", 4)
    monkeypatch.setattr("node.core.ruling.FOR_THE_OWNER", 2)
    one, other = decided(2, TITLE, 0, OP2, value="a"), decided(2, TITLE, 0, OP2, value="b")
    talk = den(2)
    told(talk, OP2, by=1)
    assert wants(talk, TITLE, value="c") is not None
    assert wants(talk, TITLE, value="d") is None
    mine = den(1)
    for n in range(4):
        assert wants(mine, TITLE, value=f"{n}") is not None
    assert wants(mine, TITLE, value="5") is None
    theirs = den(3)
    told(theirs, OP2, RESTRICTED, TEA, one, other)
    assert len(theirs.group.roster.decisions) == 4
