"""A log that lives as long as its process."""

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence

from node.archive.names import Names, dashed
from node.archive.ports import FOUND_MAX, LACKING_MAX, Unread, Wanted, hex_digits
from node.core.conversation import ChatMessage, Line, Spot
from node.core.effects import (
    Erase,
    Meta,
    Remembered,
    Store,
    StoreMarks,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.messages import Roster
from node.core.types import Floor, Key, LinePlace, MemberId, Place, Post, WallMillis


class MemoryArchive:
    """See `Archive`."""

    def __init__(self) -> None:
        self._meta: Meta | None = None
        self._roster = Roster()
        self._messages: dict[Key, ChatMessage] = {}  # in order of arrival
        self._names = Names()
        self._stored_at: dict[Key, WallMillis] = {}
        self._places: list[tuple[Place, Key]] = []
        self._posts: dict[Key, Post] = {}
        self._read: set[Key] = set()
        self._floors: dict[MemberId, Floor] = {}
        self._holes: set[Key] = set()
        self._trimmed: dict[MemberId, Key] = {}
        self._notes: dict[str, str] = {}
        self._edits: dict[Spot, Key] = {}  # what stands in the place of a line

    def load(self) -> Remembered:
        waiting = [post for post in self._posts.values() if not post.settled]
        lacking = [p for p in self._posts.values() if p.settled and p.lacking]
        lacking.sort(key=lambda post: post.key)
        posts = (*waiting, *lacking[-LACKING_MAX:])
        floors, holes = tuple(self._floors.values()), tuple(self._holes)
        messages = tuple(self._messages.values())
        trimmed = tuple(self._trimmed.values())
        return Remembered(self._meta, self._roster, messages, posts, floors, holes, trimmed)

    def append(self, stores: Sequence[Store]) -> None:
        for store in stores:
            match store:
                case StoreMessages(messages):
                    for message in messages:
                        self._put(message)
                case Erase(texts):
                    for spot, edit in texts:
                        self._erase(spot, edit)
                case StorePost(post):
                    self._posts[post.key] = post
                case StoreMeta(meta):
                    self._meta = meta
                case StoreRoster(roster):
                    self._roster = roster
                case StoreMarks(floors, holes):
                    self._floors |= {floor.source: floor for floor in floors}
                    self._holes.update(holes)
                case Trim(last):
                    self._trim({key.source: key for key in last})

    def _put(self, message: ChatMessage) -> None:
        key = message.key
        old = self._messages.get(key)
        if old is not None:
            del self._places[bisect_left(self._places, (old.place, key))]
            self._names.drop(old)
        self._messages[key] = message
        self._names.add((message,))
        self._stored_at.setdefault(key, time.time_ns() // 1_000_000)
        insort(self._places, (message.place, key))

    def _erase(self, spot: Spot, edit: Key | None) -> None:
        if (message := self._messages.get(spot.key)) is None:
            return
        self._messages[spot.key] = message.without((spot.at,))
        if edit is not None:
            self._edits[spot] = edit
        else:
            self._edits.pop(spot, None)

    def _trim(self, last: dict[MemberId, Key]) -> None:
        self._trimmed |= {k.source: max(k, self._trimmed.get(k.source, k)) for k in last.values()}
        for key in [k for k in self._messages if k.source in last and k <= last[k.source]]:
            message = self._messages.pop(key)
            self._names.drop(message)
            del self._places[bisect_left(self._places, (message.place, key))]
            del self._stored_at[key]
            self._read.discard(key)
            for at in range(len(message.ids)):
                self._edits.pop(Spot(key, at), None)
        for key in [k for k in self._posts if k.source in last and k <= last[k.source]]:
            del self._posts[key]

    def read(self, keys: Sequence[Key]) -> list[ChatMessage]:
        return [self._messages[key] for key in keys if key in self._messages]

    def _shown(self) -> Iterator[Line]:
        """What people see, in display order."""
        for _, key in self._places:
            yield from self._lines(self._messages[key])

    def _lines(self, message: ChatMessage) -> list[Line]:
        if not message.is_said:
            return []
        lines = self._names.shown(message, self._place)
        return list(map(self._as_it_is, lines)) if message.erased else lines

    def _as_it_is(self, line: Line) -> Line:
        """With what stands in its place, if that is here."""
        edit = self._edits.get(line.spot)
        return line.edited(self._messages.get(edit)) if edit is not None else line

    def _place(self, key: Key) -> Place | None:
        message = self._messages.get(key)
        return message.place if message is not None else None

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
        wanted = Wanted(before, after, since_ms, contains.casefold(), from_ms)
        found = list(filter(wanted.has, self._shown()))
        if after is not None:
            return found[: max(count, 0)]
        return found[-count:] if count > 0 else []

    def find(self, prefix: str) -> list[Line]:
        digits = hex_digits(prefix)
        if not digits:
            return []
        beginning = dashed(digits)
        near = [self._messages[key] for key in self._names.find(beginning)]
        lines = (line for message in near for line in self._lines(message))
        found = [line for line in lines if line.id.startswith(beginning)]
        return sorted(found, key=lambda line: line.place)[:FOUND_MAX]

    def brief(self, id: str) -> str:
        return self._names.brief(id)

    def posts(self, keys: Iterable[Key]) -> dict[Key, Post]:
        return {key: self._posts[key] for key in keys if key in self._posts}

    def stored_at(self, key: Key) -> WallMillis:
        return self._stored_at.get(key, 0)

    def note(self, name: str, text: str) -> None:
        self._notes[name] = text

    def noted(self, name: str) -> str:
        return self._notes.get(name, "")

    def mark_read(self) -> None:
        self._read.update(self._messages)

    def unread(self, me: MemberId, mentions: Callable[[str], bool]) -> Unread:
        lines = ((line, line.message.key) for line in self._shown())
        unread = ((line, key) for line, key in lines if key not in self._read and line.text)
        fresh = [line for line, key in unread if key.source != me]
        return Unread(len(fresh), sum(mentions(line.text) for line in fresh))

    def reopen(self, *, check: bool) -> None:
        """Memory does not fail."""

    def close(self) -> None:
        """Nothing is held."""
