"""Dialogues about node/core/issuing.py: ids are given by who got them from the registry."""

from typing import Any

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.issuing import PURPOSE, statement
from node.core.reasons import Reason
from node.core.types import NO_IDS, Epoch, IdBlock, MemberId
from tests.sim.signing import REGISTRY, granted, is_signed, signer

from .cast import CHAT, EPOCH, FIRST, WALL, identity, let_in, person
from .dialogue import Dialogue, follower, leading
from .test_joining import admit

SIGNS = {"verify": is_signed, "granted": granted}
FOUNDER = person(1, issued=IdBlock(1, 8))


def issued(
    first: MemberId = 5,
    count: int = 8,
    *,
    to: MemberId = 1,
    epoch: Epoch = FIRST,
    chat: int = CHAT,
    by: bytes = REGISTRY,
) -> IdBlock:
    """A block, as the registry gives it."""
    ids = IdBlock(first, count)
    return replace(ids, signature=signer(by)(statement(chat, epoch, to, ids)))


def given(member: MemberId, by: MemberId = 1, **rest: Any) -> m.Member:
    """Somebody whom that member let in, with an id of a block of its own."""
    return let_in(member, by, **{"issued": issued(to=by), **rest})


def den(*others: m.Member) -> Dialogue:
    return follower(3, *(others or (FOUNDER, person(2), person(4))), leader=1, signs=SIGNS)


def brings(talk: Dialogue, *records: m.Member, by: MemberId = 2) -> Any:
    return talk.hears(m.Update(talk.caller(by), m.Roster(records)))


FORGED = {
    "none": NO_IDS,
    "not signed": IdBlock(5, 8),
    "of another service": issued(to=2, by=b"mallory"),
    "of another member": issued(to=1),
    "of another epoch": issued(to=2, epoch=EPOCH),
    "of another chat": issued(to=2, chat=CHAT + 1),
    "with other ids": issued(8, to=2),
    "made longer": replace(issued(5, 2, to=2), count=8),
}


@pytest.mark.parametrize("ids", FORGED.values(), ids=FORGED)
def test_who_did_not_get_an_id_gives_it_to_nobody(ids: IdBlock) -> None:
    talk = den()
    brings(talk, given(7, by=2, issued=ids), given(6, by=2))
    assert talk.group.belonging == (1, 2, 3, 4, 6)
    assert talk.group.member(7) is None
    brings(talk, given(7, by=1))
    assert talk.group.member(7) == given(7, by=1), "whose it is, is in"


def test_where_the_registrys_key_is_not_known_members_are_believed() -> None:
    for tells in (lambda *_: None, None):
        signs = {"verify": is_signed, "granted": tells}
        talk = follower(3, FOUNDER, person(2), leader=1, signs=signs)
        brings(talk, given(7, by=2, issued=IdBlock(7, 1)))
        assert talk.group.belonging == (1, 2, 3, 7)


def test_who_has_an_id_of_the_registry_keeps_its_admission() -> None:
    talk = den(FOUNDER, person(2), given(7))
    for other in (given(7, by=2), given(7, by=2, since=5), let_in(7, by=2), let_in(7)):
        brings(talk, other)
        assert talk.group.member(7) == given(7)
    talk = den(FOUNDER, person(2), given(7, by=2, since=5))
    brings(talk, given(7))
    assert talk.group.member(7) == given(7, by=2, since=5)


def test_nobody_gives_more_of_what_was_said_than_it_is_given() -> None:
    talk = den(FOUNDER, person(2, since=50))
    brings(talk, given(7, by=2, since=49), given(8, by=2, since=50))
    brings(talk, given(9, by=8, since=3))
    assert talk.group.belonging == (1, 2, 3, 8)


def test_nobody_is_let_in_with_more_than_its_leader_is_given() -> None:
    """Though that one's clock, or the founder's, is ahead."""
    talk = leading(2, replace(FOUNDER, since=5), first=50, signs=SIGNS)
    mine = talk.group.member(2)
    assert mine is not None
    talk.group._s.members.put(replace(mine, since=WALL + 10**9, admission=b"a"))
    welcome = admit(talk, 9)
    (record,) = [one for one in welcome.roster.members if one.id == 50]  # type: ignore[union-attr]
    assert record.since == WALL + 10**9


def test_who_was_let_in_before_that_is_vouched_for_by_any_member() -> None:
    """To one that was away all the while."""
    for by, is_in in ((1, True), (2, True), (9, False)):
        talk = den(person(1), person(2), person(4))
        brings(talk, let_in(7, by=by))
        assert (talk.group.member(7) is not None) is is_in


def test_nobody_is_any_more_where_ids_have_been_issued() -> None:
    talk = den(person(1), person(2), given(5))
    brings(talk, let_in(7), let_in(4))
    assert talk.group.belonging == (1, 2, 3, 4, 5)


def test_a_newcomer_shows_by_whom_its_id_was_given() -> None:
    signs = {"sign": signer(identity(1)), "verify": is_signed, "granted": granted}
    talk = leading(1, 2, first=50, signs=signs)
    talk.group._s.ids = dict.fromkeys((50, 51), ids := issued(50, 2, epoch=EPOCH))
    welcome = admit(talk, 9)
    (record,) = [one for one in welcome.roster.members if one.id == 50]  # type: ignore[union-attr]
    assert record.issued == ids
    there = den()
    brings(there, record)
    assert there.group.member(50) == record
    assert statement(CHAT, EPOCH, 1, ids).startswith(PURPOSE)


@pytest.mark.parametrize(("first", "left"), [(1, [4]), (2, [4, 5]), (3, [4, 5, 6])])
def test_ids_that_somebody_has_are_given_to_nobody(first: int, left: list[int]) -> None:
    """A registry that lies names those of others, and such as come before the founder's."""
    talk = leading(2, 3, first=first, count=4)
    for id in left:
        assert admit(talk, 20 + id).member == id  # type: ignore[union-attr]
    assert admit(talk, 9).reason == Reason.NO_IDS  # type: ignore[union-attr]
    assert talk.group.belonging == (2, 3, *left)
