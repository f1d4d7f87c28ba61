"""A log that lives as long as its process."""

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence

from node.archive.names import Names, dashed
from node.archive.ports import FOUND_MAX, LACKING_MAX, Place, Unread, first_of_each, hex_digits
from node.core.effects import (
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
from node.core.messages import ChatMessage, Roster
from node.core.types import Floor, Key, MemberId, Post, WallMillis


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
        self._notes: dict[str, str] = {}

    def load(self) -> Remembered:
        waiting = [post for post in self._posts.values() if not post.settled]
        lacking = [p for p in self._posts.values() if p.settled and p.lacking]
        lacking.sort(key=lambda post: post.key)
        posts = (*waiting, *lacking[-LACKING_MAX:])
        floors, holes = tuple(self._floors.values()), tuple(self._holes)
        messages = tuple(self._messages.values())
        return Remembered(self._meta, self._roster, messages, posts, floors, holes)

    def append(self, stores: Sequence[Store]) -> None:
        for store in stores:
            match store:
                case StoreMessages(messages):
                    for message in messages:
                        self._put(message)
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
            self._names.drop(old.id, key)
        self._messages[key] = message
        self._names.add((message,))
        self._stored_at.setdefault(key, time.time_ns() // 1_000_000)
        insort(self._places, (message.place, key))

    def _trim(self, last: dict[MemberId, Key]) -> None:
        for key in [k for k in self._messages if k.source in last and k <= last[k.source]]:
            message = self._messages.pop(key)
            self._names.drop(message.id, key)
            del self._places[bisect_left(self._places, (message.place, key))]
            del self._stored_at[key]
            self._read.discard(key)
        for key in [k for k in self._posts if k.source in last and k <= last[k.source]]:
            del self._posts[key]

    def read(self, keys: Sequence[Key]) -> list[ChatMessage]:
        return [self._messages[key] for key in keys if key in self._messages]

    def _shown(self) -> list[ChatMessage]:
        """What people see, in display order."""
        return first_of_each(self._messages[key] for _, key in self._places)

    def page(
        self,
        *,
        count: int,
        before: Place | None = None,
        after: Place | None = None,
        since_ms: WallMillis = 0,
        contains: str = "",
    ) -> list[ChatMessage]:
        sought = contains.casefold()
        found = [
            message
            for message in self._shown()
            if (before is None or message.place < before)
            and (after is None or message.place > after)
            and message.hlc.ms >= since_ms
            and sought in message.text.casefold()
        ]
        if after is not None:
            return found[: max(count, 0)]
        return found[-count:] if count > 0 else []

    def find(self, prefix: str) -> list[ChatMessage]:
        digits = hex_digits(prefix)
        if not digits:
            return []
        found = map(self._messages.__getitem__, self._names.find(dashed(digits)))
        return first_of_each(sorted(found, key=lambda one: one.place))[:FOUND_MAX]

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
        fresh = [m for m in self._shown() if m.key.source != me and m.key not in self._read]
        return Unread(len(fresh), sum(mentions(message.text) for message in fresh))

    def reopen(self, *, check: bool) -> None:
        """Memory does not fail."""

    def close(self) -> None:
        """Nothing is held."""
