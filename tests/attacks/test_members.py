"""Members who say that they are others, members of other chats, and those who were members."""

import threading
import time
import uuid
from collections.abc import Callable

import grpc
import pytest
from msgspec.structs import replace

from node.core import admission, vetting
from node.core import messages as m
from node.core.access import Invite, Password, Terms
from node.core.conversation import ChatMessage
from node.core.inviting import OPEN, check_of
from node.core.types import NO_IDS, Hlc, Key, Stream
from node.limits import HLC_MAX, NUMBER_MAX
from tests.attacks.site import CALL_S, CHAT, HONEST, Refused, Site, call, channel, refused
from tests.attacks.test_outsiders import DENIED, KINDS, UNKNOWN
from tests.e2e.programs import Member
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("attacks")


@pytest.fixture(scope="module")
def neighbour(site: Site) -> Member:
    """Somebody who is in another chat with the same nodes, and not in this one."""
    made = site.cluster.add("neil")
    made.up("--nick", "neil")
    line = site.cluster["bob"].row("create", "garden", "--open")["join"]
    made.run("join", line, "--no-ui")
    return made


@pytest.fixture(scope="module")
def former(site: Site) -> tuple[Member, int]:
    """Somebody who was a member, and its id."""
    made = site.cluster.add("eve")
    line = site.cluster["alice"].row("invite", "-c", CHAT, "--once")["join"]
    made.run("join", line, "--no-ui", "--nick", "eve")
    id = made.id(CHAT)
    made.run("leave", CHAT)
    wait_for(
        lambda: all("eve" not in site.cluster[name].states(CHAT) for name in HONEST),
        "everybody knows that eve left",
    )
    return made, id


def tls_of(member: Member):  # type: ignore[no-untyped-def]
    from node.trust import keys

    return keys.load(member.home / "default").tls


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_says_it_is_another_is_refused(site: Site, kind: str) -> None:
    with site.unharmed():
        request = site.requests(site.id["alice"], "carol")[kind]
        assert call(site.listen["carol"], site.keys["bob"].tls, request) == DENIED


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_of_another_chat_is_a_stranger_in_this_one(
    site: Site, neighbour: Member, kind: str
) -> None:
    with site.unharmed():
        for name in ("alice", "carol"):
            request = site.requests(site.id[name], "bob")[kind]
            assert call(site.listen["bob"], tls_of(neighbour), request) == DENIED
        request = site.requests(neighbour.id("garden"), "bob")[kind]
        answer = call(site.listen["bob"], tls_of(neighbour), request)
        assert answer in (UNKNOWN, DENIED)


def fresh(site: Site, source: str, random: int) -> ChatMessage:
    """What that member might say now: two lines of a stream that nobody knows."""
    now_ms = time.time_ns() // 1_000_000
    one = site.line(site.id[source], "what carol thinks")
    return replace(
        one,
        key=Key(site.id[source], Stream(now_ms, random), 1),
        ids=(*one.ids, str(uuid.uuid4())),
        texts=(*one.texts, "and more"),
        hlc=Hlc(now_ms, 0),
        sent=now_ms,
    )


FORGED: dict[str, Callable[[Site, m.Member], m.Member]] = {
    "it has left": lambda _, one: replace(one, left=True, card=m.NO_CARD),
    "it has left, signed": lambda _, one: replace(
        one, left=True, card=m.NO_CARD, farewell=b"f" * 64
    ),
    "it has left, signed by the bringer": lambda site, one: replace(
        one, left=True, card=m.NO_CARD, farewell=farewell(site, one.id, "bob", site.chat)
    ),
    "it has left another chat": lambda site, one: replace(
        one, left=True, card=m.NO_CARD, farewell=farewell(site, one.id, "alice", site.chat + 1)
    ),
    "a life without end": lambda _, one: replace(one, incarnation=NUMBER_MAX),
    "an address for ever": lambda _, one: replace(
        one, address="127.0.0.1:9", address_stamp=(NUMBER_MAX, 1), card=m.NO_CARD
    ),
    "a name for ever": lambda _, one: replace(one, nick=m.Fact("mud", Hlc(HLC_MAX, 0), one.id)),
}


def farewell(site: Site, member: int, by: str, chat: int) -> bytes:
    return site.keys[by].signing.sign(vetting.statement(chat, member))


@pytest.mark.parametrize("how", FORGED)
def test_a_member_says_of_another_nothing_that_it_could_not_take_back(site: Site, how: str) -> None:
    with site.unharmed():
        record = FORGED[how](site, site.record("alice"))
        update = m.Update(site.caller("bob", site.id["carol"]), m.Roster((record,)))
        answer = call(site.listen["carol"], site.keys["bob"].tls, update, site.seals("bob"))
        assert isinstance(answer, m.Updated), answer


def ghost(site: Site, **rest: object) -> m.Member:
    """Somebody whom carol would have in the chat."""
    known = site.forged(site.id["carol"] + 40, site.stranger)
    return replace(known, **{"admitted_by": 0, "admission": b"", **rest})


def let_in(site: Site, record: m.Member) -> m.Member:
    """The same, with carol's word that she has let it in."""
    said = admission.statement(site.chat, record.id, record.identity, record.admitted, record.since)
    word = site.keys["carol"].signing.sign(said)
    return replace(record, admitted_by=site.id["carol"], admission=word)


@pytest.mark.parametrize(
    "who", ["unsigned", "noise", "in bob's name", "by itself", "who never led", "alice's ids"]
)
def test_nobody_is_let_in_by_a_member_s_say_so(site: Site, who: str) -> None:
    made = {
        "unsigned": ghost(site),
        "noise": ghost(site, admitted_by=site.id["carol"], admission=b"x" * 64),
        "in bob's name": replace(let_in(site, ghost(site)), admitted_by=site.id["bob"]),
        "by itself": replace(let_in(site, ghost(site)), admitted_by=site.id["carol"] + 40),
        "who never led": let_in(site, ghost(site, issued=NO_IDS)),
        "alice's ids": let_in(site, ghost(site, id=site.record("carol").issued.ids[-1])),
    }[who]
    with site.unharmed():
        brings(site, m.Roster((made,)))
        assert made.id not in {one.id for one in told(site).members}


@pytest.mark.parametrize("whose", ["alice", "bob"])
@pytest.mark.parametrize("signed", [False, True])
def test_nobody_is_given_nothing_to_read(site: Site, whose: str, signed: bool) -> None:
    """Neither a member, nor, by the founder's record, whoever comes later."""
    record = replace(site.record(whose), since=2**41)
    with site.unharmed():
        brings(site, m.Roster((let_in(site, record) if signed else record,)))
        assert {one.since for one in told(site).members} == {0}


@pytest.mark.parametrize("left", [False, True])
def test_the_owner_is_not_moved_to_another_id(site: Site, left: bool) -> None:
    alice = site.record("alice")
    word = site.keys["carol"].signing.sign(vetting.statement(site.chat, site.id["carol"] + 40))
    made = ghost(site, identity=alice.identity, card=alice.card, left=left)
    with site.unharmed():
        brings(site, m.Roster((replace(made, farewell=word if left else b""),)))
        assert made.id not in {one.id for one in told(site).members}
        rights = site.cluster["alice"].run("rights", "-c", CHAT).stdout
        assert "owner: alice" in rights


@pytest.mark.parametrize("signature", [b"", b"x" * 64])
def test_an_invitation_in_another_s_name_lets_nobody_in(site: Site, signature: bytes) -> None:
    secret = b"m" * 16
    forged = Invite(4_712, check_of(secret), site.id["alice"], 2**41, signature=signature)
    with site.unharmed():
        brings(site, m.Roster(invites=(forged,)))
        assert forged.id not in {one.id for one in told(site).invites}


def told(site: Site) -> m.Roster:
    """What bob tells carol of the chat."""
    asks = m.Update(site.caller("carol", site.id["bob"]), m.Roster(), want_roster=True)
    answer = site.carol_asks(asks, site.seals("carol"))
    assert isinstance(answer, m.Updated), answer
    return answer.roster


def brings(site: Site, roster: m.Roster) -> None:
    """Carol's node says this, sealed as all that it says."""
    update = m.Update(site.caller("carol", site.id["bob"]), roster)
    answer = site.carol_asks(update, site.seals("carol"))
    assert isinstance(answer, m.Updated), answer


@pytest.mark.parametrize("what", ["topic", "access", "password"])
def test_nothing_is_for_ever_that_all_may_change(site: Site, what: str) -> None:
    late, carol = Hlc(HLC_MAX, 0), site.id["carol"]
    fact = {
        "topic": m.Fact("mine", late, carol),
        "access": m.Fact(OPEN, late, carol),
        "password": Password(Terms(b"s" * 16), b"k" * 32, late, carol),
    }[what]
    with site.unharmed():
        before = getattr(told(site), what)
        brings(site, replace(m.Roster(), **{what: fact}))
        assert getattr(told(site), what) == before


def test_a_stolen_connection_does_not_leave_for_its_member(site: Site) -> None:
    with site.unharmed():
        record = replace(site.record("bob"), left=True, card=m.NO_CARD)
        leave = m.Leave(site.caller("bob", site.id["carol"]), record)
        answer = call(site.listen["carol"], site.keys["bob"].tls, leave)
        assert answer == Refused("PERMISSION_DENIED", "WRONG_SIGNATURE")


def hands_on(site: Site, message: ChatMessage, to: str = "alice") -> object:
    """bob tells somebody a message, in his own name."""
    tell = m.Tell(site.caller("bob", site.id[to]), site.id[to], (message,))
    return call(site.listen[to], site.keys["bob"].tls, tell, site.seals("bob"))


BENT: dict[str, Callable[[Site, ChatMessage], ChatMessage]] = {
    "another second line": lambda site, said: replace(
        site.signed(said, "carol"), texts=(said.texts[0], "and something else")
    ),
    "lines in another order": lambda site, said: replace(
        site.signed(said, "carol"), texts=said.texts[::-1]
    ),
    "other ids": lambda site, said: replace(site.signed(said, "carol"), ids=said.ids[::-1]),
    "a line less": lambda site, said: replace(
        site.signed(said, "carol"), ids=said.ids[:1], texts=said.texts[:1]
    ),
    "with salts": lambda site, said: replace(site.signed(said, "carol"), salts=b"s" * 32),
    "another author": lambda site, said: replace(
        site.signed(said, "carol"), key=said.key._replace(source=site.id["bob"])
    ),
}


@pytest.mark.parametrize("how", BENT)
def test_of_several_lines_all_are_as_their_author_has_signed_them(site: Site, how: str) -> None:
    with site.unharmed():
        bent = BENT[how](site, fresh(site, "carol", 1))
        for to in ("alice", "carol"):
            answer = hands_on(site, bent, to)
            assert answer == Refused("PERMISSION_DENIED", "WRONG_SIGNATURE"), to


def test_what_its_author_has_signed_is_taken_from_whoever_hands_it_on(site: Site) -> None:
    said = site.signed(fresh(site, "carol", 2), "carol")
    assert isinstance(hands_on(site, said), m.Told)
    for name in HONEST:
        wait_for(
            lambda name=name: site.cluster[name].texts(CHAT)[-2:] == list(said.texts),  # type: ignore[misc]
            f"{name} has it",
        )


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_left_is_a_stranger(site: Site, former: tuple[Member, int], kind: str) -> None:
    eve, id = former
    with site.unharmed():
        request = site.requests(id, "bob")[kind]
        answer = call(site.listen["bob"], tls_of(eve), request)
        assert answer == Refused("PERMISSION_DENIED", "LEFT")


def test_who_has_left_does_not_come_back_without_a_new_invitation(
    site: Site, former: tuple[Member, int]
) -> None:
    eve, _ = former
    with site.unharmed():
        told = eve.run("join", CHAT, "--nds", site.cluster.nds.address, "--no-ui", code=7)
        assert "lets in who is invited" in str(told)


def test_the_open_stream_of_who_leaves_ends_at_once(site: Site) -> None:
    """And no other can be opened."""
    ivan = site.cluster.add("ivan")
    line = site.cluster["alice"].row("invite", "-c", CHAT, "--once")["join"]
    ivan.run("join", line, "--no-ui", "--nick", "ivan")
    tls, ended = tls_of(ivan), threading.Event()
    told: list[grpc.RpcError] = []
    with channel(site.listen["bob"], tls) as made:
        wait_for(lambda: "ivan" in site.cluster["bob"].states(CHAT), "bob knows ivan")
        closing = threading.Event()

        def frames():  # type: ignore[no-untyped-def]
            yield b""
            closing.wait(WAIT_S)

        stream = made.stream_stream("/p2pchat.v1.Node/Link")(frames())
        next(iter(stream))  # its hello

        def read() -> None:
            try:
                for _ in stream:
                    pass
            except grpc.RpcError as error:
                told.append(error)
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        ivan.run("leave", CHAT)
        assert ended.wait(WAIT_S), "the stream of somebody who left goes on"
        closing.set()
        with pytest.raises(grpc.RpcError) as caught:
            list(made.stream_stream("/p2pchat.v1.Node/Link")(iter([b""]), timeout=CALL_S))
        assert refused(caught.value).code == "UNAUTHENTICATED"
    ivan.down()
