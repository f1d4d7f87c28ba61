"""Getting in by a password: node/core/passwords.py, and node/core/access.py.

In place of SPAKE2 stand codes of the seed, the context and both elements, which anybody could make.
"""

from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import messages as m
from node.core.access import (
    LOG_N_MAX,
    NO_PASSWORD,
    Challenge,
    Knows,
    Met,
    Password,
    Terms,
    context,
    same,
)
from node.core.effects import JoinFailed
from node.core.events import Invited, Joining, Opened, PasswordSet, Received
from node.core.guessing import FREE_A_MINUTE, MINUTE_MS, SESSION_MS, SOON_MS
from node.core.inviting import check_of, joiner_proof
from node.core.membership import Membership
from node.core.reasons import Reason
from node.core.types import NO_EPOCH, Hlc

from .cast import CHAT, WALL, address, identity, wished
from .dialogue import STRANGER, Dialogue, follower, leading, returning
from .laws import fixed

TERMS, OTHER_TERMS = Terms(b"s" * 16), Terms(b"t" * 16)
SEED, OTHER = b"k" * 32, b"l" * 32
OWN, THEIRS, ANOTHER = b"leader's", b"joiner's", b"another's"
ELEMENT = b"A" * 33
CALL = 1_000_000


def code(seed: bytes, about: bytes, element: bytes, whose: bytes) -> bytes:
    return blake2b(about + element + whose, digest_size=32, key=seed).digest()


class Meeting:
    """The leader's side, counted."""

    def __init__(self) -> None:
        self._numbers, self.met = count(1), 0

    def __call__(self, seed: bytes, about: bytes, element: bytes) -> Met:
        self.met += 1
        codes = (code(seed, about, element, whose) for whose in (b"joiner", b"leader"))
        return Met(next(self._numbers), b"B" * 33, *codes)


def led(seed: bytes = SEED, **rest: Any) -> Dialogue:
    """A group that we lead, with a certificate of ours, and a password."""
    talk = leading(1, 2, first=50, card=m.Card(OWN), signs={"meet": Meeting()}, **rest)
    if seed:
        talk.hand(PasswordSet(TERMS, seed, WALL + talk.now))
    return talk


def request(by: int = 9, certificate: bytes = THEIRS, **rest: Any) -> m.Join:
    caller = m.Caller(CHAT, 0, 100, NO_EPOCH)
    card = m.Card(certificate)
    join = m.Join(caller, "den", identity(by), f"user{by}", address(by), by, card=card)
    return wished(replace(join, **rest))


def asks(talk: Dialogue, join: m.Join, certificate: bytes | None = THEIRS) -> Any:
    """Somebody asks to be let in, is called back where that is so, and answered."""
    talk.hand(Received(CALL, join, certificate))
    if (answer := talk.reply(CALL)) is None:
        talk.answer(m.Ping, talk.pong(member=join.process), to=STRANGER)
        answer = talk.reply(CALL)
    return answer


def begins(talk: Dialogue, **rest: Any) -> Any:
    return asks(talk, request(knows=Knows(ELEMENT), **rest))


def about(by: int = 9, certificate: bytes = THEIRS, leader: bytes = OWN, chat: int = CHAT) -> bytes:
    return context(chat, identity(by), certificate, leader)


def says(seed: bytes = SEED, of: bytes = b"", whose: bytes = b"joiner") -> bytes:
    return code(seed, of or about(), ELEMENT, whose)


def proves(talk: Dialogue, session: int, proof: bytes, **rest: Any) -> Any:
    return asks(talk, request(knows=Knows(session=session, proof=proof), **rest))


def enters(talk: Dialogue, seed: bytes = SEED) -> Any:
    """The whole exchange."""
    return proves(talk, begins(talk).session, says(seed))


# ---- the way in ----------------------------------------------------------------------------------


def test_who_asks_is_told_that_a_password_is_needed_and_how_its_seed_is_made() -> None:
    talk = led()
    for knows in (None, Knows()):
        refusal = asks(talk, request(knows=knows))
        assert (refusal.reason, refusal.terms) == (Reason.NEEDS_PASSWORD, TERMS)
        assert refusal.chat == CHAT
    assert talk.group.belonging == (1, 2)
    assert not talk.waits(m.Ping, to=STRANGER), "it is not even called back"


def test_who_proves_that_it_knows_the_password_is_let_in_and_is_proved_the_same() -> None:
    talk = led()
    began = begins(talk)
    assert began == Challenge(1, b"B" * 33)
    assert talk.group.belonging == (1, 2)
    welcome = proves(talk, began.session, says())
    assert welcome.member == 50
    assert welcome.proof == says(whose=b"leader")
    assert talk.group.belonging == (1, 2, 50)


def test_who_lost_the_welcome_shows_it_again_and_gets_the_same_id_and_a_proof() -> None:
    talk = led()
    enters(talk)
    refusal = asks(talk, request(knows=Knows()))
    assert refusal.reason == Reason.NEEDS_PASSWORD
    again = enters(talk)
    assert (again.member, again.proof) == (50, says(whose=b"leader"))


def test_a_member_that_comes_back_needs_no_password() -> None:
    talk = led()
    assert asks(talk, request(by=2)).member == 2


def test_a_line_gets_one_in_beside_it_and_so_does_an_open_door() -> None:
    talk = led()
    secret = b"s" * 16
    talk.hand(Invited(7, check_of(secret), WALL))
    proof = joiner_proof(check_of(secret), identity(9), THEIRS, OWN)
    assert asks(talk, request(invite=7, proof=proof)).member == 50
    talk.hand(Opened(True, WALL))
    assert asks(talk, request(by=8)).member == 51


def test_without_a_password_nobody_gets_in_by_one() -> None:
    talk = led(seed=b"")
    for knows in (Knows(), Knows(ELEMENT), Knows(session=1, proof=says())):
        refusal = asks(talk, request(knows=knows))
        assert (refusal.reason, refusal.text) == (Reason.WRONG_SECRET, "it has no password")
    assert asks(talk, request()).reason == Reason.NOT_INVITED


def test_where_connections_prove_nothing_nothing_is_asked_for() -> None:
    talk = led()
    assert asks(talk, request(certificate=b"", knows=Knows()), certificate=None).member == 50


# ---- who does not know it ------------------------------------------------------------------------


WRONG: dict[str, tuple[bytes, dict[str, Any]]] = {
    "another password": (says(OTHER), {}),
    "for another node": (says(of=about(leader=ANOTHER)), {}),
    "of another person": (says(of=about(by=8)), {}),
    "on another connection": (says(of=about(certificate=ANOTHER)), {}),
    "for another group": (says(of=about(chat=CHAT + 1)), {}),
    "what the leader says": (says(whose=b"leader"), {}),
    "the seed itself": (SEED, {}),
    "another session": (says(), {"session": 2}),
    "to the end at once": (says(), {"session": 0}),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_does_not_fit_is_wrong_and_looks_alike(how: str) -> None:
    talk = led()
    proof, more = WRONG[how]
    began = begins(talk) if how != "to the end at once" else Challenge(3, b"")
    refusal = proves(talk, more.get("session", began.session) or 3, proof)
    assert refusal == m.Refusal(Reason.WRONG_SECRET, "the password is wrong")
    assert talk.group.belonging == (1, 2)


@pytest.mark.parametrize("who", ["certificate", "person"])
def test_a_session_is_for_who_began_it(who: str) -> None:
    talk = led()
    session = begins(talk).session
    if who == "person":
        refusal = proves(talk, session, says(), by=8)
    else:
        stolen = request(certificate=ANOTHER, knows=Knows(session=session, proof=says()))
        refusal = asks(talk, stolen, certificate=ANOTHER)
    assert refusal.text == "the password is wrong"
    assert proves(talk, session, says()).text == "the password is wrong", "it was tried"


def test_a_session_is_tried_once_and_lives_for_ten_seconds() -> None:
    talk = led()
    session = begins(talk).session
    proves(talk, session, says(OTHER))
    assert proves(talk, session, says()).text == "the password is wrong"
    session = begins(talk).session
    talk.wait(SESSION_MS)
    assert proves(talk, session, says()).text == "the password is wrong"
    session = begins(talk).session
    talk.wait(SESSION_MS - 1)
    assert proves(talk, session, says()).member == 50
    assert proves(talk, session, says()).text == "the password is wrong", "nor is it said again"


def test_who_guesses_too_often_waits_and_costs_nothing_more() -> None:
    talk = led()
    meeting = talk.group._s.setup.meet
    for _ in range(FREE_A_MINUTE):
        proves(talk, begins(talk).session, says(OTHER))
    refusal = begins(talk)
    assert (refusal.reason, refusal.wait) == (Reason.TRY_LATER, MINUTE_MS)
    assert "try again in 60 s" in refusal.text
    assert isinstance(meeting, Meeting)
    assert meeting.met == FREE_A_MINUTE
    refusal = begins(talk, by=8)
    assert refusal.reason == Reason.TRY_LATER, "whoever it is: keys cost nothing"
    talk.wait(MINUTE_MS)
    assert enters(talk).member == 50


def test_what_was_begun_and_left_is_a_wrong_guess() -> None:
    talk = led()
    for _ in range(FREE_A_MINUTE):
        begins(talk)
    refusal = begins(talk)
    assert (refusal.reason, refusal.wait) == (Reason.TRY_LATER, SOON_MS)
    talk.wait(SESSION_MS)
    refusal = begins(talk)
    assert (refusal.reason, refusal.wait) == (Reason.TRY_LATER, MINUTE_MS - SESSION_MS)


def test_who_cannot_be_called_back_has_not_guessed_and_must_show_it_again() -> None:
    talk = led()
    for _ in range(FREE_A_MINUTE + 1):
        session = begins(talk).session
        talk.hand(Received(CALL, request(knows=Knows(session=session, proof=says())), THEIRS))
        for _ in range(3):
            talk.fail(m.Ping, to=STRANGER)
        assert talk.reply(CALL).reason == Reason.CANNOT_REACH
        assert proves(talk, session, says()).text == "the password is wrong"
    assert not talk.group._joining._inviting._passwords._right


def test_who_has_shown_it_and_finds_no_room_must_show_it_again() -> None:
    talk = led()
    talk.group._s.ids.clear()
    session = begins(talk).session
    assert proves(talk, session, says()).reason == Reason.NO_IDS
    assert proves(talk, session, says()).text == "the password is wrong"


# ---- the joiner ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [
        m.Refusal(Reason.NEEDS_PASSWORD, "it asks", terms=TERMS),
        m.Refusal(Reason.TRY_LATER, "in a minute", wait=MINUTE_MS),
        m.Refusal(Reason.WRONG_SECRET, "the password is wrong"),
    ],
)
def test_a_joiner_that_is_turned_away_hears_it_at_once(refusal: m.Refusal) -> None:
    talk = returning(1, 2, leader=2)
    talk.hold(m.Join)
    talk.hand(Joining("10.0.0.9:5000"))
    said = talk.answer(m.Join, refusal)
    assert [one for one in said if isinstance(one, JoinFailed)] == [
        JoinFailed(refusal.reason, refusal.text, refusal.terms)
    ]


def test_a_joiner_that_is_to_come_again_in_a_moment_does_so() -> None:
    talk = returning(1, 2, leader=2)
    talk.hold(m.Join)
    talk.hand(Joining("10.0.0.9:5000"))
    busy = m.Refusal(Reason.TRY_LATER, "in a second", wait=SOON_MS)
    said = talk.answer(m.Join, busy)
    assert not [one for one in said if isinstance(one, JoinFailed)]
    assert isinstance(talk.wait_for(m.Join), m.Join)


# ---- whose it is ---------------------------------------------------------------------------------


def test_whoever_leads_next_knows_the_password_that_any_member_set() -> None:
    one = follower(2, 1, card=m.Card(OWN))
    one.hold(m.Update)
    one.hand(PasswordSet(TERMS, SEED, WALL + one.now))
    told = one.call(m.Update, to=1).request.roster
    assert (told.password.terms, told.password.seed, told.password.source) == (TERMS, SEED, 2)
    talk = led(seed=b"")
    talk.hears(m.Update(m.Caller(CHAT, 2, 100, NO_EPOCH), told))
    assert enters(talk).member == 50


@pytest.mark.parametrize("now", ["changed", "taken away"])
def test_a_password_that_was_changed_or_taken_away_is_of_no_use(now: str) -> None:
    talk = led()
    session = begins(talk).session
    terms, seed = (OTHER_TERMS, OTHER) if now == "changed" else (None, b"")
    talk.hand(PasswordSet(terms, seed, WALL + talk.now))
    wrong = "the password is wrong" if now == "changed" else "it has no password"
    assert proves(talk, session, says()).text == wrong
    assert talk.group.has_password is (now == "changed")
    if now == "changed":
        assert enters(talk).text == wrong
        assert enters(talk, OTHER).member == 50


def test_a_password_that_is_changed_while_one_is_called_back_is_of_no_use() -> None:
    talk = led()
    session = begins(talk).session
    talk.hand(Received(CALL, request(knows=Knows(session=session, proof=says())), THEIRS))
    talk.hand(PasswordSet(OTHER_TERMS, OTHER, WALL + talk.now))
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert talk.reply(CALL).text == "the password is wrong"
    assert talk.group.belonging == (1, 2)


def test_who_is_no_member_sets_no_password() -> None:
    outside = returning(1, 2, leader=2, card=m.Card(OWN))
    outside.hand(PasswordSet(TERMS, SEED, WALL))
    assert not outside.group.has_password


passwords = st.builds(
    Password,
    st.sampled_from([None, TERMS, OTHER_TERMS]),
    st.sampled_from([b"", SEED, OTHER]),
    st.builds(Hlc, st.integers(0, 2), st.integers(0, 1)),
    st.integers(0, 2),
)


@fixed
@given(st.lists(passwords, max_size=8), st.randoms(use_true_random=False))
def test_halves_of_a_split_agree_on_the_password_whatever_came_in_which_order(
    news: list[Password], rng: Random
) -> None:
    one, other = Membership(), Membership()
    for password in news:
        one.absorb(m.Roster(password=password))
    rng.shuffle(news)
    for password in (*news, *news):
        other.absorb(m.Roster(password=password))
    assert (one.common, one.hash) == (other.common, other.hash)
    assert Membership(one.roster).hash == one.hash
    assert (one.hash == 0) == (one.password == NO_PASSWORD)


# ---- terms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "fault"),
    [
        (TERMS, ""),
        (Terms(b"s" * 16, LOG_N_MAX, 8, 4), ""),
        (Terms(b"s" * 15), "the salt must be 16 bytes, not 15"),
        (Terms(b"s" * 16, 13), "scrypt must have N = 2^14 to 2^17"),
        (Terms(b"s" * 16, 18), "not N = 2^18, r = 8 and p = 1"),
        (Terms(b"s" * 16, 15, 7), "r = 7"),
        (Terms(b"s" * 16, 15, 8, 0), "p = 0"),
        (Terms(b"s" * 16, 15, 8, 5), "p = 5"),
    ],
)
def test_nobody_computes_with_terms_that_are_out_of_bounds(terms: Terms, fault: str) -> None:
    assert fault in terms.fault
    assert bool(terms.fault) == bool(fault)
    assert Terms.of(terms.facts) == (None if fault else terms)


def test_terms_that_are_told_badly_are_none() -> None:
    good = TERMS.facts
    assert Terms.of(good | {"more": "x"}) == TERMS
    for bad in ({"salt": "xy"}, {"log_n": "x"}, {"p": ""}):
        assert Terms.of(good | bad) is None
    assert Terms.of({}) is None


def test_equal_is_only_what_is_equal() -> None:
    assert same(b"a", b"a")
    assert not same(b"a", b"b")
    assert not same(b"", b"a")
