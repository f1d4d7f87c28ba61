"""What became of lines: which were redacted, which have another text, and what is erased by that.

A change is a message in the causal order like any other (`EDIT`, `REDACT`), about one line.  All
that follows from changes follows from the set of those that count, in whatever order they came:

- A redacted line is erased, with all texts that were ever put in its place.
- Else the latest text put in its place stands, in display order, and all others are erased.

So what was erased never comes back: each further change only erases more.  A change about a change
is none, and its text is erased.

Only where its author has said something else under the key of a change, and that stands, the change
never was: all is counted without it, and what it alone had erased is doubted, until somebody who
has those texts brings them.
"""

from collections.abc import Iterable, Set

from msgspec import Struct

from .conversation import ChatMessage, Erased, Kind, Spot
from .types import Key, MemberId, Place


class Changed(Struct):
    """What became of one line."""

    edit: ChatMessage | None = None  # whose text stands now
    redacted: tuple[Place, MemberId] | None = None  # by the first one that did, and its place

    @property
    def redacted_by(self) -> MemberId:
        """0 for nobody."""
        return self.redacted[1] if self.redacted is not None else 0


class Changes:
    """Of all that was delivered, and still is in the log."""

    def __init__(self) -> None:
        self._lines: dict[Spot, Changed] = {}
        self._gone: dict[Key, set[int]] = {}  # the numbers of lines that are erased
        self._changes: dict[Key, Key | None] = {}  # which message changes which; None: it may not
        self._about: dict[Key, dict[Key, ChatMessage]] = {}  # the changes of each, without texts
        self.doubted: dict[Key, set[int]] = {}  # came erased, and no known change says why

    @property
    def erase_any(self) -> bool:
        """Is anything erased that may come yet?"""
        return bool(self._gone)

    def of(self, spot: Spot) -> Changed | None:
        """What became of that line; None: nothing."""
        return self._lines.get(spot)

    def gone(self, key: Key) -> Set[int]:
        """The numbers of its lines that are erased, by all that is known."""
        return self._gone.get(key, frozenset())

    def erased(self, key: Key) -> tuple[Erased, ...]:
        """What is erased of a message, and what stands in its place."""
        spots = [Spot(key, at) for at in sorted(self._gone.get(key, ()))]
        return tuple(Erased(spot, self._edit(spot)) for spot in spots)

    def _edit(self, spot: Spot) -> Key | None:
        line = self._lines.get(spot)
        return line.edit.key if line is not None and line.edit is not None else None

    def is_change(self, key: Key) -> bool:
        """Is it known to be a message that changes another?"""
        return key in self._changes

    def count(self, change: ChatMessage) -> list[Erased]:
        """Take in a change to which its author has the right; gives what it erases."""
        spot = change.about
        assert spot is not None, change
        orphan = self._is_no_line(change.key)
        self._changes[change.key] = spot.key
        self._about.setdefault(spot.key, {})[change.key] = change.without((0,))
        if spot.key in self._changes:
            return self._erase([*orphan, *_own_text(change)])
        line = self._lines.setdefault(spot, Changed())
        before, old = line.edit, []
        if change.kind is Kind.REDACT:
            who = change.place, change.key.source
            line.redacted = min(line.redacted or who, who)
            old = [line.edit]
            line.edit = None
        elif line.redacted is not None or (before is not None and before.place > change.place):
            return self._erase([*orphan, *_own_text(change)])
        else:
            old, line.edit = [line.edit], change
        now = line.edit.key if line.edit is not None else None
        erased = [Erased(Spot(one.key, 0)) for one in old if one is not None]
        if line.edit is not before:
            self._gone.get(spot.key, set()).discard(spot.at)  # It is news what stands there.
        return self._erase([*orphan, Erased(spot, now), *erased])

    def refuse(self, change: ChatMessage) -> list[Erased]:
        """The same for one to which its author has no right: nobody needs its text."""
        orphan = self._is_no_line(change.key)
        self._changes[change.key] = None
        return self._erase([*orphan, *_own_text(change)])

    def recant(self, key: Key) -> tuple[Spot | None, list[Erased], list[Spot]]:
        """Another content stands under the key of this change: it never was one.

        Gives the line that it had changed, what is erased now or has another text in its place, and
        what is erased for no reason any more.
        """
        target = self._changes.pop(key)
        self._gone.pop(key, None)
        spot, erased, back = None, list[Erased](), list[Spot]()
        if target is not None and target in self._about:
            spot = self._about[target].pop(key).about
            erased, back = self._anew(target)
        more, others = self._anew(key)  # What changes it counts now.
        return spot, erased + more, back + others

    def _anew(self, target: Key) -> tuple[list[Erased], list[Spot]]:
        """Count all changes of that message as if they had come just now."""
        these, is_said = self._about.pop(target, {}), target not in self._changes
        spots = [Spot(target, at) for at in self.gone(target)] if is_said else []
        before = {Spot(key, at) for key in these for at in self.gone(key)}.union(spots)
        for key, _ in before:
            self._gone.pop(key, None)
        lines = [line for spot in spots if (line := self._lines.pop(spot, None))]
        stood = {line.edit.key: line.edit for line in lines if line.edit is not None}
        for key, change in these.items():
            self.count(stood.get(key, change))
        keys = (target, *these) if is_said else tuple(these)
        now = [one for key in keys for one in self.erased(key)]
        erased = [one for one in now if one.spot not in before or one.spot.key == target]
        return erased, sorted(before.difference(one.spot for one in now))

    def stands(self, message: ChatMessage) -> bool:
        """Is it the edit whose text stands?  From now on with the text that it has here."""
        line = self._lines.get(message.about) if message.about is not None else None
        if line is None or line.edit is None or line.edit.key != message.key:
            return False
        line.edit = message
        return True

    def erase(self, message: ChatMessage) -> ChatMessage:
        """A message that has come, without what is erased of it by what is known."""
        if not self._gone or not message.is_said or message.key in self._changes:
            return message
        gone = self._gone.get(message.key)
        return message.without(gone) if gone else message

    def doubt(self, message: ChatMessage) -> None:
        """Note what of a message came erased without a reason that is known."""
        lines = {at for at, digest in enumerate(message.erased) if digest}
        lines -= self.gone(message.key)
        if lines:
            self.doubted[message.key] = lines
        else:
            self.doubted.pop(message.key, None)

    def trimmed(self, last: Iterable[Key]) -> None:
        """The messages of the sources of these keys up to them are in the log no longer."""
        if not (self._changes or self._gone or self.doubted):
            return
        floors = {key.source: key for key in last}

        def is_below(key: Key) -> bool:
            return key.source in floors and key <= floors[key.source]

        self._lines = {spot: line for spot, line in self._lines.items() if not is_below(spot.key)}
        self._gone = {key: lines for key, lines in self._gone.items() if not is_below(key)}
        self._changes = {key: of for key, of in self._changes.items() if not is_below(key)}
        self._about = {key: these for key, these in self._about.items() if not is_below(key)}
        self.doubted = {key: lines for key, lines in self.doubted.items() if not is_below(key)}

    def _is_no_line(self, key: Key) -> list[Erased]:
        """What came about it, before it was known to be a change, counts for nothing."""
        spots = [spot for at in sorted(self.gone(key)) if (spot := Spot(key, at)) in self._lines]
        lines = [self._lines.pop(spot) for spot in spots]
        if lines:
            del self._gone[key]
        return [erased for line in lines if line.edit for erased in _own_text(line.edit)]

    def _erase(self, these: Iterable[Erased]) -> list[Erased]:
        """Note them; gives those that are news."""
        news = []
        for one in these:
            key, at = one.spot
            lines = self._gone.setdefault(key, set())
            if at not in lines:
                news.append(one)
            lines.add(at)
            if doubted := self.doubted.get(key):
                doubted.discard(at)
                if not doubted:
                    del self.doubted[key]
        return news


def _own_text(change: ChatMessage) -> list[Erased]:
    """Of one that does nothing: nobody needs it."""
    return [Erased(Spot(change.key, 0))] if change.kind is Kind.EDIT else []
