"""Leaving a chat for good: what takes longer than anybody waits goes on without them.

    leave --- the group hands over, offers its lines, tells the others ---> "left"
      |         |
      |         +--- nobody was told ---> "leaving", said again at the next start
      +--- longer than LEAVE_S ---> "leaving", and the group goes on

The words are the states of the chat in the profile.
"""

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .. import words
from ..core.effects import Departed
from ..core.events import Leaving
from . import views
from .chats import Chat

if TYPE_CHECKING:
    from .nodes import Node

LEAVE_S = 8.0  # that somebody waits; with the LAN's timing no leave takes longer


async def leave(node: "Node", chat: Chat, wait_s: float = LEAVE_S) -> words.Departure:
    """Ends a membership.  The log stays, and is gone on with by whoever joins again.

    Raises:
        Complaint: it cannot be stored, and so has not happened.
    """
    shown, others = views.chat(chat), max(0, len(chat.group.belonging) - 1)
    departed = await chat.leave(wait_s)
    if departed is None:
        await node.close_chat(chat, shown, "leaving", going_on=not node.ended.is_set())
        return words.Departure(0, others, deleted=False)
    told = bool(departed.told or departed.deleted or not departed.untold)
    await node.close_chat(chat, shown, "left" if told else "leaving")
    return words.Departure(departed.told, departed.untold, departed.deleted)


def say_good_bye(node: "Node", chat: Chat) -> None:
    """Leaves in the background; what an earlier process had begun to say is said again."""
    node.departing.append(chat)
    saying = node.tasks.spawn(_finish(node, chat), f"leaving #{chat.name}")
    node.goodbyes[chat.entry.archive] = saying


async def _finish(node: "Node", chat: Chat) -> None:
    try:
        notice = await chat.until(Leaving(), ends=(Departed,), wait_s=3_600.0)
        told = isinstance(notice, Departed) and bool(notice.told or notice.deleted)
        if told and not chat.is_transient:
            node.keep_entry_soon(replace(chat.entry, state="left"))
    finally:
        node.departing.remove(chat)
        del node.goodbyes[chat.entry.archive]
        await chat.let_go()


async def stop(node: "Node", archive: str) -> None:
    """Gives an old good-bye up: the chat on this log is joined anew, which says it too."""
    if (saying := node.goodbyes.get(archive)) is not None:
        saying.cancel()
        await asyncio.wait([saying])
