"""Which member somebody means by what was typed."""

import pytest

from node.errors import AmbiguousMember, NoSuchMember
from node.people import CHOICES_MAX, Person, meant

ALICE = Person(1_000_001, "alice", "1aaa000000000000")
BOB = Person(1_000_002, "bob", "c5b3863300000000")
TWO = Person(1_000_003, "2", "3ccc000000000000")
DIGITS = Person(1_000_004, "c5b38633", "4ddd000000000000")
WHOLE = Person(1_000_005, "1000001", "5eee000000000000")
EVERY = (ALICE, BOB, TWO, DIGITS, WHOLE)


@pytest.mark.parametrize("people", [EVERY, EVERY[::-1]])
@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        ("alice", ALICE),
        ("@ALICE", ALICE),
        ("1", ALICE),
        ("alice#1", ALICE),
        ("alice#1000001", ALICE),
        ("1aaa", ALICE),
        ("1AAA0", ALICE),
        ("1aaa000000000000", ALICE),
        ("1000002", BOB),
        ("bob#2", BOB),
        ("c5b3", BOB),
        ("3", TWO),
        ("2#3", TWO),
        ("3ccc", TWO),
        ("c5b38633#4", DIGITS),
        ("1000001#5", WHOLE),
    ],
)
def test_a_member_is_named_in_five_ways(
    people: tuple[Person, ...], wanted: str, who: Person
) -> None:
    if wanted == "c5b3":
        people = tuple(one for one in people if one is not DIGITS)
    assert meant(people, wanted, "dev") == who


@pytest.mark.parametrize("people", [EVERY, EVERY[::-1]])
@pytest.mark.parametrize(
    ("wanted", "choices"),
    [
        ("2", "bob#2 or 2#3"),
        ("@2", "bob#2 or 2#3"),
        ("c5b38633", "bob#2 or c5b38633#4"),
        ("1000001", "alice#1 or 1000001#5"),
    ],
)
def test_what_one_is_called_and_another_has_as_id_or_identity_is_refused(
    people: tuple[Person, ...], wanted: str, choices: str
) -> None:
    with pytest.raises(AmbiguousMember) as refused:
        meant(people, wanted, "dev")
    said = f"{wanted} could be several members of #dev. Say which: {choices}."
    assert (str(refused.value), refused.value.exit) == (said, 2)


def test_each_choice_that_is_given_is_somebodys_alone() -> None:
    """Also of ids whose numbers that people see are equal, and of nicks that have been freed."""
    later = Person(2_000_002, "bob", "6fff000000000000")
    with pytest.raises(AmbiguousMember) as refused:
        meant((*EVERY, later), "bob", "dev")
    said = refused.value.facts["choices"]
    assert said == "bob#1000002 or bob#2000002"
    assert [meant((*EVERY, later), one, "dev") for one in said.split(" or ")] == [BOB, later]


def test_digits_that_two_identities_begin_with_name_nobody() -> None:
    twin = Person(1_000_009, "eve", "c5b3000000000000")
    with pytest.raises(AmbiguousMember, match="bob#2 or eve#9"):
        meant((ALICE, BOB, twin), "c5b3", "dev")
    assert meant((ALICE, BOB, twin), "c5b38", "dev") == BOB


def test_of_one_identity_the_newest_is_meant() -> None:
    again = Person(1_000_009, "bob", BOB.identity)
    for people in ((BOB, again), (again, BOB)):
        assert meant(people, "bob", "dev") == meant(people, "c5b3", "dev") == again
        assert meant(people, "bob#2", "dev") == BOB, "who says so"


def test_without_identities_ids_tell_members_apart() -> None:
    one, other = Person(1_000_001, "bob", ""), Person(1_000_002, "bob", "")
    with pytest.raises(AmbiguousMember, match="bob#1 or bob#2"):
        meant((one, other), "bob", "dev")


def test_of_very_many_a_few_are_said() -> None:
    many = [Person(n, "bob", f"{n:016x}") for n in range(1, CHOICES_MAX + 4)]
    with pytest.raises(AmbiguousMember, match=r"bob#5, or 3 more\.$"):
        meant(many, "bob", "dev")


@pytest.mark.parametrize("wanted", ["", "@", "bo", "bob#3", "#2", "c5b", "1", "2#2"])
def test_what_is_nobodys_name_is_told_with_the_nearest(wanted: str) -> None:
    with pytest.raises(NoSuchMember):
        meant((BOB, TWO), wanted, "dev")
    with pytest.raises(NoSuchMember, match="Did you mean alice"):
        meant(EVERY, "alise", "dev")
