"""Tries node/host/elections.py: the book of elections as it reads at each member."""

import pytest

from node import words
from node.core.effects import ElectionMoved, LeaderChanged, Phase
from node.core.types import Epoch
from node.host.elections import IDLE_MS, KEPT, LEADERS_KEPT, SOON_MS, VOTES_MAX, Elections, step
from node.words import Election

NICKS = {1: "alice", 2: "bob", 3: "carol", 4: "dan"}


def nicks(member: int) -> str:
    return NICKS[member]


class Book:
    """A book that is told what happens, 10 ms apart."""

    def __init__(self) -> None:
        self.book, self.now = Elections(), 1_000

    def moved(self, by: int, phase: Phase, detail: str = "", whom: int = 0) -> None:
        self.now += 10
        self.book.moved(self.now, ElectionMoved(by, phase, detail, whom), nicks)

    def asked(self, by: int, whom: int, said: str) -> None:
        self.moved(by, Phase.ASKED, whom=whom)
        self.moved(by, Phase.ANSWERED, said, whom)

    def led(self, by: int, n: int, took_ms: int = 0, *, provisional: bool = False) -> None:
        self.now += 10
        notice = LeaderChanged(by, Epoch(5, n), provisional, took_ms)
        self.book.led(self.now, notice, nicks)

    def last(self) -> list[Election]:
        return list(self.book.last(self.now))


def texts(election: Election) -> list[str]:
    return [one.text for one in election.steps]


@pytest.mark.parametrize(
    ("notice", "said"),
    [
        ((2, Phase.STARTED, "leader silent"), "bob (id 2) started an election: leader silent"),
        ((2, Phase.ASKED, "", 3), "bob (id 2) asked carol (id 3)"),
        ((1, Phase.ASKED, "to take over", 2), "alice (id 1) asked bob (id 2) to take over"),
        ((2, Phase.ANSWERED, "leading", 1), "alice (id 1) answered: leading"),
        ((2, Phase.SILENT, "", 1), "alice (id 1) did not answer"),
        ((2, Phase.SILENT, "nobody is there", 1), "alice (id 1) did not answer: nobody is there"),
        ((3, Phase.WAITING, "1 takes over"), "carol (id 3) waits: 1 takes over"),
        ((2, Phase.CLAIMING, "epoch after 1"), "bob (id 2) claims the epoch after 1 at the NDS"),
        ((2, Phase.REFUSED, "LEADER_ALIVE"), "the NDS refused bob (id 2): LEADER_ALIVE"),
        ((2, Phase.WON, "epoch 2"), "the NDS granted bob (id 2) epoch 2"),
        ((2, Phase.ENDED, "why"), "the election of bob (id 2) ended: why"),
    ],
)
def test_every_step_is_a_line(notice: tuple[int, Phase, str], said: str) -> None:
    assert step(ElectionMoved(*notice), nicks) == said


def test_every_kind_of_step_is_tried() -> None:
    for phase in Phase:
        assert step(ElectionMoved(1, phase, "x", 2), nicks)


def test_a_leader_that_was_there_before_was_not_elected() -> None:
    book = Book()
    book.led(1, 1)
    assert book.last() == []


def test_who_led_an_epoch_at_an_instant_is_known_in_the_next_life_too() -> None:
    book = Book()
    book.led(1, 1)  # at 1,010
    book.led(0, 1)
    book.led(2, 1, took_ms=5, provisional=True)
    book.led(2, 2)
    first, second = words.Epoch(5, 1), words.Epoch(5, 2)
    for known in (book.book, Elections(book.book.leaders())):
        seen = [known.led_at(first, at) for at in (900, 1_010, 1_019, 1_025, 1_030, 9_000)]
        assert [(one.nick, one.provisional) for one in seen if one] == [
            ("alice", False),  # said before this node heard of the epoch
            ("alice", False),
            ("alice", False),
            ("", False),
            ("bob", True),
            ("bob", True),
        ]
        late = known.led_at(second, 1_030)
        assert late is not None
        assert (late.nick, late.provisional, late.since_ms) == ("bob", False, 1_040)
        assert known.led_at(words.Epoch(5, 3), 1_030) is None


def test_the_last_leaders_are_kept() -> None:
    book = Book()
    for number in range(1, LEADERS_KEPT + 2):
        book.led(1, number)
    assert book.book.led_at(words.Epoch(5, 1), 5_000) is None
    assert book.book.led_at(words.Epoch(5, 2), 5_000) is not None
    assert len(book.book.leaders()) < 100 * LEADERS_KEPT


def test_who_stands_and_wins_has_the_whole_story_with_its_instants() -> None:
    book = Book()
    book.led(1, 1)
    book.now = 1_000
    book.moved(2, Phase.STARTED, "leader silent")
    book.asked(2, 3, "yes")
    book.moved(2, Phase.SILENT, whom=1)
    book.moved(2, Phase.CLAIMING, "epoch after 1")
    (election,) = book.last()
    assert (election.under_way, election.winner) == (True, "")
    book.moved(2, Phase.WON, "epoch 2")
    book.led(2, 2, took_ms=670)
    (election,) = book.last()
    assert (election.began_ms, election.took_ms) == (400, 670), "as long as the silence"
    assert (election.under_way, election.winner, election.epoch.n) == (False, "bob", 2)
    assert [one.at_ms - election.began_ms for one in election.steps] == [0, *range(610, 680, 10)]
    assert texts(election)[0] == "leader alice (id 1) is silent"
    assert texts(election)[-1] == "bob (id 2) leads, epoch 2"


def test_a_silence_that_was_noticed_in_the_midst_stands_where_it_was_noticed() -> None:
    book = Book()
    book.asked(2, 3, "yes")
    book.led(2, 2, took_ms=10)
    (election,) = book.last()
    assert (election.began_ms, election.took_ms) == (1_010, 20)
    assert texts(election)[1:] == [
        "the leader is silent",
        "carol (id 3) answered: yes",
        "bob (id 2) leads, epoch 2",
    ], "of the leader before nothing is known"


def test_a_round_that_changes_nothing_ends_and_the_next_is_another() -> None:
    book = Book()
    for _ in range(2):
        book.moved(2, Phase.STARTED)
        book.asked(2, 3, "no")
        book.moved(2, Phase.ENDED, "1 of 1 hear the leader")
    assert [(one.winner, one.under_way, one.took_ms) for one in book.last()] == [
        ("", False, 30)
    ] * 2


def test_who_agrees_sees_the_round_open_until_there_is_a_leader() -> None:
    book = Book()
    book.moved(2, Phase.STARTED)
    book.asked(2, 3, "yes")
    assert book.last()[-1].under_way
    book.led(2, 2, took_ms=20)
    (election,) = book.last()
    assert (election.winner, election.under_way) == ("bob", False)
    book.moved(2, Phase.ENDED, "the leader answers")
    assert len(book.last()) == 1


def test_who_disagrees_sees_a_round_that_is_over_with_its_vote() -> None:
    book = Book()
    book.asked(4, 3, "no, it hears the leader")
    (election,) = book.last()
    assert (election.under_way, election.winner) == (False, "")
    assert texts(election) == [
        "dan (id 4) asked carol (id 3)",
        "carol (id 3) answered: no, it hears the leader",
    ]


def test_of_one_crisis_all_votes_and_the_leader_that_comes_of_it_are_one_election() -> None:
    book = Book()
    book.asked(4, 3, "no")
    book.asked(2, 3, "no")
    book.led(2, 2)
    book.asked(4, 3, "no")  # too late
    (election,) = book.last()
    assert (election.winner, len(election.steps)) == ("bob", 7)
    assert election.took_ms == 40, "what comes too late does not count"


def test_two_leaders_one_soon_after_the_other_are_two_elections() -> None:
    book = Book()
    book.led(2, 2, took_ms=5)
    book.led(3, 3, took_ms=5)
    assert [one.winner for one in book.last()] == ["bob", "carol"]


def test_a_leader_that_comes_soon_after_an_end_was_elected_then() -> None:
    book = Book()
    book.moved(2, Phase.STARTED)
    book.moved(2, Phase.ENDED)
    book.led(3, 2)
    assert [one.winner for one in book.last()] == ["carol"]


def test_a_member_that_asks_again_begins_another_round() -> None:
    book = Book()
    book.asked(4, 3, "no")
    book.asked(4, 3, "no")
    assert len(book.last()) == 2


def test_what_comes_later_is_another_election() -> None:
    book = Book()
    book.asked(4, 3, "no")
    book.now += SOON_MS
    book.asked(2, 3, "no")
    assert len(book.last()) == 2
    book.now += SOON_MS
    book.led(2, 2)
    assert len(book.last()) == 2, "nobody was elected"
    assert not book.last()[-1].winner


def test_an_election_that_does_not_move_is_over() -> None:
    book = Book()
    book.moved(2, Phase.STARTED)
    book.now += IDLE_MS
    assert book.last()[-1].under_way
    book.now += 1
    assert not book.last()[-1].under_way
    book.moved(2, Phase.STARTED)
    assert len(book.last()) == 2


def test_a_leader_that_nobody_here_stood_against_is_an_election_of_its_own() -> None:
    book = Book()
    book.led(1, 1)
    book.led(2, 2, took_ms=50, provisional=True)
    (election,) = book.last()
    assert (election.took_ms, election.winner, election.provisional) == (50, "bob", True)
    assert texts(election) == [
        "leader alice (id 1) is silent",
        "bob (id 2) leads for now, after epoch 2",
    ]


def test_a_book_is_bounded_and_keeps_how_things_ended() -> None:
    book = Book()
    for number in range(2, 52):
        book.led(2, number, took_ms=5)
        book.now += SOON_MS
    assert len(book.last()) == KEPT
    book.moved(3, Phase.STARTED)
    for _ in range(VOTES_MAX):
        book.asked(3, 2, "yes")
    book.led(3, 99)
    election = book.last()[-1]
    assert len(election.steps) == VOTES_MAX + 2
    assert texts(election)[-1] == "carol (id 3) leads, epoch 99"
