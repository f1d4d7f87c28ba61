"""How often a password may be guessed: node/core/guessing.py."""

from node.core.access import Met, Password
from node.core.guessing import (
    FORGOTTEN_MS,
    FREE_A_MINUTE,
    FREE_AN_HOUR,
    HOUR_MS,
    MINUTE_MS,
    SESSION_MS,
    SESSIONS_MAX,
    SOON_MS,
    Guesses,
    Session,
)


class Guessing:
    """Somebody who guesses, and may do so as often as it likes to wait."""

    def __init__(self) -> None:
        self.guesses, self.now, self._last = Guesses(), 0, 0

    def begin(self) -> Session:
        assert not self.guesses.wait_ms(self.now)
        self._last += 1
        met = Met(self._last, b"", b"", b"")
        session = Session(met, Password(), b"", b"", self.now)
        self.guesses.begin(session)
        return session

    def wrong(self) -> None:
        """One that has come to its end."""
        self.guesses.end(self.begin().met.session, self.now)

    def right(self, session: Session) -> None:
        ended = self.guesses.end(session.met.session, self.now)
        assert ended is session
        self.guesses.was_right(session)

    def wait(self) -> int:
        """As long as one must; how long that was."""
        wait = self.guesses.wait_ms(self.now)
        self.now += wait
        return wait


def test_five_a_minute_are_free_and_then_each_doubles_the_wait() -> None:
    who = Guessing()
    for _ in range(FREE_A_MINUTE):
        assert who.wait() == 0
        who.wrong()
    waits = []
    for _ in range(8):
        waits.append(who.wait() // MINUTE_MS)
        who.wrong()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_wait_is_not_shorter_by_asking_again_and_again() -> None:
    who = Guessing()
    for _ in range(FREE_A_MINUTE):
        who.wrong()
    for passed in range(0, MINUTE_MS, 10_000):
        assert who.guesses.wait_ms(passed) == MINUTE_MS - passed
    who.now = MINUTE_MS
    assert who.wait() == 0


def test_who_guesses_slowly_has_thirty_an_hour() -> None:
    who = Guessing()
    for _ in range(FREE_AN_HOUR):
        assert who.wait() == 0
        who.wrong()
        who.now += 16_000  # four a minute, and never five
    assert who.wait() == MINUTE_MS - 16_000
    who.wrong()
    assert len(who.guesses._wrong) == FREE_AN_HOUR, "older ones are not kept"


def test_all_is_forgotten_after_hours_without_a_wrong_one() -> None:
    who = Guessing()
    for _ in range(FREE_A_MINUTE + 3):
        who.wait()
        who.wrong()
    who.now += FORGOTTEN_MS
    for _ in range(FREE_A_MINUTE):
        assert who.wait() == 0
        who.wrong()
    assert who.wait() == MINUTE_MS


def test_a_right_one_takes_back_what_it_counted_and_nothing_else() -> None:
    who = Guessing()
    for _ in range(FREE_A_MINUTE - 1):
        who.wrong()
    for _ in range(20):  # others come in all the while
        assert who.wait() == 0
        who.right(who.begin())
        who.now += 10
    who.wrong()
    assert who.wait() > MINUTE_MS - 1_000, "the wrong ones are counted still"
    before = who.begin()
    who.guesses.end(before.met.session, who.now)
    assert who.wait() == 2 * MINUTE_MS
    who.right(who.begin())
    assert before.began_at + 2 * MINUTE_MS == who.now
    assert who.wait() == 0, "of the longer wait that it brought nothing stays"
    who.wrong()
    assert who.wait() == 4 * MINUTE_MS


def test_a_right_one_that_was_begun_before_leaves_the_wait_of_the_wrong_ones_alone() -> None:
    who = Guessing()
    early = who.begin()
    for _ in range(FREE_A_MINUTE - 1):
        who.wrong()
    who.right(early)
    assert who.wait() == MINUTE_MS


def test_who_comes_while_many_are_at_it_waits_for_a_moment_and_is_heard_if_they_are_right() -> None:
    who = Guessing()
    crowd = [who.begin() for _ in range(FREE_A_MINUTE)]
    assert who.guesses.wait_ms(who.now) == SOON_MS
    for one in crowd:
        who.right(one)
    assert who.guesses.wait_ms(who.now) == 0
    for _ in range(FREE_A_MINUTE):
        who.begin()
    assert who.guesses.wait_ms(SESSION_MS - 1) == SOON_MS
    assert who.guesses.wait_ms(SESSION_MS) == MINUTE_MS - SESSION_MS, "none of them was"


def test_a_session_is_over_once_it_was_tried_and_after_ten_seconds() -> None:
    who = Guessing()
    one, other = who.begin(), who.begin()
    assert who.guesses.end(one.met.session, 0) is one
    assert who.guesses.end(one.met.session, 0) is None
    assert who.guesses.end(other.met.session, SESSION_MS) is None
    assert who.guesses.end(99, 0) is None


def test_no_more_sessions_than_there_is_room_for() -> None:
    who = Guessing()
    for at in range(SESSIONS_MAX):
        who.guesses.begin(Session(Met(at + 1, b"", b"", b""), Password(), b"", b"", at))
    assert who.guesses.wait_ms(SESSIONS_MAX) == SESSION_MS - SESSIONS_MAX
    who.guesses.end(7, SESSIONS_MAX)
    assert len(who.guesses._sessions) == SESSIONS_MAX - 1
    who.guesses.wait_ms(HOUR_MS)
    assert not who.guesses._sessions
    assert not who.guesses._lengthened
