"""Which chat of a node somebody means."""

from collections.abc import Iterable

from ..errors import AmbiguousChat, NoChat, NoSuchChat, NotAdmitted
from ..names import is_number, parse_target
from .chats import Chat
from .reviving import Unopened
from .telling import Ended


class Finding:
    """The part of a node that knows its chats by what people call them; the node brings them."""

    chats: list[Chat]  # in order of joining
    unopened: list[Unopened]

    def chat(self, wanted: str) -> Chat:
        """The chat that is meant: by #name, name@HOST:PORT, 16 hex digits; empty for the only one.

        Raises:
            NoChat, NoSuchChat, AmbiguousChat: none, or several, are meant.
        """
        chat = self.opened(wanted)
        if chat.broken:
            raise Ended(chat=chat.name, text=chat.broken)
        if not chat.group.me:
            raise NotAdmitted(chat=chat.name, text="its log was lost, it is being joined again")
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
        """A chat's name, with its NDS where that is needed to tell it from another."""
        alike = sum(one.name == chat.name for one in self.chats) > 1
        return f"{chat.name}@{chat.group.nds}" if alike and chat.group.nds else chat.name


def _or(choices: Iterable[str]) -> str:
    return " or ".join(choices)
