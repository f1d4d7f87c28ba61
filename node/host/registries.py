"""The discovery services of a node: a client for each, and an eye on each.

The list of networks is followed as long as a service answers.  So its going away is noticed within
a second, and its coming back too, though nobody asks for anything.  One that only answers late is
not told as away: where a question of the protocol got no answer in its time, the service is asked
again with more time, until it answers.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Protocol

from ..codec import Network
from ..core.group import Group
from ..core.messages import NdsReply, NdsRequest, Record, Refusal
from ..core.types import Address, ChatId, Millis, Silence
from ..discovery import Discovery, Gone
from ..errors import Complaint, NobodyAnswers, WrongService
from ..faults import nds_fault
from ..happenings import Happening, NdsEvent
from ..rpc import CallLog
from ..rpc.transport import Transport, shown
from ..runner import Silenced
from ..tasks import Tasks
from ..trust.known import Known, fingerprint
from ..way import DISTRUSTED, SHOWN_S, Way
from ..words import DiscoveryService

PAUSE_S = 0.5  # between attempts at a service that does not answer ...
PAUSE_MAX_S = 3.0  # ... growing up to this
FAULT_S = 2.0  # between questions to one that cannot store
UNTRUSTED = "not trusted, 'p2pchat doctor' says why"
CHECK_MS = 3_000  # for the answer of a service that may be late

_log = logging.getLogger(__name__)


class InGroup(Protocol):
    """Whatever has a group."""

    @property
    def group(self) -> Group: ...


class Registries:
    """Every discovery service that the node has to do with, by address."""

    def __init__(
        self,
        tasks: Tasks,
        calls: CallLog,
        tell: Callable[[Happening], None],
        listed: Callable[[Address, Record], None],
        transport: Transport,
        known: Known,
    ) -> None:
        """Asks nobody yet.

        Args:
            tasks: what runs here.
            calls: every call is written down there.
            tell: takes what watchers are to hear.
            listed: takes each record that a service at an address lists, and each change of it.
            transport: how connections are made.
            known: the services by their certificates.
        """
        self.tasks, self._calls, self._tell, self._listed = tasks, calls, tell, listed
        self._transport, self.known = transport, known
        self._known: dict[Address, Watched] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._known)

    def at(self, address: Address) -> Discovery:
        """The client of the service at `address`, watched from its first use on."""
        if address not in self._known:
            made = self._client(address, self._changed, self.known)
            self._known[address] = Watched(made, self.tasks, self._listed)
        return self._known[address].discovery

    def _client(
        self, address: Address, changed: Callable[[Discovery], None], known: Known | None
    ) -> Discovery:
        way = Way(address, self.tasks, self._transport, known)
        return Discovery(address, self._calls, changed, way)

    async def ask_once(
        self, address: Address, request: NdsRequest, deadline_ms: Millis
    ) -> NdsReply | Refusal | Silenced:
        """Asks what may be no service at all: nobody is told whether it answers."""
        if address in self._known:
            return await self._known[address].discovery.ask(request, deadline_ms)
        known = self.known if self.known.certificate(address) else None
        asked = self._client(address, lambda _: None, known)
        try:
            return await asked.ask(request, deadline_ms)
        finally:
            await asked.close()

    def forget(self, address: Address) -> None:
        """Lets go of a service."""
        if (gone := self._known.pop(address, None)) is not None:
            gone.stop()
            self.tasks.spawn(gone.discovery.close(), f"closing {address}")

    async def close(self) -> None:
        """Lets go of all."""
        for one in self._known.values():
            one.stop()
            await one.discovery.close()

    def fingerprint(self, address: Address) -> bytes:
        """The SHA-256 of the certificate by which the service at `address` is known; empty where
        none is, and where connections prove nothing.

        Raises:
            Complaint: it cannot be looked up.
        """
        known = self.known.certificate(address) if self._transport.is_secured else b""
        return sha256(known).digest() if known else b""

    async def vet(self, address: Address, begins: bytes) -> None:
        """Makes sure that the service at `address` is the one that somebody has named to us by how
        the SHA-256 of its certificate begins.  One that is known so already is not looked at; one
        that was not known is from now on.

        Raises:
            WrongService: it is another one; nothing was said to it, and nothing is kept.
            NobodyAnswers: nobody is there.
            Complaint: what is known cannot be looked up, or kept.
        """
        known = self.fingerprint(address)
        if not self._transport.is_secured or (known and known.startswith(begins)):
            return
        seen = await shown(address, SHOWN_S)
        if isinstance(seen, Silence):
            raise NobodyAnswers(address=address)
        if seen is None or not sha256(seen).digest().startswith(begins):
            key = f"sha256 {fingerprint(seen)[: 2 * len(begins)]}..." if seen else "no key at all"
            raise WrongService(address=address, key=key, meant=f"sha256 {begins.hex()}...")
        if not known:
            self.known.keep(address, seen)

    async def introduce(
        self, address: Address, certificate: bytes, within_s: float = SHOWN_S
    ) -> bool:
        """Whether the service at `address` is known, from now on where it shows this certificate,
        which whoever lets us in has named; nothing is kept of one where nobody answers.  One that
        is known already is not looked at.

        Raises:
            Complaint: another one answers there, which was told nothing, and nothing is kept; or
                what is known cannot be looked up, or kept.
        """
        if not self._transport.is_secured or self.known.certificate(address):
            return True
        seen = await shown(address, within_s)
        if isinstance(seen, Silence):
            return False
        if seen != certificate:
            key = f"sha256 {fingerprint(seen)}" if seen else "no key at all"
            text = (
                f"who answers at {address} is not the NDS of its members: it shows {key}, and they"
                f" know it by sha256 {fingerprint(certificate)}"
            )
            raise Complaint(text=text)
        self.known.keep(address, certificate)
        return True

    def has(self, certificate: bytes) -> bool:
        """Is this the certificate of one that is known?  No, where that cannot be looked up."""
        try:
            return self.known.has(certificate)
        except Complaint as error:
            _log.warning("%s", error)
            return False

    def in_use(self) -> tuple[DiscoveryService, ...]:
        """Each as faces see it."""
        return tuple(
            DiscoveryService(
                address,
                _state(one.discovery),
                one.discovery.down_since_ms,
                one.discovery.fault,
            )
            for address, one in self._known.items()
        )

    def _changed(self, discovery: Discovery) -> None:
        up, fault = discovery.up is not False, discovery.fault
        watched = self._known.get(discovery.address)
        unable = f"cannot store: {fault}" if fault else "answers"
        _log.info("NDS %s %s", discovery.address, unable if up else "does not answer")
        if watched is None:
            return
        down_ms = watched.turned(up and not fault)
        if not up or fault or down_ms:  # that it answers from the first is no news
            event = NdsEvent(discovery.address, up, down_ms, fault)
            self._tell(Happening(event, at_ms=_wall_ms()))


class Watched:
    """One service, followed for as long as the node lives."""

    def __init__(
        self, discovery: Discovery, tasks: Tasks, listed: Callable[[Address, Record], None]
    ) -> None:
        self.discovery, self._listed = discovery, listed
        self.networks: dict[ChatId, Network] = {}  # as it listed them last
        self._down_at = 0.0
        self._tasks = (
            tasks.spawn(self._follow(), f"watch of NDS {discovery.address}"),
            tasks.spawn(self._check(), f"check of NDS {discovery.address}"),
        )

    def turned(self, up: bool) -> int:
        """Notes that the service went away or came back; how long it was away, in ms.

        One that cannot store is away.
        """
        now, since = time.monotonic(), self._down_at
        self._down_at = 0.0 if up else since or now
        return max(1, round((now - since) * 1000)) if up and since else 0

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _check(self) -> None:
        while True:
            await self.discovery.doubted.wait()
            answers = await self.discovery.check(CHECK_MS)
            if not answers or self.discovery.fault:
                await asyncio.sleep(FAULT_S if answers else PAUSE_S)
                self.discovery.doubted.set()

    async def _follow(self) -> None:
        pause_s = PAUSE_S
        while True:
            try:
                async for change in self.discovery.watch():
                    pause_s = PAUSE_S
                    if change.network is not None and change.deleted:
                        self.networks.pop(change.network.record.chat, None)
                    elif change.network is not None:
                        self.networks[change.network.record.chat] = change.network
                        self._listed(self.discovery.address, change.network.record)
            except Gone as gone:
                _log.debug("watch of NDS %s ended: %s", self.discovery.address, gone)
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_MAX_S, pause_s * 1.5)


class Word:
    """By which certificate whoever let us into a chat knows its discovery service.  It counts in
    that chat alone, until that service has shown itself.
    """

    def __init__(self, known: Known, address: Address, certificate: bytes) -> None:
        self._known = known
        self.take(address, certificate)

    def take(self, address: Address, certificate: bytes) -> None:
        self._address, self._told, self._since_ms = address, certificate, _wall_ms()
        self.distrust = ""  # why who shows itself there is not spoken to

    def of(self, address: Address) -> bytes:
        """What was said of the service there; empty where nothing was, or need be any more."""
        return self._told if address == self._address else b""

    def shown(self, address: Address) -> DiscoveryService:
        """As faces see it."""
        state = UNTRUSTED if self.distrust else _down(self._since_ms)
        return DiscoveryService(address, state, self._since_ms)

    def certificate(self, address: Address) -> bytes:
        """Of a service, in that chat; empty where there is none.  Raises Complaint."""
        return self.of(address) or self._known.certificate(address)


class Worded(InGroup, Protocol):
    """Whatever has a group, and somebody's word about its service."""

    @property
    def word(self) -> Word: ...


class Registry:
    """The discovery service of one chat: whichever its group names, even if it learns it late."""

    def __init__(
        self, registries: Registries, chat: InGroup, word: Word, met: Callable[[], None]
    ) -> None:
        """`met`: it is known, and the word of others about it needed no longer."""
        self._registries, self._chat, self._word, self._met = registries, chat, word, met
        self._is_sought = False

    async def ask(self, request: NdsRequest, deadline_ms: Millis) -> NdsReply | Refusal | Silenced:
        """Asks it; a group without one hears that nobody listens."""
        address = self._chat.group.nds
        if not address:
            return Silenced(Silence.REFUSED, "this group has no discovery service")
        told = self._word.of(address)
        if told and (silence := await self._look(address, told, deadline_ms)) is not None:
            if not self._is_sought:
                self._is_sought = True
                self._registries.tasks.spawn(self._seek(address), f"search for NDS {address}")
            return silence
        return await self._registries.at(address).ask(request, deadline_ms)

    async def _seek(self, address: Address) -> None:
        """Looks until the one that was named to us is there; from then on it is followed."""
        pause_s = PAUSE_S
        while (told := self._word.of(address)) and self._chat.group.nds == address:
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_MAX_S, pause_s * 1.5)
            if await self._look(address, told, CHECK_MS) is None:
                self._registries.at(address)
        self._is_sought = False

    async def _look(self, address: Address, told: bytes, deadline_ms: Millis) -> Silenced | None:
        """Is who answers there the one that was named to us?  None: it is."""
        known, within_s = self._registries.known, min(SHOWN_S, deadline_ms / 1000)
        try:
            is_there = await self._registries.introduce(address, told, within_s)
            if is_there and known.certificate(address) != told:
                text = f"the NDS at {address} is known here by another key than to its members"
                raise Complaint(text=f"{text}: see {known.file}")
        except Complaint as error:
            self._word.distrust = str(error)
            return Silenced(Silence.SILENT, f"{DISTRUSTED}{error}")
        if not is_there:
            self._word.distrust = ""
            return Silenced(Silence.SILENT, f"UNAVAILABLE: nobody answers at {address}")
        if self._word.of(address):
            self._word.take("", b"")
            self._met()
        return None


def awaited(registries: Registries, chats: Iterable[Worded]) -> Iterator[DiscoveryService]:
    """Those of which there is only somebody's word."""
    at = {one.group.nds: one.word for one in chats if one.word.of(one.group.nds)}
    return (word.shown(nds) for nds, word in at.items() if nds not in registries.addresses)


def _state(discovery: Discovery) -> str:
    if discovery.distrust:
        return UNTRUSTED
    if discovery.fault:
        return f"cannot store, {nds_fault(discovery.fault)}"
    since = discovery.down_since_ms
    return _down(since) if since else "ok"


def _down(since_ms: int) -> str:
    return f"down {max(0, _wall_ms() - since_ms) // 1000}s"


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
