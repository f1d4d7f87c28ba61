"""The messages of a log in its file: stored, replaced, trimmed, and their lines found."""

import time
from collections.abc import Iterable, Sequence

from node.archive import rows
from node.archive.cipher import sqlite3
from node.archive.names import Names, dashed
from node.archive.ports import FOUND_MAX, Wanted
from node.core.conversation import ChatMessage, Erased, Line, Spot
from node.core.types import Hlc, Key, MemberId, Place

CHUNK = 64  # messages that are read at once for a page


class Lines:
    """The messages behind one connection; where a transaction failed, they are looked at anew.

    Raises sqlite3.Error.
    """

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._names: Names | None = None  # until they are needed
        self._edits: dict[Spot, Key] | None = None  # likewise: what stands in the place of a line

    def load(self) -> tuple[ChatMessage, ...]:
        """All of them."""
        with rows.uncollected():
            found = rows.to_messages(self._base.execute(rows.ALL_MESSAGES))
            self._names = Names()
            self._names.add(found)
        return found

    def _known(self) -> Names:
        if self._names is None:
            self.load()
        assert self._names is not None
        return self._names

    def forget(self) -> None:
        """What was stored last is not there."""
        self._names = self._edits = None

    def put(self, messages: Sequence[ChatMessage]) -> bool:
        """Store them, those with a known key in the place of what had it.

        True: they are all new, and none has a line with the id of another one.
        """
        names = self._known()
        now_ms, put = time.time_ns() // 1_000_000, 0
        plain, changes = True, self._base.total_changes
        new = [rows.of_message(message, now_ms) for message in messages]
        while put < len(messages):
            try:
                self._base.executemany(rows.PUT_MESSAGE, new[put:] if put else new)
                known = len(messages)
            except sqlite3.IntegrityError as error:
                if "UNIQUE" not in str(error):
                    raise
                known = put + self._base.total_changes - changes
            names.add(messages[put:known] if put or known < len(messages) else messages)
            if known < len(messages):
                self._replace(messages[known])
                plain = False
            put, changes = known + 1, self._base.total_changes
        return plain and names.are_unique

    def _replace(self, message: ChatMessage) -> None:
        names = self._known()
        arrival, *old = self._base.execute(rows.ARRIVED, rows.of_key(message.key)).fetchone()
        self._base.execute(rows.REPLACE_MESSAGE, rows.of_message(message, arrival))
        (before,) = rows.to_messages([tuple(old)])
        names.drop(before)
        names.add((message,))

    def erase(self, texts: Iterable[Erased]) -> None:
        """Erase these, and note what stands in their place."""
        edits = self._edited()
        for spot, edit in texts:
            row = self._base.execute(rows.ARRIVED, rows.of_key(spot.key)).fetchone()
            if row is None:
                continue
            (message,) = rows.to_messages([row[1:]])
            left = rows.of_message(message.without((spot.at,)), row[0])
            self._base.execute(rows.REPLACE_MESSAGE, left)
            where = (*rows.of_key(spot.key), spot.at)
            if edit is not None:
                self._base.execute(rows.PUT_EDIT, (*where, *rows.of_key(edit)))
                edits[spot] = edit
            elif edits.pop(spot, None) is not None:
                self._base.execute(rows.DROP_EDIT, where)

    def _edited(self) -> dict[Spot, Key]:
        if self._edits is None:
            self._edits = dict(map(rows.to_edit, self._base.execute(rows.ALL_EDITS)))
        return self._edits

    def trim(self, last: Iterable[Key]) -> None:
        """Remove those of the sources of these keys up to them."""
        bounds = list(map(rows.of_key, last))
        if self._names is not None:
            for bound in bounds:
                for gone in rows.to_messages(self._base.execute(rows.TRIMMED, bound)):
                    self._names.drop(gone)
        self._base.executemany(rows.TRIM, bounds)
        self._base.executemany(rows.PUT_TRIMMED, bounds)
        if self._edited():
            self._base.executemany(rows.TRIM_EDITS, bounds)
            self._edits = None
        self._base.execute(rows.STILL_READ)

    def read(self, keys: Iterable[Key]) -> dict[Key, ChatMessage]:
        """Those of `keys` that are here."""
        found = rows.to_messages(
            row for run in rows.runs(keys) for row in self._base.execute(rows.RUN_OF_MESSAGES, run)
        )
        return {message.key: message for message in found}

    def brief(self, id: str) -> str:
        """See `Archive.brief`."""
        return self._known().brief(id)

    def find(self, digits: str) -> list[Line]:
        """See `Archive.find`; `digits` are of the beginning of an id."""
        beginning = dashed(digits)
        keys = self._known().find(beginning)
        each = (self._base.execute(rows.ONE_MESSAGE, rows.of_key(key)).fetchone() for key in keys)
        lines = (line for message in rows.to_messages(each) for line in self._shown(message))
        found = [line for line in lines if line.id.startswith(beginning)]
        return sorted(found, key=lambda line: line.place)[:FOUND_MAX]

    def page(self, count: int, wanted: Wanted) -> list[Line]:
        """See `Archive.page`."""
        forward = wanted.after is not None
        where, given = rows.bounds(wanted)
        order = rows.PLACE if forward else rows.DESCENDING
        walk = self._base.execute(f"{rows.ALL_MESSAGES} WHERE {where} ORDER BY {order}", given)
        found: list[Line] = []
        while len(found) < count and (some := walk.fetchmany(CHUNK)):
            for message in rows.to_messages(some):
                lines = [line for line in self._shown(message) if wanted.has(line)]
                found += lines if forward else reversed(lines)
        del found[max(count, 0) :]
        return found if forward else found[::-1]

    def unread(self, me: MemberId) -> list[str]:
        """The texts of others' lines that nobody has read."""
        if self._edited() or not self._known().are_unique:
            found = rows.to_messages(self._base.execute(rows.UNREAD, [me]))
            lines = (line for message in found for line in self._shown(message))
            return [line.text for line in lines if line.text]
        (read,) = self._base.execute(rows.LAST_READ).fetchone()
        return self.later(read, me)

    def later(self, arrival: int, me: MemberId) -> list[str]:
        """The texts of others' lines that came after one."""
        found = self._base.execute(rows.LATER_TEXTS, [arrival, me])
        return [text for (texts,) in found for text in rows.to_texts(texts) if text]

    def _shown(self, message: ChatMessage) -> list[Line]:
        if not message.is_said:
            return []
        lines = self._known().shown(message, self._place)
        return list(map(self._as_it_is, lines)) if message.erased else lines

    def _as_it_is(self, line: Line) -> Line:
        """With what stands in its place, if that is here."""
        if (edit := self._edited().get(line.spot)) is None:
            return line
        return line.edited(self.read((edit,)).get(edit))

    def _place(self, key: Key) -> Place | None:
        row = self._base.execute(rows.PLACE_OF, rows.of_key(key)).fetchone()
        return (Hlc(*row), *key) if row else None
