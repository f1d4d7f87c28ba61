"""Chats whose disk refuses: what people are told, what stays, and how they go on."""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from node import happenings as h
from node import profile as profiles
from node.archive import sqlite
from node.core.effects import Stopped
from node.core.types import Stream
from node.errors import Complaint, DamagedLog, DiskFull, DiskReadOnly, ForeignLog, MisplacedLog
from node.host import asking, checks, entering, keeping, reviving, views
from node.host.nodes import Node
from node.words import Mode, Wait
from tests.node.town import Town, eventually, lines, say


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviving, "TRY_S", 0.05)
    monkeypatch.setattr(keeping, "SAVE_S", 0.05)


@contextmanager
def full_disk(node: Node) -> Iterator[None]:
    """The logs of a node cannot grow, and its disk says that it has no room."""
    logs = {chat.archive.path for chat in node.chats}  # type: ignore[attr-defined]
    room = sqlite.room
    for chat in node.chats:
        base = chat.archive._base  # type: ignore[attr-defined]
        count = base.execute("PRAGMA page_count").fetchone()[0]
        base.execute(f"PRAGMA max_page_count = {count}")
    try:
        sqlite.room = lambda file: 0 if file in logs else room(file)
        yield
    finally:
        sqlite.room = room


LONG = "x" * 16_000  # takes pages of its own


class Watching:
    """What a watcher of a node hears from now on, as far as chats and errors go."""

    def __init__(self, node: Node) -> None:
        self._watcher = node.hub.add()
        self._heard: list[h.What] = []

    def _read(self) -> list[h.What]:
        queue = self._watcher._queue
        while queue:
            self._heard.append(queue.popleft().what)
        return self._heard

    @property
    def errors(self) -> list[str]:
        return [what.reason for what in self._read() if isinstance(what, h.ErrorEvent)]

    @property
    def changes(self) -> list[str]:
        return [what.change for what in self._read() if isinstance(what, h.ChatEvent)]


async def fails(node: Node, text: str = LONG) -> None:
    """Speaks until the disk has no room left."""
    with pytest.raises(DiskFull, match=r"The disk is full: .*Nothing of this was stored or sent"):
        for _ in range(20):
            await say(node, text)


# ---- a chat --------------------------------------------------------------------------------------


async def test_a_full_disk_stalls_the_chat_which_goes_on_by_itself(town: Town) -> None:
    alice, bob = await town.pair()
    await say(bob, "before")
    chat = bob.chat("")
    incarnation, told = chat.group.incarnation, Watching(bob)
    with full_disk(bob):
        await fails(bob)
        stored = lines(bob)
        assert stored[0] == "before", "what there is can be read"
        assert bob.status().chats[0].outbox == 0, "what was refused waits for nobody"
        with pytest.raises(DiskFull):
            await say(bob, "refused at once")
        with pytest.raises(DiskFull):
            await asking.set_topic(bob.chat(""), "tea")
        with pytest.raises(DiskFull):
            await bob.leave(bob.chat(""))
        (problem,) = bob.status().problems
        assert problem.startswith(f"#{town.chat} is stalled here: The disk is full")
        await say(alice, "while it is full")
        assert lines(bob) == stored
    await eventually(lambda: "while it is full" in lines(bob))
    assert lines(bob) == [*stored, "while it is full"]
    assert lines(alice) == lines(bob), "and nothing was sent that was not stored"
    assert bob.chat("") is not chat
    assert bob.chat("").group.incarnation > incarnation
    await say(bob, "after")
    await eventually(lambda: lines(alice) == lines(bob) == [*stored, "while it is full", "after"])
    assert told.errors == ["DISK_FULL"], "told once"
    assert told.changes == ["stalled", "resumed"], "and once each"
    assert bob.status().problems == ()


async def test_every_face_shows_that_a_chat_is_stalled(town: Town) -> None:
    alice, bob = await town.pair()
    carol = await town.start("carol")
    await entering.join(carol, f"{town.nds}/{town.chat}", "", "")
    told = Watching(bob)
    await say(alice, "before")
    with full_disk(bob):
        await fails(bob)
        chat = bob.chat("")
        assert chat.halt == ("stalled", "DISK_FULL")
        shown = views.chat(chat)
        assert (shown.halt, shown.halt_reason) == ("stalled", "DISK_FULL")
        assert (shown.alive, shown.known, shown.leader_id) == (0, 3, 0)
        leader = views.leader(chat)
        assert (leader.halt, leader.halt_reason, leader.leader_id) == ("stalled", "DISK_FULL", 0)
        listed = views.members(chat, everyone=False)
        assert (listed.halt, listed.halt_reason) == ("stalled", "DISK_FULL")
        assert {one.nick: one.state for one in listed.members} == {
            "alice": "unknown",
            "bob": "stalled",
            "carol": "unknown",
        }
        assert not any(one.leader for one in listed.members)
        await say(alice, "which bob lacks", Wait.LEADER)
        await eventually(lambda: lines(carol)[-1:] == ["which bob lacks"])
        found = await asking.check(bob, chat)
        assert {row.nick: (row.same, row.self) for row in found.rows} == {
            "alice": (True, False),
            "bob": (False, True),
            "carol": (True, False),
        }
        assert (found.same, found.halt, found.halt_reason) == (False, "stalled", "DISK_FULL")
        rows = (await checks.diagnose(bob)).rows
        (row,) = (row for row in rows if row.check == f"#{town.chat}")
        assert not row.ok
        assert row.text.startswith("stalled: disk full. The disk is full: ")
        assert "dial-back" not in [row.check for row in rows], "that asks what has stopped"
    await eventually(lambda: views.chat(bob.chat("")).alive == 3)
    assert told.changes == ["stalled", "resumed"]
    assert views.chat(bob.chat("")).halt == ""
    assert (await asking.check(bob, bob.chat(""))).same


async def test_every_face_shows_that_a_chat_has_stopped(town: Town) -> None:
    _, bob = await town.pair()
    told, chat = Watching(bob), bob.chat("")
    chat._notified([Stopped("PROFILE_IN_USE")])
    shown = bob.status().chats[0]
    assert (shown.halt, shown.halt_reason) == ("stopped", "PROFILE_IN_USE")
    assert (shown.alive, shown.leader_id) == (0, 0)
    (row,) = (one for one in (await checks.diagnose(bob)).rows if one.check == f"#{town.chat}")
    assert row.text.startswith("stopped: profile in use. another process runs")
    assert told.changes == ["stopped"]
    assert chat in bob.chats, "and it is not begun anew by itself"


@pytest.mark.parametrize("what", ["leave", "topic"])
async def test_what_finds_the_disk_read_only_has_not_happened(town: Town, what: str) -> None:
    alice, bob = await town.pair()
    bob.chat("").archive._base.execute("PRAGMA query_only = 1")  # type: ignore[attr-defined]
    with pytest.raises(DiskReadOnly):
        if what == "leave":
            await bob.leave(bob.chat(""))
        else:
            await asking.set_topic(bob.chat(""), "tea")
    await eventually(lambda: not bob.status().problems)
    assert views.chat(alice.chat("")).known == 2
    assert views.chat(bob.chat("")).topic == ""
    await say(bob, "still here")
    await eventually(lambda: lines(alice) == ["still here"])


async def test_a_leader_that_cannot_store_is_replaced_and_follows_when_it_is_back(
    town: Town,
) -> None:
    alice, bob = await town.pair()
    with full_disk(alice):
        await fails(alice)
        assert views.leader(alice.chat("")).leader_id == 0, "it does not say that it leads"
        await eventually(lambda: views.leader(bob.chat("")).nick == "bob")
        await say(bob, "without it")
        assert {one.nick: one.state for one in views.members(bob.chat(""), False).members}[
            "alice"
        ] == "dropped"
    await eventually(lambda: lines(alice) == lines(bob))
    await eventually(lambda: views.leader(alice.chat("")).nick == "bob")
    assert not alice.chat("").group.leads


async def test_a_line_that_was_stored_before_the_disk_was_full_is_sent_once_it_works(
    town: Town,
) -> None:
    alice, bob = await town.pair()
    await town.stop("alice")
    await eventually(lambda: bob.chat("").group.leads)
    with full_disk(bob):
        await fails(bob)
        stored = lines(bob)
    await eventually(lambda: not bob.status().problems)
    alice = await town.start("alice")
    await eventually(lambda: lines(alice) == lines(bob) == stored)


async def test_another_chat_of_the_node_knows_nothing_of_it(town: Town) -> None:
    alice, bob = await town.pair()
    with full_disk(bob):
        await entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
        first, second = bob.chats
        with pytest.raises(DiskFull):
            for _ in range(20):
                _ = [one async for one in first.send(LONG, 1, 1, 0)]  # type: ignore[arg-type]
        assert first.stalled is not None
        assert second.stalled is None
        assert [one async for one in second.send("here", 1, 3, 5_000)][-1].complete  # type: ignore[arg-type]
        assert {row.name: row.leader_nick for row in bob.status().chats} == {
            town.chat: "",
            f"{town.chat}-2": "bob",
        }
    del alice


async def test_what_was_said_before_in_other_lives_keeps_its_numbers(town: Town) -> None:
    _, bob = await town.pair()
    await say(bob, "one")
    with full_disk(bob):
        await fails(bob)
    await eventually(lambda: not bob.status().problems)
    await say(bob, "two")
    streams: set[Stream] = {
        one.message.key.stream
        for one in bob.chat("").archive.page(count=100)
        if one.text in ("one", "two")
    }
    assert len(streams) == 2, "a new life, a new stream: no number is given twice"


async def test_a_log_that_is_damaged_meanwhile_is_left_alone_and_told(town: Town) -> None:
    _, bob = await town.pair()
    told, log = Watching(bob), bob.archive_path(bob.chats[0].entry)
    with full_disk(bob):
        await fails(bob)
        log.with_name(f"{log.name}-wal").write_bytes(b"")
        spoilt = b"noise" * 2_000
        log.write_bytes(spoilt)
    await eventually(lambda: isinstance(bob.chats[0].stalled, ForeignLog))
    assert log.read_bytes() == spoilt
    await eventually(lambda: told.errors == ["DISK_FULL", "FOREIGN_LOG"])
    with pytest.raises(DamagedLog, match="other members give you"):
        await say(bob, "no")


async def test_a_stalled_chat_is_closed_without_its_log(town: Town) -> None:
    alice, bob = await town.pair()
    with full_disk(bob):
        await fails(bob)
        async with asyncio.timeout(3):
            await town.stop("bob")
    again = await town.start("bob")
    await eventually(lambda: lines(again) == lines(alice))


# ---- at the start --------------------------------------------------------------------------------


async def test_a_chat_that_cannot_be_opened_for_its_disk_is_opened_later(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = await town.pair()
    await say(alice, "before")
    await town.stop("bob")

    def refused(self: Node, entry: object, *_: object, **__: object) -> None:
        raise DiskReadOnly(file="a.db")

    with monkeypatch.context() as broken:
        broken.setattr(Node, "open", refused)
        bob = await town.start("bob")
        (problem,) = bob.status().problems
        assert "can only be read" in problem
        with pytest.raises(DiskReadOnly):
            bob.chat(town.chat)
        told = Watching(bob)
    await eventually(lambda: bool(bob.chats) and lines(bob) == ["before"])
    assert bob.unopened == []
    assert told.changes == ["opened"]


async def test_the_log_of_another_chat_is_refused_and_the_other_chats_go_on(town: Town) -> None:
    alice, bob = await town.pair()
    await entering.create(alice, "other", "", "", Mode.LOGGED, is_open=True)
    await entering.join(bob, f"{town.nds}/other", "", "")
    mine, other = (bob.archive_path(chat.entry) for chat in bob.chats)
    await town.stop("bob")
    other.write_bytes(before := mine.read_bytes())
    bob = await town.start("bob")
    assert [chat.name for chat in bob.chats] == [town.chat]
    await say(bob, "goes on")
    (problem,) = bob.status().problems
    assert problem.startswith(f"#other is not open: {other} holds the log of another chat, not ")
    with pytest.raises(MisplacedLog, match="Put the right file back; or move it away"):
        bob.chat("other")
    with pytest.raises(MisplacedLog):
        await entering.join(bob, f"{town.nds}/other", "", "")
    assert str(other) in {one.text.split()[0] for one in (await checks.diagnose(bob)).rows}
    await town.stop("bob")
    assert other.read_bytes() == before
    other.unlink()
    bob = await town.start("bob")
    await eventually(lambda: all(chat.group.me for chat in bob.chats))


async def test_no_chat_is_opened_twice_though_the_profile_does_not_know_its_number(
    town: Town,
) -> None:
    _, bob = await town.pair()
    places, known = bob.places, bob.profile
    first = bob.archive_path(known.chats[0])
    await town.stop("bob")
    second = replace(known.chats[0], chat_id=0, name="other", archive="b.db", number=2)
    first.with_name("b.db").write_bytes(first.read_bytes())
    profiles.save(places.data, replace(known, chats=(*known.chats, second)))
    bob = await town.start("bob")
    assert [chat.name for chat in bob.chats] == [town.chat]
    assert isinstance(bob.unopened[0].error, MisplacedLog)


async def test_a_node_whose_profile_is_lost_tells_of_the_logs_of_before(town: Town) -> None:
    _, bob = await town.pair()
    file = bob.places.data / "profile.json"
    assert not list(bob.status().problems)
    await town.stop("bob")
    file.rename(file.with_name("kept"))
    bob = await town.start("bob")
    (problem,) = bob.status().problems
    assert "holds 1 log of no chat that profile.json names" in problem
    assert problem in {one.text for one in (await checks.diagnose(bob)).rows}
    await town.stop("bob")
    file.with_name("kept").rename(file)
    bob = await town.start("bob")
    assert not list(bob.status().problems)
    assert [chat.name for chat in bob.chats] == [town.chat]


# ---- the profile ---------------------------------------------------------------------------------


@contextmanager
def full_profile(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be put in the place of profile.json."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(profiles.os, "fsync", refused)  # type: ignore[attr-defined]
        yield


async def test_a_chat_that_could_not_be_kept_is_not_entered(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    bob = await town.start("bob")
    await eventually(lambda: bob.registries.known.certificate(town.nds) != b"")
    with full_profile(monkeypatch):
        with pytest.raises(DiskFull, match=r"profile\.json"):
            await entering.join(bob, town.chat, "", "")
        with pytest.raises(DiskFull):
            await entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
        assert not any("CreateNetwork" in row.path for row in bob.calls.rows()), "nobody is asked"
        with pytest.raises(DiskFull):
            await asking.set_nick(bob, [], "bobby", everywhere=True)
    assert bob.nick == "bob"
    assert views.chat(alice.chat("")).known == 1, "nobody was let in"
    assert list(bob.archive_path(alice.chats[0].entry).parent.iterdir()) == []
    await entering.join(bob, town.chat, "", "")
    made = await entering.create(bob, f"{town.chat}-2", "", "", Mode.LOGGED, is_open=True)
    assert made.chat.leader_nick == "bob", "the name was free"


async def test_a_leave_that_the_profile_cannot_keep_is_kept_once_it_can(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob = await town.pair()
    with full_profile(monkeypatch):
        assert (await bob.leave(bob.chat(""))).told == 1
        assert bob.chats == []
        (problem,) = bob.status().problems
        assert "profile.json" in problem
        assert [one.state for one in profiles.load(bob.places.data).chats] == ["in"]
    await eventually(lambda: bob.unsaved is None)
    assert [one.state for one in profiles.load(bob.places.data).chats] == ["left"]
    assert bob.status().problems == ()


async def test_a_node_starts_on_a_full_disk_and_one_can_read(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob = await town.pair()
    await say(bob, "before")
    await town.stop("bob")
    with full_profile(monkeypatch):
        bob = await town.start("bob", listen="127.0.0.1:0")
        assert lines(bob) == ["before"]
        (problem,) = bob.status().problems
        why = "cannot be written (the disk is full); the node goes on, and writes it once it can"
        assert problem == f"{bob.places.data / 'profile.json'} {why}"
    await eventually(lambda: not bob.status().problems)
    assert profiles.load(bob.places.data).listen == bob.listen


async def test_what_a_dead_process_left_half_written_is_cleared_away(town: Town) -> None:
    alice = await town.start("alice")
    data = alice.places.data
    await town.stop("alice")
    half: Path = data / ".profile.json.x7abc"
    half.write_text("{")
    await town.start("alice")
    assert not half.exists()


async def test_complaints_of_the_disk_say_what_to_do() -> None:
    for kind in (DiskFull, DiskReadOnly):
        assert issubclass(kind, Complaint)
        assert "chats go on by themselves" in str(kind(file="a.db"))


async def test_a_node_that_cannot_start_on_its_disk_says_that_and_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise DiskReadOnly(file="node.lock")

    monkeypatch.setattr(profiles, "Lock", refused)
    with pytest.raises(DiskReadOnly, match=r"node\.lock cannot be written, so the node does not"):
        await town.start("alice")
