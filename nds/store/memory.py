"""Records in memory, for trying things out.  A restart forgets them; leaders bring them back."""

from typing import TypeVar

from nds.record import Kept, Record, start_generation
from nds.store.ports import Changed, Decide

T = TypeVar("T")


class MemoryStore:
    """A `Store` that ends with its process."""

    def __init__(self) -> None:
        self._records: dict[int, Record] = {}
        self._names: dict[str, int] = {}  # of the living
        self._requests: dict[str, int] = {}
        self._generation = 0

    def start(self, now_ms: int) -> int:
        self._generation = start_generation(self._generation, now_ms)
        return self._generation

    def update(self, chat: int, decide: Decide[T], *, request: str = "") -> Changed[T]:
        before = self._records.get(chat)
        if before is None and request:
            before = self._records.get(self._requests.get(request, 0))

        def taken(name: str) -> bool:
            return self._names.get(name, chat) != chat

        decision = decide(Kept(before, self._generation, taken))
        self._generation = decision.generation
        if decision.record is not None:
            self._keep(before, decision.record)
        return Changed(before, decision.record, decision.reply)

    def _keep(self, before: Record | None, after: Record) -> None:
        if before is not None and not before.deleted:
            del self._names[before.name]
        if not after.deleted:
            assert after.name not in self._names, f"two networks of one name: {after}"
            self._names[after.name] = after.chat
        if after.request:
            self._requests[after.request] = after.chat
        self._records[after.chat] = after

    def get(self, chat: int) -> Record | None:
        return self._records.get(chat)

    def find(self, name: str) -> Record | None:
        return self._records.get(self._names.get(name, 0))

    def page(self, after: str, limit: int, *, seen_from_ms: int) -> list[Record]:
        names = sorted(name for name in self._names if name > after)
        records = (self._records[self._names[name]] for name in names)
        return [record for record in records if record.seen_ms >= seen_from_ms][:limit]

    def last_seen(self, from_ms: int, before_ms: int) -> list[Record]:
        living = (self._records[chat] for chat in self._names.values())
        return [record for record in living if from_ms <= record.seen_ms < before_ms]

    def try_writing(self) -> None:
        """There is no disk."""

    def close(self) -> None:
        """There is nothing to let go of."""
