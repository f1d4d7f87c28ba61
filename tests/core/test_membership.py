"""Tries node/core/membership.py."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.membership import Membership, merge, suspected, with_life
from node.core.messages import Fact, Life, Member, Roster
from node.core.types import Epoch, Hlc, Stream

from .cast import address, identity, person, removal
from .laws import facts, fixed, members

ALIVE, SUSPECT, DROPPED = Life

Change = dict[str, object]


def of(*records: Member, topic: Fact | None = None) -> Membership:
    return Membership(Roster(records, topic or Fact()))


# ---- the semilattice -----------------------------------------------------------------------------


@fixed
@given(members(), members())
def test_merging_is_commutative(a: Member, b: Member) -> None:
    assert merge(a, b) == merge(b, a)


@fixed
@given(members(), members(), members())
def test_merging_is_associative(a: Member, b: Member, c: Member) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@fixed
@given(members(), members())
def test_merging_is_idempotent(a: Member, b: Member) -> None:
    assert merge(a, a) == a
    assert merge(merge(a, b), b) == merge(a, b)


@fixed
@given(
    st.lists(st.tuples(st.integers(1, 3).flatmap(members), facts), max_size=8),
    st.randoms(use_true_random=False),
)
def test_halves_of_a_split_agree_whatever_came_in_which_order(
    news: list[tuple[Member, Fact]], rng: Random
) -> None:
    one, other = Membership(), Membership()
    for member, topic in news:
        one.absorb(Roster((member,), topic))
    rng.shuffle(news)
    for member, topic in (*news, *news):
        other.absorb(Roster((member,), topic))
    assert one.roster == other.roster
    assert one.hash == other.hash
    assert Membership(one.roster).hash == one.hash


@pytest.mark.parametrize(
    ("a", "b", "merged"),
    [
        # A suspicion is taken back by a higher incarnation alone.
        ({"life": ALIVE}, {"life": SUSPECT}, {"life": SUSPECT}),
        ({"life": SUSPECT}, {"life": DROPPED}, {"life": DROPPED}),
        ({"incarnation": 2, "life": ALIVE}, {"life": DROPPED}, {"incarnation": 2, "life": ALIVE}),
        # left and kicked only ever become true.
        ({"left": True}, {"incarnation": 9}, {"left": True, "incarnation": 9}),
        ({"kicked": True}, {"incarnation": 9}, {"kicked": True, "incarnation": 9}),
        # The last writer, by (hybrid clock, source).
        ({"nick": Fact("a", Hlc(2, 0), 1)}, {"nick": Fact("b", Hlc(1, 9), 9)}, {"nick": "a"}),
        ({"nick": Fact("a", Hlc(1, 0), 1)}, {"nick": Fact("b", Hlc(1, 0), 2)}, {"nick": "b"}),
        ({"away": Fact("x", Hlc(1, 0), 1)}, {"away": Fact("", Hlc(2, 0), 1)}, {"away": ""}),
        # Addresses by (incarnation, seq).
        (
            {"address": "old:1", "address_stamp": (1, 5)},
            {"address": "new:1", "address_stamp": (2, 0)},
            {"address": "new:1"},
        ),
        # The end of a stream that a leaver named.
        (
            {"ends": ((Stream(1, 1), 3),)},
            {"ends": ((Stream(1, 1), 5), (Stream(2, 1), 1))},
            {"ends": ((Stream(1, 1), 5), (Stream(2, 1), 1))},
        ),
        ({"admitted": Epoch(1, 5)}, {"admitted": Epoch(1, 3)}, {"admitted": Epoch(1, 3)}),
    ],
)
def test_merging_field_by_field(a: Change, b: Change, merged: Change) -> None:
    known = person(1, incarnation=1)
    both = merge(replace(known, **a), replace(known, **b))  # type: ignore[arg-type]
    for name, value in merged.items():
        found = getattr(both, name)
        assert (found.value if isinstance(found, Fact) else found) == value


# ---- what follows from the roster ----------------------------------------------------------------


def test_absorb_tells_what_each_record_was_and_is() -> None:
    members = of(person(1))
    assert members.absorb(Roster((person(1),))) == []
    suspect = person(1, SUSPECT)
    assert members.absorb(Roster((suspect, person(2)))) == [
        (person(1), suspect),
        (None, person(2)),
    ]


def test_belonging_is_neither_left_nor_kicked_and_active_not_dropped() -> None:
    members = of(
        person(5),
        person(1, SUSPECT),
        person(2, DROPPED),
        person(3, left=True),
        person(4, kicked=True),
    )
    assert members.belonging == (1, 2, 5)
    assert members.active == (1, 5)
    assert list(members.suspects()) == [1]
    assert [members.life(id) for id in (1, 2, 3, 9)] == [SUSPECT, DROPPED, None, None]


def test_one_identity_one_id_all_but_the_highest_count_as_left() -> None:
    members = of(person(1), person(2), person(4, identity=identity(2)))
    assert list(members.belonging) == [1, 4]
    assert members.of_identity(identity(2)) == 4
    members.put(person(4, identity=identity(2), left=True))
    assert members.belonging == (1,)
    assert members.of_identity(identity(2)) == 0


def test_a_kicked_identity_is_known_whatever_its_id() -> None:
    members = of(person(1), person(2), person(3))
    members.absorb(Roster((person(4, identity=identity(2)),), decisions=(removal(2),)))
    assert [members.is_barred(identity(one)) for one in (1, 2, 3)] == [False, True, False]
    assert [one for one in range(1, 6) if members.is_kicked(one)] == [2, 4]
    assert [members.removed_by(one) for one in (1, 2, 4, 9)] == [0, 1, 1, 0]
    assert [members.last_of(identity(one)) for one in (2, 3, 9)] == [4, 3, 0]


def test_members_are_found_by_address_while_they_belong() -> None:
    members = of(person(1), person(2, left=True, address=address(1)))
    assert members.at_address(address(1)) == (1,)
    assert members.at_address("nowhere:1") == ()


def test_the_highest_n_counts_those_that_are_gone_too() -> None:
    assert of(person(3_000_001), person(2_000_009, left=True)).highest_n == 9
    assert of().highest_n == 0


def test_equal_nicks_are_numbered_in_the_order_of_ids() -> None:
    nicks = {1: "bob", 2: "Bob", 3: "bob2", 4: "", 5: "bob"}
    members = of(*(person(id, nick=Fact(nick, Hlc(1, 0), id)) for id, nick in nicks.items()))
    shown = [members.shown_nick(id) for id in nicks]
    assert shown == ["bob", "Bob2", "bob22", "member4", "bob3"]
    assert len({nick.casefold() for nick in shown}) == len(nicks)


def test_who_took_a_name_first_keeps_it_whatever_its_id() -> None:
    named = [(2, "bob", 1), (5, "bob", 2), (3, "bob", 3)]  # 3 took it last
    members = of(*(person(id, nick=Fact(nick, Hlc(ms, 0), id)) for id, nick, ms in named))
    assert [members.shown_nick(id) for id, _, _ in named] == ["bob", "bob2", "bob3"]


def test_those_that_left_keep_their_nick_and_free_it() -> None:
    bob = Fact("bob", Hlc(1, 0), 1)
    members = of(person(1, left=True, nick=bob), person(2, nick=bob))
    assert (members.shown_nick(1), members.shown_nick(2)) == ("bob", "bob")
    assert members.shown_nick(3_000_007) == "member7"


def test_a_later_topic_stands() -> None:
    members = of(topic=Fact("new", Hlc(2, 0), 1))
    hash = members.hash
    members.absorb(Roster((), Fact("old", Hlc(1, 0), 2)))
    assert (members.topic.value, members.hash) == ("new", hash)
    members.absorb(Roster((), Fact("newer", Hlc(3, 0), 2)))
    assert members.topic.value == "newer"
    assert members.hash != hash


def test_a_finding_never_betters_a_life_and_a_new_life_is_alive() -> None:
    assert suspected(person(1, DROPPED), SUSPECT).life is DROPPED
    assert suspected(person(1), SUSPECT).life is SUSPECT
    risen = with_life(person(1, DROPPED), 101)
    assert (risen.incarnation, risen.life) == (101, ALIVE)


TOPIC = Fact("t", Hlc(1, 0), 1)


@pytest.mark.parametrize(
    ("here", "there", "beyond", "lacking"),
    [
        ((person(1),), (person(1),), (), ()),
        ((person(1), person(2)), (person(1),), (person(2),), ()),
        ((person(1),), (person(1), person(2)), (), (2,)),
        ((person(1), person(2, DROPPED)), (person(1), person(2)), (person(2, DROPPED),), (2,)),
    ],
    ids=["alike", "more here", "more there", "another life"],
)
def test_hashes_show_where_two_rosters_differ(
    here: tuple[Member, ...],
    there: tuple[Member, ...],
    beyond: tuple[Member, ...],
    lacking: tuple[int, ...],
) -> None:
    ours, theirs = of(*here, topic=TOPIC), of(*there, topic=TOPIC).known
    assert ours.beyond(theirs) == Roster(beyond), "without what is common, which is alike"
    assert ours.lacking(theirs) == lacking


def test_what_is_the_group_s_in_common_is_compared_by_itself() -> None:
    ours, theirs = of(person(1), person(2), topic=TOPIC), of(person(1), person(3))
    assert ours.known.common != theirs.known.common == of().known.common
    assert ours.beyond(theirs.known) == Roster((person(2),), TOPIC)
    assert ours.known.common == of(person(9), topic=TOPIC).known.common
    assert ours.known.records == tuple(sorted(ours.known.records))


def test_what_is_asked_for_is_given_as_far_as_it_is_there() -> None:
    members = of(person(1), person(2), topic=TOPIC)
    assert members.asked_for((2, 7), common=False) == Roster((person(2),))
    assert members.asked_for((), common=True) == Roster((), TOPIC)


def test_a_part_of_the_roster_is_in_order_and_without_topic() -> None:
    members = of(person(1), person(2), person(3), topic=Fact("t", Hlc(1, 0), 1))
    assert members.part(3, 1) == Roster((person(1), person(3)))
