"""A node that is played: the methods of the faces' client, over chats that a test writes.

It keeps a log for each chat, tells watchers what the test lets happen, and remembers every call.
It decides nothing: acknowledgements, elections and losses come from the test.
"""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from node import errors, words
from node.core.access import Terms
from node.errors import NeedsPassword, WrongSecret
from node.happenings import (
    ChangeEvent,
    ChatEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    NdsEvent,
    QueueEvent,
    ReceiptEvent,
    What,
)
from node.words import Chat, Epoch, Kind, Line, Member, Page, Progress, Status, Wait

DAY_MS = 86_400_000
NOON_MS = 1_768_478_400_000 + 60_000  # 2026-01-15 12:01:00 UTC
NDS = "10.0.0.5:50050"


@dataclass
class Town:
    """A chat as the played node has it."""

    chat: Chat
    members: list[Member] = field(default_factory=list)
    log: list[Line] = field(default_factory=list)


class FakeNode:
    """What `node.cli.client.Client` is, without a node.  `now` gives unix milliseconds."""

    def __init__(self, now: Callable[[], int], nick: str = "you") -> None:
        self.now, self.nick = now, nick
        self.problems: tuple[str, ...] = ()  # of the node's status
        self.towns: dict[int, Town] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}  # method -> what it gives, or an exception it raises
        self.acknowledges = True  # whether every member has an own line at once
        self.nds = (words.DiscoveryService(NDS, "ok"),)
        self.is_down = False
        self.key: words.PasswordKey | None = None  # which one joins by
        self._watchers: set[asyncio.Queue[Happening | Exception]] = set()
        self._count = self._last_chat = 0

    # ---- what the test lets be and happen

    def add_chat(self, name: str, *nicks: str, leader: str = "", unread: int = 0) -> int:
        """A chat with these members: nicks, or "nick=id" where they do not count from 1."""
        chat_id = self._last_chat = self._last_chat + 1  # no number is another chat's later
        members = []
        for count, given in enumerate(nicks, 1):
            nick, _, id_ = given.partition("=")
            number = int(id_ or count)
            address = f"127.0.0.1:{50_050 + number}"
            roles = {"leader": nick == leader, "self": nick == self.nick}
            identity = f"{number * 0x9E3779B97F4A7C15 & 2**64 - 1:016x}"
            members.append(Member(number, nick, "alive", address, identity=identity, **roles))
        ids = {member.nick: member.member_id for member in members}
        mine, led = ids.get(self.nick, 0), ids.get(leader, 0)
        chat = Chat(
            name=name,
            chat_id=chat_id,
            member_id=mine,
            epoch=Epoch(1, 11),
            leader_id=led,
            leader_nick=leader,
            alive=len(nicks),
            known=len(nicks),
            unread=unread,
            fingerprint="7c3e",
            nds=NDS,
        )
        self.towns[chat_id] = Town(chat, members)
        return chat_id

    def number(self, chat: str | int) -> int:
        """The number of a chat, however it is called.  Raises NoSuchChat."""
        if isinstance(chat, int):
            return chat
        name = chat.removeprefix("#")
        for number, town in self.towns.items():
            if name in (town.chat.name, f"{number:016x}"):
                return number
        if not name and len(self.towns) == 1:
            return next(iter(self.towns))
        raise errors.NoSuchChat(name=name)

    def town(self, chat: str | int) -> Town:
        return self.towns[self.number(chat)]

    def set_chat(self, chat: str | int, **changes: Any) -> None:
        """Changes what is known of a chat, and tells nobody."""
        town = self.town(chat)
        town.chat = replace(town.chat, **changes)

    def set_member(self, chat: str | int, nick: str, /, **changes: Any) -> None:
        """Changes what is known of a member, and tells nobody."""
        town = self.town(chat)
        town.members = [replace(m, **changes) if m.nick == nick else m for m in town.members]
        alive = sum(member.state == "alive" for member in town.members)
        town.chat = replace(town.chat, alive=alive, known=len(town.members))

    def tell(self, what: What, chat: str | int = 0, *, epoch: Epoch | None = None) -> None:
        """It happens, and every watcher hears of it."""
        town = self.town(chat) if chat else None
        known = town.chat if town else words.NO_CHAT
        fingerprint = known.fingerprint if isinstance(what, Line) else ""
        happening = Happening(
            what, known.name, known.chat_id, epoch or known.epoch, self.now(), fingerprint
        )
        for queue in self._watchers:
            queue.put_nowait(happening)

    def past(self, chat: str | int, nick: str, text: str, ago_ms: int, **more: Any) -> Line:
        """Adds a line that was said before the face came."""
        return self._add(chat, nick, text, self.now() - ago_ms, **{"backlog": True, **more})

    def says(self, chat: str | int, nick: str, text: str, **more: Any) -> Line:
        """A member says a line now."""
        line = self._add(chat, nick, text, self.now(), **more)
        if not line.own:
            known = self.town(chat).chat
            mentions = known.mentions + line.mention
            self.set_chat(chat, unread=known.unread + 1, mentions=mentions)
        self.tell(line, chat)
        return line

    def _add(self, chat: str | int, nick: str, text: str, at_ms: int, **more: Any) -> Line:
        town = self.town(chat)
        self._count += 1
        source = next((m.member_id for m in town.members if m.nick == nick), 99)
        own = nick == self.nick
        msg_id = f"{(self._count * 40_503) & 0xFFFF:04x}{self._count:028x}"
        line = Line(
            msg_id=msg_id,
            id=msg_id[:4],
            source_id=source,
            nick=nick,
            text=text,
            kind=Kind.TEXT,
            sent_ms=at_ms,
            epoch=town.chat.epoch,
            own=own,
            mention=not own and f"@{self.nick}" in text,
            place=f"{at_ms}.{self._count}.{source}.1.1.{self._count}",
        )
        line = replace(line, **more)
        insort(town.log, line, key=place)
        return line

    def acked(self, chat: str | int, line: Line, by: str, count: int, of: int) -> None:
        """A member acknowledges an own line."""
        town = self.town(chat)
        member = next(m for m in town.members if m.nick == by)
        at = town.log.index(next(one for one in town.log if one.msg_id == line.msg_id))
        town.log[at] = replace(town.log[at], acked=count, of=of)
        self.tell(
            ReceiptEvent(line.msg_id, line.id, member.member_id, by, count, of, "direct", 12), chat
        )

    def led(self, chat: str | int, nick: str, epoch: int, **more: Any) -> None:
        """A member leads from now on."""
        town = self.town(chat)
        leader = next(m for m in town.members if m.nick == nick)
        town.members = [replace(m, leader=m.nick == nick) for m in town.members]
        grown = Epoch(1, epoch)
        town.chat = replace(
            town.chat, leader_id=leader.member_id, leader_nick=nick, epoch=grown, provisional=False
        )
        self.tell(LeaderEvent(leader.member_id, nick, grown, self=leader.self, **more), chat)

    def changed_line(self, chat: str | int, id: str, **what: Any) -> Line:
        """A line was edited or redacted; with no id, the last own one."""
        town = self.town(chat)
        found = [one for one in town.log if (one.msg_id.startswith(id) if id else one.own)]
        if not found:
            raise errors.NoSuchMessage(id=id or "of your own", chat=town.chat.name)
        line = replace(found[-1], **what)
        town.log = [line if one is found[-1] else one for one in town.log]
        self.tell(ChangeEvent(line, line.source_id, line.nick), chat)
        return line

    def changed(self, chat: str | int, nick: str, change: str, detail: str = "") -> None:
        """A member joined, left, was dropped, returned, ...; the roster follows."""
        town = self.town(chat)
        known = next((m for m in town.members if m.nick == nick), None)
        if known is None:
            known = Member(len(town.members) + 1, nick, "alive", "127.0.0.1:50099")
            town.members = [*town.members, known]
        if change == "left":
            town.members = [m for m in town.members if m.nick != nick]
        elif change in ("dropped", "returned", "joined"):
            self.set_member(chat, nick, state="dropped" if change == "dropped" else "alive")
        self.set_member(chat, nick)
        if change == "topic":
            town.chat = replace(town.chat, topic=detail, topic_by=nick)
        self.tell(MemberEvent(known.member_id, nick, change, detail), chat)

    def nds_goes(self, *, up: bool, down_ms: int = 0) -> None:
        """The discovery service stops answering, or answers again."""
        state = "ok" if up else "down"
        self.nds = (words.DiscoveryService(NDS, state, 0 if up else self.now()),)
        self.tell(NdsEvent(NDS, up, down_ms))

    def dies(self) -> None:
        """It answers nobody any more."""
        self.is_down = True
        for queue in self._watchers:
            queue.put_nowait(errors.NodeDown(profile="default"))

    def returns(self) -> None:
        self.is_down = False
        self.key: words.PasswordKey | None = None  # which one joins by

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The arguments of every call of a method."""
        return [arguments for called, arguments in self.heard if called == name]

    # ---- the client's methods: the node

    def _called(self, method: str, default: Any = None, /, **arguments: Any) -> Any:
        self.heard.append((method, arguments))
        if self.is_down:
            raise errors.NodeDown(profile="default")
        answer = self.answers.get(method, default)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def status(self) -> Status:
        chats = tuple(town.chat for town in self.towns.values())
        default = Status(
            pid=4242,
            listen="127.0.0.1:50061",
            advertise="127.0.0.1:50061",
            control="/run/p2pchat/node.sock",
            nds=self.nds,
            chats=chats,
            nick=self.nick,
            identity="9f86d081884c7d65",
            version="0.1.0",
            log="/home/you/.local/state/p2pchat/node.log",
            started_ms=self.now() - DAY_MS,
            problems=self.problems,
            durability="process",
        )
        return self._called("status", default)  # type: ignore[no-any-return]

    async def stop(self, everything: bool = False) -> words.Stopping:
        return self._called("stop", words.Stopping(4242), everything=everything)  # type: ignore[no-any-return]

    async def diagnose(self) -> words.Diagnosis:
        return self._called("diagnose", words.Diagnosis())  # type: ignore[no-any-return]

    async def calls(self, count: int = 20) -> words.Calls:
        return self._called("calls", words.Calls(), count=count)  # type: ignore[no-any-return]

    # ---- coming and going

    async def _heard(self, what: What, chat: int) -> None:
        """Tells it, and lets the watchers hear it before the answer, as a real node does."""
        self.tell(what, chat)
        for _ in range(5):
            await asyncio.sleep(0)

    async def create(
        self,
        name: str,
        nds: str = "",
        nick: str = "",
        mode: words.Mode = words.Mode.LOGGED,
        is_open: bool = False,
        password: words.PasswordKey = words.PasswordKey(),  # noqa: B008  frozen
        hides_history: bool = False,
    ) -> words.Created:
        opened: dict[str, Any] = {"is_open": True} if is_open else {}
        opened |= {"hides_history": True} if hides_history else {}
        opened |= {"password": password} if password != words.PasswordKey() else {}
        self._called("create", name=name, nds=nds, nick=nick, mode=mode, **opened)
        chat = self.town(self.add_chat(name, self.nick, leader=self.nick)).chat
        await self._heard(ChatEvent(chat, "opened"), chat.chat_id)
        return words.Created(chat, f"{NDS}/{name}")

    async def join(
        self,
        line: str,
        nds: str = "",
        nick: str = "",
        by_password: bool = False,
        password: words.PasswordKey = words.PasswordKey(),  # noqa: B008  frozen
    ) -> words.Admitted:
        given = {"by_password": True} if by_password else {}
        self._called("join", line=line, nds=nds, nick=nick, **given)
        name = line.rpartition("/")[2].removeprefix("#")
        if self.key is not None and password != self.key:
            if password != words.PasswordKey():
                raise WrongSecret(chat=name, text="the password is wrong")
            terms = Terms(self.key.salt, self.key.log_n, self.key.r, self.key.p)
            raise NeedsPassword(chat=name, **terms.facts)
        chat = self.town(self.add_chat(name, "alice", self.nick, leader="alice")).chat
        await self._heard(ChatEvent(chat, "opened"), chat.chat_id)
        return words.Admitted(chat, self.nick)

    async def leave(self, chat: str) -> words.Departure:
        self._called("leave", chat=chat)
        number = self.number(chat)
        await self._heard(ChatEvent(self.towns[number].chat, "closed"), number)
        del self.towns[number]
        return words.Departure(told=2)

    async def invite(
        self, chat: str, once: bool = False, expires_s: int = 0, lasting: bool = False
    ) -> words.Invitation:
        line = f"{NDS}/{self.town(chat).chat.name}"
        asked = {"once": once, "expires_s": expires_s, "lasting": lasting}
        said = {name: value for name, value in asked.items() if value}
        return self._called("invite", words.Invitation(line, "nds"), chat=chat, **said)  # type: ignore[no-any-return]

    async def invites(self, chat: str) -> words.Invites:
        name = self.town(chat).chat.name
        return self._called("invites", words.Invites(name), chat=chat)  # type: ignore[no-any-return]

    async def revoke_invite(self, chat: str, id: str) -> None:
        self._called("revoke_invite", None, chat=chat, id=id)

    async def set_password(self, chat: str, password: words.PasswordKey) -> None:
        self._called("set_password", None, chat=chat, password=password)

    async def networks(self, nds: str = "") -> words.Networks:
        return self._called("networks", words.Networks(), nds=nds)  # type: ignore[no-any-return]

    # ---- a chat

    async def members(self, chat: str, everyone: bool = False) -> words.Members:
        town = self.town(chat)
        default = words.Members(town.chat.name, tuple(town.members))
        return self._called("members", default, chat=chat, everyone=everyone)  # type: ignore[no-any-return]

    async def leader(self, chat: str) -> words.Leader:
        known = self.town(chat).chat
        default = words.Leader(known.name, known.leader_id, known.leader_nick, known.epoch)
        return self._called("leader", default, chat=chat)  # type: ignore[no-any-return]

    async def peers(self, chat: str) -> words.Peers:
        return self._called("peers", words.Peers(), chat=chat)  # type: ignore[no-any-return]

    async def ping(self, chat: str, member: str = "") -> words.Pings:
        return self._called("ping", words.Pings(), chat=chat, member=member)  # type: ignore[no-any-return]

    async def history(
        self,
        chat: str,
        *,
        count: int = 20,
        since_ms: int = 0,
        before: str = "",
        after: str = "",
        contains: str = "",
    ) -> Page:
        """As the archive pages: the last lines before a place, or the first after one."""
        self._called("history", chat=chat, count=count, before=before, after=after)
        found = [replace(line, backlog=True) for line in self.town(chat).log]
        found = [line for line in found if line.sent_ms >= since_ms]
        if contains:
            found = [line for line in found if contains.casefold() in line.text.casefold()]
        if after:
            found = [line for line in found if place(line) > split(after)]
            shown = tuple(found[:count])
            return Page(shown, after_cursor=shown[-1].place if len(found) > count else "")
        if before:
            found = [line for line in found if place(line) < split(before)]
        shown = tuple(found[-count:])
        return Page(shown, shown[0].place if len(found) > count else "")

    async def edit(self, chat: str, id: str, text: str) -> words.Line:
        line = self.changed_line(chat, id, text=text, edited=True)
        return self._called("edit", line, chat=chat, id=id, text=text)  # type: ignore[no-any-return]

    async def redact(self, chat: str, id: str) -> words.Line:
        line = self.changed_line(chat, id, text="", erased=True, redacted_by=self.nick)
        return self._called("redact", line, chat=chat, id=id)  # type: ignore[no-any-return]

    async def trace(self, chat: str, id: str = "") -> words.Tracing:
        town = self.town(chat)
        found = [one for one in town.log if id and one.msg_id.startswith(id)]
        none = errors.NoSuchMessage(id=id or "of your own", chat=town.chat.name)
        several = errors.AmbiguousMessage(id=id)
        answer = several if found[1:] else words.Tracing(found[0]) if found else none
        return self._called("trace", answer, chat=chat, id=id)  # type: ignore[no-any-return]

    async def unread(self, chat: str = "") -> words.Unread:
        return self._called("unread", words.Unread(), chat=chat)  # type: ignore[no-any-return]

    async def mark_read(self, chat: str) -> None:
        self._called("mark_read", chat=chat)
        self.set_chat(chat, unread=0, mentions=0)

    async def elections(self, chat: str) -> words.Elections:
        return self._called("elections", words.Elections(), chat=chat)  # type: ignore[no-any-return]

    async def start_election(self, chat: str) -> words.Outcome:
        return self._called("start_election", words.Outcome("alice stays"), chat=chat)  # type: ignore[no-any-return]

    async def check(self, chat: str) -> words.Comparison:
        return self._called("check", words.Comparison(chat, True), chat=chat)  # type: ignore[no-any-return]

    async def queue(self, chat: str = "") -> words.Queue:
        return self._called("queue", words.Queue(), chat=chat)  # type: ignore[no-any-return]

    async def set_nick(self, nick: str, chat: str = "") -> words.NickSet:
        before, self.nick = self.nick, nick
        for number in self.towns:
            self.set_member(number, before, nick=nick)
            self.changed(number, nick, "renamed", before)
        return self._called("set_nick", words.NickSet(nick), nick=nick, chat=chat)  # type: ignore[no-any-return]

    async def set_away(self, away: str, chat: str = "") -> None:
        self._called("set_away", away=away, chat=chat)

    async def set_topic(self, chat: str, topic: str) -> None:
        self._called("set_topic", chat=chat, topic=topic)
        self.changed(chat, self.nick, "topic", topic)

    async def decide(self, chat: str, act: str, member: str = "", value: str = "") -> words.NickSet:
        said = {"member": member} if member else {"value": value}
        default = words.NickSet(member.removeprefix("@"))
        return self._called("decide", default, chat=chat, act=act, **said)  # type: ignore[no-any-return]

    # ---- streams

    async def send(
        self,
        chat: str,
        text: str,
        *,
        kind: Kind = Kind.TEXT,
        wait: Wait = Wait.ALL,
        wait_ms: int = 0,
    ) -> AsyncIterator[Progress]:
        """Stores the line; who acknowledges it is the test's business unless `acknowledges`."""
        self._called("send", chat=chat, text=text, kind=kind, wait=wait)
        others = [m for m in self.town(chat).members if not m.self and m.state == "alive"]
        of = len(others)
        line = self.says(chat, self.nick, text, kind=kind, of=of)
        yield Progress(line.id, line.msg_id, 0, of)
        if self.acknowledges:
            for count, member in enumerate(others, 1):
                self.acked(chat, line, member.nick, count, of)
            yield Progress(line.id, line.msg_id, of, of, done=True, complete=True)
        elif of and wait != Wait.NONE:
            self.tell(QueueEvent(1), chat)
            yield Progress(line.id, line.msg_id, 0, of, done=True)

    async def watch(
        self,
        chat: str = "",
        history: int = 0,
        *,
        kinds: Sequence[str] = (),
        ready: Callable[[], None] | None = None,
    ) -> AsyncIterator[Happening]:
        """Everything that the test lets happen, after past lines where they are asked for."""
        assert not kinds, "the app and line mode watch everything"
        self._called("watch", chat=chat, history=history)
        queue: asyncio.Queue[Happening | Exception] = asyncio.Queue()
        for town in self.towns.values():
            for line in town.log[-history:] if history else ():
                past = replace(line, backlog=True)
                known = town.chat
                queue.put_nowait(
                    Happening(past, known.name, known.chat_id, known.epoch, line.sent_ms)
                )
        self._watchers.add(queue)
        if ready:
            ready()
        try:
            while True:
                one = await queue.get()
                if isinstance(one, Exception):
                    raise one
                yield one
        finally:
            self._watchers.discard(queue)


def split(text: str) -> tuple[int, ...]:
    """A cursor as it is compared."""
    return tuple(map(int, text.split(".")))


def place(line: Line) -> tuple[int, ...]:
    """Where a line stands in display order."""
    return split(line.place)
