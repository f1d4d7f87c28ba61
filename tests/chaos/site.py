"""A discovery service and nodes in one chat, and whether they are of one mind.

What the discovery service says is asked through a node.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc

from tests.chaos.lab import Disks, Lab
from tests.chaos.processes import CHAT, NDS_PORT, READY_S, Late, Nds, Node


class Site:
    """A discovery service and nodes in one chat."""

    def __init__(
        self,
        lab: Lab,
        directory: Path,
        nodes: Sequence[str],
        nds: str,
        *,
        bugs: Mapping[str, str] | None = None,
        disks: Disks | None = None,
    ) -> None:
        """
        Args:
            lab: the hosts.
            directory: where all files will be.
            nodes: their names, which are those of their hosts and members.
            nds: the discovery service's host.
            bugs: those of `planted`, by the name of the host.
            disks: gives each node a small disk of its own; they go with the site.
        """
        planted = bugs or {}
        directory.mkdir(parents=True, exist_ok=True)
        self.lab, self.directory = lab, directory
        self.small_disks = disks is not None
        self.last_doubt = ""  # in what they differed last before they were of one mind
        self.nds = Nds(
            lab, nds, directory, port=NDS_PORT if lab.network else 0, bug=planted.get(nds, "")
        )
        self._disks = disks
        if disks is not None:
            for name in nodes:
                disks.mount(directory / name)
        self.nodes = {name: Node(lab, name, directory, bug=planted.get(name, "")) for name in nodes}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    async def gather(self, late: str = "") -> None:
        """Everyone but `late` is up, in the chat, and of one mind."""
        await self.nds.start()
        first, *rest = [node for name, node in self.nodes.items() if name != late]
        for node in (first, *rest):
            node.start(self.nds.address)
        await asyncio.gather(*(node.ready() for node in (first, *rest)))
        await first.ask("CreateChat", 20.0, name=CHAT, open=True)
        for node in rest:
            await self.join(node)
        await self.settled(node.host for node in (first, *rest))

    async def join(self, node: Node) -> None:
        """Joins by whatever way there is: the discovery service, then any member.

        Raises:
            Late: there was none for a minute.
        """
        told = ""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            lines = [f"{self.nds.address}/{CHAT}"]
            for other in self.nodes.values():
                status = await other.status() if other.runs and other is not node else None
                if status is not None and any(one.name == CHAT for one in status.chats):
                    lines.append(f"{status.advertise}/{CHAT}")
            for line in lines:
                try:
                    await node.ask("JoinChat", 10.0, line=line)
                    return
                except grpc.aio.AioRpcError as error:
                    told = str(error.details())
            await asyncio.sleep(0.2)
        raise Late(f"{node.host} does not get into the chat: {told}")

    async def leader(self) -> str:
        """Whoever leads, as most of those who answer see it; empty for nobody."""
        answers: list[str] = []
        ids: dict[int, str] = {}
        chats = await self.views(only_running=True)
        for name, chat in chats.items():
            if chat is not None:
                ids[chat.member_id] = name
        for chat in chats.values():
            if chat is not None and chat.leader_id in ids:
                answers.append(ids[chat.leader_id])
        return max(sorted(set(answers)), key=answers.count, default="")

    async def views(self, *, only_running: bool = False) -> dict[str, Any]:
        """How each sees the chat."""
        asked = [
            (name, node)
            for name, node in self.nodes.items()
            if not only_running or (node.runs and not node.frozen)
        ]
        found = await asyncio.gather(*(node.chat() for _, node in asked))
        return dict(zip([name for name, _ in asked], found, strict=True))

    async def listed(self, by: str = "") -> tuple[int, tuple[int, int]] | None:
        """Leader (as people see ids) and epoch that the discovery service names; None for none."""
        node = self.nodes[by] if by else next(iter(self.nodes.values()))
        found = await node.ask("ListNetworks", nds=self.nds.address)
        rows = [row for row in found.networks if row.name == CHAT]
        if len(rows) != 1:
            return None
        return rows[0].leader_id, (rows[0].epoch.generation, rows[0].epoch.n)

    async def agreed(self, names: Iterable[str] = ()) -> str:
        """Why those named (all, when none is) are not of one mind; empty when they are."""
        chosen = list(names) or list(self.nodes)
        views = await asyncio.gather(*(self.nodes[name].chat() for name in chosen))
        if missing := [n for n, view in zip(chosen, views, strict=True) if view is None]:
            return f"{missing} do not answer, or are not in the chat"
        told = {
            name: (view.leader_id, view.epoch.n, view.provisional, view.fingerprint)
            for name, view in zip(chosen, views, strict=True)
        }
        if len(set(told.values())) != 1 or views[0].provisional:
            return f"leader, epoch, provisional, fingerprint: {told}"
        if views[0].leader_id not in {view.member_id for view in views}:
            return f"{views[0].leader_id} leads, and is none of them"
        counts = {
            name: (view.alive, view.known, view.outbox)
            for name, view in zip(chosen, views, strict=True)
        }
        if any(one != (len(chosen), one[1], 0) for one in counts.values()):
            return f"alive, known, outbox: {counts}"
        return ""

    async def settled(self, names: Iterable[str] = (), wait_s: float = READY_S) -> float:
        """Waits until those named are of one mind; answers after how many seconds they were.

        Raises:
            Late: they are not in time; it says in what they differ.
        """
        began = time.monotonic()
        chosen = list(names)
        self.last_doubt = ""
        while why := await self.agreed(chosen):
            self.last_doubt = why
            if time.monotonic() - began > wait_s:
                raise Late(f"after {wait_s:g} s still not of one mind: {why}")
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def close(self) -> None:
        """Ends every process of ours."""
        for process in (self.nds, *self.nodes.values()):
            process.thaw()
            process.kill()
        await asyncio.gather(*(node.close() for node in self.nodes.values()))
        if self._disks is not None:
            self._disks.close()
