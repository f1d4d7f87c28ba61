"""Receipts: that a member has stored lines is its own word, whoever passes that on.

It names each of them: who passes on the last of three alone gets a word for one.  In a large group,
in which most is passed on, signing that for each line would cost more than all the rest: there the
word of who was to pass it on has to do.
"""

from collections.abc import Iterable

from .conversation import ChatMessage
from .messages import Told
from .state import State
from .types import ChatId, Key, MemberId

PURPOSE = b"p2pchat stored 2\0"  # no signature for anything else begins like this


def statement(chat: ChatId, member: MemberId, keys: Iterable[Key]) -> bytes:
    """What who has stored messages signs for their author, where somebody else has brought them."""
    said = "".join(f"|{key.source}.{'.'.join(map(str, key.stream))}.{key.seq}" for key in keys)
    return PURPOSE + f"{chat}|{member}{said}".encode()


def word(s: State, messages: tuple[ChatMessage, ...]) -> bytes:
    """Our own; empty where nothing is proved, in a large group, and unless all of them are here,
    with their texts, or were trimmed here.
    """
    sign = s.setup.sign if s.grid is None else None
    keys = [message.key for message in messages]
    if sign is None or not all(s.history.had(key) for key in keys):
        return b""
    if not s.changes.doubted.keys().isdisjoint(keys):
        return b""  # Their texts were taken out on the way.
    return sign(statement(s.chat, s.me, keys))


def is_own_word(s: State, told: Told, messages: tuple[ChatMessage, ...]) -> bool:
    """Has the member that is said to have stored these messages, up to one, signed that?"""
    verify, member = s.setup.verify, s.members.get(told.node)
    if verify is None or s.grid is not None:
        return True
    keys = [message.key for message in upto(messages, told.id)]
    if not keys or member is None:
        return False
    return verify(member.identity, told.word, statement(s.chat, told.node, keys))


def upto(messages: tuple[ChatMessage, ...], id: str) -> tuple[ChatMessage, ...]:
    """Those up to the one with this id; none, if it is not among them."""
    if messages[-1].id == id:
        return messages
    return messages[: next((n for n, message in enumerate(messages, 1) if message.id == id), 0)]
