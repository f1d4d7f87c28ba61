"""Passwords from the text to the member: node/trust/passwords.py, node/trust/spake.py,
node/host/passwords.py.
"""

import asyncio
import secrets
from typing import Any

import pytest
from msgspec.structs import replace

from node.core.access import Challenge, Knows, Met, Terms
from node.core.guessing import FREE_A_MINUTE
from node.core.messages import Join, Refusal, Welcome
from node.errors import NeedsPassword, OpenToAll, TryLater, WrongSecret
from node.host import entering, inviting, passwords
from node.host.nodes import Node
from node.host.passwords import Key, Presenting
from node.rpc.calllog import CallRow
from node.trust import spake
from node.trust.passwords import drawn, fault, folded, seed_of
from node.words import Mode, PasswordKey
from tests.node.town import Town
from tests.node.wire_values import ROSTER

QUICK = Terms(b"s" * 16, 14)
GOOD = "corrèct hörse 9 staple"


# ---- what a good one is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "said"),
    [
        (GOOD, ""),
        ("xkcd-936-rules", ""),
        ("ｆｕｌｌｗｉｄｔｈ zürich", ""),
        ("zq7!mv2kd8", ""),
        ("9 lives of a cat", ""),
        ("", "10 characters or more, not 0"),
        ("zq7!mv2kd", "10 characters or more, not 9"),
        ("ﬁve ﬁsh", "10 characters or more, not 9"),  # as many as they are once folded
        ("aaaaaaaaaaaa", "more than two different"),
        ("abababababab", "more than two different"),
        ("aAaAaAaAaAbB", "more than two different"),
        ("abcdefghijkl", "next to each other"),
        ("ZYXWVUTSRQPO", "next to each other"),
        ("1234567890", "next to each other"),
        ("0987654321", "next to each other"),
        ("qwertyuiop", "next to each other"),
        ("lkjhgfdsa123456", "next to each other"),
        ("qwerty12345", "next to each other"),
        ("1qaz2wsx3edc", "next to each other"),
        ("!@#$%^&*()", "next to each other"),
        ("abcdabcdabcd", "next to each other"),
        ("garden-party-time", "must not hold the name garden"),
        ("the GARDEN 2000", "must not hold the name garden"),
        ("i am Zoë-of-8", "must not hold the name zoë"),
        ("password2024", "commonest"),
        ("!!Sunshine99!!", "commonest"),
        ("letmein...000", "commonest"),
        ("2468013579!8", "commonest"),  # digits and signs alone
        ("x" * 201, "at most 200 characters"),
        ("tab\there and more", "without control characters"),
    ],
)
def test_what_is_easily_guessed_is_no_password(password: str, said: str) -> None:
    found = fault(password, ["garden", "zoë", "me"])
    assert said in found
    assert bool(found) == bool(said)


def test_a_seed_hangs_on_the_password_and_on_all_of_the_terms() -> None:
    seed = seed_of(GOOD, QUICK)
    assert len(seed) == 32
    assert seed == seed_of(GOOD, QUICK)
    others = [
        seed_of(GOOD + "x", QUICK),
        seed_of(GOOD, replace(QUICK, salt=b"t" * 16)),
        seed_of(GOOD, replace(QUICK, log_n=15)),
        seed_of(GOOD, replace(QUICK, p=2)),
    ]
    assert len({seed, *others}) == 5
    assert GOOD.encode() not in seed


def test_what_looks_alike_is_one_password() -> None:
    assert folded("ｈörse") == folded("hörse") == "hörse"
    assert seed_of("corrèct ﬁsh", QUICK) == seed_of("corrèct fish", QUICK)


def test_terms_are_drawn_and_as_they_should_be() -> None:
    one, other = drawn(), drawn()
    assert one.salt != other.salt
    assert (one.log_n, one.r, one.p, one.fault) == (15, 8, 1, "")


# ---- both sides of SPAKE2 ------------------------------------------------------------------------


SEED, ABOUT = b"k" * 32, b"c" * 32


def met(seed: bytes = SEED, about: bytes = ABOUT) -> tuple[Met, tuple[bytes, bytes]]:
    """What the leader has, and what the joiner with this seed and context has."""
    joiner = spake.Joiner(SEED, ABOUT)
    leader = spake.meet(seed, about, joiner.element)
    return leader, joiner.proofs(leader.element)


def test_both_sides_with_one_seed_and_context_prove_it_to_each_other() -> None:
    leader, proofs = met()
    assert proofs == (leader.joiner, leader.leader)
    assert leader.joiner != leader.leader
    again, _ = met()
    assert (again.session, again.joiner) != (leader.session, leader.joiner), "each is new"


@pytest.mark.parametrize("other", [{"seed": b"l" * 32}, {"about": b"d" * 32}])
def test_another_seed_or_context_proves_nothing(other: dict[str, bytes]) -> None:
    leader, (said, wanted) = met(**other)
    assert said != leader.joiner
    assert wanted != leader.leader


def test_an_element_that_was_changed_on_the_way_proves_nothing() -> None:
    joiner, between = spake.Joiner(SEED, ABOUT), spake.Joiner(b"?" * 32, ABOUT)
    leader = spake.meet(SEED, ABOUT, between.element)
    assert joiner.proofs(leader.element)[0] != leader.joiner


@pytest.mark.parametrize(
    "element", [b"", b"A", b"B" + b"\1" * 32, b"A" + b"\xff" * 32, b"A" + b"\0" * 32, b"x" * 33]
)
def test_what_is_no_element_is_met_by_codes_that_nobody_can_say(element: bytes) -> None:
    one, other = spake.meet(SEED, ABOUT, element), spake.meet(SEED, ABOUT, element)
    assert len({one.joiner, one.leader, other.joiner, other.leader}) == 4
    assert len(spake.Joiner(SEED, ABOUT).proofs(element)[0]) == 32


# ---- the joiner ----------------------------------------------------------------------------------


async def key_of(password: str = GOOD) -> Key:
    return Key(QUICK, seed_of(password, QUICK))


def told(key: Key) -> PasswordKey:
    return PasswordKey(key.terms.salt, key.terms.log_n, key.terms.r, key.terms.p, key.seed)


def test_what_a_face_says_of_a_password_is_looked_at() -> None:
    key = Key(QUICK, SEED)
    assert passwords.key_of(told(key)) == key
    assert passwords.key_of(PasswordKey()) is None


async def led(town: Town, password: Key | None) -> tuple[Node, str]:
    """alice has made a chat with this password."""
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, password=password)
    return alice, f"{town.nds}/{town.chat}"


async def test_who_knows_the_password_joins_by_it(town: Town) -> None:
    key = await key_of()
    alice, line = await led(town, key)
    bob = await town.start("bob")
    with pytest.raises(NeedsPassword) as needs:
        await entering.join(bob, line, "", "")
    assert Terms.of(needs.value.facts) == QUICK
    for by_password in (False, True):
        with pytest.raises(NeedsPassword):
            await entering.join(bob, line, "", "", by_password=by_password)
    admitted = await entering.join(bob, line, "", "", by_password=True, password=key)
    assert admitted.chat.known == 2
    assert inviting.listed(alice, alice.chat("")).password
    assert bob.chat("").group.has_password, "whoever leads next has it, too"


async def test_a_wrong_one_is_refused_and_too_many_have_to_wait(town: Town) -> None:
    await led(town, await key_of())
    bob, wrong = await town.start("bob"), await key_of("another password")
    line = f"{town.nds}/{town.chat}"
    for _ in range(5):
        with pytest.raises(WrongSecret, match="did not let you in: the password is wrong"):
            await entering.join(bob, line, "", "", by_password=True, password=wrong)
    with pytest.raises(TryLater, match="try again in"):
        await entering.join(bob, line, "", "", by_password=True, password=wrong)
    assert not bob.chats


async def test_many_who_know_it_come_at_once_and_all_get_in(town: Town) -> None:
    key = await key_of()
    _, line = await led(town, key)
    nodes = [await town.start(f"member{n}") for n in range(FREE_A_MINUTE + 2)]
    joins = (entering.join(one, line, "", "", by_password=True, password=key) for one in nodes)
    await asyncio.gather(*joins)
    assert all(one.chats for one in nodes)


async def test_a_password_is_changed_and_taken_away_by_any_member(town: Town) -> None:
    alice, line = await led(town, await key_of())
    bob, carol = await town.start("bob"), await town.start("carol")
    mine = (await inviting.invite(alice, alice.chat(""))).join_line
    await entering.join(bob, mine, "", "")
    fresh = Key(replace(QUICK, salt=b"t" * 16), b"f" * 32)
    await passwords.set_password(bob, bob.chat(""), fresh)
    with pytest.raises(NeedsPassword) as needs:
        await entering.join(carol, line, "", "", by_password=True, password=await key_of())
    assert Terms.of(needs.value.facts) == fresh.terms, "it is told which one there is now"
    await passwords.set_password(bob, bob.chat(""), None)
    with pytest.raises(WrongSecret, match="it has no password"):
        await entering.join(carol, line, "", "", by_password=True, password=fresh)
    await passwords.set_password(bob, bob.chat(""), fresh)
    await entering.join(carol, line, "", "", by_password=True, password=fresh)


async def test_a_chat_that_lets_in_whoever_asks_takes_no_password(town: Town) -> None:
    alice, _ = await town.pair()
    key = Key(QUICK, SEED)
    with pytest.raises(OpenToAll, match="a password would keep nobody out"):
        await passwords.set_password(alice, alice.chat(""), key)
    with pytest.raises(OpenToAll):
        await entering.create(alice, "more", "", "", Mode.LOGGED, is_open=True, password=key)
    await passwords.set_password(alice, alice.chat(""), None)


# ---- whom a joiner believes ----------------------------------------------------------------------


class Leader:
    """Answers as a leader with this seed, or as one that knows none."""

    def __init__(self, seed: bytes = SEED, *, lies: str = "") -> None:
        self.seed, self.lies, self.seen = seed, lies, list[Knows | None]()
        self.met: Met | None = None
        self.prepare: Any = None
        self.begin: Any = None

    async def call(self, address: str, certificate: bytes, request: Any, deadline_ms: int) -> Any:
        self.seen.append(request.knows)
        knows = request.knows
        step = "plain" if knows is None else "terms" if knows == Knows() else "element"
        step = "proof" if knows is not None and knows.proof else step
        if self.lies == step:
            return WELCOME
        if step in ("plain", "terms"):
            return Refusal("NEEDS_PASSWORD", "it asks", chat=7, terms=QUICK)
        if step == "element":
            from node.core.access import context

            about = context(7, request.identity, CARD.certificate, certificate)
            self.met = spake.meet(self.seed, about, knows.element)
            return Challenge(self.met.session, self.met.element)
        assert self.met is not None
        right = (knows.session, knows.proof) == (self.met.session, self.met.joiner)
        proof = self.met.leader if right else b"x" * 32
        return replace(WELCOME, proof=proof)


CARD = ROSTER.members[0].card
WELCOME = Welcome(2, ROSTER, None, 7, "dev", 1, 5, "")  # type: ignore[arg-type]


def joining(leader: Leader, seed: bytes = SEED) -> Presenting:
    return Presenting(leader, Key(QUICK, seed), CARD)


def request() -> Join:
    from node.core.messages import Caller
    from node.core.types import NO_EPOCH

    caller = Caller(0, 0, 1, NO_EPOCH)
    return Join(caller, "dev", b"i" * 32, "me", "127.0.0.1:9", 3, card=CARD)


async def asked(presenting: Presenting) -> Any:
    return await presenting.call("127.0.0.1:8", b"leader's", request(), 2_000)


async def test_a_leader_that_proves_the_password_is_believed() -> None:
    leader = Leader()
    presenting = joining(leader)
    assert isinstance(await asked(presenting), Welcome)
    assert [one is not None and bool(one.proof) for one in leader.seen] == [False, False, True]
    assert isinstance(await asked(presenting), Welcome), "and again, where one is not known"
    leader.lies, before = "plain", len(leader.seen)
    assert isinstance(await asked(presenting), Welcome), "once in, one comes back without it"
    assert leader.seen[before:] == [None]


@pytest.mark.parametrize("lies", ["terms", "element", "proof"])
async def test_who_lets_one_in_without_knowing_the_password_is_not_believed(lies: str) -> None:
    refusal = await asked(joining(Leader(secrets.token_bytes(32), lies=lies)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "WRONG_SECRET"
    assert "127.0.0.1:8 does not know the password" in refusal.text


async def test_the_joiner_proves_it_first_and_a_false_leader_has_one_guess() -> None:
    leader = Leader(b"?" * 32)
    refusal = await asked(joining(leader))
    assert isinstance(refusal, Refusal)
    last = leader.seen[-1]
    assert last is not None
    assert leader.met is not None
    assert last.proof not in (b"", leader.met.joiner)


async def test_without_the_right_terms_nothing_is_begun() -> None:
    leader = Leader()
    key = Key(replace(QUICK, salt=b"o" * 16), SEED)
    for presenting in (Presenting(leader, key, CARD), Presenting(leader, None, CARD)):
        refusal = await asked(presenting)
        assert (refusal.reason, refusal.terms) == ("NEEDS_PASSWORD", QUICK)
    assert leader.seen == [Knows(), Knows()]


def test_the_calls_that_are_shown_do_not_show_what_one_gets_in_by() -> None:
    from node.codec import method_of
    from node.core.messages import Update
    from tests.node.wire_values import CALLER, PASSWORD

    update = Update(CALLER, ROSTER)
    row = CallRow("", "", 0, 0, "OK", update, method_of(update).put_request)
    assert "seed" not in row.json()
    assert "secret" not in row.json(), "nor what one claims it with"
    assert ROSTER.password == PASSWORD, "and the request is as it was"
    assert len(ROSTER.claim_keys) == 2
