"""Tables and laws of node/core/deciding.py: who is what, by decisions that come in any order.

1 has founded the group; what is said of somebody's person is its number in 32 bytes.
"""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.deciding import HEADS_MAX, KEPT_MAX, Act, Decision, Decisions, Order, in_value
from node.core.types import Hlc

from .cast import identity
from .laws import fixed

KICK, BAN, UNBAN, OP, DEOP, OWNER, INVITES, TOPIC, TITLE = Act


def decided(by: int, act: Act, whom: int = 0, *after: Decision, **rest: object) -> Decision:
    """That, by a member that knew of `after`."""
    known = tuple(sorted(one.id for one in after))
    ms = 1 + max((one.hlc.ms for one in after), default=0)
    person = identity(whom) if whom else b""
    one = Decision(by, act, Hlc(ms, 0), whom, person, after=known)
    return replace(one, **rest)  # type: ignore[arg-type]


def order(*decisions: Decision) -> Order:
    return Decisions(1, identity(1), decisions).order


def admins(*decisions: Decision) -> set[int]:
    return set(order(*decisions).admins)


def removed(*decisions: Decision) -> set[int]:
    return set(order(*decisions).removed)


OP2 = decided(1, OP, 2)
OP3 = decided(1, OP, 3, OP2)


def test_the_founder_is_the_owner() -> None:
    assert order() == Order(1)
    assert [order(OP2).rank(member) for member in (1, 2, 3)] == [2, 1, 0]


def test_the_owner_makes_admins_and_unmakes_them() -> None:
    assert admins(OP2) == {2}
    gone = decided(1, DEOP, 2, OP2)
    assert admins(OP2, gone) == set()
    assert admins(OP2, gone, decided(1, OP, 2, gone)) == {2}


@pytest.mark.parametrize(
    "decision",
    [
        decided(2, OP, 3),
        decided(3, OP, 3, OP2),
        decided(2, OP, 3, OP2),
        decided(2, DEOP, 1, OP2),
        decided(2, OWNER, 2, OP2),
        decided(2, KICK, 4),  # it did not know that it is an admin: nor was it one then
        decided(3, KICK, 4, OP2),
        decided(2, KICK, 1, OP2),
        decided(2, KICK, 3, OP3),
        decided(2, BAN, 0, OP2, person=identity(1)),
        decided(2, BAN, 0, OP3, person=identity(3)),
        decided(4, UNBAN, 0, OP3, person=identity(5)),
        decided(4, INVITES, 0, OP3, value="admins"),
        decided(4, TOPIC, 0, OP3, value="admins"),
    ],
    ids=lambda one: f"{one.by} {one.act.name} {one.whom}",
)
def test_what_its_author_has_no_right_to_changes_nothing(decision: Decision) -> None:
    assert order(OP2, OP3, decision) == order(OP2, OP3)


def test_admins_remove_members_and_the_owner_anybody() -> None:
    assert removed(OP2, decided(2, KICK, 4, OP2)) == {4}
    assert removed(OP3, OP2, decided(1, KICK, 3, OP3)) == {3}
    assert admins(OP3, OP2, decided(1, KICK, 3, OP3)) == {2}


def test_who_was_removed_is_barred_until_that_is_taken_back_by_who_knows_of_it() -> None:
    kick = decided(1, KICK, 4)
    pardon = decided(1, UNBAN, 0, kick, person=identity(4))
    early = decided(1, UNBAN, 0, person=identity(4))
    assert order(kick).barred == {identity(4): 1}
    assert order(kick, early).barred == {identity(4): 1}, "they know nothing of each other"
    found = order(kick, pardon)
    assert (found.barred, found.removed) == ({}, {4: 1}), "it comes back as another member"
    again = decided(1, BAN, 0, pardon, person=identity(4))
    assert order(kick, pardon, again).barred == {identity(4): 1}


def test_what_an_admin_did_before_it_was_unmade_stands() -> None:
    kick = decided(2, KICK, 4, OP2)
    assert removed(OP2, kick, decided(1, DEOP, 2, kick)) == {4}


@pytest.mark.parametrize("act", [DEOP, KICK, BAN])
def test_what_an_admin_does_without_knowing_that_it_was_unmade_does_not_count(act: Act) -> None:
    kick = decided(2, KICK, 4, OP2)
    gone = decided(1, act, 2, OP2)
    assert 4 not in removed(OP2, kick, gone)
    assert 4 in removed(OP2, kick, gone, decided(1, KICK, 4, gone, kick))


def test_of_two_that_know_nothing_of_each_other_the_removal_stands() -> None:
    kick, op = decided(2, KICK, 4, OP2), decided(1, OP, 4, OP2)
    found = order(OP2, kick, op)
    assert (set(found.removed), found.admins) == ({4}, {2})
    op, deop = decided(1, OP, 3), decided(1, DEOP, 3)
    assert admins(op, deop) == set()


def test_ownership_is_handed_on_and_who_did_stays_an_admin() -> None:
    handed = decided(1, OWNER, 2)
    found = order(handed)
    assert (found.owner, found.admins) == (2, {1})
    assert removed(handed, decided(1, KICK, 4, handed)) == {4}
    assert admins(handed, decided(1, OP, 4, handed)) == {1}, "that is the owner's to say"
    assert admins(handed, decided(2, DEOP, 1, handed)) == set()
    back = decided(2, OWNER, 1, handed)
    assert (order(handed, back).owner, order(handed, back).admins) == (1, {2})


def test_who_is_the_owner_in_the_end_is_not_removed() -> None:
    kick = decided(2, KICK, 3, OP2)
    for handed in (decided(1, OWNER, 3, OP2), decided(1, OWNER, 3, kick)):
        found = order(OP2, kick, handed)
        assert (found.owner, found.removed, found.barred) == (3, {}, {})
    assert order(decided(1, KICK, 1)) == order()


def test_what_the_owner_in_the_end_was_before_and_was_removed_as_does_not_come_back() -> None:
    """It is a member again since then, under another id."""
    gone = decided(1, KICK, 2)
    pardon = decided(1, UNBAN, 0, gone, person=identity(2))
    made = decided(1, OWNER, 4, pardon, person=identity(2))
    assert order(gone, pardon, made) == Order(4, frozenset({1}), {2: 1})
    back = decided(4, OWNER, 1, made)
    assert order(gone, pardon, made, back) == Order(1, frozenset({4}), {2: 1})
    unaware = decided(1, OWNER, 4, gone, person=identity(2))
    assert order(gone, unaware) == Order(4, frozenset({1}), {2: 1}), "and it is not kept out"


def test_what_the_owner_did_without_knowing_that_it_handed_on_does_not_count() -> None:
    handed = decided(1, OWNER, 2)
    assert admins(handed, decided(1, OP, 4)) == {1}
    assert removed(handed, decided(1, KICK, 2)) == set()


def test_of_two_hand_overs_one_stands_with_all_that_follows_it() -> None:
    low, high = sorted((decided(1, OWNER, 2), decided(1, OWNER, 3)), key=lambda one: one.id)
    loser = decided(high.whom, OP, 4, high)
    winner = decided(low.whom, OP, 5, low)
    found = order(low, high, loser, winner)
    assert found.owner == low.whom
    assert found.admins == {1, 5}
    assert order(high, loser).admins == {1, 4}, "until the other one is known"


def test_the_latest_value_of_a_setting_stands() -> None:
    first = decided(1, INVITES, 0, OP2, value="admins")
    second = decided(2, INVITES, 0, first, value="")
    assert order(OP2, first).invites == "admins"
    assert order(OP2, first, second).invites == ""
    assert order(OP2, decided(2, TOPIC, 0, OP2, value="admins")).topic == "admins"


def test_what_follows_something_unknown_is_left_out_until_that_comes() -> None:
    kick = decided(2, KICK, 4, OP2)
    known = Decisions(1, identity(1), [kick])
    assert (known.order, len(known)) == (Order(1), 0)
    assert known.absorb([kick, OP2]) == [OP2, kick]
    assert set(known.order.removed) == {4}


def test_what_its_author_has_no_right_to_is_not_kept() -> None:
    known = Decisions(1, identity(1), [OP2])
    wrong = decided(3, KICK, 4, OP2)
    assert not known.is_rightful(wrong)
    assert known.absorb([wrong, decided(1, KICK, 4, wrong)]) == []
    assert known.all == (OP2,)


def test_heads_are_what_nothing_known_follows() -> None:
    known = Decisions(1, identity(1), [OP2])
    assert known.heads == (OP2.id,)
    known.absorb([OP3, decided(2, KICK, 4, OP2)])
    assert len(known.heads) == 2
    assert OP2.id not in known.heads
    assert len(known) == len(known.all) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"by": 3},
        {"act": DEOP},
        {"hlc": Hlc(2, 0)},
        {"whom": 3},
        {"person": identity(3)},
        {"value": "x"},
        {"after": (OP3.id,)},
    ],
)
def test_the_id_covers_all_but_the_signature(change: dict[str, object]) -> None:
    assert replace(OP2, **change).id != OP2.id  # type: ignore[arg-type]
    assert replace(OP2, signature=b"s").id == OP2.id


# ---- laws ----------------------------------------------------------------------------------------

members = st.integers(1, 4)


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    """Up to seven, each of which knows some of those before it."""
    made: list[Decision] = []
    for _ in range(draw(st.integers(1, 7))):
        known = draw(st.lists(st.sampled_from(made), max_size=2, unique=True)) if made else []
        act = draw(st.sampled_from([OP, DEOP, KICK, OWNER, UNBAN]))
        one = decided(draw(members), act, draw(members), *known)
        if one not in made:
            made.append(one)
    return made


@fixed
@given(histories(), st.randoms(use_true_random=False))
def test_the_same_follows_in_whatever_order_they_come(made: list[Decision], rng) -> None:  # type: ignore[no-untyped-def]
    found = order(*made)
    shuffled = rng.sample(made, len(made))
    known = Decisions(1, identity(1))
    for n, _ in enumerate(shuffled, 1):
        known.absorb(shuffled[:n])  # As rosters bring them: again and again.
        assert known.order.owner  # And it is asked in between.
    assert known.order == found


@fixed
@given(histories())
def test_owner_and_admins_are_never_among_the_removed_nor_two(made: list[Decision]) -> None:
    found = order(*made)
    assert found.owner not in found.admins
    assert not found.admins & found.removed.keys()
    assert found.owner not in found.removed
    assert identity(found.owner) not in found.barred


def test_permutations_of_a_quarrel_come_to_the_same() -> None:
    kick = decided(2, KICK, 3, OP3)
    other = decided(3, KICK, 2, OP3)
    gone = decided(1, DEOP, 2, OP3)
    mine = decided(2, KICK, 4, OP3)
    quarrel = (OP2, OP3, kick, other, gone, mine)
    assert len({str(order(*some)) for some in permutations(quarrel)}) == 1
    assert order(*quarrel) == Order(1, frozenset({3}))


# ---- what messages ask ---------------------------------------------------------------------------


def test_who_was_gone_by_what_somebody_knew_stays_gone_by_it() -> None:
    kick = decided(2, KICK, 4, OP2)
    known = Decisions(1, identity(1), [OP2, kick])
    assert not known.is_gone_by(4, (OP2.id,))
    assert known.is_gone_by(4, (kick.id,))
    assert not known.is_gone_by(3, (kick.id,))
    deop = decided(1, DEOP, 2, OP2)
    known.absorb([deop])
    assert known.order.removed == {}
    assert known.is_gone_by(4, (kick.id,))
    assert not known.is_gone_by(4, known.heads)


def test_what_was_found_for_the_last_heads_is_kept_and_no_more() -> None:
    made = [OP2]
    for _ in range(2 * KEPT_MAX):
        made.append(decided(1, TITLE, 0, made[-1], value="x"))
    kick = decided(1, KICK, 4, made[0])
    known = Decisions(1, identity(1), [*made, kick])
    for one in made:
        assert not known.is_gone_by(5, (one.id,)), "nobody ever removed it: nothing is looked up"
    assert not known._gone
    for one in made:
        known.is_gone_by(4, (one.id,))
    assert len(known._gone) == KEPT_MAX
    assert not known.is_gone_by(4, (made[0].id,))


def test_messages_name_the_latest_of_very_many() -> None:
    many = [decided(1, OP, whom, hlc=Hlc(whom, 0)) for whom in range(2, 40)]
    known = Decisions(1, identity(1), many)
    assert len(known.heads) == len(many)
    assert set(known.latest) == {one.id for one in many[-HEADS_MAX:]}
    assert list(known.latest) == sorted(known.latest)


@pytest.mark.parametrize("hlc", [Hlc(1, 0), Hlc(0, 9), Hlc(2**42, 0)], ids=str)
def test_nothing_is_decided_before_what_it_follows_nor_far_ahead_of_it(hlc: Hlc) -> None:
    wrong = decided(1, OP, 3, OP2, hlc=hlc)
    assert Decisions(1, identity(1), [OP2, wrong]).all == (OP2,)


def test_the_last_topic_that_was_decided_stands() -> None:
    first = decided(1, TITLE, 0, OP2, value="tea")
    second = decided(2, TITLE, 0, first, value="milk")
    assert order(OP2, first).title == first
    assert order(OP2, first, second).title == second
    assert order(OP2, decided(3, TITLE, 0, OP2, value="no")).title is None


def test_a_place_that_was_handed_on_forty_times_is_found_at_once() -> None:
    made: list[Decision] = []
    for n in range(40):
        made.append(decided(1 + n, OWNER, 2 + n, *made[-1:]))
    assert order(*made).owner == 41


# ---- what outsiders are shown --------------------------------------------------------------------


def shown(*decisions: Decision, member: int = 4) -> tuple[Decision, ...]:
    return Decisions(1, identity(1), decisions).shown_removal(member)


def test_a_removal_is_shown_by_an_owner_s_decision_or_with_what_made_its_author_an_admin() -> None:
    by_owner, by_admin = decided(1, BAN, 4), decided(2, KICK, 4, OP2)
    assert shown(by_owner) == (by_owner,)
    assert shown(OP2, by_admin) == (OP2, by_admin)
    assert shown(OP2, by_admin, by_owner) == (by_owner,), "the shorter way"
    assert shown(OP2, by_admin, member=3) == ()
    assert shown(decided(1, BAN, 0, person=identity(4))) == (), "it names no member"
    by_other = decided(3, KICK, 4, OP3)
    assert shown(OP2, OP3, by_other) == (OP3, by_other), "the one that made that admin"
    unmade = decided(1, DEOP, 2)
    made = decided(1, OP, 2, unmade)
    by_made = decided(2, KICK, 4, made)
    assert shown(unmade, made, by_made) == (made, by_made)


def test_what_does_not_count_shows_nothing() -> None:
    gone = decided(1, DEOP, 2, OP2)
    assert shown(OP2, gone, decided(2, KICK, 4, OP2)) == ()
    again = decided(1, OP, 2, gone)
    kicked = decided(2, KICK, 4, again)
    (made, removal) = shown(OP2, gone, again, kicked)
    assert made in (OP2, again)
    assert removal == kicked
    unmade = decided(1, DEOP, 4, OP2)
    assert shown(OP2, unmade) == ()
    removal = decided(2, KICK, 4, unmade)
    assert shown(OP2, unmade, removal) == (OP2, removal)
    good, late = decided(3, KICK, 4, OP3), decided(1, DEOP, 2, OP3)
    bad = (decided(2, KICK, 4, OP2, hlc=Hlc(9, n)) for n in range(99))
    lower = next(one for one in bad if one.id < good.id)
    assert shown(OP2, OP3, good, late, lower) == (OP3, good)


def test_who_is_the_owner_in_the_end_is_shown_to_be_removed_by_nothing() -> None:
    removal = decided(1, KICK, 4)
    handed = decided(1, OWNER, 4, removal)
    assert shown(removal) == (removal,)
    assert shown(removal, handed) == ()


def test_what_former_owners_did_is_shown_by_them() -> None:
    handed = decided(1, OWNER, 2)
    by_first, by_second = decided(1, KICK, 4, handed), decided(2, KICK, 4, handed)
    assert shown(handed, by_first) == (by_first,), "who is an admin by having been the owner"
    assert shown(handed, by_second) == (by_second,)
    made = decided(1, OP, 3)
    later = decided(1, OWNER, 2, made)
    by_admin = decided(3, KICK, 4, later)
    assert shown(made, later, by_admin) == (made, by_admin)


def test_the_line_is_how_ownership_went_on() -> None:
    first = decided(1, OWNER, 2)
    second = decided(2, OWNER, 3, first)
    aside = decided(1, OWNER, 4)
    stands = min(first, aside, key=lambda one: one.id)
    assert Decisions(1, identity(1), (second, first)).line == (first, second)
    assert Decisions(1, identity(1), (OP2,)).line == ()
    assert Decisions(1, identity(1), (first, aside)).line == (stands,)


@pytest.mark.parametrize("value", ["", "xx", "ab c", "hello", "f" * 127])
def test_a_hand_over_of_before_has_no_signature_for_the_registry(value: str) -> None:
    assert len(in_value(decided(1, OWNER, 2, value=value))) != 64
    assert in_value(decided(1, OWNER, 2, value=bytes(range(64)).hex())) == bytes(range(64))
