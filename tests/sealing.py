"""Seals as a node has them, for tests that speak as one."""

from collections.abc import Callable

from node.codec.sealing import about
from node.core.messages import Card
from node.core.types import ChatId, MemberId
from node.trust import keys, seals


class Sealer:
    """Seals with these keys, for members whose cards `card_of` knows."""

    def __init__(self, own: keys.Keys, card_of: Callable[[MemberId], Card]) -> None:
        self._own, self._card_of = own, card_of

    def close(self, content: bytes) -> tuple[bytes, bytes]:
        return seals.close(content)

    def wrap(self, key: bytes, kind: str, chat: ChatId, member: MemberId) -> bytes:
        return self._pair(member).wrap(key, about(kind, chat))

    def open(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, member: MemberId
    ) -> bytes | None:
        return self._pair(member).open(content, wrap, about(kind, chat))

    def open_by(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, seal_key: bytes
    ) -> bytes | None:
        pair = seals.pair(self._own.seal, seal_key)
        return pair.open(content, wrap, about(kind, chat)) if pair is not None else None

    def key_of(self, chat: ChatId, member: MemberId) -> bytes:
        return self._card_of(member).seal_key

    def _pair(self, member: MemberId) -> seals.Pair:
        return seals.Pair(self._own.seal, self._card_of(member).seal_key)
