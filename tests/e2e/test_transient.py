"""Chats of which nothing is written to a member's disk, and which end with their last node.

Every file below the homes is read as bytes: write-ahead logs, leftovers of a killed process and
logs of diagnostics included.  The discovery service's own store is not a member's disk.
"""

import json
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member
from tests.e2e.talk import all_of
from tests.e2e.terminal import Terminal
from tests.e2e.traces import left_in, marks
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("processes")

CHAT, TEXT, TOPIC, AWAY = "spectre-room", "nobody-shall-read-this", "boo-topic", "away-in-attic"
NICKS = ("caspera", "boglex", "banshee-c")


class Haunted:
    """Three members of one transient chat, and what must not be found on their disks."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._numbers: set[int] = set()
        self._texts = {CHAT, TEXT, TOPIC, AWAY, *NICKS, "poltergeist"}

    def took_part(self) -> None:
        """Takes down what by now identifies the chat and its members."""
        for member in self.cluster.members.values():
            if member.is_up() and (seen := member.chat(CHAT)) is not None:
                self._numbers |= {seen.chat_id, seen.member_id}
                found = member.ask("ListMembers", chat=CHAT, all=True).members
                self._numbers |= {one.member_id for one in found}
                self._texts |= {one.identity for one in found}

    def does_not_tell(self, chat: str) -> None:
        """Ids are counted in each network: those of this one, too, say nothing of the other."""
        found = self.cluster["a"].ask("ListMembers", chat=chat).members
        self._numbers -= {one.member_id for one in found}

    def left(self) -> list[str]:
        """Where something of it stands on a member's disk."""
        store = self.cluster.nds.store
        but = {self.cluster.nds.log, *store.parent.glob(f"{store.name}*")}
        return left_in(self.cluster.directory, marks(self._texts, self._numbers), but)


def started(member: Member) -> Member:
    """Its node was started by a verb: takes down its pid."""
    member.pid = member.row("status")["pid"]
    return member


@pytest.fixture
def haunted(cluster: Cluster) -> Haunted:
    found = Haunted(cluster)
    a, b, c = (cluster.add(name) for name in ("a", "b", "c"))
    made = a.row(
        "create", CHAT, "--transient", "--open", "--nds", cluster.nds.address, "--nick", NICKS[0]
    )
    b.run("join", made["join"], "--no-ui", "--nick", NICKS[1])
    # A member's address says nothing of the kind of chat: the leader's refusal does.
    line = f"{started(b).ask('GetStatus').advertise}/{CHAT}"
    c.run("join", line, "--no-ui", "--nick", NICKS[2])
    started(a)
    started(c)
    found.took_part()
    return found


def haunt(member: Member, text: str) -> None:
    """Says and asks what may leave a trace."""
    sent = member.row("send", "-c", CHAT, f"{TEXT} {text}")
    assert sent["acked"] == sent["of"], sent
    for verb in ("members", "check", "peers", "invite", "leader", "trace", "election"):
        member.run(verb, "-c", CHAT)
    assert TEXT in member.run("search", TEXT, "-c", CHAT).stdout
    member.ask("SetTopic", chat=CHAT, topic=TOPIC)
    member.ask("SetAway", chat=CHAT, away=AWAY)
    member.run("doctor", code=None)


def test_nothing_of_it_is_on_any_members_disk_and_all_behave_alike(haunted: Haunted) -> None:
    cluster, names = haunted.cluster, ("a", "b", "c")
    for name in names:
        haunt(cluster[name], name)
        (row,) = cluster[name].row("status")["chats"]
        assert row["transient"] is True
        assert "transient" in cluster[name].run("status").stdout
        assert "transient" in cluster[name].run("members", "-c", CHAT).stderr
    (listed,) = cluster["c"].rows("list")
    assert (listed["chat"], listed["transient"]) == (CHAT, True)
    assert "transient" in cluster["c"].run("list").stdout
    cluster.agree(CHAT, *names, texts=[f"{TEXT} {name}" for name in names])
    persons = {cluster[name].row("status")["identity"] for name in names}
    shown = {one.identity for one in cluster["a"].ask("ListMembers", chat=CHAT).members}
    assert not persons & shown, "somebody is there under the profile's identity"
    assert not haunted.left()

    # A kill leaves nothing; what starts the node next says that the chat is gone here, and
    # `status` does until it is joined again, or till the start after that.
    lone = "c" if cluster.leader(CHAT, *names).member != cluster["c"].id(CHAT) else "b"
    rest = [name for name in names if name != lone]
    before, nick = cluster[lone].id(CHAT), NICKS[names.index(lone)]
    cluster[lone].kill()
    assert not haunted.left()
    told = cluster[lone].run("up").stderr
    assert "1 transient chat ended here" in told
    started(cluster[lone])
    assert cluster[lone].chat(CHAT) is None
    assert "transient" not in cluster[lone].run("up").stderr, "told twice"
    for _ in range(2):
        assert "1 transient chat ended here" in cluster[lone].run("status").stderr
    cluster[lone].down()
    assert "transient" not in cluster[lone].run("up").stderr, "told twice"
    assert "transient" not in cluster[lone].run("status").stderr
    line = cluster[rest[0]].row("invite", "-c", CHAT)["join"]
    cluster[lone].run("join", line, "--no-ui", "--nick", nick)
    started(cluster[lone])
    after = cluster[lone].id(CHAT)
    assert after > before, "who returns is a new identity"
    haunted.took_part()
    # The one before has ended with its process, and is not waited for.
    cluster.settled(CHAT, *names)
    states = cluster[rest[0]].states(CHAT)
    assert set(states.values()) == {"alive"}, states
    assert nick in states, "nobody has the name of the one that is gone"
    assert not haunted.left()

    # The leader dies: the others elect, as in every chat.
    leader = cluster.leader(CHAT, *names)
    struck = next(name for name in names if cluster[name].id(CHAT) == leader.member)
    others = [name for name in names if name != struck]
    cluster[struck].kill()
    wait_for(
        all_of(others, lambda name: _leads_above(cluster[name], leader.epoch)),
        "the others have a leader",
    )
    haunt(cluster[others[0]], "after the kill")
    haunted.took_part()
    assert not haunted.left()

    # It ends with its last node: nobody is waited for, the name is free again.
    cluster[others[0]].down()
    wait_for(lambda: cluster[others[1]].chat(CHAT).known == 2, "the one that goes has left")  # type: ignore[union-attr]
    cluster[others[1]].down()
    assert cluster.nds.network(CHAT) is None
    assert not haunted.left()
    again = cluster[others[0]].run("create", "ordinary", "--nds", cluster.nds.address)
    assert again.stderr.count("1 transient chat ended here") == 1, "whatever starts it says it"
    started(cluster[others[0]])
    assert cluster[others[0]].chat(CHAT) is None
    assert cluster[others[0]].row("status")["ended"].startswith("1 transient chat ended here")
    cluster[others[0]].run("create", CHAT, "--nds", cluster.nds.address)


def _leads_above(member: Member, epoch: tuple[int, int]) -> bool:
    seen = member.leading(CHAT)
    return seen is not None and seen.epoch > epoch and not seen.provisional


def test_the_app_keeps_nothing_of_it_either(haunted: Haunted) -> None:
    cluster = haunted.cluster
    line = cluster["a"].row("create", "kept-chat", "--nick", "ann")["join"]
    cluster["b"].run("join", line, "--no-ui", "--nick", "ben")
    member = cluster["a"]
    with Terminal(member.command(), member.environment) as app:
        app.until(f"#{CHAT}")
        app.enter(f"/join {CHAT}")
        app.until(f"[#{CHAT}]")
        app.enter(f"{TEXT} typed")
        app.until(f"you | {TEXT} typed")
        for line in (f"/ignore {NICKS[1]}", "/mute", "/notify mentions", "/alias x /help"):
            app.enter(line)
        app.enter("/save")
        app.until("saved")
        app.type(f"{TEXT} half a li")
        app.press("Alt+2", "Alt+1")
        app.until(f"{TEXT} half a li")
        app.press("Ctrl+U")
        app.enter("/quit")
        wait_for(app.has_ended, "the app has ended")
    ui = json.loads((member.home / member.profile / "ui.json").read_text("utf-8"))
    assert "x" in ui["aliases"], "nothing was kept at all"
    haunted.took_part()
    haunted.does_not_tell("kept-chat")
    assert not haunted.left()


def test_a_log_that_was_there_is_found_again_through_a_member(cluster: Cluster) -> None:
    """A member's address tells neither the kind of a chat nor its number, before one asks."""
    cluster.raise_nodes("alice", "bob")
    cluster.gather("dev", "alice", "bob")
    cluster["bob"].post("dev", "said before")
    cluster.settled("dev", "alice", "bob")
    cluster["bob"].run("leave", "dev")
    cluster.nds.end()
    address = cluster["alice"].ask("GetStatus").advertise
    cluster["bob"].run("join", f"{address}/dev", "--no-ui")
    wait_for(lambda: cluster["bob"].texts("dev") == ["said before"], "bob has it")
    logs = list((cluster["bob"].home / "default" / "chats").glob("*.db"))
    assert len(logs) == 1, logs


def test_traces_are_found_where_there_are_some(tmp_path: Path) -> None:
    """The looking itself: a test that cannot fail would be none."""
    number = 0x1234_5678_9ABC_DEF0
    wanted = marks(["ghost"], [number])
    assert not left_in(tmp_path, wanted)
    kinds = ["a ghost", f"{number:016x}", f"{number}", "ghost".encode("utf-16-le")]
    kinds += [number.to_bytes(8, "little"), b"\xf0\xbd\xf3\xd5\x89\xcf\x95\x9a\x12"]
    for at, kind in enumerate(kinds):
        file = tmp_path / f"{at}"
        file.write_bytes(kind if isinstance(kind, bytes) else kind.encode())
        assert left_in(tmp_path, wanted), kind
        file.unlink()
    (tmp_path / "ghost.db").touch()
    assert left_in(tmp_path, wanted)
