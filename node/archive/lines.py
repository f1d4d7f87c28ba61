"""The messages of a log in its file: stored, replaced, trimmed, and found by their ids."""

import sqlite3
import time
from collections.abc import Iterable, Sequence

from node.archive import rows
from node.archive.names import Names, dashed
from node.archive.ports import FOUND_MAX, first_of_each
from node.core.messages import ChatMessage
from node.core.types import Key

MANY = 10 * FOUND_MAX  # of so many the first are sooner found on a walk in display order


class Lines:
    """The messages behind one connection; where a transaction failed, they are looked at anew.

    Raises sqlite3.Error.
    """

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self._names: Names | None = None  # until they are needed

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
        self._names = None

    def put(self, messages: Sequence[ChatMessage]) -> bool:
        """Store them, those with a known key in the place of what had it.

        True: they are all new, and none has the id of another one.
        """
        self._known()
        now_ms, put = time.time_ns() // 1_000_000, 0
        plain, changes = True, self._base.total_changes
        new = [rows.of_message(message, now_ms) for message in messages]
        while put < len(messages):
            try:
                self._base.executemany(rows.PUT_MESSAGE, new[put:] if put else new)
                known = len(messages)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                    raise
                known = put + self._base.total_changes - changes
            plain &= self._name(messages[put:known] if put or known < len(messages) else messages)
            if known < len(messages):
                self._replace(messages[known])
                plain = False
            put, changes = known + 1, self._base.total_changes
        return plain

    def _name(self, messages: Iterable[ChatMessage]) -> bool:
        """Note the ids of what was stored.  True: no other message has them."""
        assert self._names is not None
        repeated = self._names.add(messages)
        if repeated:
            self._base.executemany(rows.PUT_NAMESAKE, map(rows.of_key, repeated))
        return not repeated

    def _replace(self, message: ChatMessage) -> None:
        assert self._names is not None
        key = message.key
        arrival, id = self._base.execute(rows.ARRIVED, rows.of_key(key)).fetchone()
        self._base.execute(rows.REPLACE_MESSAGE, rows.of_message(message, arrival))
        if id != message.id:
            self._base.execute(rows.DROP_NAMESAKE, (id, key.source, arrival))
            self._names.drop(id, key)
            self._name((message,))

    def trim(self, last: Iterable[Key]) -> None:
        """Remove those of the sources of these keys up to them."""
        bounds = list(map(rows.of_key, last))
        if self._names is not None:
            for bound in bounds:
                gone = self._base.execute(rows.TRIMMED_IDS, bound)
                for source, incarnation, random, seq, id in gone:
                    self._names.drop(id, rows.to_key((source, incarnation, random, seq)))
        self._base.executemany(rows.TRIM, bounds)
        self._base.execute(rows.TRIM_NAMESAKES)
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

    def find(self, digits: str) -> list[ChatMessage]:
        """See `Archive.find`; `digits` are of the beginning of an id."""
        beginning = dashed(digits)
        keys = self._known().find(beginning)
        if len(keys) > MANY:
            given = (beginning, beginning + "g", FOUND_MAX)
            return list(rows.to_messages(self._base.execute(rows.FOUND, given)))
        each = (self._base.execute(rows.ONE_MESSAGE, rows.of_key(key)).fetchone() for key in keys)
        found = sorted(rows.to_messages(each), key=lambda one: one.place)
        return first_of_each(found)[:FOUND_MAX]
