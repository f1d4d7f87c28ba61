"""Chats whose log could not be written: tried again until the disk works.

A group that has gone further than its log has stopped; it begins anew from the log, as after the
death of the process: a new life, which catches up.  What was acknowledged is in the log.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from ..archive import SqliteArchive
from ..core.effects import StoreMeta
from ..errors import Complaint, DiskFailed, DiskFull, DiskReadOnly, MisplacedLog, Unwritable
from ..happenings import ChatEvent, ErrorEvent
from ..profile import Entry
from . import views
from .chats import Chat

if TYPE_CHECKING:
    from .nodes import Node

TRY_S = 2.0  # between two tries

_log = logging.getLogger(__name__)


class Unopened(Struct, frozen=True):
    """A chat of the profile whose log cannot be read."""

    entry: Entry
    error: Complaint


def refuse_another(node: "Node", entry: Entry, chat: int) -> None:
    """Raises MisplacedLog where a log of `chat` stands in place of that of `entry`: it has another
    number, or, where the profile knows none, is that of a chat that is open already.
    """
    others = (one for one in (*node.chats, *node.departing) if one.entry.archive != entry.archive)
    is_open = not entry.chat_id and chat in {one.group.chat for one in others} - {0}
    if is_open or not entry.is_of(chat):
        raise MisplacedLog(file=node.archive_path(entry), chat=entry.name)


async def revive(node: "Node", chat: Chat) -> None:
    """Begins a stalled chat anew, once its log can be written."""
    failed = chat.stalled
    assert failed is not None, f"#{chat.name} is not stalled"
    check = not isinstance(failed, DiskFull | DiskReadOnly)
    while chat in node.chats:
        await asyncio.sleep(TRY_S)
        try:
            chat.archive.reopen(check=check)
            again = chat.anew()
        except Unwritable as error:
            chat.stalled = error
            continue
        except Complaint as error:
            chat.stalled = error
            _log.error("#%s stays closed: %s", chat.name, error)
            node.hub.tell(chat.happening(ChatEvent(views.chat(chat), "stalled")))
            return node.hub.tell(chat.happening(ErrorEvent(error.reason, f"#{chat.name}: {error}")))
        return await _go_on(node, chat, again)


async def _go_on(node: "Node", chat: Chat, again: Chat) -> None:
    """`again` takes the place of a chat that has stopped."""
    await chat.runner.stop()
    if chat not in node.chats:  # It was closed meanwhile.
        return
    node.chats[node.chats.index(chat)] = again
    again.runner.start()
    _log.info("#%s goes on", again.name)
    node.hub.tell(again.happening(ChatEvent(views.chat(again), "resumed")))


async def resume(node: "Node", chat: Chat) -> Chat:
    """A chat that had stopped by itself, begun anew from its log.  Raises Complaint."""
    again = chat.anew()
    await _go_on(node, chat, again)
    return again


async def reinstate(node: "Node", chat: Chat) -> None:
    """Begins a chat again whose user was removed, and is a member still."""
    try:
        again = await resume(node, chat)
    except Complaint as error:  # It asks again, and is told so again.
        _log.error("#%s is not begun again: %s", chat.name, error)
        return
    if again not in node.chats:
        return
    text = f"you are a member of #{again.name} still: what removed you does not count"
    node.hub.tell(again.happening(ErrorEvent("REINSTATED", text)))


def put_back(node: "Node", chat: Chat) -> None:
    """A chat from which one was removed, to be read as before: one was not let in again."""
    if chat.is_transient:
        return
    try:
        again = node.open(chat.entry, _remembering(node, chat.entry))
    except Complaint as error:
        _log.error("#%s is not opened again: %s", chat.name, error)
        return
    node.keep_entry_soon(chat.entry)
    node.take_in(again)
    node.begin(again)
    node.hub.tell(again.happening(ChatEvent(views.chat(again), "opened")))


def _remembering(node: "Node", entry: Entry) -> SqliteArchive:
    """The chat's log, which goes by the last membership again.  Raises Complaint."""
    log = node.archive_class(node.archive_path(entry), node.keys.log_key, power=node.power)
    try:
        meta = log.load().meta
        if meta is not None and not meta.member:
            *left_ids, last = meta.left_ids or (0,)
            log.append([StoreMeta(replace(meta, member=last, left_ids=tuple(left_ids)))])
    except BaseException:
        log.close()
        raise
    return log


async def open_later(node: "Node", one: Unopened) -> None:
    """Opens a chat once its disk works."""
    while isinstance(one.error, DiskFailed):
        await asyncio.sleep(TRY_S)
        try:
            chat = node.open(one.entry)
        except Complaint as error:
            node.unopened.remove(one)
            one = Unopened(one.entry, error)
            node.unopened.append(one)
            continue
        node.unopened.remove(one)
        node.take_in(chat)
        node.begin(chat)
        return node.hub.tell(chat.happening(ChatEvent(views.chat(chat), "opened")))
