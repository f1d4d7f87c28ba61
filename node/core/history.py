"""Which messages the log holds: an index without their texts, and the digests that compare logs.

Two logs are equal when their hashes are.  Where they differ, one hash per author finds the authors,
and the runs held of those find the messages (Demers and others 1987; Merkle 1987 with two levels).
"""

from collections.abc import Container, Iterable, Iterator
from hashlib import blake2b
from heapq import merge
from typing import NamedTuple

from .messages import ChatMessage
from .runs import Runs
from .types import Hlc, Key, MemberId, Run, Stream


class Held(NamedTuple):
    """What the index keeps of a message."""

    hlc: Hlc
    hash: int
    size: int  # bytes, about


OVERHEAD = 120  # bytes of a message beside its text


def content_hash(message: ChatMessage) -> int:
    """64 bits over everything that a message says."""
    source, (incarnation, random), seq = message.key
    deps = "".join([f"{d[0]}.{d[1][0]}.{d[1][1]}.{d[2]};" for d in message.deps])
    said = (
        f"{source}|{incarnation}|{random}|{seq}|{message.id}|{message.hlc[0]}|{message.hlc[1]}|{deps}"
        f"|{message.sent}|{message.epoch[0]}|{message.epoch[1]}|{message.kind:d}|{message.text}"
    )
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest())


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


class History:
    def __init__(self) -> None:
        self.hash = 0  # over all that is held
        self._index: dict[Key, Held] = {}
        self._streams: dict[MemberId, dict[Stream, Runs]] = {}
        self._hashes: dict[MemberId, int] = {}
        self._ids: dict[tuple[MemberId, str], Key] = {}

    def add(self, message: ChatMessage) -> bool:
        """Take a message in.  False: its key is held already (see `supersedes`)."""
        key = message.key
        if key in self._index:
            return False
        hash = content_hash(message)
        self._index[key] = Held(
            message.hlc, hash, OVERHEAD + _bytes(message.text) + 40 * len(message.deps)
        )
        streams = self._streams.setdefault(key.source, {})
        if (runs := streams.get(key.stream)) is None:
            runs = streams[key.stream] = Runs()
        runs.add(key.seq, hash)
        self._mix(key.source, hash)
        return True

    def knows_id(self, source: MemberId, id: str) -> bool:
        return (source, id) in self._ids

    def is_repeat(self, message: ChatMessage) -> bool:
        """Is another message of this author shown under the same id?  Notes the first one."""
        first = self._ids.setdefault((message.key.source, message.id), message.key)
        return first != message.key

    def supersedes(self, message: ChatMessage) -> bool:
        """Of two contents under one key the lower hash stands.  True: from now on this one."""
        held = self._index[message.key]
        hash = content_hash(message)
        if hash >= held.hash:
            return False
        key = message.key
        self._index[key] = held._replace(hlc=message.hlc, hash=hash)
        self._streams[key.source][key.stream].rehash(key.seq, held.hash, hash)
        self._mix(key.source, held.hash ^ hash)
        return True

    def hlc(self, key: Key) -> Hlc | None:
        held = self._index.get(key)
        return held.hlc if held is not None else None

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._index)

    def covers(self, run: Run) -> bool:
        """Is every message of the run held?"""
        runs = self._streams.get(run.source, {}).get(run.stream)
        return runs is not None and any(f <= run.first and run.last <= last for f, last, _ in runs)

    # ---- comparing -----------------------------------------------------------------------------

    def digests(self) -> tuple[tuple[MemberId, int], ...]:
        """One hash per author, in order of author."""
        return tuple(sorted(self._hashes.items()))

    def differing(self, digests: Iterable[tuple[MemberId, int]]) -> tuple[MemberId, ...]:
        """Authors of whom somebody with these digests holds something else."""
        theirs = dict(digests)
        authors = theirs.keys() | self._hashes.keys()
        return tuple(sorted(a for a in authors if theirs.get(a) != self._hashes.get(a)))

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
    ) -> tuple[tuple[Key, ...], bool]:
        """What somebody who holds `theirs` lacks of `sources`: a page in display order, and whether
        there is more.

        `without` names messages to leave out.  Costs about the page, not the log: a stream's order
        is its display order, so the streams are merged only as far as the page goes.
        """
        known: dict[tuple[MemberId, Stream], list[tuple[int, int, int]]] = {}
        for run in theirs:
            known.setdefault((run.source, run.stream), []).append((run.first, run.last, run.hash))
        rows = [
            self._missing(source, stream, runs, known.get((source, stream), []), newest_first)
            for source in sorted(set(sources))
            for stream, runs in sorted(self._streams.get(source, {}).items())
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

    def _mix(self, source: MemberId, hash: int) -> None:
        self._hashes[source] = self._hashes.get(source, 0) ^ hash
        self.hash ^= hash
