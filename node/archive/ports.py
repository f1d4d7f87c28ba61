"""What a group's log promises, whatever keeps it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from node.core.conversation import ChatMessage, Line
from node.core.effects import Remembered, Store
from node.core.types import Key, LinePlace, MemberId, Post, WallMillis


class Unread(Struct, frozen=True):
    """Lines of others that came since `mark_read`; `mentions` are among them."""

    count: int
    mentions: int


class Archive(Protocol):
    """The log of one group.  One owner, one thread; every method may raise `DiskFailed`.

    Nothing was changed then.  One that failed in `append` is to be opened anew before the next.

    Of two lines of one author with one id, `page`, `find` and `unread` know only the one at the
    lower place; `load` and `read` know both.  They show a line that was edited with the text that
    stands in its place, one that was redacted without a text, and no message that changes lines.
    """

    def load(self) -> Remembered:
        """All that was stored, to begin anew from.

        Of the posts those not settled, and the last of those that somebody lacks all the same.
        """
        ...

    def append(self, stores: Sequence[Store]) -> None:
        """Keep all of `stores` or none.  On return they survive the death of the process."""
        ...

    def read(self, keys: Sequence[Key]) -> list[ChatMessage]:
        """The messages of `keys`, in their order; unknown ones are left out."""
        ...

    def page(
        self,
        *,
        count: int,
        before: LinePlace | None = None,
        after: LinePlace | None = None,
        since_ms: WallMillis = 0,
        contains: str = "",
        from_ms: WallMillis = 0,
    ) -> list[Line]:
        """The last `count` lines before a place, or the first after one; the oldest first.

        `since_ms` bounds when they were said, `from_ms` where they stand by the group's clock;
        `contains` is found whatever its case.
        """
        ...

    def find(self, prefix: str) -> list[Line]:
        """Lines whose id begins with these hex digits, at most 100, in display order.

        Dashes and case do not matter; what is not hex finds nothing.
        """
        ...

    def brief(self, id: str) -> str:
        """The first digits of a line's id, at least 4, with which no other id here begins."""
        ...

    def posts(self, keys: Iterable[Key]) -> dict[Key, Post]:
        """What is known of own messages, settled ones included."""
        ...

    def stored_at(self, key: Key) -> WallMillis:
        """When the message was first stored; 0 for one that is not here."""
        ...

    def note(self, name: str, text: str) -> None:
        """Keep a text of the host's under a name, in the place of the one before."""
        ...

    def noted(self, name: str) -> str:
        """That text; empty for none."""
        ...

    def mark_read(self) -> None:
        """All that is stored by now has been read."""
        ...

    def unread(self, me: MemberId, mentions: Callable[[str], bool]) -> Unread:
        """What others wrote and nobody read; `mentions` tells whether a text names the reader.

        What was counted before is not counted again: equal `mentions` must tell the same.
        """
        ...

    def reopen(self, *, check: bool) -> None:
        """Begin anew from what is stored, once it can be written; `load` comes next.

        `check`: look whether the file is sound first.  Raises Complaint where it cannot be written
        yet, or is damaged; what could be read before can be read all the same.
        """
        ...

    def close(self) -> None:
        """Let go of everything.  Harmless when repeated."""
        ...


def hex_digits(prefix: str) -> str:
    """The digits of a part of a line's id, without dashes; empty for what is no such part."""
    digits = prefix.replace("-", "").lower()
    good = 0 < len(digits) <= 32 and all(digit in "0123456789abcdef" for digit in digits)
    return digits if good else ""


class Wanted(Struct, frozen=True):
    """Which lines a page is to hold, beside how many: see `Archive.page`."""

    before: LinePlace | None = None
    after: LinePlace | None = None
    since_ms: WallMillis = 0
    contains: str = ""  # in small letters
    from_ms: WallMillis = 0

    def has(self, line: Line) -> bool:
        return (
            (self.before is None or line.place < self.before)
            and (self.after is None or line.place > self.after)
            and line.message.sent >= self.since_ms
            and line.message.hlc.ms >= self.from_ms
            and (not self.contains or self.contains in line.text.casefold())
        )


FOUND_MAX = 100
LACKING_MAX = 500  # settled posts that `load` gives
