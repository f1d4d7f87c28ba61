"""What owner and admins decide at real nodes, and what comes of it at those that it is about.

Tries node/host/ruling.py and node/host/rights.py.
"""

import asyncio

import pytest

from node import happenings as h
from node import words as w
from node.core.access import Terms
from node.core.alarms import Alarm
from node.core.deciding import Act
from node.core.events import Woken
from node.errors import (
    AmbiguousMember,
    BadField,
    Banned,
    Complaint,
    NoSuchMember,
    NotAllowed,
    NotInvited,
    Removed,
)
from node.host import asking, entering, inviting, passwords, views
from node.host.nodes import Node
from node.host.passwords import Key
from node.host.ruling import decide
from node.runner import now_ms
from tests.node.town import Town, eventually, lines, say
from tests.waiting import WAIT_S

KICK, BAN, UNBAN, OP, DEOP, OWNER, INVITES, TOPIC, TITLE = Act


async def three(town: Town) -> tuple[Node, Node, Node]:
    """alice, who owns the chat, bob and carol; nobody gets in but who is invited."""
    alice, bob, carol = [await town.start(name) for name in ("alice", "bob", "carol")]
    made = await entering.create(alice, town.chat, "", "", w.Mode.LOGGED)
    for node in (bob, carol):
        await entering.join(node, made.join_line, "", "")
    await eventually(lambda: all(len(n.chat("").group.active) == 3 for n in (alice, bob, carol)))
    return alice, bob, carol


def roles(node: Node) -> dict[str, str]:
    return {one.nick: one.role for one in views.members(node.chat(""), False).members}


async def heard(watcher, change: str) -> h.MemberEvent:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(WAIT_S):
        async for one in watcher.happenings():
            if isinstance(one.what, h.MemberEvent) and one.what.change == change:
                return one.what
    raise AssertionError


async def test_the_founder_is_the_owner_and_makes_admins(town: Town) -> None:
    alice, bob, carol = await three(town)
    assert roles(carol) == {"alice": "owner", "bob": "member", "carol": "member"}
    watcher = carol.hub.add()
    assert await decide(alice.chat(""), OP, "BOB") == "bob"
    event = await heard(watcher, "admin")
    assert (event.nick, event.by_nick) == ("bob", "alice")
    assert roles(carol)["bob"] == "admin"
    await decide(alice.chat(""), OWNER, "carol")
    await eventually(lambda: roles(bob)["carol"] == "owner")
    assert roles(bob) == {"alice": "admin", "bob": "admin", "carol": "owner"}
    await decide(carol.chat(""), DEOP, "alice")
    await eventually(lambda: roles(bob)["alice"] == "member")


async def test_who_is_removed_is_out_may_read_and_says_by_whom(town: Town) -> None:
    alice, bob, carol = await three(town)
    await decide(alice.chat(""), OP, "bob")
    await say(carol, "mine")
    await eventually(lambda: roles(bob)["bob"] == "admin")
    watchers = carol.hub.add(), alice.hub.add()
    id = bob.chat("").group.me
    gone = carol.chat("").group.me
    assert await decide(bob.chat(""), KICK, f"carol#{gone % 1_000_000}") == "carol"
    event = await heard(watchers[1], "kicked")
    assert (event.nick, event.by_nick, event.by_id) == ("carol", "bob", id)
    await eventually(lambda: carol.chat("").removed)
    told = [one.what async for one in until(watchers[0], h.ChatEvent, "stopped")]
    (error,) = [what for what in told if isinstance(what, h.ErrorEvent)]
    assert (error.reason, "you were removed by bob" in error.text) == ("REMOVED", True)
    assert error.text.endswith("an invitation lets you in again once the removal is taken back")
    assert lines(carol) == ["mine"]
    with pytest.raises(Removed, match="you were removed by bob") as refused:
        await say(carol, "still there?")
    assert refused.value.exit == 7
    assert str(refused.value).endswith(
        "Once the removal is taken back, an invitation lets you in again."
    )
    with pytest.raises(Removed):
        await asking.set_topic(carol.chat(""), "mine")
    shown = views.chat(carol.chat(""))
    assert (shown.halt, shown.halt_reason) == ("stopped", "REMOVED")
    assert roles(alice) == {"alice": "owner", "bob": "admin"}
    (row,) = [x for x in views.members(alice.chat(""), True).members if x.nick == "carol"]
    assert (row.state, row.removed_by, row.role) == ("kicked", "bob", "")
    progress = await say(alice, "without carol")
    assert (progress.acked, progress.of) == (1, 1)
    assert lines(carol) == ["mine"]


async def until(watcher, kind: type, change: str = ""):  # type: ignore[no-untyped-def]
    """What is told up to the first of that kind."""
    async with asyncio.timeout(WAIT_S):
        async for one in watcher.happenings():
            yield one
            if isinstance(one.what, kind) and getattr(one.what, "change", "") == change:
                return


async def test_who_is_removed_stays_out_until_that_is_taken_back_and_is_a_new_member(
    town: Town,
) -> None:
    alice, bob, carol = await three(town)
    await say(carol, "mine")
    first = carol.chat("").group.me
    line = (await inviting.invite(alice, alice.chat(""))).join_line
    await decide(alice.chat(""), KICK, "carol")
    await eventually(lambda: carol.chat("").removed)
    with pytest.raises(Banned, match="you were removed"):
        await entering.join(carol, line, "", "")
    await eventually(lambda: carol.chat("").removed)
    assert lines(carol) == ["mine"], "it can be read as before"
    kept = carol.chat("").archive.load().meta
    assert kept is not None
    assert (kept.member, kept.left_ids) == (first, ()), "it may be a member still: it has not left"
    watcher = bob.hub.add()
    assert await decide(alice.chat(""), UNBAN, "carol") == "carol"
    assert (await heard(watcher, "pardoned")).by_nick == "alice"
    admitted = await entering.join(carol, line, "", "")
    assert not admitted.already
    assert carol.chat("").group.me > first
    assert len(carol.chats) == len(carol.profile.chats) == 1
    assert (await say(carol, "back")).complete
    assert lines(bob) == lines(carol) == ["mine", "back"]


async def test_who_was_away_learns_it_when_it_comes_back_and_after_a_restart_still_knows(
    town: Town,
) -> None:
    alice, _bob, carol = await three(town)
    await say(carol, "mine")
    await town.stop("carol")
    await decide(alice.chat(""), KICK, "carol")
    for _ in range(2):
        carol = await town.start("carol")
        await eventually(lambda node=carol: node.chat("").removed)  # type: ignore[misc]
        assert carol.chat("").broken == "you were removed by alice"
        assert lines(carol) == ["mine"]
        await town.stop("carol")
    carol = await town.start("carol")
    await eventually(lambda: carol.chat("").removed)
    await carol.leave(carol.chat(""))
    assert (carol.chats, [one.state for one in carol.profile.chats]) == ([], ["left"])


async def contrary(town: Town) -> tuple[Node, Node, Node]:
    """bob, an admin, removes carol; alice, who does not know of it, makes bob a member like others.

    alice and bob have met since; carol has not asked yet.
    """
    alice, bob, carol = await three(town)
    await decide(alice.chat(""), OP, "bob")
    await eventually(lambda: roles(bob)["bob"] == roles(carol)["bob"] == "admin")
    await town.stop("alice")
    await say(carol, "who hears me?")
    await decide(bob.chat(""), KICK, "carol")
    await eventually(lambda: carol.chat("").removed)
    await town.stop("bob")
    alice = await town.start("alice")
    await eventually(lambda: alice.chat("").group.leads)
    await decide(alice.chat(""), DEOP, "bob")
    watcher = (bob := await town.start("bob")).hub.add()
    assert (await heard(watcher, "reinstated")).nick == "carol"
    return alice, bob, carol


def ask_now(node: Node) -> None:
    """The time has come at which a node asks whether it is a member still."""
    chat = node.chat("")
    alarms = chat.group._s.alarms
    assert alarms.at(Alarm.ASK) is not None
    alarms.set(Alarm.ASK, now_ms())
    chat.runner.post(Woken())


async def test_who_was_removed_by_what_does_not_count_finds_out_and_goes_on_as_itself(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.core.removing.ASK_AGAIN_MS", 600_000)
    alice, bob, carol = await contrary(town)
    chat, id = carol.chat(""), carol.chat("").group.me
    watcher = carol.hub.add()
    ask_now(carol)
    await eventually(lambda: not carol.chat("").removed)
    assert carol.chat("") is not chat
    told = [one.what async for one in until(watcher, h.ErrorEvent)]
    assert [what.change for what in told if isinstance(what, h.ChatEvent)] == ["resumed"]
    assert (told[-1].reason, "you are a member" in told[-1].text) == ("REINSTATED", True)
    assert carol.chat("").group.me == id
    assert views.chat(carol.chat("")).halt == ""
    await eventually(lambda: lines(alice) == lines(bob) == lines(carol) == ["who hears me?"])
    assert (await say(carol, "here I am")).complete
    assert (await say(alice, "so you are")).complete
    assert lines(alice) == lines(bob) == lines(carol)
    await town.stop("alice")
    await town.stop("bob")
    await eventually(lambda: carol.chat("").group.leads)


async def test_it_finds_out_soon_after_a_restart(town: Town) -> None:
    alice, _bob, carol = await contrary(town)
    id = carol.chat("").group.me
    await town.stop("carol")
    carol = await town.start("carol")
    await eventually(lambda: carol.chat("").removed)
    await eventually(lambda: not carol.chat("").removed)
    assert carol.chat("").group.me == id
    await eventually(lambda: len(carol.chat("").group.active) == 3)
    assert (await say(carol, "here I am")).complete
    assert lines(alice) == lines(carol) == ["who hears me?", "here I am"]
    await town.stop("carol")
    carol = await town.start("carol")
    await eventually(lambda: len(carol.chat("").group.active) == 3)
    assert (carol.chat("").group.me, carol.chat("").removed) == (id, False)


async def test_a_leader_that_is_removed_is_followed_by_nobody(town: Town) -> None:
    alice, bob, carol = await three(town)
    await decide(alice.chat(""), OP, "bob")
    await decide(alice.chat(""), OWNER, "carol")
    await eventually(lambda: roles(carol)["carol"] == "owner")
    assert views.leader(bob.chat("")).nick == "alice"
    await decide(carol.chat(""), KICK, "alice")
    await eventually(lambda: alice.chat("").removed)
    await eventually(lambda: views.leader(carol.chat("")).nick == "bob")
    assert (await say(carol, "on we go")).complete
    line = (await inviting.invite(bob, bob.chat(""))).join_line
    with pytest.raises(Banned):
        await entering.join(alice, line, "", "")


async def test_decisions_outlast_a_restart_of_all(town: Town) -> None:
    alice, _bob, _carol = await three(town)
    await decide(alice.chat(""), OP, "bob")
    await decide(alice.chat(""), KICK, "carol")
    await decide(alice.chat(""), INVITES, value="admins")
    before = alice.chat("").group.roster.decisions
    for name in ("bob", "alice"):
        await town.stop(name)
    alice = await town.start("alice")
    assert alice.chat("").group.roster.decisions == before
    assert roles(alice) == {"alice": "owner", "bob": "admin"}
    assert views.members(alice.chat(""), False).admins_invite


async def test_an_owner_that_leaves_hands_on(town: Town) -> None:
    alice, bob, _carol = await three(town)
    await decide(alice.chat(""), OP, "carol")
    await alice.leave(alice.chat(""))
    await eventually(lambda: roles(bob).get("carol") == "owner")
    assert roles(bob) == {"bob": "member", "carol": "owner"}


def states(node: Node) -> list[str]:
    """Of the invitations, as they are listed."""
    return [row.state for row in inviting.listed(node, node.chat("")).invites]


async def test_where_admins_alone_invite_and_set_the_topic_others_are_told_so(town: Town) -> None:
    alice, bob, carol = await three(town)
    await asking.set_topic(bob.chat(""), "tea")
    await eventually(lambda: alice.chat("").group.about.value == "tea")
    await inviting.invite(carol, carol.chat(""))
    await eventually(lambda: states(alice) == ["good", "good"])
    watcher = carol.hub.add()
    for act in (INVITES, TOPIC):
        await decide(alice.chat(""), act, value="admins")
        assert (await heard(watcher, "rights")).by_nick == "alice"
    shown = views.members(carol.chat(""), False)
    assert (shown.admins_invite, shown.admins_topic) == (True, True)
    assert states(alice) == states(carol) == ["void", "good"]
    assert views.chat(carol.chat("")).topic == "tea", "the topic that there is stays"
    with pytest.raises(NotAllowed, match="alone invite"):
        await inviting.invite(carol, carol.chat(""))
    with pytest.raises(NotAllowed, match="alone invite"):
        await passwords.set_password(carol, carol.chat(""), None)
    with pytest.raises(NotAllowed, match="rights invite all"):
        await passwords.set_password(alice, alice.chat(""), Key(Terms(b"s" * 16), b"k" * 32))
    with pytest.raises(NotAllowed, match="alone set the topic"):
        await asking.set_topic(carol.chat(""), "mine")
    await decide(alice.chat(""), OP, "bob")
    await eventually(lambda: roles(bob)["bob"] == "admin")
    await asking.set_topic(bob.chat(""), "milk")
    await eventually(lambda: views.chat(carol.chat("")).topic == "milk")
    assert views.chat(carol.chat("")).topic_by == "bob"
    line = (await inviting.invite(bob, bob.chat(""))).join_line
    dan = await town.start("dan")
    with pytest.raises(NotInvited):
        await entering.join(dan, town.chat, "", "")
    await entering.join(dan, line, "", "")
    await decide(bob.chat(""), TOPIC, value="all")
    await eventually(lambda: not views.members(carol.chat(""), False).admins_topic)
    await eventually(lambda: views.chat(carol.chat("")).topic == "milk")
    await asking.set_topic(carol.chat(""), "coffee")
    await eventually(lambda: views.chat(dan.chat("")).topic == "coffee")


async def test_what_is_not_to_be_decided_is_refused_with_the_reason(town: Town) -> None:
    alice, bob, carol = await three(town)
    await decide(alice.chat(""), OP, "bob")
    await eventually(lambda: roles(bob)["bob"] == "admin" and roles(carol)["bob"] == "admin")
    wrong: list[tuple[Node, Act, str, str]] = [
        (carol, KICK, "bob", "you are a member, that is for its owner and admins"),
        (carol, INVITES, "", "you are a member, that is for its owner and admins"),
        (bob, OP, "carol", "you are an admin, that is for its owner"),
        (bob, KICK, "alice", "alice is the owner, and you are an admin"),
        (bob, BAN, "bob", "nobody removes oneself"),
        (alice, KICK, "alice", "nobody removes oneself"),
        (alice, OP, "bob", "bob is an admin already"),
        (alice, DEOP, "carol", "carol is a member, not an admin"),
        (alice, OWNER, "alice", "alice is the owner"),
        (bob, UNBAN, "carol", "nobody keeps carol out"),
    ]
    before = alice.chat("").group.roster.decisions
    for node, act, who, said in wrong:
        with pytest.raises(NotAllowed, match=said) as refused:
            await decide(node.chat(""), act, who, "admins")
        assert refused.value.exit == 7
    with pytest.raises(NoSuchMember, match="Did you mean carol"):
        await decide(alice.chat(""), KICK, "caro")
    with pytest.raises(BadField, match="must be admins or all"):
        await decide(alice.chat(""), TOPIC, value="me")
    with pytest.raises(BadField, match="SetTopic"):
        await decide(alice.chat(""), TITLE, value="x")
    assert alice.chat("").group.roster.decisions == before
    await decide(alice.chat(""), INVITES, value="all")
    assert alice.chat("").group.roster.decisions == before, "so it is already"


async def test_people_are_named_by_nick_id_or_identity_also_those_that_are_gone(
    town: Town,
) -> None:
    alice, _bob, carol = await three(town)
    person = views.identity_of(carol.keys.identity)
    await carol.leave(carol.chat(""))
    chat = alice.chat("")
    with pytest.raises(NoSuchMember):
        await decide(chat, KICK, "carol")
    assert await decide(chat, BAN, person[:4]) == "carol", "it had left"
    with pytest.raises(NoSuchMember):
        await decide(chat, BAN, person[:3])
    assert [one.removed_by for one in views.members(chat, True).members][2] == "alice"
    assert await decide(chat, UNBAN, f"@carol#{chat.group.roster.members[2].id % 1_000_000}")
    assert await decide(chat, BAN, str(chat.group.roster.members[2].id)) == "carol"
    assert await decide(chat, UNBAN, person) == "carol"
    assert [one.removed_by for one in views.members(chat, True).members][2] == "", "let in again"
    with pytest.raises(NotAllowed, match="nobody keeps carol out"):
        await decide(chat, UNBAN, person)


async def test_nobody_takes_for_oneself_what_is_meant_for_another_by_a_nick(town: Town) -> None:
    alice, bob, carol = await three(town)
    chat = alice.chat("")
    number = str(bob.chat("").group.me % 1_000_000)
    digits = views.identity_of(bob.keys.identity)[:8]
    for nick in (number, digits):
        await asking.set_nick(carol, carol.chats, nick, True)
        await eventually(lambda: nick in roles(alice))  # noqa: B023 - awaited in this turn
        before = chat.group.roster.decisions
        for act in (OP, OWNER, KICK, BAN):
            with pytest.raises(AmbiguousMember, match=f"bob#{number} or {nick}#") as refused:
                await decide(chat, act, nick)
            assert refused.value.exit == 2
        with pytest.raises(AmbiguousMember):
            await asking.ping(alice, chat, f"@{nick}")
        assert chat.group.roster.decisions == before
        (row,) = (await asking.ping(alice, chat, f"bob#{number}")).rows
        assert row.member_id == bob.chat("").group.me
    assert await decide(chat, OP, f"bob#{number}") == "bob"
    assert await decide(chat, KICK, f"{digits}#{carol.chat('').group.me % 1_000_000}") == digits
    assert await decide(chat, DEOP, number) == "bob", "nobody else is called so who belongs"
    assert await decide(chat, UNBAN, digits) == digits, "bob is not out"


async def test_who_left_is_not_banned_in_the_place_of_who_is_called_so_now(town: Town) -> None:
    alice, bob, carol = await three(town)
    chat, left = alice.chat(""), carol.chat("").group.me % 1_000_000
    await carol.leave(carol.chat(""))
    await asking.set_nick(bob, bob.chats, "carol", True)
    await eventually(lambda: "carol" in roles(alice) and "bob" not in roles(alice))
    with pytest.raises(AmbiguousMember, match=f"carol#2 or carol#{left}"):
        await decide(chat, BAN, "carol")
    assert await decide(chat, BAN, f"carol#{left}") == "carol"
    assert await decide(chat, UNBAN, "carol") == "carol", "the one that is out"
    assert await decide(chat, KICK, "carol") == "carol", "the one that is in"
    assert bob.chat("").group.me in [m.id for m in chat.group.roster.members if m.kicked]


async def test_where_there_is_no_room_for_it_that_is_said(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, *_ = await three(town)
    monkeypatch.setattr("node.core.ruling.DECISIONS_MAX", 0)
    with pytest.raises(Complaint, match="0 decisions were made here, of"):
        await decide(alice.chat(""), OP, "bob")
