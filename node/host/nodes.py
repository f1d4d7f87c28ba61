"""The node: one server for all its groups, lines to its peers, clients of its discovery services.

Opens every chat of the profile at its start; closes each at its end, leadership handed over.
Getting into chats is in `entering`; what faces ask of one chat they ask of `chat(...)`.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import grpc
from msgspec.structs import replace

from .. import logs, words
from .. import profile as profiles
from ..archive import Archive, MemoryArchive, SqliteArchive, erase
from ..config import NDS_DEFAULT, Config
from ..core.effects import Joined, Reinstated
from ..core.events import AnsweredLate, Joining, LinkBroken
from ..core.group import Setup
from ..core.messages import Card
from ..core.types import Address
from ..discovery import Discovery
from ..disk import LOGS, refusal
from ..errors import Complaint, DiskFailed, NotListening, PlainConnections
from ..happenings import ChatEvent, ErrorEvent, Happening
from ..peers import Links
from ..places import Places
from ..profile import Entry, Profile
from ..rpc import CallLog
from ..rpc.transport import Transport
from ..runner import Nds, Peers, Runner
from ..service import Desk, NodeService, build_server
from ..tasks import Tasks
from ..trust import claims
from ..trust.cards import fingerprint, is_signed
from ..trust.grants import Granted
from ..trust.keys import Keys
from ..trust.keys import make as make_keys
from ..trust.known import Known
from ..trust.spake import meet
from ..words import Mode
from . import departing, guarding, reviving, views
from .chats import Chat, Surroundings, Unasked, wall_ms
from .finding import Finding
from .hub import Hub
from .introducing import Introduced
from .keeping import Keeping, ended
from .listening import Listening
from .registries import Registries, Registry, Word, awaited
from .reviving import Unopened
from .sealing import ChatSeals

PARTED_S = 0.2  # for the last answers to somebody who is no member any more
CLOSE_S = 4.0  # for handing over one group; all are closed side by side

_log = logging.getLogger(__name__)


class Node(Keeping, Finding):
    """A running node.  `await start()` first, `await stop()` last; all on one loop."""

    # What its chats are made of.
    archive_class: type[SqliteArchive] = SqliteArchive
    signs = True  # what it says, and looks at the signatures of others; else for measuring alone
    runner_class: type[Runner] = Runner

    def __init__(
        self,
        places: Places,
        config: Config,
        profile: Profile,
        keys: Keys,
        *,
        nick_later: bool = False,
    ) -> None:
        """Nothing is opened yet.

        Args:
            places: where its files are; the caller holds the profile's lock.
            config: its settings.
            profile: what it goes on with.
            keys: who its user is.
            nick_later: the nick that was given as a flag is that of the chat that comes first; the
                node takes it on with the first one that is logged, and till then it may be one
                that must not be written down.
        """
        super().__init__(places, profile, power=config.durability == "power")
        self.config, self.keys = config, keys
        is_of_a_chat = nick_later and config.sources["nick"].startswith("flag ")
        given = profile.nick if is_of_a_chat else config.nick
        self.nick = given or profiles.login_nick()
        self.timing = config.build_timing()
        self.process = secrets.randbits(64)
        self.hub = Hub()
        self.calls = CallLog()
        self.chats: list[Chat] = []  # in order of joining
        self.entering: list[Chat] = []  # those on their way in
        self.unopened: list[Unopened] = []
        self.departing: list[Chat] = []  # those that finish a leave
        self.goodbyes: dict[str, asyncio.Task[None]] = {}  # their tasks, by the name of the log
        self._doors: dict[str, asyncio.Lock] = {}
        self.crash = ""
        self.started_ms = wall_ms()
        self.tasks = Tasks(self._crashed)
        self.desk = Desk(self)
        self.transport = Transport(None if config.insecure == "on" else keys.tls)
        self.seals = ChatSeals(self.every) if self.transport.is_secured else None
        self.links = Links(
            self.tasks,
            self.calls,
            self._link_broken,
            self.desk,
            self._own_addresses,
            self._answered_late,
            self.transport,
            seals=self.seals,
        )
        self.links.on_flood = lambda certificate: guarding.say_floods(self, certificate)
        self.registries = Registries(
            self.tasks,
            self.calls,
            self.hub.tell,
            self.listed,
            self.transport,
            Known(places.data),
        )
        self._lost_is_told, self._nick_later = False, nick_later
        self.listening = Listening(config, self._build_server)
        self.gate = guarding.gate_of(self)

    def _crashed(self, name: str, error: BaseException) -> None:
        self.crash = f"{name} failed: {logs.told(error)}"
        self.ended.set()

    def _link_broken(self, address: Address) -> None:
        for chat in self.chats:
            if any(member.address == address for member in chat.group.roster.members):
                chat.runner.post(LinkBroken(address))

    def _answered_late(self, address: Address, ms: int) -> None:
        for chat in self.chats:
            chat.runner.post(AnsweredLate(address, ms))

    # ---- start and stop --------------------------------------------------------------------------

    async def start(self) -> None:
        """Listens, and opens every chat of the profile.

        Raises:
            PortInUse: the address that was asked for is not to be had.
            PlainConnections: others could reach connections that are not secured.
        """
        await self.listening.open()
        self._keep_settings()
        for address in self._first_nds():
            self.discovery(address)
            with suppress(NotListening, PlainConnections):  # So it was told, and so it says.
                await self.listening.reach(address)
        self.look_for_lone_logs(self.keys.log_key)
        for entry in self.profile.chats:
            self._reopen(entry)
        await self.listening.start()
        self.tasks.spawn(guarding.look_around(self.gate), "door")
        for chat in (*self.chats, *self.departing):
            self.begin(chat)
        _log.info("node listens on %s, %s chats", self.listen, len(self.chats))

    def begin(self, chat: Chat) -> None:
        """Starts the group of a chat of the profile."""
        # A log that is lost has lost the membership: the leader gives the same id again.
        chat.runner.start(*([] if chat.group.me else [Joining("")]))

    def _keep_settings(self) -> None:
        self.keep_soon(
            transient=0,
            nick=self.profile.nick if self._nick_later else self.nick,
            listen=self.listening.address,
            advertise=self.config.advertise,
            nds=self.config.nds,
            preset=self.config.given("preset"),
            durability=self.config.given("durability"),
            timing=self.config.given_timing,
        )

    async def _build_server(self, address: Address) -> tuple[grpc.aio.Server, int]:
        known = self.desk, self.links, self.transport, self.gate
        service = NodeService(*known, seals=self.seals)
        return await build_server(address, [service], self.transport, self.desk.knows, self.gate)

    def _first_nds(self) -> list[Address]:
        """But for those of which there is only somebody's word."""
        chats = [one for one in self.profile.chats if one.state != "left" and not one.service]
        return list(dict.fromkeys([*self.config.nds, *(one.nds for one in chats if one.nds)]))

    def _reopen(self, entry: Entry) -> None:
        """Opens a chat again; one that cannot be read is named, and the others go on."""
        if entry.state == "left":
            return
        try:
            chat = self.open(entry)
        except Complaint as error:
            _log.error("#%s is not opened: %s", entry.name, error)
            one = Unopened(entry, error)
            self.unopened.append(one)
            self.hub.tell(Happening(ErrorEvent("ARCHIVE", f"#{entry.name}: {error}")))
            if isinstance(error, DiskFailed):
                self.tasks.spawn(reviving.open_later(self, one), f"opening #{entry.name}")
            return
        self.take_in(chat)

    def take_in(self, chat: Chat) -> None:
        """A chat of the profile on its log is one of ours, or finishes its leave."""
        entry = chat.entry
        if entry.state == "leaving":
            departing.say_good_bye(self, chat)
        else:
            chat.opened = True
            self.chats.append(chat)

    def door(self, name: str) -> asyncio.Lock:
        """Held while a chat of this name is made or joined: one way in at a time."""
        return self._doors.setdefault(name, asyncio.Lock())

    async def stop(self) -> None:
        """Closes every chat, leadership handed over; lets go of the port."""
        self.ended.set()
        every = (*self.chats, *self.departing, *self.entering)
        await asyncio.gather(*(chat.close(CLOSE_S) for chat in every))
        changes: dict[str, object] = {}
        if not self.profile.chats and all(one.down_since_ms for one in self.registries.in_use()):
            changes["nds"] = ()  # Most likely mistyped: the next start shall not ask there again.
        self.keep_soon(**changes)
        self.hub.end()
        await self.links.close()
        await self.listening.stop(0.2)
        await self.registries.close()
        await self.tasks.close()
        _log.info("node has stopped")

    # ---- addresses -------------------------------------------------------------------------------

    @property
    def listen(self) -> Address:
        """One HOST:PORT of this node that can be dialled from this machine."""
        return self.listening.dialled

    def advertised(self, nds: Address) -> Address:
        """What others are told to call: as set, else the address on the route towards the NDS."""
        return self.listening.advertised(nds)

    @property
    def advertise(self) -> Address:
        """What others are told, as long as no chat says otherwise."""
        return self.advertised(next(iter(self.registries.addresses), ""))

    def _own_addresses(self) -> tuple[Address, ...]:
        """All under which others know this node."""
        every = (*self.chats, *self.entering, *self.departing)
        return tuple(sorted({chat.setup.address for chat in every}))

    # ---- discovery services ----------------------------------------------------------------------

    def discovery(self, address: Address) -> Discovery:
        """The client of the discovery service at `address`, watched from its first use on."""
        return self.registries.at(address)

    def forget_discovery(self, address: Address) -> None:
        """Lets go of a discovery service that turned out to be none, or that nobody needs."""
        used = {chat.group.nds for chat in (*self.chats, *self.entering)}
        if address not in used | {*self.config.nds}:
            self.registries.forget(address)

    def nds_candidates(self) -> tuple[Address, ...]:
        """Where a name is looked up: those configured, those in use, else the usual place."""
        return tuple(dict.fromkeys([*self.config.nds, *self.registries.addresses])) or (
            NDS_DEFAULT,
        )

    # ---- chats -----------------------------------------------------------------------------------

    def open(
        self,
        entry: Entry,
        archive: Archive | None = None,
        *,
        anew: bool = False,
        nick: str = "",
        mode: Mode = Mode.LOGGED,
        knocks: Callable[[Peers, Card], Peers] = lambda peers, _: peers,
        keys: Keys | None = None,
    ) -> Chat:
        """A chat on its log, not started.  `anew`: the log's membership was ended.  `knocks` gives
        its calls to others what it takes to be let in; `keys`: as `keys_for` gave them.

        A transient one has its log in memory and keys of its own, and what this process
        says of errors is reticent from then on.

        Raises:
            Complaint: the log cannot be opened.
        """
        keys = keys or self.keys_for(mode)
        word = Word(self.registries.known, entry.nds, bytes.fromhex(entry.service))
        granted = Granted(word)
        if mode is Mode.TRANSIENT:
            logs.be_reticent(True)
            archive = MemoryArchive()
        setup = Setup(
            identity=keys.identity,
            nick=nick or entry.nick or self.nick,
            address=self.advertised(entry.nds),
            process=self.process,
            chat=entry.chat_id,
            name=entry.name,
            mode=mode,
            nds=entry.nds,
            card=keys.card,
            sign=keys.signing.sign if self.signs else None,
            verify=is_signed if self.signs else None,
            draw=secrets.token_bytes,
            meet=meet,
            shows=self.transport.shows,
            granted=granted if self.transport.is_secured else None,
            pinned=granted.certificate if self.transport.is_secured else lambda _: b"",
            claims=claims.PAIRS,
        )
        world = Surroundings(
            timing=self.timing,
            peers=Introduced(
                knocks(self.links, keys.card), self.registries, word, self.is_in, entry.nds
            ),
            nds=self._registry,
            word=word,
            tasks=self.tasks,
            tell=self.hub.tell,
            unasked=self._unasked,
            halted=self._halted,
            listed=self.rename,
            parted=self._parted,
            seal_key=keys.seal,
            wants=self.hub.wants,
            refuse_another=partial(reviving.refuse_another, self),
            runner=self.runner_class,
        )
        file, key = self.archive_path(entry), keys.log_key
        log = archive or self.archive_class(file, key, power=self.power)
        try:
            return Chat(entry, setup, log, world, forget_membership=anew)
        except BaseException:
            if archive is None:
                log.close()
            raise

    def keys_for(self, mode: Mode) -> Keys:
        """Those of a chat; a transient one is another person's, and the same node's."""
        return make_keys(self.keys.tls) if mode is Mode.TRANSIENT else self.keys

    def _parted(self) -> None:
        """Whoever is no member of any chat is cut off, once the last answers have gone out."""
        asyncio.get_running_loop().call_later(PARTED_S, self.links.cut_off, self.knows)

    def _halted(self, chat: Chat) -> None:
        """It has stopped; where its log could not be written it goes on once that works."""
        self.hub.tell(chat.happening(ChatEvent(views.chat(chat), chat.halt[0])))
        if chat in self.chats and not chat.broken:
            self.tasks.spawn(reviving.revive(self, chat), f"reviving #{chat.name}")

    def _registry(self, chat: Chat) -> Nds:
        return Registry(self.registries, chat, chat.word, partial(self._met, chat))

    def _met(self, chat: Chat) -> None:
        """Its discovery service is the one that was named to us."""
        chat.entry = replace(chat.entry, service="")
        if chat in self.chats and not chat.is_transient:
            self.keep_entry_soon(chat.entry)

    def archive_path(self, entry: Entry) -> Path:
        """The file of a chat's log."""
        directory = self.places.data / LOGS
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise refusal(directory, error) from error
        return directory / entry.archive

    def new_entry(self, name: str, nds: Address, chat_id: int = 0, nick: str = "") -> Entry:
        number = max((one.number for one in self.profile.chats), default=0) + 1
        return Entry(chat_id, name, nds, f"{uuid4().hex}.db", nick, number)

    def admitted(self, chat: Chat) -> None:
        """A chat got in: into the profile, and told to the watchers."""
        group = chat.group
        told = chat.word.of(group.nds)
        chat.entry = replace(
            chat.entry, chat_id=group.chat, nds=group.nds, state="in", service=told.hex()
        )
        if group.nds and not told:
            self.discovery(group.nds)  # It is followed from now on: the chat may be renamed there.
        if not chat.is_transient:
            nick = chat.setup.nick if self._nick_later else self.nick
            self.keep_entry(chat.entry, nick=nick)
            self.nick, self._nick_later = nick, False
        elif self.lost:  # Which one it is nobody has kept.
            self.lost -= 1
        self.entering.remove(chat)
        self.chats.append(chat)
        self.count_transient(self.chats)
        chat.opened = True
        self.hub.tell(chat.happening(ChatEvent(views.chat(chat), "opened")))

    async def given_up(self, chat: Chat) -> None:
        """A chat did not get in: nothing of it stays, unless its log is an old one."""
        self.entering.remove(chat)
        await chat.let_go()
        if chat.is_transient:
            return logs.be_reticent(any(x.is_transient for x in (*self.chats, *self.entering)))
        if all(one.archive != chat.entry.archive for one in self.profile.chats):
            erase(self.archive_path(chat.entry))

    async def leave(self, chat: Chat) -> words.Departure:
        """Ends a membership for good: see `departing.leave`."""
        return await departing.leave(self, chat)

    async def close_chat(
        self, chat: Chat, shown: words.Chat, state: str, *, going_on: bool = False
    ) -> None:
        """A membership is over, or is ended by its group, which goes on for that."""
        if chat not in self.chats:
            return  # Another leave, or the others, ended it meanwhile.
        self.chats.remove(chat)
        self.count_transient(self.chats)
        if not chat.is_transient:
            self.keep_entry_soon(replace(chat.entry, state=state))
        if going_on:
            departing.say_good_bye(self, chat)
        else:
            await chat.let_go()
        self.hub.tell(chat.happening(ChatEvent(shown, "closed")))

    def _unasked(self, chat: Chat, notice: Unasked) -> None:
        """Others ended the membership, or that did not count; or a leader that had forgotten us let
        us in anew.
        """
        if isinstance(notice, Reinstated):
            self.tasks.spawn(reviving.reinstate(self, chat), f"beginning #{chat.name} again")
            return
        if isinstance(notice, Joined):
            return self.hub.tell(chat.happening(ChatEvent(views.chat(chat), "opened")))
        text = f"you are no longer a member of #{chat.name}"
        self.hub.tell(chat.happening(ErrorEvent("EXPELLED", text)))
        if chat in self.chats:
            closing = self.close_chat(chat, views.chat(chat), "left")
            self.tasks.spawn(closing, "closing a chat")

    # ---- for the service: whom a request concerns ------------------------------------------------

    def is_registry(self, certificate: bytes) -> bool:
        return self.registries.has(certificate)

    def knows(self, certificate: bytes) -> bool:
        return certificate == self.keys.card.certificate or any(
            one.group.knows(certificate) for one in self.every()
        )

    # ---- the whole node --------------------------------------------------------------------------

    def tell_lost(self) -> None:
        """The first who watches hears once that transient chats ended with the last process."""
        told, self._lost_is_told = self._lost_is_told, True
        if self.lost and not told:
            text = ended(self.lost)
            self.hub.tell(Happening(ErrorEvent("TRANSIENT_ENDED", text), at_ms=wall_ms()))

    def status(self) -> words.Status:
        """The node and its chats."""
        return words.Status(
            pid=os.getpid(),
            listen=self.listen,
            advertise=self.advertise,
            control=str(self.places.socket),
            nds=(*self.registries.in_use(), *awaited(self.registries, self.chats)),
            chats=tuple(views.chat(one) for one in self.chats),
            nick=self.nick,
            identity=views.identity_of(self.keys.identity),
            version=version("p2pchat"),
            log=str(self.places.log),
            started_ms=self.started_ms,
            problems=tuple(guarding.problems(self)),
            ended=ended(self.lost),
            durability=self.config.durability,
            certificate=fingerprint(self.keys.card),
        )
