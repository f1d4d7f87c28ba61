"""Which messages have which id: held in memory, since ids are random.

An index in the file would be written to at another place for every line: one page of it for each,
where all else that a turn stores shares a few.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise

from node.core.conversation import ChatMessage, Line, lines_of
from node.core.types import Key, Place

BRIEF_LEAST = 4  # digits of an id that people quote
DIGITS = 3  # of an id, by which they are kept apart: a few dozen together in a long log


class Names:
    """The keys of all messages of a log, by the ids of their lines."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Key]] = {}  # by the beginning of the id, then by the id
        self._others: dict[str, dict[Key, None]] = {}  # where an id has several keys: all but one

    @property
    def are_unique(self) -> bool:
        """Has every line an id of its own?"""
        return not self._others

    def add(self, messages: Iterable[ChatMessage]) -> None:
        """Note messages that are new here."""
        parts = self._parts
        for message in messages:
            key = message.key
            for id in message.ids:
                part = parts.get(id[:DIGITS])
                if part is None:
                    part = parts[id[:DIGITS]] = {}
                if part.setdefault(id, key) is not key:
                    self._others.setdefault(id, {})[key] = None

    def drop(self, message: ChatMessage) -> None:
        """That message is gone."""
        for id in message.ids:
            self._drop(id, message.key)

    def _drop(self, id: str, key: Key) -> None:
        part, others = self._parts[id[:DIGITS]], self._others.get(id)
        if others is None:
            del part[id]
            return
        if part[id] == key:
            part[id] = next(iter(others))
            del others[part[id]]
        else:
            del others[key]
        if not others:
            del self._others[id]

    def find(self, beginning: str) -> list[Key]:
        """Of all messages with a line whose id begins so."""
        near = self._near(beginning[:DIGITS])
        ids = [id for part in near for id in part if id.startswith(beginning)]
        return list(dict.fromkeys(key for id in ids for key in self._keys(id)))

    def _keys(self, id: str) -> list[Key]:
        first = self._parts[id[:DIGITS]].get(id)
        return [first, *self._others.get(id, ())] if first is not None else []

    def shown(self, message: ChatMessage, place_of: Callable[[Key], Place | None]) -> list[Line]:
        """Its lines, without those whose id another message of its author has at a lower place."""
        if self.are_unique:  # As nearly always.
            return lines_of(message)
        return [line for line in lines_of(message) if not self._is_hidden(line, place_of)]

    def _is_hidden(self, line: Line, place_of: Callable[[Key], Place | None]) -> bool:
        if line.id not in self._others:
            return False
        key, place = line.message.key, line.message.place
        rivals = (one for one in self._keys(line.id) if one != key and one.source == key.source)
        return any((theirs := place_of(one)) is not None and theirs < place for one in rivals)

    def brief(self, id: str) -> str:
        """The first digits of an id, as many as it takes to tell it from all others."""
        part, least = self._parts.get(id[:DIGITS], {}), id[:BRIEF_LEAST]
        near = [one for one in part if one.startswith(least) and one != id]
        if not near:  # As nearly always.
            return least
        digits = id.replace("-", "")
        for count in range(BRIEF_LEAST + 2, len(digits), 2):
            beginning = dashed(digits[:count])
            if not any(one.startswith(beginning) for one in near):
                return digits[:count]
        return digits

    def _near(self, head: str) -> list[dict[str, Key]]:
        if len(head) == DIGITS:
            return [self._parts.get(head, {})]
        return [part for name, part in self._parts.items() if name.startswith(head)]


def dashed(digits: str) -> str:
    """The beginning of a UUID as it is written, from its hex digits."""
    cuts = (0, 8, 12, 16, 20, 32)
    parts = [digits[a:b] for a, b in pairwise(cuts)]
    return "-".join(part for part in parts if part)
