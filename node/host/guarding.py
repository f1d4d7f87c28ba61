"""What a node does about those who ask too much of it, and what it says of them."""

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..happenings import MemberEvent
from ..rpc import Gate
from .chats import Chat
from .keeping import said_of

if TYPE_CHECKING:
    from .nodes import Node

LOOK_S = 1.0

_log = logging.getLogger(__name__)


def gate_of(node: "Node") -> Gate:
    """What stands before its servers."""

    def knows(certificate: bytes) -> bool:
        return node.knows(certificate) or node.is_registry(certificate)

    return Gate(node.transport, knows, lambda: node.listening.ports)


async def look_around(gate: Gate) -> None:
    """Shuts, for ever, the connections that are too many."""
    while True:
        await asyncio.sleep(LOOK_S)
        gate.look()


def say_floods(node: "Node", certificate: bytes) -> None:
    """Tells once in each chat that what this member sends is read more slowly."""
    for chat, member, nick in _members(node, {certificate}):
        _log.warning("#%s: member %s floods: throttled", chat.name, member)
        node.hub.tell(chat.happening(MemberEvent(member, nick, "throttled")))


def _members(node: "Node", certificates: set[bytes]) -> Iterator[tuple[Chat, int, str]]:
    """Where these are members, as whom, and how they are called there."""
    for chat in node.chats:
        for member in chat.group.roster.members:
            if member.belongs and member.card.certificate in certificates - {b""}:
                yield chat, member.id, chat.group.nick(member.id)


def problems(node: "Node") -> Iterator[str]:
    """What is wrong with a node, for people."""
    for one in node.unopened:
        yield f"#{one.entry.name} is not open: {one.error}"
    for chat in node.chats:
        if chat.broken:
            yield f"#{chat.name} has stopped here: {chat.broken}"
        elif chat.stalled is not None:
            yield f"#{chat.name} is stalled here: {chat.stalled}"
        elif chat.turned_away and not chat.group.me:
            yield f"#{chat.name} does not let you in again: {chat.turned_away}"
        elif chat.unreadable:
            yield f"#{chat.name} cannot be read: {chat.unreadable}"
    if node.lone_logs:
        yield node.lone_logs
    for chat, _, nick in _members(node, node.links.flooding()):
        yield f"{nick} floods #{chat.name}: throttled, what it sends is read slowly"
    if node.unsaved is not None:
        yield said_of(node.unsaved)
