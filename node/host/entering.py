"""The ways into a chat: making one, and joining one through a discovery service or any member."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeAlias
from uuid import uuid4

from msgspec.structs import replace

from .. import words
from ..codec import Create, Created
from ..config import NDS_DEFAULT
from ..core.effects import Joined, JoinFailed
from ..core.events import Founded, Joining
from ..core.messages import Card, Delete, Lookup, Proof, Record, RecordRead, Refusal
from ..core.proving import statement
from ..core.reasons import Reason
from ..core.types import Address, Silence
from ..discovery import Discovery
from ..errors import (
    AmbiguousChat,
    BadField,
    Banned,
    Complaint,
    GroupFull,
    NameTaken,
    NdsDistrusted,
    NdsUnreachable,
    NeedsPassword,
    NobodyAnswers,
    NobodyReachesYou,
    NoNds,
    NoSuchChat,
    NotAdmitted,
    NotInvited,
    OpenToAll,
    TryLater,
    VersionMismatch,
    WrongMode,
    WrongNds,
    WrongSecret,
)
from ..limits import name_fault, nick_fault, split_address
from ..names import Target, is_everywhere, join_address, parse_target
from ..profile import Entry
from ..runner import Halted, Peers, Silenced
from ..trust import claims
from ..way import DISTRUSTED
from ..words import Mode
from . import departing, inviting, passwords, reviving, views
from .chats import Chat
from .inviting import Knocking, Mark
from .listing import ASK_MS, addresses_in, networks_of
from .nodes import Node
from .passwords import Key, Presenting

Knocks: TypeAlias = Callable[[Peers, Card], Peers]

ENTER_S = 12.0  # the group gives up by itself before


# ---- making ------------------------------------------------------------------------------------


async def create(
    node: Node,
    name: str,
    nds: str,
    nick: str,
    mode: Mode,
    *,
    is_open: bool = False,
    password: Key | None = None,
    hides_history: bool = False,
) -> words.Created:
    """Makes a chat and leads it, at the first discovery service in `nds` that answers (HOST:PORT,
    several with commas; empty: those configured).  `is_open`: whoever asks is let in; `password`:
    so is who knows it; `hides_history`: who comes is given no text of what was said before.

    Raises:
        Complaint: the name is bad or taken, or no discovery service answers.
    """
    name = name.strip().removeprefix("#")
    if fault := name_fault(name):
        raise BadField(field="name", text=fault)
    _check_nick(nick)
    if password is not None and (is_open or not node.transport.is_secured):
        raise OpenToAll(chat=name)
    given = addresses_in(nds)
    async with node.door(name):
        made = await _create(node, name, given, nick, mode, hides_history)
    if is_open:
        await inviting.open_to_all(made)
    if password is not None:
        await passwords.set_password(node, made, password)
    invitation = await inviting.invite(node, made)
    return words.Created(views.chat(made), invitation.join_line)


async def _create(
    node: Node, name: str, given: tuple[Address, ...], nick: str, mode: Mode, hides_history: bool
) -> Chat:
    address = await _first_of(node, given) if given else await _usual_nds(node)
    await node.listening.reach(address)
    if mode is Mode.LOGGED:
        node.check_profile()
    for other in await networks_of(node, address) or ():
        if other.name != name and other.name.casefold() == name.casefold():
            raise NameTaken(name=other.name, nds=address)  # Nobody could tell the two apart.
    service, keys, secret = node.discovery(address), node.keys_for(mode), claims.draw()
    request = Create(
        str(uuid4()), name, node.advertised(address), mode, claims.public(secret), keys.identity
    )
    outcome: Created | Refusal | Silenced = Silenced(Silence.SILENT, "")
    for _ in range(2):  # the same request again is harmless
        outcome = await service.create(request, deadline_ms=ASK_MS)
        if not isinstance(outcome, Silenced):
            break
    if isinstance(outcome, Silenced):
        raise _no_answer(node, (address,))
    if isinstance(outcome, Refusal):
        raise _refused(outcome, name, address)
    record = outcome.network.record
    try:
        entry = node.new_entry(name, address, record.chat, nick)
        chat = node.open(entry, nick=nick, mode=mode, keys=keys)
        await _enter(node, chat, Founded(record, outcome.ids, secret, hides_history))
    except BaseException:  # Nobody will ever be in it: free the name.
        delete = Delete(record.chat, record.epoch)
        said = statement(delete, node.transport.shows)
        proof = Proof(claims.public(secret), claims.sign(secret, said))
        node.tasks.spawn(_free(service, replace(delete, proofs=(proof,))), "freeing a name")
        raise
    return chat


async def _free(service: Discovery, delete: Delete) -> None:
    await service.ask(delete, ASK_MS)


def _check_nick(nick: str) -> None:
    if nick and (fault := nick_fault(nick)):
        raise BadField(field="nick", text=fault)


async def _usual_nds(node: Node) -> Address:
    """The first of those configured that answers, or the first in use; else one that answers at
    the usual place, or where this profile would start its own.
    """
    candidates = node.nds_candidates()
    if candidates != (NDS_DEFAULT,):
        return await _first_of(node, node.config.nds or candidates[:1])
    places = dict.fromkeys([NDS_DEFAULT, *_own_place(node.config.nds_listen)])
    if address := await _first_to_answer(node, places):
        return address
    raise NoNds(address=NDS_DEFAULT)


async def _first_of(node: Node, addresses: tuple[Address, ...]) -> Address:
    """The first of them that answers; a single one is not asked beforehand."""
    if len(addresses) == 1:
        return addresses[0]
    if address := await _first_to_answer(node, addresses):
        return address
    raise NdsUnreachable(*addresses)


async def _first_to_answer(node: Node, addresses: Iterable[Address]) -> Address:
    """The first in their order; empty for none."""
    for address in addresses:
        outcome = await node.discovery(address).networks(page_size=1, deadline_ms=ASK_MS)
        if not isinstance(outcome, Silenced):
            return address
        if distrust := node.discovery(address).distrust:
            raise NdsDistrusted(text=distrust)
        node.forget_discovery(address)
    return ""


def _no_answer(node: Node, addresses: Iterable[Address]) -> Complaint:
    """What is said where none of these is heard; they are let go of."""
    every = tuple(addresses)
    distrust = next(filter(None, (node.discovery(one).distrust for one in every)), "")
    for address in every:
        node.forget_discovery(address)
    return NdsDistrusted(text=distrust) if distrust else NdsUnreachable(*every)


def _own_place(listen: str) -> list[Address]:
    """Where one can call what listens so on this machine; nowhere for a port to be drawn."""
    host, port = split_address(listen)
    if not port:
        return []
    return [join_address("127.0.0.1" if is_everywhere(host) else host, port)]


def _refused(refusal: Refusal, name: str, address: Address) -> Complaint:
    match refusal.reason:
        case "NAME_TAKEN":
            return NameTaken(name=name, nds=address)
        case _:
            return Complaint(text=f"the NDS at {address} refuses: {refusal.text or refusal.reason}")


async def _enter(node: Node, chat: Chat, event: Founded | Joining) -> None:
    """Starts the group and waits until it is a member.

    Raises:
        Complaint: it did not get in.
    """
    node.entering.append(chat)
    try:
        notice = await chat.begin(event, wait_s=ENTER_S)
        if not isinstance(notice, Joined):
            raise _not_admitted(node, chat, notice)
        node.admitted(chat)
    except BaseException:
        if chat in node.entering:
            await node.given_up(chat)
        raise


def _not_admitted(node: Node, chat: Chat, notice: JoinFailed | Halted | None) -> Complaint:
    name = chat.setup.name
    if isinstance(notice, Halted):
        return notice.complaint
    if notice is None:
        return NotAdmitted(chat=name, text=f"nobody answered within {ENTER_S:g} s")
    match notice.reason:
        case Reason.CANNOT_REACH:
            return NobodyReachesYou(address=chat.setup.address)
        case Reason.KICKED:
            return Banned(chat=name, text=notice.text or "you were removed from it")
        case Reason.GROUP_FULL:
            return GroupFull(chat=name, text=notice.text)
        case Reason.VERSION_MISMATCH:
            return VersionMismatch(text=notice.text)
        case Reason.WRONG_MODE:
            return WrongMode(chat=name, text=notice.text, chat_id=str(chat.group.chat))
        case Reason.UNKNOWN_NETWORK | Reason.UNKNOWN_CHAT:
            return NoSuchChat(name)
        case _:
            return _turned_away(name, notice)


def _turned_away(name: str, notice: JoinFailed) -> Complaint:
    """By a leader that wants something else than what was shown to it, or for another reason."""
    match notice.reason:
        case Reason.NOT_INVITED:
            return NotInvited(chat=name)
        case Reason.WRONG_SECRET:
            return WrongSecret(chat=name, text=notice.text)
        case Reason.NEEDS_PASSWORD if notice.terms is not None:
            return NeedsPassword(chat=name, **notice.terms.facts)
        case Reason.WRONG_NDS:
            return WrongNds(chat=name, text=notice.text)
        case Reason.TRY_LATER:
            return TryLater(chat=name, text=notice.text)
        case _:
            return NotAdmitted(chat=name, text=notice.text or notice.reason)


# ---- joining -----------------------------------------------------------------------------------


async def join(
    node: Node,
    line: str,
    nds: str,
    nick: str,
    *,
    by_password: bool = False,
    password: Key | None = None,
) -> words.Admitted:
    """Joins the chat that `line` names; where it names no place, one that any of the discovery
    services in `nds` knows (HOST:PORT, several with commas; empty: those configured and in use).
    `by_password`: by this one, and by nobody who does not know it; without one NeedsPassword says
    what it is made with.

    Raises:
        Complaint: the line is none, nobody answers, or the chat does not let us in.
    """
    try:
        target = parse_target(line)
    except ValueError as error:
        raise BadField(field="line", text=str(error)) from error
    _check_nick(nick)
    mark = inviting.parse(target.secret)
    given = (target.hinted,) if target.hinted else addresses_in(nds)
    async with node.door(target.name):
        if mark.service:
            await node.registries.vet(target.address, mark.service)
        return await _join(node, target, given, nick, _knocks(node, mark, by_password, password))


def _knocks(node: Node, mark: Mark, by_password: bool, password: Key | None) -> Knocks:
    """What gives calls what it takes to be let in."""

    def knocks(peers: Peers, card: Card) -> Peers:
        if by_password and node.transport.is_secured:
            return Presenting(peers, password, card)
        if mark.secret is not None and node.transport.is_secured:
            return Knocking(peers, mark.secret, card)
        return peers

    return knocks


async def _join(
    node: Node, target: Target, given: tuple[Address, ...], nick: str, knocks: Knocks
) -> words.Admitted:
    known = _member_of(node, target.name, given)
    if known is not None and (known.removed or await _is_another(node, known)):
        known = None
    if known is not None and known.broken:
        known = await reviving.resume(node, known)
        return words.Admitted(views.chat(known), known.nick)
    if known is not None and known.group.me:
        return words.Admitted(views.chat(known), known.nick, already=True)
    if len(given) == 1:
        await node.listening.reach(given[0])
    entry, event, mode = await _way(node, target, given)
    if entry.nds:
        await node.listening.reach(entry.nds)
    try:
        # A member does not say beforehand: what is kept of a try in memory is nothing.
        first = replace(entry, nick=nick)
        return await _join_as(node, first, event, mode or Mode.TRANSIENT, knocks)
    except WrongMode as wrong:
        if mode:
            raise
        entry = replace(entry, nick=nick, chat_id=int(wrong.facts["chat_id"]))
    return await _join_as(node, entry, event, Mode.LOGGED, knocks)


async def _join_as(
    node: Node, entry: Entry, event: Joining, mode: Mode, knocks: Knocks
) -> words.Admitted:
    for one in node.unopened:
        if entry.chat_id in (0, one.entry.chat_id) and one.entry.name == entry.name:
            raise one.error  # Its log is there and cannot be read: no second one beside it.
    known = _same(node, entry)
    if known is not None and known.group.me and not known.removed:
        return words.Admitted(views.chat(known), known.nick, already=True)
    if mode is Mode.LOGGED:
        node.check_profile()
    if known is not None and known.removed:  # Perhaps we are let in again; its log is gone on with.
        await node.leave(known)
    elif known is not None:
        return await _again(node, known, event, knocks)
    chat = await _opened(node, entry, mode, knocks)
    try:
        await _enter(node, chat, event)
    except BaseException:
        if known is not None:
            reviving.put_back(node, known)
        raise
    return words.Admitted(views.chat(chat), chat.nick)


async def _again(node: Node, lost: Chat, event: Joining, knocks: Knocks) -> words.Admitted:
    """Into a chat whose log was lost, and which does not let us in without a line, or password."""
    node.chats.remove(lost)
    await lost.let_go()
    try:
        chat = node.open(lost.entry, knocks=knocks)
        await _enter(node, chat, event)
    except BaseException:  # As it was: it goes on trying.
        again = node.open(lost.entry)
        node.take_in(again)
        node.begin(again)
        raise
    return words.Admitted(views.chat(chat), chat.nick)


def _member_of(node: Node, name: str, given: tuple[Address, ...]) -> Chat | None:
    """The chat that is meant, if this node is in it and the line leaves no doubt."""
    for one in node.chats:
        if one.name != name:
            continue
        addresses = {member.address for member in one.group.roster.members}
        if not given or addresses.union([one.group.nds]).intersection(given):
            return one
    return None


async def _is_another(node: Node, known: Chat) -> bool:
    """Whether the discovery service of a chat names another one by its name; no, where nobody
    answers.
    """
    group = known.group
    if not group.nds:
        return False
    outcome = await node.registries.ask_once(group.nds, Lookup(0, known.name), ASK_MS)
    return isinstance(outcome, RecordRead) and outcome.record.chat != group.chat


def _same(node: Node, entry: Entry) -> Chat | None:
    chats = (one for one in node.chats if entry.chat_id and one.group.chat == entry.chat_id)
    return next(chats, None)


async def _opened(node: Node, entry: Entry, mode: Mode, knocks: Knocks) -> Chat:
    """The chat on the log of an earlier membership where there is one, else on a new one."""
    if mode is Mode.TRANSIENT:
        return node.open(entry, nick=entry.nick, mode=mode, knocks=knocks)
    for old in node.profile.chats:
        if old.state != "in" and entry.chat_id and old.chat_id == entry.chat_id:
            await departing.stop(node, old.archive)
            again = replace(old, name=entry.name, nds=entry.nds, nick=entry.nick)
            return node.open(again, anew=True, nick=entry.nick, knocks=knocks)
    return node.open(entry, nick=entry.nick, knocks=knocks)


async def _way(
    node: Node, target: Target, given: tuple[Address, ...]
) -> tuple[Entry, Joining, Mode | None]:
    """Whom to ask: the leader that a discovery service names, or the member at the address.

    The mode is None where nobody has said it yet.
    """
    if not target.address:
        address, record = await _look_up(node, target.name, given)
        return _through(node, address, record)
    question = Lookup(0, target.name)
    outcome = await node.registries.ask_once(target.address, question, ASK_MS)
    if isinstance(outcome, RecordRead):
        return _through(node, target.address, outcome.record)
    if isinstance(outcome, Refusal):
        raise await _unknown(node, target.name, [target.address])
    if isinstance(outcome, Silenced) and outcome.status.startswith("UNIMPLEMENTED"):
        return node.new_entry(target.name, ""), Joining(target.address), None
    if isinstance(outcome, Silenced) and outcome.status.startswith(DISTRUSTED):
        raise NdsDistrusted(text=outcome.status.removeprefix(DISTRUSTED))
    raise NobodyAnswers(address=target.address)


def _through(node: Node, address: Address, record: Record) -> tuple[Entry, Joining, Mode]:
    entry = node.new_entry(record.name, address, record.chat)
    return entry, Joining(record.address), Mode(record.mode)


async def _look_up(node: Node, name: str, given: tuple[Address, ...]) -> tuple[Address, Record]:
    """The one discovery service that knows the name, and its record."""
    addresses = given or node.nds_candidates()
    questions = (node.discovery(one).ask(Lookup(0, name), ASK_MS) for one in addresses)
    outcomes = dict(zip(addresses, await asyncio.gather(*questions), strict=True))
    found = {at: one.record for at, one in outcomes.items() if isinstance(one, RecordRead)}
    silent = [address for address, one in outcomes.items() if isinstance(one, Silenced)]
    no_answer = _no_answer(node, silent) if silent else None
    if len(found) > 1:
        choices = " or ".join(f"{name}@{address}" for address in found)
        raise AmbiguousChat(choices=choices)
    if found:
        return next(iter(found.items()))
    answered = [address for address, one in outcomes.items() if isinstance(one, Refusal)]
    if answered:
        raise await _unknown(node, name, answered, silent)
    if not given and addresses == (NDS_DEFAULT,) and not isinstance(no_answer, NdsDistrusted):
        raise NoNds(address=NDS_DEFAULT)
    assert no_answer is not None, "somebody is known, refuses or is silent"
    raise no_answer


async def _unknown(
    node: Node, name: str, addresses: list[Address], silent: Iterable[Address] = ()
) -> NoSuchChat:
    """With the nearest names that there are, and who could not be asked."""
    names: list[str] = []
    for rows in await asyncio.gather(*(networks_of(node, one) for one in addresses)):
        names += [row.name for row in rows or ()]
    unasked = "".join(f"; no NDS answers at {address}" for address in silent)
    return NoSuchChat(name, f" at {' or '.join(addresses)}{unasked}", names)
