"""Who seals for whom: by the seal keys of the members of this node's chats, as they are now.

Tried in tests/node/test_seals.py.
"""

from collections.abc import Callable, Sequence

from ..core.types import ChatId, MemberId
from ..trust import seals
from .chats import Chat


class ChatSeals:
    """Seals for members of `chats()`, and opens what they have sealed; see `codec.Seals`."""

    def __init__(self, chats: Callable[[], Sequence[Chat]]) -> None:
        self._chats = chats

    def close(self, content: bytes) -> tuple[bytes, bytes]:
        return seals.close(content)

    def wrap(self, key: bytes, chat: ChatId, member: MemberId) -> bytes:
        pair = self._pair(chat, member)
        return pair.wrap(key) if pair is not None else b""

    def open(self, content: bytes, wrap: bytes, chat: ChatId, member: MemberId) -> bytes | None:
        pair = self._pair(chat, member)
        return pair.open(content, wrap) if pair is not None else None

    def open_by(self, content: bytes, wrap: bytes, seal_key: bytes) -> bytes | None:
        own = {one.seal_key for one in self._chats()}
        pairs = (seals.pair(each, seal_key) for each in own)
        return next((found for one in pairs if one and (found := one.open(content, wrap))), None)

    def _pair(self, chat: ChatId, member: MemberId) -> seals.Pair | None:
        """Of us and that member; None where it is none, or has said no key."""
        for one in self._chats():
            if one.group.chat == chat and not one.broken:
                record = one.group.member(member)
                theirs = record.card.seal_key if record is not None else b""
                return seals.pair(one.seal_key, theirs) if theirs else None
        return None
