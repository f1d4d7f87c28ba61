"""Which messages have which id: held in memory, since ids are random.

An index in the file would be written to at another place for every line: one page of it for each,
where all else that a turn stores shares a few.
"""

from collections.abc import Iterable
from itertools import pairwise

from node.core.messages import ChatMessage
from node.core.types import Key

BRIEF_LEAST = 4  # digits of an id that people quote
DIGITS = 3  # of an id, by which they are kept apart: a few dozen together in a long log


class Names:
    """The keys of all messages of a log, by id."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Key]] = {}  # by the beginning of the id, then by the id
        self._others: dict[str, dict[Key, None]] = {}  # where an id has several keys: all but one

    def add(self, messages: Iterable[ChatMessage]) -> list[Key]:
        """Note messages that are new here; gives the keys of those whose id another one has, and of
        one that had it before.
        """
        parts, repeated = self._parts, []
        for message in messages:
            id, key = message.id, message.key
            part = parts.get(id[:DIGITS])
            if part is None:
                part = parts[id[:DIGITS]] = {}
            if (first := part.setdefault(id, key)) is not key:
                self._others.setdefault(id, {})[key] = None
                repeated += [first, key]
        return repeated

    def drop(self, id: str, key: Key) -> None:
        """That message is gone, or has this id no more."""
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
        """Of all messages whose id begins so."""
        near = self._near(beginning[:DIGITS])
        ids = [id for part in near for id in part if id.startswith(beginning)]
        first = [self._parts[id[:DIGITS]][id] for id in ids]
        return first + [key for id in ids for key in self._others.get(id, ())]

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
