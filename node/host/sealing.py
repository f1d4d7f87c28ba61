"""Who seals for whom: by the seal keys of the members of this node's chats, as they are now.

Tried in tests/node/test_seals.py.
"""

from collections.abc import Callable, Sequence

from ..codec.sealing import about
from ..core.types import ChatId, MemberId
from ..trust import seals
from .chats import Chat


class ChatSeals:
    """Seals for members of `chats()`, and opens what they have sealed; see `codec.Seals`."""

    def __init__(self, chats: Callable[[], Sequence[Chat]]) -> None:
        self._chats = chats

    def close(self, content: bytes) -> tuple[bytes, bytes]:
        return seals.close(content)

    def wrap(self, key: bytes, kind: str, chat: ChatId, member: MemberId) -> bytes:
        pair = self._pair(chat, member)
        return pair.wrap(key, about(kind, chat)) if pair is not None else b""

    def open(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, member: MemberId
    ) -> bytes | None:
        pair = self._pair(chat, member)
        return pair.open(content, wrap, about(kind, chat)) if pair is not None else None

    def open_by(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, seal_key: bytes
    ) -> bytes | None:
        own, what = {one.seal_key for one in self._chats()}, about(kind, chat)
        pairs = (seals.pair(each, seal_key) for each in own)
        opened = (one.open(content, wrap, what) for one in pairs if one)
        return next((found for found in opened if found), None)

    def key_of(self, chat: ChatId, member: MemberId) -> bytes:
        one = self._chat(chat)
        record = one.group.member(member) if one is not None else None
        return record.card.seal_key if record is not None else b""

    def _pair(self, chat: ChatId, member: MemberId) -> seals.Pair | None:
        """Of us and that member; None where it is none, or has said no key."""
        one, theirs = self._chat(chat), self.key_of(chat, member)
        return seals.pair(one.seal_key, theirs) if one is not None and theirs else None

    def _chat(self, number: ChatId) -> Chat | None:
        """None for one that has stopped; whoever was removed goes on asking whether that counts."""
        every = (one for one in self._chats() if one.removed or not one.broken)
        return next((one for one in every if one.group.chat == number), None)
