"""The doctor: port, address, discovery services, members, logs, versions; what to do about each."""

import asyncio
from functools import partial
from importlib.metadata import version

from .. import faults, stores, words
from ..codec import NetworkPage
from ..core.messages import Life, Lookup
from ..core.reasons import Reason
from ..errors import NobodyReachesYou
from ..limits import split_address
from ..names import is_loopback
from . import asking
from .chats import Chat, wall_ms
from .keeping import said_of
from .nodes import Node

ASK_MS = 2_000
CLOCK_MS = 10_000  # more than this between two clocks is said


async def diagnose(node: Node) -> words.Diagnosis:
    """Every check, in the order in which things go wrong."""
    asked = await asyncio.gather(*(_nds(node, one.address) for one in node.registries.in_use()))
    rows = [await _port(node), _address(node), *(row for row, _ in asked)]
    rows.append(_clock([age for _, ages in asked for age in ages]))
    for chat in node.chats:
        if (halted := _halted(chat)) is not None:
            rows.append(halted)
            continue
        pings = await asking.ping(node, chat, "")
        silent = [row.nick for row in pings.rows if not row.answered]
        text = f"{len(pings.rows) - len(silent)} of {len(pings.rows)} other members answer"
        group = chat.group
        gone = [group.shown_nick(one) for one in group.belonging if one not in group.active]
        text += f"; gone: {', '.join(gone)}" if gone else ""
        text += f"; silent: {', '.join(silent)}" if silent else ""
        rows.append(words.Finding(f"members of #{chat.name}", not silent, text))
        rows += await _at_the_nds(chat)
        rows += await _dial_back(node, chat)
    if not node.registries.in_use() and not any(one.group.nds for one in node.chats):
        text = "none is in use; name one with --nds HOST:PORT, or let 'p2pchat host' start one"
        rows.append(words.Finding("NDS", False, text))
    data, key = node.places.data, node.keys.log_key
    rows += await asyncio.to_thread(partial(stores.wrong_keys, data, running=True))
    mine = (*node.profile.chats, *(chat.entry for chat in node.entering))
    rows += await asyncio.to_thread(stores.lone_logs, data, key, mine)
    rows += await asyncio.to_thread(stores.findings, data, key, node.profile.chats)
    if node.unsaved is not None:
        rows.append(words.Finding("profile", False, said_of(node.unsaved)))
    rows.append(words.Finding("version", True, f"p2pchat {version('p2pchat')}"))
    return words.Diagnosis(tuple(rows))


def _halted(chat: Chat) -> words.Finding | None:
    """What says that a chat does not go on here, and why."""
    if not (said := faults.halted(*chat.halt)):
        return None
    return words.Finding(f"#{chat.name}", False, f"{said}. {chat.broken or chat.stalled}")


async def _at_the_nds(chat: Chat) -> list[words.Finding]:
    """What says that the NDS answers and does not confirm who leads."""
    group, place = chat.group, f"#{chat.name} at the NDS"
    if chat.word.of(group.nds):
        await chat.nds.ask(Lookup(group.chat, ""), ASK_MS)
    if chat.word.of(group.nds):
        text = chat.word.distrust or f"nobody has answered at {group.nds} yet; chat works"
        return [words.Finding(f"NDS of #{chat.name}", False, text)]
    if not group.nds_up or not (group.provisional or (group.leads and group.refused)):
        return []
    text = f"{group.shown_nick(group.provisional)} leads for now, and the NDS does not confirm it"
    match group.refused:
        case Reason.UNKNOWN_NETWORK:
            text = "it does not know the chat and has another key than the NDS that knew it; put"
            text += " that one's nds.pem back beside its store, or host a new chat there"
        case Reason.WRONG_CLAIM_KEY:
            text = "it has a claim key of the chat that is not known here; who knows it, or owns"
            text += " the chat, has to come back"
    return [words.Finding(place, False, f"{text}. Till then chat works, and nobody new gets in")]


async def _port(node: Node) -> words.Finding:
    answers = await _dialled(node.listen)
    text = f"listens on {node.listen}"
    return words.Finding("port", answers, text if answers else f"{text}, but nothing answers there")


async def _dialled(address: str) -> bool:
    host, port = split_address(address)
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _address(node: Node) -> words.Finding:
    advertised = node.advertise
    if node.config.advertise:
        why = "set with --advertise"
    elif advertised == node.listening.address:
        why = "the address listened on"
    else:
        why = "the address on the route towards the NDS"
    if is_loopback(advertised):
        why += (
            "; only this machine can call it, until a chat is at an NDS elsewhere, or the node is"
        )
        why += " started with --listen HOST"
    return words.Finding("address", True, f"others call {advertised}: {why}")


async def _dial_back(node: Node, chat: Chat) -> list[words.Finding]:
    """Asks another member that answers to call us."""
    group = chat.group
    mine = group.member(group.me)
    for member in group.roster.members:
        if not member.belongs or member.id == group.me or member.life is not Life.ALIVE:
            continue
        nick = group.shown_nick(member.id)
        reached = await asking.call_back(node, chat, member)
        if reached is None:
            continue
        if reached:
            return [words.Finding("dial-back", True, f"{nick} of #{chat.name} reaches you")]
        at = mine.address if mine else node.advertise
        return [words.Finding("dial-back", False, str(NobodyReachesYou(address=at)))]
    return []


def _clock(ages: list[int]) -> words.Finding:
    """How old the records of chats that we lead are, by our clock: seconds, or a clock is wrong."""
    if not ages:
        return words.Finding("clock", True, "no NDS to compare it with through a chat that we lead")
    off = max(ages, key=abs)
    if abs(off) > CLOCK_MS:
        text = f"ours and the NDS's differ by {abs(off) / 1000:.0f} s; set the one that is wrong"
        return words.Finding("clock", False, text)
    return words.Finding("clock", True, f"agrees with the NDS's within {CLOCK_MS // 1000} s")


async def _nds(node: Node, address: str) -> tuple[words.Finding, list[int]]:
    """The finding, and the ages in ms of the records that we have renewed there."""
    began = wall_ms()
    service = node.discovery(address)
    outcome = await service.networks(page_size=1_000, deadline_ms=ASK_MS)
    took = wall_ms() - began
    if service.distrust:
        return words.Finding(f"NDS {address}", False, service.distrust), []
    if not isinstance(outcome, NetworkPage):
        text = "does not answer; chat works, creating waits. Is nds-server running there?"
        return words.Finding(f"NDS {address}", False, text), []
    if outcome.fault:
        text = f"the NDS at {address} cannot store ({faults.nds_fault(outcome.fault)}); chat works,"
        text += " creating waits. Mend that there"
        return words.Finding(f"NDS {address}", False, text), []
    known = len(outcome.networks)
    text = f"answers in {took} ms, knows {known} chat{'s' if known != 1 else ''}"
    mine = {chat.group.chat for chat in node.chats if chat.group.leads}
    ages = [wall_ms() - one.seen for one in outcome.networks if one.record.chat in mine]
    return words.Finding(f"NDS {address}", True, text), ages
