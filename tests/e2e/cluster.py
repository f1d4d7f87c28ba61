"""Real processes on 127.0.0.1: a discovery service and members who are in chats together.

Each member has a --home of its own under one directory.  Every process that comes out of a cluster
carries its mark in the environment, so `close` ends exactly those, whatever went wrong before.
"""

import os
import signal
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from node.background import is_running
from p2pchat.v1 import common_pb2
from tests.e2e.programs import Leading, Member, Nds, at_once, digits
from tests.waiting import WAIT_S, wait_for

MARK = "P2PCHAT_E2E"


class Cluster:
    """A discovery service and members under one directory."""

    def __init__(self, directory: Path, *, insecure: bool = False) -> None:
        """Nothing runs yet.

        Args:
            directory: where all files will be.
            insecure: whether all connections are plain, so that anybody may call as anybody.
        """
        self.directory, self.insecure = directory, insecure
        self._mark = uuid.uuid4().hex
        kept = {key: value for key, value in os.environ.items() if not key.startswith("P2PCHAT_")}
        self.environment = {
            **kept,
            MARK: self._mark,
            "TZ": "UTC",
            "P2PCHAT_NDS_LISTEN": "127.0.0.1:0",
        }
        if insecure:
            self.environment["P2PCHAT_INSECURE"] = "on"
        self.nds = Nds(directory, self.environment, insecure=insecure)
        self.members: dict[str, Member] = {}

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def add(self, name: str, *, home: str = "", profile: str = "default") -> Member:
        """A member whose node does not run yet."""
        directory = self.directory / (home or name)
        directory.mkdir(exist_ok=True)
        self.members[name] = Member(name, directory, self.environment, profile)
        return self.members[name]

    def raise_nodes(self, *names: str) -> None:
        """Starts a node for each name, all at once."""
        members = [self.members.get(name) or self.add(name) for name in names]
        at_once(lambda one: one.begin("--nick", one.name, "--nds", self.nds.address), members)

    def gather(self, chat: str, *names: str, is_open: bool = True) -> None:
        """The first makes the chat, the others join it in their order."""
        founder, *rest = names
        logged = common_pb2.MODE_LOGGED
        made = {"name": chat, "nds": self.nds.address, "mode": logged, "open": is_open}
        line = self[founder].ask("CreateChat", wait_s=WAIT_S, **made).join_line
        for name in rest:
            self[name].ask("JoinChat", wait_s=WAIT_S, line=line)

    # ---- what all of them know

    def leader(self, chat: str, *names: str, wait_s: float = WAIT_S) -> Leading:
        """The one certified leader whom all of them and the discovery service name."""

        def agreed() -> Leading | None:
            seen = {self[name].leading(chat) for name in names}
            record = self.nds.network(chat)
            if len(seen) != 1 or record is None:
                return None
            (one,) = seen
            there = Leading(record.leader_id, digits(record.epoch))
            return one if one == there else None

        return wait_for(agreed, f"{names} and the NDS name one leader of #{chat}", wait_s)

    def nick(self, chat: str, member: int, by: str) -> str:
        """How a member is called, as `by` shows it."""
        found = self[by].ask("ListMembers", chat=chat).members
        return next(one.nick for one in found if one.member_id == member)

    def lowest(self, chat: str, *names: str) -> str:
        """Whichever of them has the lowest id."""
        return min(names, key=lambda name: self[name].id(chat))

    def settled(self, chat: str, *names: str, absent: int = 0, wait_s: float = WAIT_S) -> Leading:
        """Waits until all of them have one leader and equal fingerprints, and nothing unsent.

        Args:
            chat: which.
            names: everyone who belongs and is there.
            absent: how many belong and are not there.
            wait_s: for their agreement.

        Returns:
            The leader, whom the discovery service names too.
        """
        count = len(names)

        def equal() -> bool:
            seen = [self[name].chat(chat) for name in names]
            told = {
                (c.alive, c.known, c.outbox, c.fingerprint, c.leader_id, digits(c.epoch))
                for c in seen
                if c is not None
            }
            if not all(seen) or len(told) != 1:
                return False
            alive, known, outbox, _, leader, _ = told.pop()
            there = {c.member_id for c in seen if c is not None}
            return (alive, known, outbox) == (count, count + absent, 0) and leader in there

        try:
            wait_for(equal, f"{names} agree in #{chat}", wait_s)
        except AssertionError as error:
            views = {name: str(self[name].chat(chat)) for name in names}
            raise AssertionError(f"{error}\n{views}") from None
        return self.leader(chat, *names)

    def agree(
        self,
        chat: str,
        *names: str,
        texts: Sequence[str] | None = None,
        absent: int = 0,
        wait_s: float = WAIT_S,
    ) -> Leading:
        """Waits until they are settled, then has it proved by verbs and by all their histories.

        Args:
            chat: which.
            names: everyone who belongs and is there.
            texts: what is in the history, each line as often as here; None for whatever is.
            absent: how many belong and are not there.
            wait_s: for their agreement.
        """
        leader = self.settled(chat, *names, absent=absent, wait_s=wait_s)
        self._proved(chat, names, leader, absent)
        histories = at_once(partial(Member.history, chat=chat), [self[n] for n in names])
        assert self[names[-1]].tail(chat) == histories[-1]
        for name, history in zip(names, histories, strict=True):
            assert history == histories[0], f"{name} and {names[0]} tell #{chat} differently"
        assert len({(line.member, line.id) for line in histories[0]}) == len(histories[0])
        if texts is not None:
            assert sorted(line.text for line in histories[0]) == sorted(texts)
        return leader

    def _proved(self, chat: str, names: Sequence[str], leader: Leading, absent: int) -> None:
        """The same by `check`, and by what the discovery service lists."""
        members = [self[name] for name in names]
        checked = members[-1].row("check", "-c", chat)
        assert checked["same"] is True, checked
        assert len(checked["members"]) == len(names) + absent, checked
        same = [row for row in checked["members"] if row["same"] and row["fingerprint"]]
        assert len(same) == len(names), checked
        assert not leader.provisional
        record = self.nds.network(chat)
        assert record is not None
        assert Leading(record.leader_id, digits(record.epoch)) == leader
        at = next(one for one in members if one.id(chat) == leader.member)
        assert record.leader_address == at.ask("GetStatus").advertise

    # ---- what went wrong, and the end

    def logs(self) -> list[Path]:
        files = [self.nds.log, *(log for one in self.members.values() for log in one.logs())]
        return [file for file in dict.fromkeys(files) if file.exists()]

    def tails(self, count: int = 40) -> str:
        """The end of every log."""
        parts = []
        for file in self.logs():
            lines = file.read_text("utf-8", "replace").splitlines()[-count:]
            parts.append("\n".join([f"==== {file.relative_to(self.directory)}", *lines]))
        return "\n".join(parts)

    def check_logs(self) -> None:
        """No process has met a bug of its own."""
        for file in self.logs():
            text = file.read_text("utf-8", "replace")
            for trace in ("Traceback", " critical ", "Task exception", "never retrieved"):
                assert trace not in text, f"{file}:\n{text[-4_000:]}"

    def close(self) -> None:
        """Ends every process that came out of this cluster."""
        for member in self.members.values():
            member.close()
        pids = {one.pid for one in self.members.values() if one.is_up()} | self._marked()
        pids |= {self.nds.pid} - {0}
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_for(lambda: not any(map(is_running, pids)), f"{pids} have ended")
        self.nds.close()

    def _marked(self) -> set[int]:
        """Every process that inherited our mark, where the system lets us see."""
        wanted = f"{MARK}={self._mark}".encode()
        found = set()
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                variables = (directory / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in variables:
                found.add(int(directory.name))
        return found
