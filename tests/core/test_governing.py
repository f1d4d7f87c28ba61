"""Dialogues about node/core/governing.py: what is decided here is told; and an owner that goes."""

from typing import Any

import pytest

from node.core import effects as e
from node.core import messages as m
from node.core.deciding import Act
from node.core.effects import Change
from node.core.events import Decided, Leaving
from node.core.messages import Life

from .cast import WALL, identity, person
from .dialogue import Dialogue, leading
from .test_ruling import OP, OWNER, decided, den, told
from .test_vouching import is_signed, signer


def goes(talk: Dialogue) -> list[Any]:
    """We leave; gives the decisions that this brings."""
    before = talk.group.roster.decisions
    talk.hand(Leaving())
    return [one for one in talk.group.roster.decisions if one not in before]


@pytest.mark.parametrize(
    ("admins", "gone", "heir"),
    [
        ((), (), 2),
        ((3,), (), 3),
        ((4, 3), (), 3),
        ((4, 3), (3,), 4),
        ((), (2,), 3),
        ((2,), (2,), 2),
    ],
    ids=str,
)
def test_an_owner_that_goes_hands_on_before(
    admins: tuple[int, ...], gone: tuple[int, ...], heir: int
) -> None:
    """To an admin, of those that answer, with the lowest id; else to a member."""
    others = [person(n, Life.DROPPED if n in gone else Life.ALIVE) for n in (2, 3, 4)]
    talk = leading(1, *others, signs={"sign": signer(1), "verify": is_signed})
    for admin in admins:
        talk.hand(Decided(OP, WALL, admin, identity(admin)))
    (handed,) = goes(talk)
    assert (handed.act, handed.whom, talk.group.order.owner) == (OWNER, heir, heir)
    sent = [n for n, s in enumerate(talk.said) if isinstance(s, e.Call)]
    told = [n for n in sent if isinstance(talk.said[n].request, m.Update)]  # type: ignore[union-attr]
    assert handed in talk.said[told[0]].request.roster.decisions  # type: ignore[union-attr]


def test_it_goes_once_all_were_told_or_had_the_time() -> None:
    talk = den(1)
    talk.hold(m.Update)
    talk.hand(Leaving())
    assert sorted(talk.callees(m.Update)) == [2, 3, 4]
    talk.hand(Leaving())
    assert len(talk.sent(m.Update)) == 0, "asked twice, it goes once"
    for member in (2, 3):
        talk.answer(m.Update, m.Updated(m.Roster(), talk.view(member)), to=member)
    assert not talk.waits(m.Elect)
    talk.wait(600)
    assert talk.waits(m.Elect, to=2), "4 had the time; now leadership is handed over"


def test_others_and_who_is_alone_hand_nothing_on() -> None:
    talk = den(2)
    assert goes(talk) == []
    assert goes(leading(1)) == []


def test_people_hear_who_has_it_now() -> None:
    talk = den(3)
    told(talk, decided(1, OWNER, 2), by=1)
    assert talk.of(e.MemberChanged) == [e.MemberChanged(2, Change.OWNER, by=1)]


def test_what_is_not_ours_to_decide_is_dropped() -> None:
    talk = den(2)
    talk.hand(Decided(Act.KICK, WALL, 3, identity(3)))
    assert talk.one(e.Dropped).reason == "a decision by somebody who has no right to it"
