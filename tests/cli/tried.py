"""The app in a world where anything may happen, with laws that are looked at after every step.

The view does not move while one is scrolled up, a chat is marked as read only while it is looked
at, the marker stays where it was set, the cursor is in the input, what was drawn bit by bit is what
would be drawn anew, and nothing that somebody says reaches the terminal raw.
"""

import os
import re
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from node.cli.model import Event, State
from node.errors import NodeSilent
from node.happenings import ChatEvent, ElectionEvent, Happening, MergeEvent, SuspectEvent
from node.host.hub import TooSlow
from node.words import Line, Status
from tests.cli.app_world import World

MINUTE_MS = 60_000
CHATS = (1, 2, 3)
NICKS = ("alice", "bob", "carol", "maximilian-12")
KEYS = ("PgUp", "PgDn", "Alt+Home", "Alt+End", "Alt+1", "Alt+2", "Alt+3", "Alt+A", "Alt+U",
    "Alt+P", "Alt+N", "Alt+=", "Alt+L", "Ctrl+N", "Ctrl+P", "F1", "F2", "F3", "F7", "F8", "Esc",
    "Enter", "Alt+Enter", "Up", "Down", "Left", "Backspace", "Ctrl+C", "Ctrl+S", "Ctrl+R", "Ctrl+G",
    "Tab", "Shift+Tab", "Ctrl+W", "Ctrl+U", "Ctrl+L", "Ctrl+Z", "y", "n")  # fmt: skip
SIZES = ((110, 24), (84, 24), (60, 12), (200, 30), (40, 8), (20, 3), (100, 5))
RESERVED = re.compile(r"\d+/\d+|queued|failed")

texts = st.one_of(
    st.sampled_from(
        (
            "hello",
            "@you look",
            "a longer line " * 12,
            "one\ntwo\n\nthree",
            "\x1b[2J\x1b]0;owned\x07\x9b31m\x07",
            "\u202eright to left\u2066",
            "漢字は二桁" * 20,
            "e" + "\u0301" * 30,
            "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
            "x" * 3_000,
        )
    ),
    st.text(max_size=60),
)
typed = st.text(st.sampled_from("abc /漢é\u0301#@"), min_size=1, max_size=8)
happened = st.one_of(
    st.tuples(st.just("says"), st.sampled_from(CHATS), st.sampled_from(NICKS), texts),
    st.tuples(st.just("late"), st.sampled_from(CHATS), st.integers(0, 200)),
    st.tuples(
        st.just("changed"),
        st.sampled_from(CHATS),
        st.sampled_from(NICKS),
        st.sampled_from(("dropped", "returned", "away", "topic")),
    ),
    st.tuples(st.just("suspected"), st.sampled_from(CHATS), st.sampled_from(NICKS)),
    st.tuples(st.just("elected"), st.sampled_from(CHATS), st.sampled_from(NICKS)),
    st.tuples(st.just("merged"), st.sampled_from(CHATS)),
    st.tuples(st.just("nds"), st.booleans()),
    st.tuples(st.just("lost"), st.booleans()),
    st.tuples(st.just("acked")),
)
COMMANDS = ("/leave", "/close", "/clear", "/mute", "/unmute", "/chat 2", "/create new", "/join x/y",
    "/ignore alice", "/unignore alice", "/theme mono", "/set members on", "/set seconds off",
    "/notify none", "/search line", "/reply so it is", "/copy", "/nick you2", "/away lunch",
    "/names", "/elections", "/bogus", "//slash", "/help keys", "/peers", "/history 5")  # fmt: skip
# What shakes the chats themselves: the view may be another one afterwards.
shaken = st.one_of(
    st.tuples(st.just("ended"), st.sampled_from(CHATS)),
    st.tuples(st.just("opened")),
    st.tuples(st.just("dropped")),
    st.tuples(st.just("forgets"), st.booleans()),
    st.tuples(
        st.just("fails"),
        st.sampled_from(("history", "members", "mark_read", "send", "trace", "status", "peers")),
        st.booleans(),
    ),
    st.tuples(st.just("command"), st.sampled_from(COMMANDS)),
)
done = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(KEYS)),
    st.tuples(st.just("press"), st.sampled_from(("PgUp", "PgUp", "PgDn", "Alt+End", "Alt+2"))),
    st.tuples(st.just("type"), typed),
    st.tuples(st.just("paste"), st.integers(1, 8)),
    st.tuples(st.just("raw"), st.sampled_from((b"caf\xe9", b"/topic caf\xe9\r", b"\x13\xff\r"))),
    st.tuples(st.just("resize"), st.sampled_from(SIZES)),
    st.tuples(st.just("passes"), st.sampled_from((30, 400, 2_500))),
)
steps = st.lists(st.one_of(happened, happened, done, done, shaken), max_size=30)
SHAKING = ("ended", "opened", "dropped", "forgets", "fails", "command")
LAWS = settings(  # what has been found is told step by step; to shrink it would take minutes
    max_examples=int(os.environ.get("P2PCHAT_LAWS", "25")),
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def looked_at(state: State) -> int:
    """The chat whose end is in sight; 0 for none."""
    covered = state.page is not None and state.page.kind != "bare"
    return state.current if state.front and state.front.at_end and not covered else 0


class Tried(World):
    """A world whose laws are looked at after every step."""

    def __init__(self, columns: int, rows: int, *, chats: bool = True) -> None:
        super().__init__(columns, rows)
        self.broken: list[str] = []
        self.left = 0  # the chat whose end was in sight last
        node = self.node
        node.acknowledges = False
        self._watch_marking()
        if not chats:
            return
        node.add_chat("dev", *NICKS, "you", leader="alice", unread=2)
        node.add_chat("ops", *NICKS, "you", leader="you")
        node.add_chat("lab", *NICKS, "you", leader="bob")
        for chat, count in ((1, 150), (2, 30)):
            for left in range(count, 0, -1):
                node.past(
                    chat, NICKS[left % 3], f"line {left}" + " more" * (left % 30), left * MINUTE_MS
                )

    def _watch_marking(self) -> None:
        mark_read = self.node.mark_read

        async def marked(chat: str) -> None:
            self._is_looked_at(int(chat, 16))
            await mark_read(chat)

        self.node.mark_read = marked  # type: ignore[method-assign]

    def _is_looked_at(self, chat_id: int) -> None:
        if chat_id not in (looked_at(self.state), self.left):
            self.broken.append(f"chat {chat_id} was marked as read, and nobody looked at its end")

    def started(self) -> None:
        self.start()
        assert self.face is not None
        self.face.listen(self._applied)

    def _applied(self, before: State, event: Event) -> None:
        """The marker: nothing that happens moves one that stands."""
        if looked_at(self.state) != looked_at(before):
            self.left = looked_at(before)
        if not isinstance(event, Happening):
            return
        for view in self.state.views:
            old = before.view(view.chat.chat_id)
            if old is None or old.marker == view.marker:
                continue
            line = event.what if isinstance(event.what, Line) else None
            is_first = line is not None and (old.unread, view.unread) == (0, 1)
            is_caught = line is not None and line.backlog and not old.marker
            if not (is_first or is_caught):
                self.broken.append(f"{event} moved the marker of {view.name}")

    # ---- steps

    def does(self, step: tuple[Any, ...]) -> None:
        what, *rest = step
        if not self._can_be(what, rest):
            return
        if what in SHAKING:
            getattr(self, f"_{what}")(*rest)
            self.passes(700)
        elif what in ("press", "type", "paste", "raw", "resize", "passes"):
            getattr(self, f"_{what}")(*rest)
        else:
            before, front = self.transcript(), self.state.current
            getattr(self, f"_{what}")(*rest)
            self.passes(400)
            told_of = front in self.node.towns and "status" not in self.node.answers
            if before is not None and told_of:  # Else the next look at the node may close it.
                # A late line comes between, and pushes what is above it.
                self._stays(before[-1:] if what == "late" else before)
        self.check()

    def _can_be(self, what: str, rest: list[Any]) -> bool:
        """Whether there is a chat, and in it a member, of whom the step tells."""
        if what in ("passes", "paste") or not rest or rest[0] not in CHATS:
            return True
        town = self.node.towns.get(rest[0])
        nicks = [member.nick for member in town.members] if town else []
        named = [one for one in rest[1:2] if one in NICKS]
        return town is not None and all(nick in nicks for nick in named)

    def _press(self, key: str) -> None:
        self.press(key)
        self.passes(300)

    def _type(self, text: str) -> None:
        self.type(text)

    def _paste(self, lines: int) -> None:
        self.paste("\n".join(["pasted"] * lines))

    def _raw(self, sent: bytes) -> None:
        """What a terminal sends that does not speak UTF-8."""
        self._input.send_bytes(sent)
        self.passes(500)

    def _resize(self, size: tuple[int, int]) -> None:
        self.resize(*size)

    def _passes(self, ms: int) -> None:
        self.passes(ms)

    def _says(self, chat: int, nick: str, text: str) -> None:
        self.node.says(chat, nick, text)

    def _late(self, chat: int, minutes: int) -> None:
        line = self.node.past(chat, "bob", f"late by {minutes}", minutes * MINUTE_MS + 7)
        self.node.tell(line, chat)

    def _changed(self, chat: int, nick: str, change: str) -> None:
        self.node.changed(chat, nick, change, "lunch")

    def _suspected(self, chat: int, nick: str) -> None:
        self.node.set_member(chat, nick, state="suspect")
        member = next(m for m in self.node.town(chat).members if m.nick == nick)
        self.node.tell(SuspectEvent(member.member_id, nick), chat)

    def _elected(self, chat: int, nick: str) -> None:
        self.node.tell(ElectionEvent(1, nick, "started", "leader silent"), chat)
        self.node.led(chat, nick, 12, took_ms=400)

    def _merged(self, chat: int) -> None:
        self.node.tell(MergeEvent(3, 1, "alice"), chat)

    def _nds(self, up: bool) -> None:
        self.node.nds_goes(up=up, down_ms=1_000)

    def _lost(self, lost: bool) -> None:
        if lost:
            self.node.dies()
        else:
            self.node.returns()

    def _ended(self, chat: int) -> None:
        self.node.tell(ChatEvent(self.node.town(chat).chat, "closed"), chat)
        del self.node.towns[chat]

    def _opened(self) -> None:
        number = self.node.add_chat(f"new{len(self.node.towns)}", *NICKS, "you", leader="you")
        self.node.tell(ChatEvent(self.node.town(number).chat, "opened"), number)

    def _dropped(self) -> None:
        """The node lets the face go, since it does not keep up."""
        for queue in self.node._watchers:
            queue.put_nowait(TooSlow())

    def _forgets(self, forgets: bool) -> None:
        """The node tells of no chat for a while, as one does that has just started."""
        if forgets:
            self.node.answers["status"] = Status(nick="you")
        else:
            self.node.answers.pop("status", None)

    def _fails(self, method: str, fails: bool) -> None:
        if fails:
            self.node.answers[method] = NodeSilent(profile="default", seconds="5", log="node.log")
        else:
            self.node.answers.pop(method, None)

    def _command(self, text: str) -> None:
        self.press("Esc", "Ctrl+C")
        self.enter(text)

    def _acked(self) -> None:
        if 1 not in self.node.towns:
            return
        own = [line for line in self.node.town(1).log if line.own and line.of]
        if own:
            self.node.acked(1, own[-1], "bob", 1, own[-1].of)

    # ---- laws

    def transcript(self) -> list[str] | None:
        """The rows of the transcript while one is scrolled up and nothing covers it."""
        state, face = self.state, self.face
        assert face is not None
        view, covered = state.front, state.page or state.search or state.switcher or state.question
        if view is None or view.scroll is None or covered:
            return None
        columns, rows = self.display.columns, self.display.lines
        now = face.layout()
        if now.transcript < 20:
            return None
        left = now.chats + 1 if now.chats else 0
        seen = self.rows[int(now.title) : int(now.title) + now.body]
        assert len(seen) <= rows
        assert left + now.transcript <= columns
        return [self.cut(row, left, now.transcript) for row in seen]

    @staticmethod
    def cut(row: str, left: int, width: int) -> str:
        """That part of a row, without marks of delivery, which do change."""
        from wcwidth import wcwidth

        x, kept = 0, ""
        for char in row:
            kept += char if left <= x < left + width else ""
            x += max(0, wcwidth(char))
        return RESERVED.sub("", kept).rstrip()

    def _stays(self, before: list[str]) -> None:
        after = self.transcript()
        assert after is not None, "an event has closed the view"
        count = min(len(before), len(after))
        assert before[len(before) - count :] == after[len(after) - count :], "the view has moved"

    def check(self) -> None:
        assert not self.broken, self.broken
        assert not self.display.unknown, self.display.unknown
        face, rows = self.face, self.display.lines
        assert face is not None
        x, y = self.display.at
        assert rows - face.input_rows <= y < rows, f"the cursor is in row {y}"
        assert 0 <= x < self.display.columns
        for title in self.display.titles:
            assert title.isprintable(), repr(title)
        assert "owned" not in "".join(t for t in self.display.titles if "\x1b" in t)
        assert not re.search("[\x80-\x9f]", self.sink.raw), "C1 has reached the terminal"
        assert "\x1b]0;" not in self.sink.raw
        assert "\x1b[2J\x1b]" not in self.sink.raw

    def drawn_anew(self) -> None:
        """After SIGWINCH every cell is drawn again: nothing may have been left out before."""
        self.passes(3_000)
        if self.now() % MINUTE_MS > 59_000:
            self.passes(2_000)
        before = self.rows
        self.resize(self.display.columns, self.display.lines)
        assert [steady(row) for row in before] == [steady(row) for row in self.rows]


def steady(row: str) -> str:
    """A row without what changes with time alone."""
    return re.sub(r"down \d+\w*", "down", row).rstrip()
