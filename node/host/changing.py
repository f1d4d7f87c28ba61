"""Editing and redacting lines, as users ask for it by their ids."""

from .. import words
from ..archive import Archive
from ..core.changing import Fault
from ..core.conversation import Kind, Line
from ..errors import AmbiguousMessage, BadField, NoSuchMessage, NotAllowed, Redacted
from ..limits import text_fault
from . import telling
from .chats import Chat

RECENT = 500  # lines among which the last own one is looked for
FAULTS = {
    Fault.NOT_OURS: "you can edit your own lines alone",
    Fault.NO_RIGHT: "you can redact your own lines; those of others its owner and admins can",
}


async def edit(chat: Chat, id: str, text: str) -> words.Line:
    """Puts a text in the place of a line of one's own; with no id, of the last one.

    Raises:
        BadField: the text is none.
        NoSuchMessage, AmbiguousMessage: which line is not to be said.
        NotAllowed: it is somebody else's.
        Redacted: it is gone.
        Complaint: it cannot be stored.
    """
    if fault := text_fault(text):
        raise BadField(field="text", text=fault)
    return await _change(chat, Kind.EDIT, id, text)


async def redact(chat: Chat, id: str) -> words.Line:
    """Erases a line: one's own, or as owner or admin anybody's.  One that is gone stays so.

    Raises as `edit`.
    """
    return await _change(chat, Kind.REDACT, id, "")


async def _change(chat: Chat, kind: Kind, id: str, text: str) -> words.Line:
    said = find(chat, id)
    known = chat.group.changed(said.spot)
    is_done = kind is Kind.REDACT and known is not None and known.redacted is not None
    fault = chat.group.change_fault(kind, said.spot)
    if fault is Fault.NOT_HERE and not is_done:
        raise NoSuchMessage(id=said.id[:4], chat=chat.name)
    if fault is Fault.GONE:
        raise Redacted(chat=chat.name)
    if fault not in (None, Fault.NOT_HERE):
        raise NotAllowed(chat=chat.name, text=FAULTS[fault])
    if not is_done:
        chat.check_writable()
        try:
            await chat.change(kind, said.spot, text)
        except TimeoutError as error:
            raise NoSuchMessage(id=said.id[:4], chat=chat.name) from error
    (message,) = chat.archive.read([said.message.key]) or [said.message]
    return telling.line(chat.group, Line(message, said.at), backlog=True)


def find(chat: Chat, id: str) -> Line:
    """The one line whose id begins so; with no id, the last own one.

    Raises NoSuchMessage or AmbiguousMessage.
    """
    if id:
        since = chat.group.since
        found = [said for said in chat.archive.find(id) if said.message.hlc.ms >= since]
    else:
        own = own_lines(chat.archive, chat.group.me)
        found = [said for said in own if said.text][-1:]
    if not found:
        raise NoSuchMessage(id=id or "of your own", chat=chat.name)
    if len({(said.id, said.message.key.source) for said in found}) > 1:
        raise AmbiguousMessage(id=id)
    return found[0]


def own_lines(archive: Archive, me: int) -> list[Line]:
    """One's own lines among the last ones of all."""
    recent = archive.page(count=RECENT)
    return [said for said in recent if said.message.key.source == me]
