"""Whoever decides what is not its to decide, and whoever was removed and does not go.

alice owns the chat, bob is an admin, carol a member.  dora was an admin, and is none any more;
mallory was removed by bob.  All of them know what members know, and sign with their own keys.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.access import Invite
from node.core.conversation import ChatMessage
from node.core.deciding import ADMINS, Act, Decision, statement
from node.core.inviting import check_of, joiner_proof
from node.core.types import Hlc, Key, Stream
from node.trust import keys
from tests.attacks.site import CHAT, HONEST, Refused, Site, build, call, channel
from tests.attacks.test_outsiders import KINDS
from tests.e2e.programs import Member
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("attacks")

KICKED = Refused("PERMISSION_DENIED", "KICKED")
FORMER = ("dora", "mallory")


class Court(Site):
    """The same with a past: who was removed, and by whom."""

    def refresh(self) -> None:
        self.roster, self.view = self._known()

    def add(self, name: str) -> Member:
        """Somebody who is let in."""
        made = self.cluster.add(name)
        line = self.cluster["alice"].row("invite", "-c", CHAT)["join"]
        made.run("join", line, "--no-ui", "--nick", name)
        self.keys[name] = keys.load(made.home / "default")
        self.id[name] = made.id(CHAT)
        for other in HONEST:
            wait_for(
                lambda other=other: self.cluster[other].states(CHAT).get(name) == "alive",  # type: ignore[misc]
                f"{other} knows {name}",
            )
        return made

    @property
    def heads(self) -> tuple[bytes, ...]:
        """The last decisions."""
        followed = {id for one in self.roster.decisions for id in one.after}
        return tuple(sorted({one.id for one in self.roster.decisions} - followed))

    def decided(self, by: str, act: Act, whom: str = "", key: str = "", **rest: Any) -> Decision:
        """That, as its author would sign it now; `key`: whose key signs it."""
        person = self.keys[whom].identity if whom else b""
        now = Hlc(time.time_ns() // 1_000_000, 0)
        made = Decision(self.id[by], act, now, self.id.get(whom, 0), person, after=self.heads)
        made = replace(made, **rest)
        signed = self.keys[key or by].signing.sign(statement(self.chat, made))
        return replace(made, signature=rest.get("signature", signed))

    def brings(self, by: str, roster: m.Roster, to: str = "alice") -> Any:
        """What a member says of the group."""
        update = m.Update(self.caller(by, self.id[to]), roster)
        return call(self.listen[to], self.keys[by].tls, update, self.seals(by))

    def state(self) -> dict[str, object]:
        told = super().state()
        for name in HONEST:
            rows = self.cluster[name].ask("ListMembers", chat=CHAT, all=True)
            told[f"{name}'s rights"] = [
                (one.nick, one.role, one.removed_by) for one in rows.members
            ]
            told[f"{name}'s settings"] = rows.admins_invite, rows.admins_topic
            told[f"{name}'s topic"] = self.cluster[name].chat(CHAT).topic  # type: ignore[union-attr]
        return told


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    first = build(tmp_path_factory.mktemp("court"))
    made = Court(first.cluster)
    alice, bob = (made.cluster[name] for name in ("alice", "bob"))
    for name in FORMER:
        made.add(name)
    made.cluster["mallory"].row("invite", "-c", CHAT)  # There is one of its own.
    alice.run("op", "-c", CHAT, "bob")
    alice.run("op", "-c", CHAT, "dora")
    alice.run("deop", "-c", CHAT, "dora")
    wait_for(lambda: role(bob, "bob") == "admin", "bob knows that he is an admin")
    bob.run("kick", "-c", CHAT, "mallory")
    for name in HONEST:
        wait_for(
            lambda name=name: "mallory" not in made.cluster[name].states(CHAT),  # type: ignore[misc]
            f"{name} knows who was removed",
        )
    wait_for(lambda: is_out(made.cluster["mallory"]), "mallory knows that it is out")
    made.refresh()
    yield made
    made.cluster.close()


def role(member: Member, nick: str) -> str:
    rows = member.ask("ListMembers", chat=CHAT).members
    return next((str(one.role) for one in rows if one.nick == nick), "")


def is_out(member: Member) -> bool:
    seen = member.chat(CHAT)
    return seen is not None and seen.halt_reason == "REMOVED"


# ---- deciding ------------------------------------------------------------------------------------

OLD = 1_600_000_000_000  # long before there was the chat

WRONG: dict[str, Callable[[Court], Decision]] = {
    "a member removes a member": lambda c: c.decided("carol", Act.KICK, "dora"),
    "a member removes an admin": lambda c: c.decided("carol", Act.KICK, "bob"),
    "a member makes itself an admin": lambda c: c.decided("carol", Act.OP, "carol"),
    "a member makes itself the owner": lambda c: c.decided("carol", Act.OWNER, "carol"),
    "a member keeps the right to invite to itself": lambda c: c.decided(
        "carol", Act.INVITES, value=ADMINS
    ),
    "an admin makes an admin": lambda c: c.decided("bob", Act.OP, "carol"),
    "an admin removes the owner": lambda c: c.decided("bob", Act.KICK, "alice"),
    "an admin bans the owner's person": lambda c: c.decided(
        "bob", Act.BAN, person=c.keys["alice"].identity
    ),
    "an admin takes ownership": lambda c: c.decided("bob", Act.OWNER, "bob"),
    "in the owner's name": lambda c: c.decided("alice", Act.OP, "carol", key="carol"),
    "with the owner's signature of another": lambda c: replace(
        c.decided("alice", Act.OP, "carol"), whom=c.id["dora"], person=c.keys["dora"].identity
    ),
    "about a member by another's person": lambda c: c.decided(
        "bob", Act.KICK, "carol", person=c.keys["dora"].identity
    ),
    "of another chat": lambda c: replace(
        made := c.decided("alice", Act.OP, "carol"),
        signature=c.keys["alice"].signing.sign(statement(c.chat + 1, made)),
    ),
    "without a signature": lambda c: c.decided("alice", Act.OP, "carol", signature=b""),
    "by an admin of before": lambda c: c.decided("dora", Act.KICK, "carol"),
    "by an admin of before with an old date": lambda c: c.decided(
        "dora", Act.KICK, "carol", hlc=Hlc(OLD, 0)
    ),
    "by an admin of before, who knows of nothing": lambda c: c.decided(
        "dora", Act.KICK, "carol", after=()
    ),
    "by one who was removed": lambda c: c.decided("mallory", Act.UNBAN, "mallory"),
    "after something that nobody knows": lambda c: c.decided(
        "alice", Act.OP, "carol", after=(b"x" * 16,)
    ),
    "from the far future": lambda c: c.decided("bob", Act.TITLE, value="x", hlc=Hlc(2**42, 0)),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_not_one_s_to_decide_is_decided_for_nobody(court: Court, how: str) -> None:
    with court.unharmed():
        for to in ("alice", "bob"):
            court.brings("carol", m.Roster(decisions=(WRONG[how](court),)), to)


def test_what_an_admin_says_that_it_decided_before_it_was_unmade_changes_nothing(
    court: Court,
) -> None:
    """It names what made it an admin, and not what unmade it: nobody can tell that it lies."""
    made = next(
        one for one in court.roster.decisions if (one.act, one.whom) == (Act.OP, court.id["dora"])
    )
    dated = Hlc(made.hlc.ms, made.hlc.counter + 1)
    for act, whom in ((Act.KICK, "carol"), (Act.UNBAN, "mallory")):
        decision = court.decided("dora", act, whom, after=(made.id,), hlc=dated)
        with court.unharmed():
            court.brings("dora", m.Roster(decisions=(decision,)))
    court.refresh()


@pytest.mark.parametrize("who", ["bob", "mallory", "alice"])
def test_nobody_is_removed_or_taken_back_by_what_a_member_says_of_it(
    court: Court, who: str
) -> None:
    known = next(one for one in court.roster.members if one.id == court.id[who])
    with court.unharmed():
        for to in ("alice", "bob"):
            court.brings("carol", m.Roster((replace(known, kicked=not known.kicked),)), to)


def test_nobody_takes_the_founder_s_place(court: Court) -> None:
    """By a lower id, or by a key of its own under the founder's, to decide in that name."""
    alice, carol = court.record("alice"), court.record("carol")
    made = (keys.make() for _ in range(1_000))
    court.keys["lower"] = next(one for one in made if one.identity < alice.identity)
    with court.unharmed():
        for record in (
            replace(carol, id=1, card=m.NO_CARD, left=True),
            replace(alice, identity=court.keys["lower"].identity, card=m.NO_CARD),
        ):
            court.brings("carol", m.Roster((record,)), "bob")
        decision = court.decided("alice", Act.OP, "carol", key="lower")
        court.brings("carol", m.Roster(decisions=(decision,)), "bob")


# ---- who was removed -----------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["alice", "carol"])
@pytest.mark.parametrize("kind", KINDS)
def test_who_was_removed_is_refused_whatever_it_asks(court: Court, kind: str, to: str) -> None:
    """It reads nothing, says nothing, elects nobody, leads nobody."""
    with court.unharmed():
        request = court.requests(court.id["mallory"], to)[kind]
        assert call(court.listen[to], court.keys["mallory"].tls, request) == KICKED


def test_who_was_removed_is_not_let_in_again_with_a_line_that_is_good(court: Court) -> None:
    mallory = court.cluster["mallory"]
    line = court.cluster["alice"].row("invite", "-c", CHAT)["join"]
    with court.unharmed():
        assert "you were removed" in str(mallory.run("join", line, "--no-ui", code=7))
        assert is_out(mallory)
        said = mallory.run("send", "-c", CHAT, "let me in", code=7)
        assert "you were removed by bob" in str(said)
        assert mallory.texts(CHAT)[0] == "the secret plan", "what was said before is there"


def test_nor_by_asking_the_leader_itself(court: Court) -> None:
    with court.unharmed():
        own = court.keys["mallory"]
        join = court.join(own, address=court.cluster["mallory"].ask("GetStatus").listen)
        assert call(court.listen["alice"], own.tls, join) == KICKED


def test_what_it_invited_lets_in_nobody_with_another_key(court: Court) -> None:
    (own,) = [one for one in court.roster.invites if one.by == court.id["mallory"]]
    secret = b"s" * 16
    mine = Invite(77, check_of(secret), court.id["mallory"], own.made)
    court.brings("carol", m.Roster(invites=(mine,)))
    fresh, leader = keys.make(), court.record("alice").card.certificate
    for invite in (own.id, mine.id):
        proof = joiner_proof(check_of(secret), fresh.identity, fresh.card.certificate, leader)
        with court.unharmed():
            answer = call(
                court.listen["alice"], fresh.tls, court.join(fresh, invite=invite, proof=proof)
            )
            assert answer == Refused("PERMISSION_DENIED", "WRONG_SECRET")


def said_by(court: Court, author: str, **rest: Any) -> ChatMessage:
    """What that one might say now; signed by it."""
    now_ms = time.time_ns() // 1_000_000
    key = Key(court.id[author], Stream(now_ms, 9), 1)
    said = ChatMessage(
        key, (str(uuid.uuid4()),), ("hear me",), (), Hlc(now_ms, 0), now_ms, court.view.epoch
    )
    return court.signed(replace(said, **rest), author)


def hands_on(court: Court, by: str, message: ChatMessage, to: str) -> Any:
    tell = m.Tell(court.caller(by, court.id[to]), court.id[to], (message,))
    return call(court.listen[to], court.keys[by].tls, tell, court.seals(by))


def test_what_it_says_since_it_knows_is_taken_from_no_member_either(court: Court) -> None:
    with court.unharmed():
        said = said_by(court, "mallory", heads=court.heads)
        for to in ("alice", "bob"):
            answer = hands_on(court, "carol", said, to)
            assert answer == Refused("PERMISSION_DENIED", "REMOVED_AUTHOR")


def test_a_message_that_names_what_nobody_has_decided_is_taken_by_nobody(court: Court) -> None:
    with court.unharmed():
        for heads in ((b"x" * 16,), tuple(sorted((*court.heads, b"y" * 16)))):
            answer = hands_on(court, "carol", said_by(court, "carol", heads=heads), "alice")
            assert answer == Refused("FAILED_PRECONDITION", "UNKNOWN_DECISION")


def test_heads_that_its_author_has_not_signed_are_found_out(court: Court) -> None:
    with court.unharmed():
        said = replace(said_by(court, "carol", heads=court.heads), heads=())
        assert hands_on(court, "bob", said, "alice").reason == "WRONG_SIGNATURE"


# ---- rights --------------------------------------------------------------------------------------


@pytest.fixture
def restricted(court: Court) -> Iterator[None]:
    """Admins alone invite and set the topic, for as long as a test takes."""
    alice = court.cluster["alice"]
    alice.ask("SetTopic", chat=CHAT, topic="tea")
    for right in ("invite", "topic"):
        alice.run("rights", "-c", CHAT, right, "admins")
    for name in HONEST:
        wait_for(
            lambda name=name: court.cluster[name].ask("ListMembers", chat=CHAT).admins_topic,  # type: ignore[misc]
            f"{name} knows",
        )
    court.refresh()
    yield
    for right in ("invite", "topic"):
        alice.run("rights", "-c", CHAT, right, "all")
    court.refresh()


@pytest.mark.usefixtures("restricted")
def test_where_admins_alone_set_the_topic_nobody_else_does(court: Court) -> None:
    said = court.cluster["carol"]
    with court.unharmed():
        with pytest.raises(grpc.RpcError) as refused:
            said.ask("SetTopic", chat=CHAT, topic="mine")
        assert "its owner and admins alone set the topic" in str(refused.value)
        now = Hlc(time.time_ns() // 1_000_000, 0)
        for who in ("carol", "alice"):  # also in the owner's name
            court.brings("carol", m.Roster((), m.Fact("mine", now, court.id[who])), "bob")
        title = court.decided("carol", Act.TITLE, value="mine")
        court.brings("carol", m.Roster(decisions=(title,)), "bob")
        assert court.cluster["bob"].chat(CHAT).topic == "tea"  # type: ignore[union-attr]


@pytest.mark.usefixtures("restricted")
@pytest.mark.parametrize("by", ["carol", "alice"])
def test_where_admins_alone_invite_nobody_else_does_nor_in_their_name(
    court: Court, by: str
) -> None:
    told = court.cluster["carol"].run("invite", "-c", CHAT, code=7)
    assert "its owner and admins alone invite" in str(told)
    secret, number = b"t" * 16, {"carol": 78, "alice": 79}[by]
    mine = Invite(number, check_of(secret), court.id[by], time.time_ns() // 1_000_000)
    court.brings("carol", m.Roster(invites=(mine,)))
    fresh, leader = keys.make(), court.record("alice").card.certificate
    proof = joiner_proof(check_of(secret), fresh.identity, fresh.card.certificate, leader)
    with court.unharmed():
        asked = court.join(fresh, invite=number, proof=proof)
        answer = call(court.listen["alice"], fresh.tls, asked)
        assert answer == Refused("PERMISSION_DENIED", "WRONG_SECRET")


def test_a_member_s_own_program_refuses_and_says_who_may(court: Court) -> None:
    with court.unharmed():
        for verb in ("kick", "ban", "op", "deop", "owner"):
            told = court.cluster["carol"].run(verb, "-c", CHAT, "bob", code=7)
            assert "you are a member, that is for its owner" in str(told)
        told = court.cluster["bob"].run("kick", "-c", CHAT, "alice", code=7)
        assert "alice is the owner, and you are an admin" in str(told)


# ---- at once -------------------------------------------------------------------------------------


def test_the_open_stream_of_who_is_removed_ends_at_once(court: Court) -> None:
    """And it hears nothing that is said from then on.  The last test: there is one more since."""
    oscar = court.add("oscar")
    tls, ended = court.keys["oscar"].tls, threading.Event()
    with channel(court.listen["alice"], tls) as made:
        closing = threading.Event()

        def frames() -> Iterator[bytes]:
            yield b""
            closing.wait(WAIT_S)

        stream = made.stream_stream("/p2pchat.v1.Node/Link")(frames())
        next(iter(stream))  # its hello

        def read() -> None:
            try:
                for _ in stream:
                    pass
            except grpc.RpcError:
                pass
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        court.cluster["alice"].run("kick", "-c", CHAT, "oscar")
        assert ended.wait(WAIT_S), "the stream of somebody who was removed goes on"
        closing.set()
    court.cluster["bob"].run("send", "-c", CHAT, "oscar is gone")
    wait_for(lambda: is_out(oscar), "oscar knows that it is out")
    assert "oscar is gone" not in oscar.texts(CHAT)
    assert oscar.texts(CHAT)[0] == "the secret plan"
