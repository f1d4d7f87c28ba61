"""The node: real groups on a real server against a real discovery service, all in one loop.

Its pure parts (hub, elections, telling, views) by tables and small stories.
"""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from msgspec.structs import replace

from node import happenings as h
from node import logs
from node import profile as profiles
from node import words as w
from node.config import load
from node.control.running import running
from node.core.conversation import Kind
from node.core.effects import Acknowledged, Departed, ElectionMoved, Phase, Stopped
from node.core.events import Submitted
from node.core.group import Group
from node.core.messages import Life
from node.core.types import Hlc, Silence, Stream
from node.errors import (
    AmbiguousChat,
    AmbiguousMessage,
    BadField,
    Complaint,
    DamagedFile,
    NameTaken,
    NdsCannotStore,
    NdsDistrusted,
    NdsUnreachable,
    NobodyAnswers,
    NoChat,
    NoNds,
    NoSuchChat,
    NoSuchMember,
    NoSuchMessage,
    NotAdmitted,
    NotListening,
    PortInUse,
    ProfileInUse,
    WrongSecret,
)
from node.faults import OTHER_KEY
from node.happenings import Happening
from node.host import asking, checks, entering, inviting, listing, telling, views
from node.host.hub import Hub, TooSlow
from node.host.nodes import Node
from node.places import places
from node.runner import Silenced
from node.trust.cards import fingerprint
from node.words import Mode, Wait
from tests.node.town import Town, eventually, lines, say
from tests.processes import Processes
from tests.waiting import WAIT_S


@pytest.fixture
def reticence(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a process was reticent ends with the test."""
    monkeypatch.setattr(logs._Line, "reticent", False)


# ---- making and joining ------------------------------------------------------------------------


async def test_a_chat_is_made_led_joined_and_talked_in(town: Town) -> None:
    alice, bob = await town.pair()
    leader = views.leader(bob.chat(""))
    assert (leader.nick, leader.leader_id) == ("alice", alice.chat("").group.me)
    sent = await say(alice, "hello")
    assert (sent.acked, sent.of, sent.complete, sent.done) == (1, 1, True, True)
    assert lines(bob) == ["hello"]
    members = views.members(bob.chat(""), False).members
    assert [one.nick for one in members] == ["alice", "bob"]
    assert [one.certificate for one in members] == [
        fingerprint(node.keys.card) for node in (alice, bob)
    ]


async def test_a_name_that_differs_only_in_case_is_taken(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    with pytest.raises(NameTaken, match=f"a chat #{town.chat} already"):
        await entering.create(alice, town.chat.upper(), "", "", Mode.LOGGED, is_open=True)


async def test_a_taken_name_is_refused(town: Town) -> None:
    alice, bob = await town.pair()
    with pytest.raises(NameTaken, match=f"p2pchat join {town.nds}/{town.chat}"):
        await entering.create(bob, f"#{town.chat}", "", "", Mode.LOGGED, is_open=True)
    assert len(bob.chats) == 1
    assert bob.entering == []
    assert len(alice.profile.chats) == 1


@pytest.mark.parametrize("name", ["", "#", "a b", "x" * 65, "a\x1b[0m", "a/b"])
async def test_a_bad_name_is_refused_before_anybody_is_asked(town: Town, name: str) -> None:
    alice = await town.start("alice")
    with pytest.raises(BadField, match="name: must be 1 to 64"):
        await entering.create(alice, name, "", "", Mode.LOGGED, is_open=True)
    assert alice.chats == []


@pytest.mark.usefixtures("reticence")
async def test_a_transient_chat_is_joined_without_a_word_about_its_kind(town: Town) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    made = await entering.create(alice, town.chat, "", "", Mode.TRANSIENT, is_open=True)
    assert made.chat.mode == Mode.TRANSIENT
    admitted = await entering.join(bob, f"{alice.listen}/{town.chat}", "", "")
    assert admitted.chat.mode == Mode.TRANSIENT
    await say(alice, "hello")
    assert lines(bob) == ["hello"]
    for node in (alice, bob):
        assert (node.profile.chats, node.profile.transient) == ((), 1)
        assert not list(node.places.data.glob("**/*.db*"))
        chat = node.chat("")
        mine = chat.group.member(chat.group.me)
        assert mine is not None
        assert mine.identity != node.keys.identity


async def test_a_chat_that_is_logged_is_joined_by_a_members_address_as_itself(town: Town) -> None:
    """The first try, in memory and under a passing identity, leaves nothing at all."""
    _, bob = await town.pair()
    carol = await town.start("carol")
    watcher = carol.hub.add()
    await entering.join(carol, f"{bob.listen}/{town.chat}", "", "")
    carol.hub.end()
    told = [one.what async for one in watcher.happenings()]
    assert not [one for one in told if isinstance(one, h.NdsEvent)], "a member is no NDS"
    mine = carol.chat("").group.member(carol.chat("").group.me)
    assert mine is not None
    assert mine.identity == carol.keys.identity
    await eventually(lambda: len(bob.chat("").group.roster.members) == 3)
    assert (carol.entering, len(carol.profile.chats)) == ([], 1)
    assert not logs._Line.reticent, "there is nothing to be silent about"


@pytest.mark.usefixtures("reticence")
async def test_the_last_one_of_a_transient_chat_ends_it(town: Town) -> None:
    """Whoever was killed there is no member that could return."""
    alice, bob = await town.start("alice"), await town.start("bob")
    await entering.create(alice, town.chat, "", "", Mode.TRANSIENT, is_open=True)
    await entering.join(bob, f"{town.nds}/{town.chat}", "", "")
    for chat in bob.chats:  # as kill -9 would
        await chat.let_go()
    bob.chats.clear()
    await town.stop("bob")
    found = alice.chat("").group
    await eventually(lambda: len(found.belonging) == 2 and len(found.active) == 1)
    await town.stop("alice")
    carol = await town.start("carol")
    assert not [row for row in await listing.networks_of(carol, town.nds) or ()
                if row.name == town.chat]  # fmt: skip


@pytest.mark.usefixtures("reticence")
async def test_a_nick_is_kept_with_the_first_chat_that_is_logged(town: Town) -> None:
    spot = places("ghost", str(town.directory), {})
    config = load(spot, {"nick": "casper", "nds": [town.nds]}, {}, {})
    async with running(spot, config, nick_later=True) as node:
        assert node.nick != "casper"
        await entering.create(node, town.chat, "", "casper", Mode.TRANSIENT, is_open=True)
        assert node.chats[0].nick == "casper"
        await asking.set_nick(node, node.chats, "casper2", everywhere=True)
        assert profiles.load(spot.data).nick == ""
        await entering.create(node, f"{town.chat}-2", "", "lou", Mode.LOGGED, is_open=True)
        assert (profiles.load(spot.data).nick, node.nick) == ("lou", "lou")
        await entering.create(node, f"{town.chat}-3", "", "max", Mode.LOGGED, is_open=True)
        assert (profiles.load(spot.data).nick, node.nick) == ("lou", "lou")


async def test_an_nds_that_is_not_there_is_named(town: Town, free_port: int) -> None:
    alice = await town.start("alice")
    with pytest.raises(NdsUnreachable, match=f"127.0.0.1:{free_port}"):
        await entering.create(
            alice, town.chat, f"127.0.0.1:{free_port}", "", Mode.LOGGED, is_open=True
        )
    with pytest.raises(NdsUnreachable):
        await entering.join(alice, f"{town.chat}@127.0.0.1:{free_port}", "", "")
    with pytest.raises(NobodyAnswers):
        await entering.join(alice, f"127.0.0.1:{free_port}/{town.chat}", "", "")
    assert alice.registries.addresses == (town.nds,)


async def test_an_nds_that_never_answered_is_forgotten_unless_there_are_chats(
    town: Town, free_port: int
) -> None:
    nowhere = f"127.0.0.1:{free_port}"
    alice = await town.start("alice", nds=[nowhere])
    with pytest.raises(NdsUnreachable):
        await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    assert profiles.load(alice.places.data).nds == (nowhere,)
    await town.stop("alice")
    assert profiles.load(alice.places.data).nds == ()
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    await town.stop("alice")
    assert profiles.load(alice.places.data).nds == (town.nds,)
    await town.start("alice", nds=[nowhere])
    await town.stop("alice")
    assert profiles.load(alice.places.data).nds == (nowhere,)


async def test_the_nds_at_the_place_of_ones_own_is_found(
    town: Town, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setattr(entering, "NDS_DEFAULT", f"127.0.0.1:{free_port}")
    monkeypatch.setattr(Node, "nds_candidates", lambda _: (f"127.0.0.1:{free_port}",))
    alice = await town.start("alice", nds_listen=town.nds)
    created = await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    assert created.chat.nds == town.nds
    bob = await town.start("bob", nds_listen="127.0.0.1:0")
    with pytest.raises(NoNds):
        await entering.create(bob, "another", "", "", Mode.LOGGED, is_open=True)
    assert entering._own_place("0.0.0.0:50050") == ["127.0.0.1:50050"]


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that is bound and not listened on: nobody answers there, and nobody else gets it."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_chat_is_joined_through_any_member(town: Town) -> None:
    _, bob = await town.pair()
    carol = await town.start("carol")
    admitted = await entering.join(carol, f"{bob.listen}/{town.chat}", "", "")
    assert (admitted.nick, admitted.chat.known) == ("carol", 3)
    assert admitted.chat.nds == town.nds, "the joiner keeps the group's discovery service"


async def test_a_name_alone_is_looked_up(town: Town) -> None:
    await town.pair()
    carol = await town.start("carol")
    admitted = await entering.join(carol, f"#{town.chat}", "", "")
    assert admitted.chat.name == town.chat


async def test_joining_again_is_harmless(town: Town) -> None:
    _, bob = await town.pair()
    for line in (town.chat, f"{town.nds}/{town.chat}", f"{town.chat}@{town.nds}"):
        assert (await entering.join(bob, line, "", "")).already
    assert len(bob.chats) == 1


async def test_an_unknown_chat_is_refused_with_the_nearest_name(town: Town) -> None:
    _, bob = await town.pair()
    with pytest.raises(NoSuchChat, match=f"Did you mean .*#{town.chat}"):
        await entering.join(bob, f"{town.nds}/{town.chat}x", "", "")


async def test_a_second_nick_of_the_same_name_gets_a_number(town: Town) -> None:
    await town.pair()
    carol = await town.start("carol")
    assert (await entering.join(carol, town.chat, "", "bob")).nick == "bob2"


async def test_who_was_told_to_listen_here_alone_gets_into_no_chat_of_others(
    town: Town, abroad: str
) -> None:
    alice = await town.start("alice", listen="127.0.0.1:0")
    with pytest.raises(NotListening, match="--listen"):
        await entering.join(alice, f"{abroad}/dev", "", "")
    with pytest.raises(NotListening, match="--listen"):
        await entering.create(alice, town.chat, abroad, "", Mode.LOGGED, is_open=True)


async def test_the_invitation_leads_to_the_nds_or_else_to_this_node(town: Town) -> None:
    alice, bob = await town.pair()
    through = await inviting.invite(bob, bob.chat(""))
    mark = inviting.Mark(None, bob.registries.fingerprint(town.nds)[:12])
    assert (through.join_line, through.through) == (f"{town.nds}/{town.chat}#{mark}", "nds")
    alone = w.Invitation(f"{alice.listen}/{town.chat}", "member")
    alice.registries.forget(town.nds)
    chat = alice.chat("")
    chat.group._s.nds = ""
    assert await inviting.invite(alice, chat) == alone


async def test_the_list_shows_what_one_is_in(town: Town) -> None:
    alice, _ = await town.pair()
    carol = await town.start("carol")
    mine = {row.name: row.state for row in (await listing.networks(alice, "")).networks}
    theirs = {row.name: row.state for row in (await listing.networks(carol, "")).networks}
    assert (mine[town.chat], theirs[town.chat]) == ("member", "live")


async def test_an_nds_that_does_not_answer_is_listed_as_such(town: Town, free_port: int) -> None:
    alice = await town.start("alice")
    found = await listing.networks(alice, f"127.0.0.1:{free_port}")
    assert (found.networks, found.unreachable) == ((), (f"127.0.0.1:{free_port}",))


# ---- leaving, stopping, starting again -----------------------------------------------------------


async def test_a_restarted_node_is_the_same_member_with_its_history(town: Town) -> None:
    alice, bob = await town.pair()
    await say(bob, "before")
    me, port = bob.chat("").group.me, bob.listening.port
    await town.stop("bob")
    await say(alice, "while away")
    again = await town.start("bob", listen=None)
    assert (again.chat("").group.me, again.listening.port) == (me, port)
    await eventually(lambda: lines(again) == ["before", "while away"])


async def test_stopping_hands_leadership_over_and_membership_stays(town: Town) -> None:
    _, bob = await town.pair()
    await town.stop("alice")
    await eventually(lambda: views.leader(bob.chat("")).nick == "bob")
    assert views.chat(bob.chat("")).known == 2


async def test_leaving_is_for_good_and_coming_back_is_a_new_member(town: Town) -> None:
    alice, bob = await town.pair()
    await say(bob, "mine")
    first = bob.chat("").group.me
    departure = await bob.leave(bob.chat(""))
    assert (departure.told, departure.untold, departure.deleted) == (1, 0, False)
    assert [one.nick for one in views.members(alice.chat(""), False).members] == ["alice"]
    with pytest.raises(NoChat):
        bob.chat("")
    await entering.join(bob, town.chat, "", "")
    assert bob.chat("").group.me > first
    assert lines(bob) == ["mine"], "the log of before is gone on with"
    assert len(bob.profile.chats) == 1


async def test_whoever_leaves_is_cut_off_unless_it_is_in_another_chat(town: Town) -> None:
    alice, bob = await town.pair()
    await entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
    await entering.join(alice, f"{town.chat}-2", "", "")
    whom = (bob.listen, bob.keys.card.certificate)
    for name, stays in ((town.chat, True), (f"{town.chat}-2", False)):
        assert alice.knows(whom[1])
        await bob.leave(bob.chat(name))
        assert alice.knows(whom[1]) == stays
        if stays:
            assert (await say(bob, "still here")).complete
    await eventually(lambda: whom not in {*alice.links._accepted, *alice.links._peers})
    assert not bob.knows(alice.keys.card.certificate)
    assert bob.knows(bob.keys.card.certificate), "its own person may ask it"


async def test_two_joins_at_once_make_one_chat(town: Town) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    line = f"{town.nds}/{town.chat}"
    await asyncio.gather(*(entering.join(bob, line, "", "") for _ in range(3)))
    assert len(bob.chats) == 1
    assert bob.chat("") is bob.chats[0]


async def test_who_left_unheard_and_joins_again_stays_in_after_a_restart(town: Town) -> None:
    alice, bob = await town.pair()
    await town.stop("alice")
    departure = await bob.leave(bob.chat(""))
    assert departure.told == 0
    assert [entry.state for entry in bob.profile.chats] == ["leaving"]
    alice = await town.start("alice")
    await eventually(lambda: alice.chat("").group.leads)
    await entering.join(bob, town.chat, "", "")
    await town.stop("bob")
    bob = await town.start("bob")
    await say(bob, "still here")
    assert [entry.state for entry in bob.profile.chats] == ["in"], "no old good-bye is kept"
    assert bob.chat("").group.me in alice.chat("").group.belonging


async def test_a_chat_whose_making_fails_here_leaves_its_name_free(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await town.start("alice")

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(alice, "open", full)
        with pytest.raises(OSError, match="no space"):
            await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    bob = await town.start("bob")

    async def made() -> bool:
        try:
            await entering.create(bob, town.chat, "", "", Mode.LOGGED, is_open=True)
        except NameTaken:
            return False
        return True

    tries = 0
    while not await made():
        tries += 1
        assert tries < 50, "the name is not freed"


async def test_a_log_that_is_lost_is_joined_again_under_the_same_id(town: Town) -> None:
    _, bob = await town.pair()
    await say(bob, "before")
    first, log = bob.chat("").group.me, bob.archive_path(bob.chat("").entry)
    await town.stop("bob")
    for file in log.parent.glob(f"{log.name}*"):
        file.unlink()
    bob = await town.start("bob")
    await eventually(lambda: bob.opened("").group.me == first)
    await eventually(lambda: lines(bob) == ["before"])


async def test_who_lost_identity_and_log_is_told_and_gets_in_with_a_new_line(town: Town) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    made = await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    await entering.join(bob, made.join_line, "", "")
    first, log = bob.chat("").group.me, bob.archive_path(bob.chat("").entry)
    await town.stop("bob")
    for file in (*log.parent.iterdir(), bob.places.data / "identity.key"):
        file.unlink()
    bob = await town.start("bob")
    why = "it lets in who is invited: ask for a line there"
    told = f"#{town.chat} does not let you in again: {why}"
    await eventually(lambda: bob.status().problems == (told,))
    with pytest.raises(NotAdmitted, match=f"joined again; so far: {why}"):
        bob.chat("")
    wrong = inviting.Mark(inviting.draw(), bob.registries.fingerprint(town.nds)[:12])
    with pytest.raises(WrongSecret):
        await entering.join(bob, f"{town.nds}/{town.chat}#{wrong}", "", "")
    await eventually(lambda: bob.status().problems == (told,))  # it goes on trying
    admitted = await entering.join(bob, made.join_line, "", "")
    assert (admitted.already, bob.chat("").group.me > first) == (False, True)
    assert (bob.status().problems, len(bob.chats)) == ((), 1)
    await say(alice, "hello")
    await eventually(lambda: lines(bob) == ["hello"])
    await town.stop("bob")
    bob = await town.start("bob")
    assert [one.group.me > first for one in bob.chats] == [True]


async def test_who_leaves_twice_at_once_has_left(town: Town) -> None:
    alice, bob = await town.pair()
    chat = bob.chat("")
    await asyncio.gather(bob.leave(chat), bob.leave(chat))
    assert bob.chats == []
    assert [one.nick for one in views.members(alice.chat(""), False).members] == ["alice"]


async def test_the_last_one_to_leave_ends_the_network(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    departure = await alice.leave(alice.chat(""))
    assert departure.deleted
    assert town.chat not in {row.name for row in (await listing.networks(alice, "")).networks}


async def test_a_profile_runs_once(town: Town) -> None:
    await town.start("alice")
    with pytest.raises(ProfileInUse):
        await town.start("alice")


async def test_a_port_that_was_asked_for_and_is_taken_is_refused(town: Town) -> None:
    alice = await town.start("alice")
    with pytest.raises(PortInUse, match=str(alice.listening.port)):
        await town.start("bob", listen=alice.listen)


async def test_a_port_that_was_only_drawn_is_drawn_again(town: Town) -> None:
    await town.start("bob", listen=None)
    kept = profiles.load(town.directory / "bob")
    await town.stop("bob")
    taker = await town.start("alice", listen=kept.listen)
    again = await town.start("bob", listen=None)
    assert taker.listen == kept.listen
    assert again.listening.port not in (0, taker.listening.port)


async def test_a_damaged_log_is_named_and_the_other_chats_go_on(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    await entering.create(alice, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
    broken = alice.archive_path(alice.chats[0].entry)
    await town.stop("alice")
    for file in broken.parent.glob(f"{broken.name}-*"):
        file.unlink()
    broken.write_bytes(b"noise" * 1000)
    again = await town.start("alice")
    assert [one.name for one in again.chats] == [f"{town.chat}-2"]
    assert broken.read_bytes() == b"noise" * 1000
    assert f"#{town.chat} is not opened" in again.places.log.read_text()
    (problem,) = again.status().problems
    assert problem.startswith(f"#{town.chat} is not open: ")
    assert str(broken) in problem
    with pytest.raises(DamagedFile):
        again.chat(town.chat)
    with pytest.raises(DamagedFile):  # no second log beside the one that cannot be read
        await entering.join(again, town.chat, "", "")
    assert len(again.profile.chats) == 2


# ---- which chat --------------------------------------------------------------------------------


async def test_chats_are_named_in_many_ways(town: Town) -> None:
    alice = await town.start("alice")
    with pytest.raises(NoChat):
        alice.chat("")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    one = alice.chat("")
    names = [town.chat, f"#{town.chat}", f"{town.chat}@{town.nds}", f"{one.group.chat:016x}"]
    assert all(alice.chat(name) is one for name in names)
    await entering.create(alice, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
    with pytest.raises(AmbiguousChat, match=f"-c {town.chat} or -c {town.chat}-2"):
        alice.chat("")
    for wrong in ("nope", "a b", f"{town.chat}@127.0.0.1:1", "0" * 16):
        with pytest.raises(NoSuchChat):
            alice.chat(wrong)


async def test_two_groups_talk_at_once(town: Town) -> None:
    alice, bob = await town.pair()
    await entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
    await entering.join(alice, f"{town.chat}-2", "", "")

    async def talk(node: Node, name: str) -> None:
        for i in range(20):
            async for _ in node.chat(name).send(f"{name} {i}", Kind.TEXT, Wait.ALL, 5_000):
                pass

    await asyncio.gather(talk(alice, town.chat), talk(bob, f"{town.chat}-2"))
    for node in (alice, bob):
        for name in (town.chat, f"{town.chat}-2"):
            page = views.page(node.chat(name), count=100, since_ms=0, before="", contains="")
            assert [line.text for line in page.lines] == [f"{name} {i}" for i in range(20)]


# ---- asking ------------------------------------------------------------------------------------


async def test_whose_acknowledgement_is_waited_for(town: Town) -> None:
    alice, bob = await town.pair()
    assert (await say(bob, "a", Wait.NONE)).complete
    assert (await say(bob, "b", Wait.LEADER)).acked == 1
    assert (await say(alice, "c", Wait.LEADER)).complete, "the leader itself has it at once"
    await asking.check(alice, alice.chat(""))


async def test_members_are_pinged_by_name_or_all(town: Town) -> None:
    alice, bob = await town.pair()
    (row,) = (await asking.ping(bob, bob.chat(""), "alice")).rows
    assert (row.answered, row.said, row.nick) == (True, "leading", "alice")
    assert row.rtt_us > 0
    (row,) = (await asking.ping(alice, alice.chat(""), "")).rows
    assert row.said == "not leading"
    (peer,) = views.peers(bob.chat(""), bob.links.figures)
    assert (peer.nick, peer.watch) == ("alice", "you watch it, it watches you")
    with pytest.raises(NoSuchMember, match="Did you mean alice"):
        await asking.ping(bob, bob.chat(""), "alise")


async def test_another_node_at_a_members_address_does_not_answer_for_it(town: Town) -> None:
    alice, _ = await town.pair()
    chat = alice.chat("")
    member = views.find_member(chat, "bob")
    moved = replace(member, address=alice.listen)
    row, _ = await asking._ping(alice, chat, moved)
    assert not row.answered
    row, _ = await asking._ping(alice, chat, member)
    assert row.answered


@pytest.mark.parametrize(
    ("following", "leads", "shown"), [(1, True, 1), (1, False, 0), (2, False, 2), (0, False, 0)]
)
def test_a_restarted_leader_does_not_say_that_it_leads_before_it_does(
    following: int, leads: bool, shown: int
) -> None:
    group = SimpleNamespace(me=1, following=following, leads=leads)
    assert telling.leader_of(group) == shown  # type: ignore[arg-type]


async def test_histories_are_compared_with_everyones(town: Town) -> None:
    alice, bob = await town.pair()
    await say(alice, "one")
    found = await asking.check(bob, bob.chat(""))
    assert found.same
    assert len({row.fingerprint for row in found.rows}) == 1
    assert len(found.rows) == 2


async def test_a_leader_that_is_silent_to_this_node_alone_is_suspect_here(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await town.pair()
    chat = bob.chat("")

    async def cut(*_: object) -> Silenced:
        return Silenced(Silence.SILENT, "cut")

    with monkeypatch.context() as while_cut:
        while_cut.setattr(bob.links, "call", cut)
        while_cut.setattr(bob.links, "begin", lambda *_: False)
        await eventually(lambda: views.chat(chat).alive == 1)
        assert [row.state for row in views.members(chat, everyone=False).members] == [
            "suspect",
            "alive",
        ]
        assert [row.state for row in views.peers(chat, bob.links.figures)] == ["suspect"]
        assert views.leader(chat).nick == "alice", "nobody else leads"
        found = await asking.check(bob, chat)
        assert (found.same, found.differ) == (False, False)
        assert [row.nick for row in found.unanswered] == ["alice"]
        assert [one.life for one in chat.group.roster.members] == [Life.ALIVE, Life.ALIVE]
        assert views.chat(alice.chat("")).alive == 2, "that is for bob to say"
    await eventually(lambda: views.chat(chat).alive == 2)


async def test_a_living_leader_stays(town: Town) -> None:
    _, bob = await town.pair()
    outcome = await asking.challenge(bob, bob.chat(""))
    assert "alice (id 1) answers and stays leader" in outcome.outcome
    assert outcome.leader.nick == "alice"


async def test_the_steps_of_an_election_are_told_and_written_down(town: Town) -> None:
    alice, bob = await town.pair()
    watcher = bob.hub.add()
    me, other = bob.chat("").group.me, alice.chat("").group.me
    bob.chat("")._notified([ElectionMoved(me, Phase.ASKED, whom=other)])
    async for happening in watcher.happenings():
        if isinstance(happening.what, h.ElectionEvent):
            break
    told = happening.what
    assert isinstance(told, h.ElectionEvent)
    assert (told.by_nick, told.phase, told.whom_id, told.whom_nick) == (
        "bob",
        "asked",
        other,
        "alice",
    )
    assert told.text == "bob (id 2) asked alice (id 1)"
    (election,) = bob.chat("").elections.last(happening.at_ms)
    assert [step.text for step in election.steps] == [told.text]


async def test_a_leader_has_nobody_to_challenge(town: Town) -> None:
    alice, _ = await town.pair()
    outcome = await asking.challenge(alice, alice.chat(""))
    assert "you lead already" in outcome.outcome


async def test_nick_away_and_topic_reach_the_others(town: Town) -> None:
    alice, bob = await town.pair()
    assert (await asking.set_nick(bob, bob.chats, "rob", everywhere=True)).nick == "rob"
    await asking.set_away(bob.chats, "lunch")
    await asking.set_topic(bob.chat(""), "release")
    await say(bob, "done")
    await eventually(lambda: views.chat(alice.chat("")).topic == "release")
    await eventually(lambda: views.find_member(alice.chat(""), "rob").away.value == "lunch")
    assert profiles.load(bob.places.data).nick == "rob"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda node: asking.set_nick(node, [], "a b", everywhere=True), "nick"),
        (lambda node: asking.set_away([], "x" * 201), "away"),
        (lambda node: asking.set_topic(None, "a\nb"), "topic"),
    ],
)
async def test_bad_facts_are_refused_with_their_field(town: Town, change, field: str) -> None:  # type: ignore[no-untyped-def]
    alice = await town.start("alice")
    with pytest.raises(BadField, match=f"^{field}: must be"):
        await change(alice)


async def test_the_doctor_looks_into_each_log(town: Town) -> None:
    alice, bob = await town.pair()
    await say(alice, "hello")
    rows = {row.check: row for row in (await checks.diagnose(bob)).rows}
    log = rows[f"log of #{town.chat}"]
    assert log.ok
    assert log.text.startswith("sound: 1 line in ")
    assert "free for" in rows["disk"].text
    await say(bob, "the log is in order after that")


async def test_the_doctor_finds_what_is_wrong(town: Town, free_port: int) -> None:
    alice, _ = await town.pair()
    well = await checks.diagnose(alice)
    assert all(row.ok for row in well.rows), well
    alice.discovery(f"127.0.0.1:{free_port}")
    await town.stop("bob")
    rows = {row.check: row for row in (await checks.diagnose(alice)).rows}
    assert [check for check, row in rows.items() if not row.ok] == [f"NDS 127.0.0.1:{free_port}"]
    assert rows[f"members of #{town.chat}"].text.endswith("; gone: bob"), "that is no defect"


@pytest.mark.parametrize(
    ("reason", "told"),
    [("UNKNOWN_NETWORK", "nds.pem back"), ("WRONG_CLAIM_KEY", "who knows it")],
)
async def test_the_doctor_says_why_a_service_confirms_no_leader(
    town: Town, reason: str, told: str
) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    alice.chat("").group._s.election.refused = reason
    rows = {row.check: row for row in (await checks.diagnose(alice)).rows}
    row = rows[f"#{town.chat} at the NDS"]
    assert (row.ok, told in row.text, "nobody new gets in" in row.text) == (False, True, True)


# ---- history -----------------------------------------------------------------------------------


async def test_history_is_read_in_pages(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    for i in range(7):
        await say(alice, f"line {i}", Wait.NONE)
    read: list[str] = []
    cursor = ""
    while True:
        page = views.page(alice.chat(""), count=3, before=cursor)
        read = [line.text for line in page.lines] + read
        cursor = page.cursor
        if not cursor:
            break
    assert read == [f"line {i}" for i in range(7)]
    found = views.page(alice.chat(""), count=9, contains="LINE 5")
    assert [line.text for line in found.lines] == ["line 5"]


async def test_history_is_read_forwards_from_a_line(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    for i in range(7):
        await say(alice, f"line {i}", Wait.NONE)
    every = views.page(alice.chat(""), count=9).lines
    read = [every[0]]
    cursor = every[0].place
    sizes = []
    while cursor:
        page = views.page(alice.chat(""), count=3, after=cursor)
        assert not page.cursor, "which says nothing about older lines"
        read += page.lines
        sizes.append(len(page.lines))
        cursor = page.after_cursor
    assert read == list(every)
    assert sizes == [3, 3], "a page that ends with the log says so"
    assert [
        line.text for line in views.page(alice.chat(""), count=2, after="0.0.0.0.0.0.0").lines
    ] == [
        "line 0",
        "line 1",
    ]
    assert not views.page(alice.chat(""), count=9, after=every[-1].place).lines


def test_a_line_says_where_it_stands() -> None:
    place = Hlc(5, 6), 7, Stream(8, 9), 10
    assert telling.cursor(place) == "5.6.7.8.9.10"
    assert views.place("5.6.7.8.9.10.11", "before") == (*place, 11)


@pytest.mark.parametrize(
    "noise",
    [
        *("noise", "1.2.3.4.5.6", "1.2.3.4.5.6.7.8", "1.2.3.4.5.6.x", "1.2.3.4.5.6."),
        *("9007199254740992.2.3.4.5.6.7", "."),
    ],
)
@pytest.mark.parametrize("field", ["before", "after"])
def test_what_is_no_cursor_is_refused(noise: str, field: str) -> None:
    with pytest.raises(BadField, match=f"{field}: must be the cursor"):
        views.place(noise, field)


async def test_a_message_is_traced(town: Town) -> None:
    alice, bob = await town.pair()
    await say(alice, "first")
    sent = await say(bob, "second")
    trace = views.trace(bob.chat(""), "")
    assert (trace.line.text, trace.leader_nick, trace.line.acked, trace.line.of) == (
        "second",
        "alice",
        1,
        1,
    )
    assert [(row.nick, row.state, row.way) for row in trace.rows] == [("alice", "acked", "direct")]
    assert trace.stored_ms > 0
    assert len(trace.follows) == 1
    assert views.trace(alice.chat(""), sent.id).line.text == "second"
    with pytest.raises(NoSuchMessage):
        views.trace(alice.chat(""), "ffffffff00")


async def test_the_last_own_message_is_traced_however_far_back_it_lies(town: Town) -> None:
    alice, bob = await town.pair()
    with pytest.raises(NoSuchMessage, match="no message of your own"):
        views.trace(alice.chat(""), "")
    await say(alice, "mine")
    for n in range(1_001):
        bob.chat("").runner.post(Submitted(f"line {n}", str(uuid4()), 1_750_000_000_000 + n))
    await eventually(lambda: len(alice.chat("").archive.page(count=2_000)) == 1_002)
    assert views.trace(alice.chat(""), "").line.text == "mine"


async def test_who_was_gone_when_a_line_was_said_is_in_its_trace(town: Town) -> None:
    _, bob = await town.pair()
    carol = await town.start("carol")
    await entering.join(carol, f"{town.nds}/{town.chat}", "", "")
    chat = bob.chat("")
    await eventually(lambda: len(chat.group.active) == 3)
    await say(bob, "before")
    await town.stop("carol")
    await eventually(lambda: views.find_member(chat, "carol").life is Life.DROPPED)
    await say(bob, "after")

    def traced() -> list[tuple[str, str]]:
        return [(row.nick, row.state) for row in views.trace(chat, "").rows]

    assert traced() == [("alice", "acked"), ("carol", "later")]
    line = views.trace(chat, "").line
    assert (line.acked, line.of) == (1, 1), "she is not counted"
    await town.stop("bob")
    chat = (await town.start("bob")).chat("")
    assert traced() == [("alice", "acked"), ("carol", "later")], "in the next life too"
    before = views.trace(chat, chat.archive.page(count=2)[0].id)
    assert [row.nick for row in before.rows] == ["alice", "carol"], "counted, and so here once"
    await town.start("carol")
    await eventually(lambda: traced() == [("alice", "acked"), ("carol", "acked")])
    after = views.trace(chat, "")
    assert (after.line.acked, after.line.of) == (1, 1), "she is not counted all the same"
    page = views.page(chat, count=1).lines[0]
    assert (page.acked, page.of) == (1, 1)
    carol_row = next(row for row in views.members(chat, everyone=True).members if row.acked > 1)
    assert carol_row.lacking == 0


async def test_a_trace_names_who_led_when_a_line_came_also_after_a_restart(town: Town) -> None:
    _, bob = await town.pair()
    await say(bob, "by alice")
    chat = bob.chat("")
    await town.stop("alice")
    await eventually(lambda: chat.group.leads)
    await say(bob, "by bob")

    def led() -> list[str]:
        lines = chat.archive.page(count=2)
        return [views.trace(chat, line.id).leader_nick for line in lines]

    assert led() == ["alice", "bob"]
    await town.stop("bob")
    chat = (await town.start("bob")).chat("")
    assert led() == ["alice", "bob"]


async def test_a_beginning_that_several_messages_share_is_not_enough(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    seen: set[str] = set()
    while True:  # two ids with one first digit: at most 17 lines
        digit = (await say(alice, "x", Wait.NONE)).msg_id[0]
        if digit in seen:
            break
        seen.add(digit)
    with pytest.raises(AmbiguousMessage):
        views.trace(alice.chat(""), digit)


# ---- watchers ----------------------------------------------------------------------------------


async def test_what_happens_is_told_with_chat_and_epoch(town: Town) -> None:
    alice = await town.start("alice")
    watcher = alice.hub.add()
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    bob = await town.start("bob")
    await entering.join(bob, town.chat, "", "")
    await say(bob, "hi alice")
    told: list[Happening] = []
    async with asyncio.timeout(WAIT_S):
        async for happening in watcher.happenings():
            told.append(happening)
            if isinstance(happening.what, w.Line):
                break
    kinds = [type(one.what) for one in told]
    assert kinds[0] is h.ChatEvent
    joined = next(one.what for one in told if isinstance(one.what, h.MemberEvent))
    assert (joined.nick, joined.change) == ("bob", "joined")
    line = told[-1].what
    assert isinstance(line, w.Line)
    assert line.place == views.page(alice.chat(""), count=1).lines[0].place
    assert told[-1].fingerprint == alice.chat("").group.fingerprint != told[0].fingerprint
    assert (line.text, line.nick, line.mention, line.own) == ("hi alice", "bob", True, False)
    assert (told[-1].chat, told[-1].epoch.n) == (town.chat, 1)
    unread = views.chat(alice.chat(""))
    assert (unread.unread, unread.mentions) == (1, 1)


async def test_an_nds_that_goes_away_and_comes_back_is_told_once_each(tmp_path: Path) -> None:
    own = Processes(tmp_path)
    pid = own.start_nds()
    town = Town(tmp_path, own.nds)
    try:
        alice = await town.start("alice")
        await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
        watcher = alice.hub.add()
        events = watcher.happenings()
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(WAIT_S):
            down = await _next_nds(events)
            assert (down.address, down.up) == (own.nds, False)
            assert alice.status().nds[0].state.startswith("down ")
            await asyncio.to_thread(own.start_nds)
            back = await _next_nds(events)
        assert back.up
        assert back.down_ms > 0
        assert alice.status().nds[0].state == "ok"
    finally:
        await town.close()
        own.close()


async def test_an_nds_with_another_key_is_not_spoken_to_until_people_say_so(tmp_path: Path) -> None:
    own = Processes(tmp_path)
    pid = own.start_nds()
    town = Town(tmp_path, own.nds)
    try:
        alice, bob = await town.pair()
        events = bob.hub.add().happenings()
        os.kill(pid, signal.SIGKILL)
        (tmp_path / "nds.pem").unlink()
        async with asyncio.timeout(WAIT_S):
            await asyncio.to_thread(own.start_nds)
            while (event := await _next_nds(events)).fault != OTHER_KEY:
                assert not event.up
            assert (event.address, event.up) == (own.nds, False)
            known = bob.places.data / "known_nds"
            found = await checks.diagnose(bob)
            (row,) = (row for row in found.rows if row.check == f"NDS {own.nds}")
            assert (row.ok, f"remove its line from {known}" in row.text) == (False, True)
            for entered in (
                entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True),
                entering.join(bob, f"{own.nds}/{town.chat}-2", "", ""),
                entering.join(bob, f"#{town.chat}-2", "", ""),
            ):
                with pytest.raises(NdsDistrusted, match="shows another key than it had"):
                    await entered
            listed = await listing.networks(bob, "")
            (why,) = listed.distrusted
            assert (listed.unreachable, f"remove its line from {known}" in why) == ((), True)
            assert (await say(bob, "chat works")).complete
            for node in (alice, bob):
                (node.places.data / "known_nds").unlink()
            while not (event := await _next_nds(events)).up:
                pass
            assert (event.fault, event.down_ms > 0) == ("", True)
        assert [one.state for one in bob.status().nds] == ["ok"]
    finally:
        await town.close()
        own.close()


async def test_where_it_cannot_be_looked_up_who_is_an_nds_nobody_is(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """People edit that file, and may leave it so that the node cannot read it."""
    alice = await town.start("alice")
    known = alice.registries.known
    await eventually(lambda: known.certificate(town.nds) != b"")
    shown = known.certificate(town.nds)
    assert alice.is_registry(shown)
    assert not alice.is_registry(alice.keys.card.certificate)
    known.file.unlink()
    known.file.mkdir()
    assert not alice.is_registry(shown)
    assert f"{known.file} cannot be read" in caplog.text


async def test_an_nds_that_cannot_store_is_told_from_a_silent_one(tmp_path: Path) -> None:
    own = Processes(tmp_path)
    pid = own.start_nds()
    town = Town(tmp_path, own.nds)
    try:
        _, bob = await town.pair()
        carol = await town.start("carol")
        await entering.join(carol, f"{own.nds}/{town.chat}", "", "")
        events = carol.hub.add().happenings()
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(NdsCannotStore) as caught:
                await entering.create(carol, "full4", "", "", Mode.LOGGED, is_open=True)
            assert f"The NDS at {own.nds} cannot store (its store fails)" in str(caught.value)
            assert caught.value.exit == 4
            event = await _next_nds(events)
            assert (event.address, event.up, event.fault) == (own.nds, True, "STORE_FAILED")
            assert [one.state for one in carol.status().nds] == ["cannot store, its store fails"]
            found = await checks.diagnose(carol)
            (row,) = (row for row in found.rows if row.check == f"NDS {own.nds}")
            assert not row.ok
            assert f"the NDS at {own.nds} cannot store (its store fails)" in row.text
            await town.stop("alice")
            await eventually(lambda: views.leader(carol.chat("")).nick == "bob")
            assert views.leader(carol.chat("")).provisional, "as with an NDS that is silent"
            assert (await say(carol, "on we go")).complete
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            event = await _next_nds(events)
            assert (event.up, event.fault, event.down_ms > 0) == (True, "", True)
            await eventually(lambda: not views.leader(carol.chat("")).provisional)
        assert [one.state for one in carol.status().nds] == ["ok"]
        # alice handed over to one after the other, as the service kept neither claim: whichever
        # comes first once it can is granted.
        assert views.leader(carol.chat("")).nick in ("bob", "carol")
        await eventually(lambda: bob.chat("").epoch == carol.chat("").epoch)
        assert bob.chat("").epoch.n > 1
    finally:
        await town.close()
        own.close()


async def _next_nds(events: AsyncIterator[Happening]) -> h.NdsEvent:
    async for happening in events:
        if isinstance(happening.what, h.NdsEvent):
            return happening.what
    raise AssertionError("the watch ended")


async def test_a_slow_watcher_is_let_go_and_costs_nobody_else() -> None:
    hub = Hub(queue_max=2)
    slow, quick = hub.add(), hub.add(chat_id=7)
    event = Happening(h.QueueEvent(1), chat_id=8)
    for _ in range(3):
        hub.tell(event)
    hub.tell(replace(event, chat_id=7))
    read = 0
    with pytest.raises(TooSlow, match="2 happenings were waiting"):
        async with asyncio.timeout(WAIT_S):
            async for _ in slow.happenings():
                read += 1
    assert read == 2
    hub.end()
    assert [one.chat_id async for one in quick.happenings()] == [7]
    assert [one async for one in hub.add().happenings()] == [], "who comes late is not kept waiting"


async def test_only_kinds_that_somebody_hears_are_told_of(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = await town.pair()
    receipts: list[object] = []
    written = telling._receipts

    def told(group: Group, notice: Acknowledged) -> list[h.What]:
        receipts.append(notice)
        return written(group, notice)

    monkeypatch.setattr(telling, "_receipts", told)
    lines = alice.hub.add(kinds=(w.Line,))
    await say(alice, "one")
    assert (alice.hub.wants(w.Line), alice.hub.wants(h.ReceiptEvent)) == (True, False)
    assert receipts == [], "nobody hears of them"
    everything = alice.hub.add()
    await say(alice, "two")
    assert len(receipts) == 1
    alice.hub.end()
    assert [one.what.text async for one in lines.happenings()] == ["one", "two"]  # type: ignore[union-attr]
    assert any([isinstance(one.what, h.ReceiptEvent) async for one in everything.happenings()])


@pytest.mark.parametrize(
    ("text", "nick", "named"),
    [
        ("hi alice", "alice", True),
        ("ALICE: look", "alice", True),
        ("malice", "alice", False),
        ("alice2", "alice", False),
        ("malice, alice!", "alice", True),
        ("hi", "", False),
    ],
)
def test_a_nick_is_named_as_a_word(text: str, nick: str, named: bool) -> None:
    assert telling.names(text, nick) is named


def test_complaints_are_all_told_apart() -> None:
    assert issubclass(telling.Ended, Complaint)
    assert telling.Ended(chat="dev", text="no space").exit == 1


async def test_a_member_that_others_end_is_out_and_told(town: Town) -> None:
    alice, bob = await town.pair()
    watcher = bob.hub.add()
    chat = bob.chat("")
    chat._notified([Departed(0, 0, deleted=False)])
    told: list[h.What] = []
    async with asyncio.timeout(WAIT_S):
        async for one in watcher.happenings():
            told.append(one.what)
            if isinstance(one.what, h.ChatEvent):
                break
    assert any(isinstance(one, h.ErrorEvent) and one.reason == "EXPELLED" for one in told)
    assert getattr(told[-1], "change", "") == "closed"
    assert bob.chats == []
    assert [one.state for one in bob.profile.chats] == ["left"]
    assert [one.name for one in alice.chats] == [town.chat]


async def test_transient_chats_that_ended_are_told_until_they_are_joined_again(
    town: Town, reticence: None
) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    line = f"{town.nds}/{town.chat}"
    await entering.create(alice, town.chat, "", "", Mode.TRANSIENT, is_open=True)
    await entering.join(bob, line, "", "")
    assert bob.status().ended == ""
    await town.stop("bob")
    bob = await town.start("bob")
    told = "1 transient chat ended here with the node's last run, which kept nothing; join anew"
    assert bob.status().ended == told, "also after an end that was asked for"
    assert bob.status().problems == ()
    watchers = [bob.hub.add(), bob.hub.add()]
    bob.tell_lost()
    bob.tell_lost()
    await entering.join(bob, line, "", "")
    assert bob.status().ended == ""
    await bob.leave(bob.chat(""))
    bob.hub.end()
    for watcher in watchers:
        heard = [one.what async for one in watcher.happenings()]
        errors = [what.text for what in heard if isinstance(what, h.ErrorEvent)]
        assert errors == [told], "once to those who watch"
    await town.stop("bob")
    bob = await town.start("bob")
    assert bob.status().ended == "", "what one has left has not ended"


async def test_a_group_that_stopped_by_itself_says_why(town: Town) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    watcher = alice.hub.add()
    alice.chat("")._notified([Stopped("PROFILE_IN_USE")])
    with pytest.raises(telling.Ended, match="another process runs with this profile"):
        alice.chat("")
    alice.hub.end()
    told, changed = [one.what async for one in watcher.happenings()]
    assert isinstance(told, h.ErrorEvent)
    assert told.reason == "PROFILE_IN_USE"
    assert isinstance(changed, h.ChatEvent)
    assert (changed.change, changed.chat.halt) == ("stopped", "stopped")
