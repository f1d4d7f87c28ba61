"""Which messages the log holds: an index without their texts, and the digests that compare logs.

Two logs are equal when their hashes are.  Where they differ, one hash per author finds the authors,
and the runs held of those find the messages (Demers and others 1987; Merkle 1987 with two levels).
All of them are of sums (`sums`), which are cumulative: what was trimmed stays in them, by way of
its author's floor.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from heapq import merge

from msgspec import Struct

from .conversation import ChatMessage
from .marks import Marks, outranks
from .runs import Runs
from .sums import minus, plus, short, term
from .types import NO_HLC, Floor, Hlc, Key, MemberId, Run, Stream


class Held(Struct, frozen=True, gc=False):
    """What the index keeps of a message."""

    hlc: Hlc
    hash: bytes
    size: int  # bytes, about
    ids: tuple[str, ...]


OVERHEAD = 160  # bytes of a message beside its lines ...
LINE = 60  # ... and of a line beside its text
NO_FLOOR = Stream(0, 0), 0


class History:
    """`floors`, `holes` and `trimmed` are what a log kept; its messages are then added."""

    def __init__(
        self,
        floors: Iterable[Floor] = (),
        holes: Iterable[Key] = (),
        trimmed: Iterable[Key] = (),
    ) -> None:
        self.size = 0  # bytes of all that is held, about ...
        self.lines = 0  # ... and in how many lines
        self.marks = Marks()
        self._index: dict[Key, Held] = {}
        self._streams: dict[MemberId, dict[Stream, Runs]] = {}
        self._total = 0  # over all that counts ...
        self._sums: dict[MemberId, int] = {}  # ... of each author ...
        self._digests: dict[MemberId, int] = {}  # ... and its hash, where that was asked for
        self._ids: dict[MemberId, dict[str, Key]] = {}
        self._trimmed = {key.source: key for key in trimmed}  # the last that went here
        for floor in floors:
            self.marks.floors[floor.source] = floor
            self._mix(floor.source, floor.sum)
        for key in holes:
            self.open_hole(key)

    def add(self, message: ChatMessage) -> bool:
        """Take a message in.  False: its key is held already (see `supersedes`).

        One below its author's floor, as a log that is read back may have, counts by the floor.
        """
        key = message.key
        if key in self._index:
            return False
        more = self._keep(message)
        self._runs_of(key[0], key[1]).add(key[2], more)
        if not self.marks.floors or not self.marks.covers(key):
            self._mix(key[0], more)
        return True

    def is_next(self, messages: Sequence[ChatMessage]) -> bool:
        """Are these the next ones of one stream, above all that is held of it and its marks?"""
        source, stream, seq = key = messages[0].key
        if self.marks.holes.get(source) or (self.marks.floors and self.marks.covers(key)):
            return False
        runs = self._streams.get(source, {}).get(stream)
        if (runs.last if runs else 0) != seq - 1:
            return False
        return all(m.key == (source, stream, n) for n, m in enumerate(messages, seq))

    def extend(self, messages: Sequence[ChatMessage]) -> None:
        """Take in messages for which `is_next` holds."""
        source, stream, _ = messages[0].key
        more = plus(0, sum([self._keep(message) for message in messages]))
        self._runs_of(source, stream).extend(messages[0].key[2], messages[-1].key[2], more)
        self._mix(source, more)

    def _keep(self, message: ChatMessage) -> int:
        """Into the index; gives its term."""
        hash, count = message.hash, len(message.ids)
        size = OVERHEAD + LINE * count + message.size
        if message.deps:
            size += 40 * len(message.deps)
        self._index[message.key] = Held(message.hlc, hash, size, message.ids)
        self.size += size
        self.lines += count
        return term(hash)

    def _runs_of(self, source: MemberId, stream: Stream) -> Runs:
        if (streams := self._streams.get(source)) is None:
            streams = self._streams[source] = {}
        if (runs := streams.get(stream)) is None:
            runs = streams[stream] = Runs()
        return runs

    def knows_id(self, source: MemberId, id: str) -> bool:
        return id in self._ids.get(source, ())

    def repeats(self, message: ChatMessage) -> tuple[int, ...]:
        """The numbers of its lines whose ids other messages of this author were shown with.  Notes
        the others.
        """
        key = message.key
        found: tuple[int, ...] = ()
        if (ids := self._ids.get(key[0])) is None:
            ids = self._ids[key[0]] = {}
        for at, id in enumerate(message.ids):
            first = ids.setdefault(id, key)
            if first is not key and first != key:
                found = (*found, at)
        return found

    def supersedes(self, message: ChatMessage) -> bool:
        """Of two contents under one key the earlier one stands, of equal instants that of the lower
        hash: is it this one?  So what answers either, in good faith, is later than what stands.

        Nothing changes at or below a floor.
        """
        held = self._index.get(message.key)
        if held is None or self.marks.covers(message.key):
            return False
        return (message.hlc, message.hash) < (held.hlc, held.hash)

    def replace(self, message: ChatMessage) -> None:
        """Take in one for which `supersedes` holds; nobody was shown a line with an old id."""
        key, hash = message.key, message.hash
        held = self._index[key]
        before, after = term(held.hash), term(hash)
        self._index[key] = Held(message.hlc, hash, held.size, message.ids)
        self.lines += len(message.ids) - len(held.ids)
        self._forget_ids(key, held)
        self._streams[key.source][key.stream].replace(key.seq, before, after)
        self._mix(key.source, minus(after, before))

    def same(self, message: ChatMessage) -> bool:
        """Is it held, with this content?"""
        held = self._index.get(message.key)
        return held is not None and held.hash == message.hash

    def lines_of(self, key: Key) -> int:
        """How many lines a message that is here has; 0 for one that is not."""
        held = self._index.get(key)
        return len(held.ids) if held is not None else 0

    def hlc(self, key: Key) -> Hlc | None:
        held = self._index.get(key)
        return held.hlc if held is not None else None

    def latest(self, deps: Iterable[Key], before: Key | None) -> Hlc:
        """The latest clock among those of them that are held."""
        hlc_of, latest = self.hlc, NO_HLC
        if before is not None and (hlc := hlc_of(before)) is not None:
            latest = hlc
        for dep in deps:
            if (hlc := hlc_of(dep)) is not None and hlc > latest:
                latest = hlc
        return latest

    def __contains__(self, key: object) -> bool:
        """Is it held, or does it count as held, lying at or below a floor?"""
        if key in self._index:
            return True
        return isinstance(key, Key) and bool(self.marks.floors) and self.marks.covers(key)

    def has(self, key: Key) -> bool:
        """Is the message itself here, to be read and served?"""
        return key in self._index

    def was_trimmed(self, key: Key) -> bool:
        """Is it among what went here?  What others count as trimmed may never have come."""
        last = self._trimmed.get(key.source)
        return last is not None and key <= last

    def had(self, key: Key) -> bool:
        """Was the message itself stored here, whether it is still to be read or not?"""
        return key in self._index or self.was_trimmed(key)

    def top(self, source: MemberId) -> tuple[Stream, int]:
        """The place of the newest message of this author that is held; none is below all."""
        streams = self._streams.get(source)
        if not streams:
            return NO_FLOOR
        newest = max(streams)
        return newest, streams[newest].last

    def __len__(self) -> int:
        """How many messages are here."""
        return len(self._index)

    def covers(self, run: Run) -> bool:
        """Is every message of the run held, or below the floor?"""
        source, stream, first, last, _ = run
        floor = self.marks.floors.get(source)
        if floor is not None and stream <= floor.stream:
            first = last + 1 if stream < floor.stream else max(first, floor.seq + 1)
        runs = self._streams.get(source, {}).get(stream, ())
        return first > last or any(f <= first and last <= end for f, end in runs)

    # ---- floors and holes ----------------------------------------------------------------------

    def oldest(self, keep: Iterable[Key]) -> Iterator[Key]:
        """Messages in the order in which they may be trimmed; nothing of an author from the first
        one on that is to be kept, whether it is here or still to come.
        """
        first: dict[MemberId, Key] = {}
        for key in keep:
            first[key.source] = min(key, first.get(key.source, key))
        rows = [self._in_order(source, first.get(source)) for source in sorted(self._streams)]
        return (key for _, key in merge(*rows))

    def _in_order(
        self, source: MemberId, stop: Key | None
    ) -> Iterator[tuple[tuple[Hlc, Key], Key]]:
        for stream, runs in sorted(self._streams[source].items()):
            for first, last in runs:
                for seq in range(first, last + 1):
                    key = Key(source, stream, seq)
                    if stop is not None and key >= stop:
                        return
                    yield (self._index[key].hlc, key), key

    def trim(self, lines: int, keep: Iterable[Key]) -> tuple[Key, ...]:
        """Give the oldest messages up, of so many lines; gives the last one of each author.

        Their authors' floors rise to them and no sum changes.
        """
        going: list[Key] = []
        for key in self.oldest(keep):
            if lines <= 0:
                break
            going.append(key)
            lines -= len(self._index[key].ids)
        last: dict[MemberId, Key] = {}
        for key in going:
            self._drop(key)
            last[key.source] = key
        for key in last.values():
            self._trimmed[key.source] = max(key, self._trimmed.get(key.source, key))
        return tuple(last[source] for source in sorted(last))

    def _drop(self, key: Key) -> None:
        source, stream, seq = key
        held = self._index.pop(key)
        self.size -= held.size
        self.lines -= len(held.ids)
        self._forget_ids(key, held)
        runs, gone = self._streams[source][stream], term(held.hash)
        dropped = runs.drop_first(gone)
        assert dropped == seq, f"{key} is trimmed before {dropped}"
        if not runs:
            del self._streams[source][stream]
            if not self._streams[source]:
                del self._streams[source]
        floor = self.marks.floors.get(source)
        if floor is None or not floor.covers(key):
            total = plus(gone, floor.sum if floor is not None else 0)
            self.marks.floors[source] = Floor(source, stream, seq, total)

    def _forget_ids(self, key: Key, held: Held) -> None:
        if (ids := self._ids.get(key.source)) is not None:
            for id in held.ids:
                if ids.get(id) == key:
                    del ids[id]
            if not ids:
                del self._ids[key.source]

    def outranked(self, theirs: Floor) -> bool:
        """Does that floor stand against ours, and count something else than what we hold?"""
        mine = self.marks.floors.get(theirs.source)
        return outranks(theirs, mine) and self._prefix(theirs) != theirs.sum

    def beyond_reach(self, theirs: Floor) -> int:
        """How many messages of that floor's stream, up to its number, never came here."""
        source, stream, seq, _ = theirs
        mine = self.marks.floors.get(source)
        low = mine.seq if mine is not None and mine.stream == stream else 0
        runs = self._streams.get(source, {}).get(stream, ())
        here = sum(max(0, min(last, seq) - max(first, low + 1) + 1) for first, last in runs)
        return max(0, seq - low - here)

    def is_below(self, theirs: Floor) -> bool:
        """Does that floor stand against ours?"""
        return outranks(theirs, self.marks.floors.get(theirs.source))

    def adopt(self, theirs: Floor) -> None:
        """Go by a floor that stands against ours.  What is held below stays, and counts by it."""
        assert outranks(theirs, self.marks.floors.get(theirs.source)), theirs
        self._mix(theirs.source, minus(theirs.sum, self._prefix(theirs)))
        self.marks.floors[theirs.source] = theirs

    def _prefix(self, floor: Floor) -> int:
        """Over what counts here up to the place of that floor, which is not below ours."""
        source, top, last, _ = floor
        mine = self.marks.floors.get(source)
        below, held = mine.at if mine is not None else NO_FLOOR, self._index
        total = mine.sum if mine is not None else 0
        for stream, runs in self._streams.get(source, {}).items():
            if below[0] <= stream <= top:
                low = below[1] + 1 if stream == below[0] else 1
                high = last if stream == top else runs.last

                def term_of(seq: int, stream: Stream = stream) -> int:
                    return term(held[Key(source, stream, seq)].hash)

                total = plus(total, runs.sum_between(low, high, term_of))
        return total

    def open_hole(self, key: Key) -> bool:
        """Note that a message is lost.  False: that was known."""
        holes = self.marks.holes.setdefault(key.source, set())
        if key in holes:
            return False
        holes.add(key)
        return True

    def gap(self, key: Key, most: int) -> tuple[Key, ...]:
        """A missing message and those missing just before it in its stream, `most` at most."""
        source, stream, seq = key
        floor = self.marks.floors.get(source)
        runs = self._streams.get(source, {}).get(stream, ())
        low = max((last for first, last in runs if first <= seq), default=0)
        if floor is not None and floor.stream == stream:
            low = max(low, floor.seq)
        return tuple(Key(source, stream, n) for n in range(max(low + 1, seq - most + 1), seq + 1))

    def lost(self) -> dict[MemberId, int]:
        """How many messages of whom are known to be lost, and have not turned up."""
        found = {
            source: sum(1 for key in holes if key not in self)
            for source, holes in sorted(self.marks.holes.items())
        }
        return {source: count for source, count in found.items() if count}

    # ---- comparing -----------------------------------------------------------------------------

    @property
    def hash(self) -> int:
        """Over all that counts: 64 bits."""
        return short(self._total, 8)

    def digests(self) -> tuple[tuple[MemberId, int], ...]:
        """One hash per author, in order of author."""
        self._digests |= {a: short(s) for a, s in self._sums.items() if a not in self._digests}
        return tuple(sorted(self._digests.items()))

    def differing(self, digests: Iterable[tuple[MemberId, int]]) -> tuple[MemberId, ...]:
        """Authors of whom somebody with these digests holds something else."""
        theirs, ours = dict(digests), dict(self.digests())
        authors = theirs.keys() | ours.keys()
        return tuple(sorted(a for a in authors if theirs.get(a) != ours.get(a)))

    def held(self, sources: Iterable[MemberId], without: Iterable[Key] = ()) -> tuple[Run, ...]:
        """The runs held of these authors; `without` names messages that are left out of them."""
        holes: dict[tuple[MemberId, Stream], list[int]] = {}
        for key in without:
            holes.setdefault((key.source, key.stream), []).append(key.seq)
        return tuple(
            Run(source, stream, *run)
            for source in sources
            for stream, runs in sorted(self._streams.get(source, {}).items())
            for run in runs.without(sorted(holes.get((source, stream), ())))
        )

    def lacking(
        self,
        sources: Iterable[MemberId],
        theirs: Iterable[Run],
        *,
        newest_first: bool,
        bytes_max: int,
        without: Container[Key] = (),
        floors: Iterable[Floor] = (),
    ) -> tuple[tuple[Key, ...], bool]:
        """What somebody who holds `theirs` lacks of `sources` above their floors: a page in
        display order, and whether there is more.

        `without` names messages to leave out.  Costs about the page, not the log: a stream's order
        is its display order, so the streams are merged only as far as the page goes.  Of an author
        whose instants do not ascend each line is given all the same, in the order of its stream.
        """
        known: dict[tuple[MemberId, Stream], list[tuple[int, int, int]]] = {}
        for run in theirs:
            known.setdefault((run.source, run.stream), []).append((run.first, run.last, run.hash))
        below = {floor.source: floor for floor in floors}
        for floor in below.values():
            known.setdefault((floor.source, floor.stream), []).append((1, floor.seq, 0))
        rows = [
            self._missing(source, stream, runs, known.get((source, stream), []), newest_first)
            for source in sorted(set(sources))
            for stream, runs in sorted(self._streams.get(source, {}).items())
            if source not in below or stream >= below[source].stream
        ]
        page: list[Key] = []
        size = 0
        more = False
        for _, key in merge(*rows, reverse=newest_first):
            if key in without:
                continue
            if size >= bytes_max:
                more = True
                break
            page.append(key)
            size += self._index[key].size
        return tuple(reversed(page) if newest_first else page), more

    def _missing(
        self,
        source: MemberId,
        stream: Stream,
        runs: Runs,
        theirs: list[tuple[int, int, int]],
        newest_first: bool,
    ) -> Iterator[tuple[tuple[Hlc, Key], Key]]:
        for seq in runs.beyond(theirs, newest_first):
            key = Key(source, stream, seq)
            yield (self._index[key].hlc, key), key

    def _mix(self, source: MemberId, more: int) -> None:
        self._sums[source] = plus(self._sums.get(source, 0), more)
        self._total = plus(self._total, more)
        self._digests.pop(source, None)
