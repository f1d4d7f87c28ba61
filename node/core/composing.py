"""What our own lines say beside their texts: their names, their place in time, what they follow."""

from collections.abc import Sequence

from .clock import tick
from .events import Submitted
from .messages import ChatMessage
from .state import State
from .types import NO_HLC, Hlc, Key, Stream

DEPS_MAX = 512  # of one message


class Composing:
    def __init__(self, s: State) -> None:
        self._s = s

    def compose(self, lines: Sequence[Submitted]) -> tuple[ChatMessage, ...]:
        """Messages of the first lines: of all, unless the first leaves others' lines unnamed."""
        s = self._s
        self._open_stream()
        assert s.stream is not None
        heads = set(s.causal.heads)
        own = s.last_own
        if own is not None and own.stream != s.stream and s.causal.delivered(own):
            heads.add(own)  # What an earlier life said comes before; unless it waits here, unseen.
        before = Key(s.me, s.stream, s.stream_seq) if s.stream_seq else None
        if before is not None:
            heads.discard(before)
        if len(heads) > DEPS_MAX:
            heads = set(sorted(heads, key=self._recency, reverse=True)[:DEPS_MAX])
            lines = lines[:1]
        deps = tuple(sorted(heads))
        # Later than all that was shown, too: what was trimmed since is named by nobody.
        past = max(s.history.latest(deps, before), s.latest_place[0])
        messages = []
        for line in lines:
            s.stream_seq += 1
            past = tick(line.wall, past)
            key = Key(s.me, s.stream, s.stream_seq)
            said = ChatMessage(key, line.id, line.text, deps, past, line.wall, s.epoch, line.kind)
            messages.append(said)
            deps = ()  # The next ones follow this one alone.
        return tuple(messages)

    def _open_stream(self) -> None:
        """A stream of this life, above what others may count as trimmed of an earlier one."""
        s = self._s
        known = s.history.marks.floors.get(s.me)
        if s.stream is not None and known is None and not s.gaps:
            return
        floors = [floor for floor in (known, *s.gaps) if floor is not None and floor.source == s.me]
        floor = max(floors, key=lambda floor: floor.at, default=None)
        if s.stream is not None and (floor is None or s.stream >= floor.stream):
            return
        incarnation = s.incarnation
        if floor is not None:
            incarnation = max(incarnation, floor.stream.incarnation + 1)
        s.stream, s.stream_seq = Stream(incarnation, s.rng.getrandbits(32)), 0

    def _recency(self, key: Key) -> tuple[Hlc, Key]:
        return self._s.history.hlc(key) or NO_HLC, key
