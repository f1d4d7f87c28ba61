"""Which chat of a node somebody means."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from msgspec.structs import replace

from ..core.messages import Record
from ..core.types import Address
from ..errors import AmbiguousChat, NoChat, NoSuchChat, NotAdmitted
from ..happenings import ChatEvent, ErrorEvent
from ..names import is_number, parse_target
from ..profile import Entry
from ..runner import Runner
from . import views
from .chats import Chat
from .hub import Hub
from .reviving import Unopened
from .telling import Ended


class Finding(ABC):
    """The part of a node that knows its chats by what people call them; the node brings them."""

    hub: Hub
    chats: list[Chat]  # in order of joining
    entering: list[Chat]  # those on their way in
    departing: list[Chat]  # those that finish a leave
    unopened: list[Unopened]

    @abstractmethod
    def keep_entry_soon(self, entry: Entry) -> None:
        """Puts a chat's entry into the profile, whatever the disk says."""

    def every(self) -> tuple[Chat, ...]:
        """Those on their way in and out, too."""
        return *self.chats, *self.entering, *self.departing

    def by_chat(self, chat: int) -> Runner | None:
        """The group with this number, unless it has stopped."""
        there = (one for one in self.every() if one.group.chat == chat and not one.broken)
        return next((one.runner for one in there), None)

    def is_in(self, chat: int) -> bool:
        """Is the node in the chat with this number, though its log could not be opened?"""
        there = {one.group.chat for one in self.chats if not one.removed}
        return chat in there or any(one.entry.chat_id == chat for one in self.unopened)

    def by_name(self, name: str) -> Runner | None:
        """The group of that name, unless it has stopped."""
        there = (one for one in self.chats if one.name == name and not one.broken)
        return next((one.runner for one in there), None)

    def joining(self) -> Runner | None:
        """Any group that is not a member yet."""
        return next((one.runner for one in self.entering), None)

    def chat(self, wanted: str) -> Chat:
        """The chat that is meant: by #name, name@HOST:PORT, 16 hex digits; empty for the only one.

        Raises:
            NoChat, NoSuchChat, AmbiguousChat: none, or several, are meant.
        """
        chat = self.opened(wanted)
        if chat.broken and not chat.removed:  # Which can still be read.
            raise Ended(chat=chat.name, text=chat.broken)
        if not chat.group.me:
            why = f"; so far: {chat.turned_away}" if chat.turned_away else ""
            raise NotAdmitted(
                chat=chat.name, text=f"its log was lost, it is being joined again{why}"
            )
        return chat

    def opened(self, wanted: str) -> Chat:
        """The same, though it may have stopped, or be no member yet."""
        for closed in self.unopened:
            if wanted.removeprefix("#") == closed.entry.name or not (wanted or self.chats):
                raise closed.error
        if not self.chats:
            raise NoChat()
        if not wanted:
            if len(self.chats) == 1:
                return self.chats[0]
            raise AmbiguousChat(choices=_or(f"-c {self.spelled(one)}" for one in self.chats))
        if is_number(wanted):
            for one in self.chats:
                if one.group.chat == int(wanted, 16):
                    return one
        try:
            target = parse_target(wanted)
        except ValueError as error:
            raise NoSuchChat(wanted, known=[one.name for one in self.chats]) from error
        found = [
            one
            for one in self.chats
            if one.name == target.name and target.hinted in ("", one.group.nds)
        ]
        if len(found) > 1:
            raise AmbiguousChat(choices=_or(f"-c {self.spelled(one)}" for one in found))
        if not found:
            raise NoSuchChat(target.name, " that you are in", [one.name for one in self.chats])
        return found[0]

    def spelled(self, chat: Chat) -> str:
        """A chat's name, with its NDS where that is needed to tell it from another; its number
        where both have the same one.
        """
        alike = [one.group.nds for one in self.chats if one.name == chat.name]
        if len(alike) == 1:
            return chat.name
        if chat.group.nds and alike.count(chat.group.nds) == 1:
            return f"{chat.name}@{chat.group.nds}"
        return f"{chat.group.chat:016x}"

    # ---- names that change -----------------------------------------------------------------------

    def listed(self, nds: Address, record: Record) -> None:
        """A discovery service lists a network: if that is one of the chats, it is called so."""
        for chat in self.chats:
            if chat.group.chat == record.chat and chat.group.nds == nds:
                self.rename(chat, record.name)

    def rename(self, chat: Chat, name: str) -> None:
        """A chat is called as its discovery service lists it: else what one says to that name here
        and what is joined by it elsewhere would be two chats.
        """
        before = chat.name
        if name == before:
            return
        chat.entry = replace(chat.entry, name=name)
        if not chat.is_transient:
            self.keep_entry_soon(chat.entry)
        why = "" if name == chat.group.name else ": another chat has its name"
        text = f"the NDS lists #{before} as {name} now, and so it is called here{why}"
        self.hub.tell(chat.happening(ChatEvent(views.chat(chat), "renamed")))
        self.hub.tell(chat.happening(ErrorEvent("LISTED_AS", text)))


def _or(choices: Iterable[str]) -> str:
    return " or ".join(choices)
