"""What is said in a chat: messages, and the lines that they are made of.

A message is one value all the way, from its author's turn to every log.  Its digest covers all that
it says, each text by way of a digest of its own; `messages` hands all of this on.

So a text can be erased: its digest stands in its place, and with it the digest of the message, and
its author's signature, hold as before.  What changes a line is a message, too (`changes`).
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from .types import ChatId, Epoch, Hlc, Key, LinePlace, Place, WallMillis

LINES_MAX = 64  # of a message
SALT_BYTES = 16
DIGEST_BYTES = 32
HASH_BYTES = 16
_MESSAGE, _LINE = b"p2pchat message", b"p2pchat line"  # whose digests they are
_SIGNED = b"p2pchat message 1\0"  # no signature for anything else begins like this


class Kind(IntEnum):
    """What kind of line a chat message is."""

    TEXT = 1
    ACTION = 2
    EDIT = 3  # another text for a line, in its place
    REDACT = 4  # a line is to be erased


class Spot(NamedTuple):
    """One line of all: its message, and its number in that."""

    key: Key
    at: int  # from 0


class Erased(NamedTuple):
    """A text that is to be gone; `edit` names the message whose text stands in its place."""

    spot: Spot
    edit: Key | None = None


class ChatMessage(Struct, frozen=True, gc=False):
    """What one member said at once: lines of one kind, one after the other."""

    key: Key
    ids: tuple[str, ...]  # of each line: a UUID, unique per source
    texts: tuple[str, ...]
    deps: tuple[Key, ...]  # direct causal predecessors; the previous one in the stream is implied
    hlc: Hlc
    sent: WallMillis
    epoch: Epoch
    kind: Kind = Kind.TEXT
    salts: bytes = b""  # 16 bytes for each line: its digest does not tell a text that is guessed
    signature: bytes = b""  # of `statement`, by the identity of its author
    heads: tuple[bytes, ...] = ()  # the last decisions that it knew of, in ascending order
    about: Spot | None = None  # the line that is changed: of EDIT and REDACT alone
    erased: tuple[bytes, ...] = ()  # for each line the digest of a text that is gone, or empty
    digest: bytes = b""  # over all of that but the signature, in whatever way it was made

    def __post_init__(self) -> None:
        force_setattr(self, "digest", _digest(self))

    def sign(self, signature: bytes) -> None:
        """For its author, before anybody has it."""
        force_setattr(self, "signature", signature)

    @property
    def id(self) -> str:
        """The first line's: it names the message in calls."""
        return self.ids[0]

    @property
    def hash(self) -> bytes:
        """The first half of the digest."""
        return self.digest[:HASH_BYTES]

    @property
    def chars(self) -> int:
        """Of all its lines."""
        return sum(map(len, self.texts))

    @property
    def size(self) -> int:
        """Bytes of UTF-8 of all its lines."""
        return sum([len(text) if text.isascii() else len(text.encode()) for text in self.texts])

    @property
    def place(self) -> Place:
        """The display key: a strict total order that extends causality among who is honest."""
        return self.hlc, self.key.source, self.key.stream, self.key.seq

    @property
    def is_said(self) -> bool:
        """Are these lines for people, and nothing that changes others?"""
        return self.about is None

    def without(self, lines: Iterable[int]) -> "ChatMessage":
        """The same with these texts and their salts erased."""
        here = range(len(self.texts))
        gone = [at for at in lines if at in here and not (self.erased and self.erased[at])]
        if not gone:
            return self
        texts, erased = list(self.texts), list(self.erased or [b""] * len(self.texts))
        salts = bytearray(self.salts)
        for at in gone:
            part = slice(at * SALT_BYTES, (at + 1) * SALT_BYTES)
            erased[at] = _digest_of(texts[at], self.salts[part])
            texts[at] = ""
            if salts:
                salts[part] = bytes(SALT_BYTES)
        changed = {"texts": tuple(texts), "salts": bytes(salts), "erased": tuple(erased)}
        return replace(self, **changed)

    def veiled(self, since: WallMillis) -> "ChatMessage":
        """As it is given to who came at that instant: without its texts, if it is from before."""
        return self if self.hlc.ms >= since else self.without(range(len(self.texts)))

    @property
    def predecessors(self) -> tuple[Key, ...]:
        """All direct causal predecessors, the implied one last."""
        before = self.key.before
        return self.deps if before is None else (*self.deps, before)


class Line(NamedTuple):
    """One line of a message: what people see."""

    message: ChatMessage
    at: int  # from 0
    edit: ChatMessage | None = None  # what its author put in its place

    @property
    def id(self) -> str:
        return self.message.ids[self.at]

    @property
    def text(self) -> str:
        """Empty where it was erased."""
        return self.message.texts[self.at] if self.edit is None else self.edit.texts[0]

    @property
    def spot(self) -> Spot:
        return Spot(self.message.key, self.at)

    @property
    def place(self) -> LinePlace:
        """Where it is displayed."""
        return *self.message.place, self.at

    def edited(self, edit: ChatMessage | None) -> "Line":
        """With that text in its place, if it is one for this line."""
        is_for_it = edit is not None and edit.about == self.spot
        return self._replace(edit=edit) if is_for_it else self


def lines_of(message: ChatMessage) -> list[Line]:
    """All of a message's."""
    return [Line(message, at) for at in range(len(message.ids))]


def statement(chat: ChatId, message: ChatMessage) -> bytes:
    """What an author signs: this was said, in this chat."""
    return _SIGNED + chat.to_bytes(8) + message.digest


@lru_cache(maxsize=1_024)
def _words(pair: tuple[int, int]) -> str:
    """Two numbers that many messages have in common."""
    return f"{pair[0]}.{pair[1]}"


def _digest(message: ChatMessage) -> bytes:
    """Over name, ids, predecessors, instants, epoch, kind, and the last decisions that its author
    knew of, and the digests of the texts.
    """
    source, stream, seq = message.key
    ms, counter = message.hlc
    deps = ""
    for of, (incarnation, random), n in message.deps:
        deps += f"{of}.{incarnation}.{random}.{n};"
    said = (
        f"{source}|{_words(stream)}|{seq}|{ms}.{counter}|{deps}|{message.sent}"
        f"|{_words(message.epoch)}|{int(message.kind)}|{','.join(message.ids)}|"
    )
    if message.heads:  # Where nothing was ever decided, as it was before there were decisions.
        said += f"{b''.join(message.heads).hex()}|"
    if message.about is not None:
        said += _spot(message.about)
    whole = blake2b(said.encode(), digest_size=DIGEST_BYTES, person=_MESSAGE)
    if message.erased:
        whole.update(b"".join(_each_digest(message)))
        return whole.digest()
    salts, at = message.salts, 0
    for text in message.texts:
        salt = salts[at : at + SALT_BYTES]
        part = blake2b(text.encode(), digest_size=DIGEST_BYTES, salt=salt, person=_LINE)
        whole.update(part.digest())
        at += SALT_BYTES
    return whole.digest()


def _spot(about: Spot) -> str:
    """Which line a message changes."""
    (source, (incarnation, random), seq), at = about
    return f"{source}.{incarnation}.{random}.{seq}.{at}|"


def _each_digest(message: ChatMessage) -> Iterable[bytes]:
    for at, (text, known) in enumerate(zip(message.texts, message.erased, strict=True)):
        yield known or _digest_of(text, message.salts[at * SALT_BYTES : (at + 1) * SALT_BYTES])


def _digest_of(text: str, salt: bytes) -> bytes:
    return blake2b(text.encode(), digest_size=DIGEST_BYTES, salt=salt, person=_LINE).digest()
