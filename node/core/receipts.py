"""Receipts: that a member has stored a line is its own word, whoever passes that on.

In a large group, in which most is passed on, signing that for each line would cost more than all
the rest: there the word of who was to pass it on has to do.
"""

from .conversation import ChatMessage
from .messages import Told
from .state import State
from .types import ChatId, Key, MemberId

PURPOSE = b"p2pchat stored 1\0"  # no signature for anything else begins like this


def statement(chat: ChatId, member: MemberId, key: Key) -> bytes:
    """What who has stored a message signs for its author, where somebody else has brought it."""
    said = (chat, member, key.source, key.stream.incarnation, key.stream.random, key.seq)
    return PURPOSE + "|".join(map(str, said)).encode()


def word(s: State, message: ChatMessage) -> bytes:
    """Our own; empty where nothing is proved, and in a large group."""
    sign = s.setup.sign if s.grid is None else None
    return sign(statement(s.chat, s.me, message.key)) if sign is not None else b""


def is_own_word(s: State, told: Told, messages: tuple[ChatMessage, ...]) -> bool:
    """Has the member that is said to have stored these messages, up to one, signed that?"""
    verify, member = s.setup.verify, s.members.get(told.node)
    if verify is None or s.grid is not None:
        return True
    key = next((message.key for message in messages if message.id == told.id), None)
    if key is None or member is None:
        return False
    return verify(member.identity, told.word, statement(s.chat, told.node, key))
