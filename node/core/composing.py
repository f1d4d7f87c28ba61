"""What our own messages say beside their lines: their place in time, what they follow; and how many
lines make one.
"""

from collections import deque
from collections.abc import Sequence

from .clock import advance, tick
from .conversation import LINES_MAX, SALT_BYTES, ChatMessage, Spot, statement
from .events import Submitted
from .state import State
from .types import NO_HLC, Hlc, Key, Stream

DEPS_MAX = 512  # of one message
HEADS_MAX = 16  # likewise
CHARS_MAX = 16_384  # of one message of several lines
APART_MS = 1_000  # lines that were written further apart are several messages


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
        past = advance(s.latest_place[0], s.history.latest(deps, before), s.wall)
        past = self._since_newcomers(past)
        messages, todo = [], deque(lines)
        while todo:
            said = _together(todo, min(LINES_MAX, s.timing.batch_max))
            about = said[0].about
            s.stream_seq += 1
            past = tick(said[0].wall, past)
            message = ChatMessage(
                Key(s.me, s.stream, s.stream_seq),
                tuple([line.id for line in said]),
                tuple([line.text for line in said]),
                self._after(deps, about) if about is not None else deps,
                past,
                said[0].wall,
                s.epoch,
                said[0].kind,
                self._draw(SALT_BYTES * len(said)),
                heads=s.members.decisions.latest,
                about=about,
            )
            self.sign(message)
            messages.append(message)
            deps = ()  # The next ones follow this one alone.
        return tuple(messages)

    def _since_newcomers(self, past: Hlc) -> Hlc:
        """Newcomers who are given nothing of before are given what is said by who knows of them:
        it is of no sooner than they came, whatever our clock shows.
        """
        members, wall = self._s.members, self._s.wall
        if members.hides_history:
            for one in members.records:
                if one.since > past.ms:
                    past = advance(past, Hlc(one.since, 0), wall)
        return past

    def _after(self, deps: tuple[Key, ...], about: Spot) -> tuple[Key, ...]:
        """What a change follows: also the line that it changes."""
        key, s = about.key, self._s
        is_implied = key.source == s.me and key.stream == s.stream
        if is_implied or key in deps:
            return deps
        return tuple(sorted((*deps[-(DEPS_MAX - 1) :], key)))

    def sign(self, message: ChatMessage) -> None:
        """An own one, before others have it."""
        s = self._s
        if s.setup.sign is not None:
            message.sign(s.setup.sign(statement(s.chat, message)))

    def _draw(self, count: int) -> bytes:
        s = self._s
        return s.setup.draw(count) if s.setup.draw is not None else s.rng.randbytes(count)

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


def _together(todo: deque[Submitted], most: int) -> list[Submitted]:
    """Takes the first lines, as many as make one message, at most so many."""
    first = todo.popleft()
    said, chars = [first], len(first.text)
    while todo and len(said) < most:
        line = todo[0]
        chars += len(line.text)
        apart = abs(line.wall - first.wall) > APART_MS
        if line.kind is not first.kind or first.about or apart or chars > CHARS_MAX:
            break
        said.append(todo.popleft())
    return said
