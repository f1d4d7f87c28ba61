r"""Causal order: nobody reads a reply before what it answers.

A message names its direct causal predecessors: the heads its author had seen.  It waits here until
all of them have been delivered.  A full vector clock would say the same in five times the space
(Birman, Schiper, Stephenson 1991; direct dependencies: Prakash, Raynal, Singhal 1997).

An author that lies may name as predecessors what answers it, or itself.  So nothing waits for what
waits itself and is not earlier: nobody's lines wait in a circle, since each is later than the next.

            accept                 last predecessor delivered
    (new) ---------> PENDING -------------------------------> delivered
              \________________________________________________/
                             nothing is missing
"""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TypeAlias

from .conversation import ChatMessage
from .types import Key, MemberId

Run: TypeAlias = Sequence[ChatMessage]  # consecutive ones of one stream


class Causal:
    """`held` names all that the log holds, pending messages included."""

    def __init__(self, held: Container[Key]) -> None:
        self._held = held
        self.heads: set[Key] = set()  # delivered, and named by nobody delivered
        self.pending: dict[Key, ChatMessage] = {}
        self.below: set[Key] = set()  # a newcomer's: taken for delivered, still to come
        self._named: set[Key] = set()  # of those: what somebody shown follows
        self._waiting: dict[Key, list[list[Key]]] = {}  # what is missing -> runs that wait for it
        self._load: dict[MemberId, tuple[int, int]] = {}  # pending messages and bytes by author

    def delivered(self, key: Key) -> bool:
        return key in self.below or (key in self._held and key not in self.pending)

    def first_missing(self, message: ChatMessage) -> Key | None:
        """A predecessor that has not been delivered; None: it may be shown."""
        return self._first_missing(message, message.key.before)

    def _first_missing(self, message: ChatMessage, before: Key | None) -> Key | None:
        """Likewise, where `before` is the one before it, if that is to be looked at."""
        # Where nothing is awaited, all that is held was delivered.
        is_there = self.delivered if self.pending or self.below else self._held.__contains__
        if before is not None and not is_there(before) and not self._is_later(before, message):
            return before
        for dep in message.deps:
            if not is_there(dep) and not self._is_later(dep, message):
                return dep
        return None

    def _is_later(self, key: Key, message: ChatMessage) -> bool:
        """Does that wait, and is it not earlier than this, which names it?"""
        other = self.pending.get(key)
        return other is not None and other.place >= message.place

    def load(self, source: MemberId) -> tuple[int, int]:
        """Messages and bytes of this author that wait here."""
        return self._load.get(source, (0, 0))

    def accept(self, *messages: ChatMessage) -> list[ChatMessage]:
        """Take in consecutive messages of one stream that the log has just got; give what may be
        shown now, in order.
        """
        ready = self._ready(messages)
        if len(ready) < len(messages):
            for message in messages[len(ready) :]:
                self._load_one(message)
        if self._waiting:
            shown = self._deliver(ready) if ready else []
            for message in messages[len(ready) :]:  # What is earlier does not wait for them.
                shown += self._release(message.key)
            return shown
        self._show(ready)
        return list(ready)

    def replace(self, message: ChatMessage) -> list[ChatMessage]:
        """Another content stands under this key; if it still waits, it is the one to be shown, and
        waits for what it follows itself.  Gives what that sets free.
        """
        key, old = message.key, self.pending.get(message.key)
        if old is None:
            return []
        self._unload(old)
        self._load_one(message)
        waits = ((lost, run) for lost, runs in self._waiting.items() for run in runs if key in run)
        lost, run = next(waits)
        self._waiting[lost].remove(run)
        if not self._waiting[lost]:
            del self._waiting[lost]
        shown = list[ChatMessage]()
        for waiter in run:  # One by one from now on: it may be no later than the one before it.
            if ready := self._ready([self.pending[waiter]]):
                shown += self._deliver(ready)
        return shown

    def assume(self, keys: Iterable[Key]) -> list[ChatMessage]:
        """Take these for delivered: they lie below a newcomer's cut, or are lost.  Gives what that
        sets free.
        """
        free = []
        for key in keys:
            if key not in self._held and key not in self.below:
                self.below.add(key)
                free += self._release(key)
        return free

    def release(self) -> list[ChatMessage]:
        """Something counts as delivered that did not: a floor has risen.  Gives what that frees."""
        self.below = {k for k in self.below if k not in self._held or k in self.pending}
        self._named &= self.below
        free = []
        for key in sorted(self._waiting):
            if key in self._waiting and self.delivered(key):
                free += self._release(key)
        return free

    def missing(self) -> set[Key]:
        """What pending messages follow and nobody has brought."""
        return {
            key
            for message in self.pending.values()
            for key in message.predecessors
            if key not in self._held and key not in self.below
        }

    def waits_only_for(self, keys: Iterable[Key], counts: Callable[[Key], bool]) -> bool:
        """Would these pending messages be shown if all that `counts` were delivered?"""
        todo, seen = list(keys), set[Key]()
        while todo:
            message = self.pending[todo.pop()]
            for key in message.predecessors:
                if key in seen or self.delivered(key) or self._is_later(key, message):
                    continue
                seen.add(key)
                if key in self.pending:
                    todo.append(key)
                elif not counts(key):
                    return False
        return True

    def _deliver(self, run: Run) -> list[ChatMessage]:
        """Iterative, since one message may set thousands free."""
        shown = list[ChatMessage]()
        ready = [run]
        while ready:
            nearest = ready.pop()
            self._show(nearest)
            shown += nearest
            for message in reversed(nearest):
                if message.key in self._waiting:
                    ready += reversed(self._freed(message.key))
        return shown

    def _release(self, key: Key) -> list[ChatMessage]:
        return [shown for free in self._freed(key) for shown in self._deliver(free)]

    def _freed(self, key: Key) -> list[Run]:
        """Of the runs that waited for `key` what waits for nothing else; the rest waits on."""
        runs = [[self.pending[waiter] for waiter in run] for run in self._waiting.pop(key, ())]
        return [ready for run in runs if (ready := self._ready(run))]

    def _ready(self, run: Run) -> Run:
        """The first messages of a run, as many as lack nothing; the others wait from now on.

        They are pending until they are shown: others may wait for them.
        """
        missing = self._first_missing(run[0], run[0].key.before)
        for n, message in enumerate(run):
            if n and message.deps:
                missing = self._first_missing(message, None)
            if missing is not None:
                keys = [message.key for message in run[n:]]
                self._waiting.setdefault(missing, []).append(keys)
                return run[:n]
        return run

    def _show(self, run: Run) -> None:
        if self.pending:
            for message in run:
                if message.key in self.pending:
                    self._unload(message)
        before = run[0].key.before
        if self.below or self._named:
            self._pass(run, before)
        for message in run:
            if message.deps:
                self.heads.difference_update(message.deps)
        if before is not None:
            self.heads.discard(before)
        last = run[-1].key
        if last in self._named:
            self._named.discard(last)  # Its successors have been shown: it is no head.
        else:
            self.heads.add(last)

    def _pass(self, run: Run, before: Key | None) -> None:
        """Note what these follow of what was taken for delivered, and that they are here now."""
        below = self.below
        named = [dep for message in run for dep in message.deps]
        if before is not None:
            named.append(before)
        self._named.update(key for key in named if key in below)
        for message in run:
            below.discard(message.key)
            if message is not run[-1]:
                self._named.discard(message.key)

    def _load_one(self, message: ChatMessage) -> None:
        self.pending[message.key] = message
        count, size = self.load(message.key.source)
        self._load[message.key.source] = count + 1, size + message.size

    def _unload(self, message: ChatMessage) -> None:
        del self.pending[message.key]
        count, size = self.load(message.key.source)
        if count == 1:
            del self._load[message.key.source]
        else:
            self._load[message.key.source] = count - 1, size - message.size
