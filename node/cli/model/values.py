"""The state of a face: chats with their transcripts, and what the user has opened and chosen.

A transcript is a window on the chat's log: lines in display order, and between them notices and
answers at the places where they came up.  Every item has a serial that is its own as long as the
face lives, so that a scroll position or a marker stays where it is whatever comes and goes.
"""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from ...faults import halted
from ...happenings import Happening, ReceiptEvent
from ...words import NO_CHAT, Chat, DiscoveryService, Line, Member

LINES_MAX = 5_000  # items of a transcript that are held; older ones are read from the log
IDLE_LINES_MAX = 200  # of a chat that was not looked at lately
RECENT_MAX = 8  # chats that count as looked at lately
BURST_MS = 2_000  # like notices that come closer than this make one

Place: TypeAlias = tuple[int, ...]  # of a line in display order; () for what is no line
OUTSET: Place = (0,) * 7  # before the first line of any log
BEYOND = -1  # instead of a marker's serial: it stands in the log, before the window


# ---- what a transcript is made of --------------------------------------------------------------


class Notice(Struct, frozen=True):
    """What the system tells: one happening, or several alike that came close together."""

    happenings: tuple[Happening, ...]
    leader: int = 0  # who led then: silence of the leader is told in other words

    @property
    def at_ms(self) -> int:
        return self.happenings[0].at_ms


class Reply(Struct, frozen=True):
    """What a slash command answered, or the face says of its own accord."""

    lines: tuple[str, ...]  # cleaned
    at_ms: int = 0
    tone: str = ""  # "", "error" or "hint"


class Unsent(Struct, frozen=True):
    """An own text that the node refused, or (without a reason) has not stored yet."""

    text: str
    why: str
    at_ms: int = 0


Entry: TypeAlias = Line | Notice | Reply | Unsent


class Item(Struct, frozen=True):
    """An entry at its place in a transcript."""

    serial: int  # unique in the face's life
    entry: Entry
    place: Place = ()
    shown_ms: int = 0  # when it came up here, or grew last; 0 for what was read from the log


class Anchor(Struct, frozen=True, eq=False):
    """The last row on the screen while scrolled up: a row of an item, counted from its first."""

    serial: int
    row: int = 0
    nick: int = 0  # columns of authors then, which stay; 0 for any.  Places are equal without it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anchor) and (self.serial, self.row) == (other.serial, other.row)

    def __hash__(self) -> int:
        return hash((self.serial, self.row))


class Level(Enum):
    """What of a chat rings, notifies and raises the hotlist."""

    ALL = "all"  # lines raise the hotlist, mentions also ring
    MENTIONS = "mentions"
    NONE = "none"


class View(Struct, frozen=True):
    """One chat as a face has it."""

    chat: Chat
    items: tuple[Item, ...] = ()
    members: tuple[Member, ...] = ()  # in order of id, as the node last told
    unread: int = 0  # lines of others that came while one was not looking at the end
    mentions: int = 0
    quiet: int = 0  # of the unread, those that came by catch-up: they raise nothing
    marker: int = 0  # serial of the last item read before those; 0 for no marker
    lost: tuple[int, Place] = (0, ())  # a marker whose item is not in the window: where that was
    sought: tuple[int, str] = (0, "")  # marker BEYOND: lines to count back, before which cursor
    scroll: Anchor | None = None  # None: at the end
    older: str | None = None  # cursor of what is before the window; "" nothing; None not read yet
    cut_off: bool = False  # the window ends before the present, which is to be read again
    later: tuple[Item, ...] = ()  # the newest of what came since it was cut off, in that order
    earlier: tuple[Item, ...] = ()  # lines from before the window that came lately
    newest: Place = ()  # before which the log has no line that was not told; () for not known
    waiting: int = 0  # how many of the last lines of others were unread when the log is first read
    counted: int = 0  # lines that were counted since the node's own count was last heard
    caught: int = 0  # lines that came by catch-up since then, seen by nobody
    hidden: int = 0  # lines of ignored ones that the node counts and we do not
    doubted: bool = False  # the watch was broken: what the node counts next is right
    receipts: tuple[ReceiptEvent, ...] = ()  # the last ones of lines that are not held
    changes: tuple[Line, ...] = ()  # the last lines that were edited or redacted, as they are now
    draft: str = ""  # what was being typed when another chat came to the front
    muted: bool = False
    level: Level = Level.ALL
    closed: bool = False  # not listed until something of interest comes, or it is asked for
    looked_at: int = 0  # serial at which it was last in front; larger is later

    @property
    def name(self) -> str:
        return self.chat.name

    @property
    def halted(self) -> str:
        """Why the chat does not go on here ("stalled: disk full"); empty where it does."""
        return halted(self.chat.halt, self.chat.halt_reason)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The messages alone."""
        return tuple(item.entry for item in self.items if isinstance(item.entry, Line))

    @property
    def at_end(self) -> bool:
        return self.scroll is None and not self.cut_off


LOBBY = View(NO_CHAT, older="")


# ---- what the user has opened ------------------------------------------------------------------


class Page(Struct, frozen=True):
    """What covers the transcript: help, elections, a trace, ...; `content` is what it shows."""

    kind: str  # help, keys, elections, trace, queue, peers, rpc, check, bare
    content: object = None  # a value of `words`, or lines
    topic: str = ""  # of help: a command, key table or topic; of trace: the message id
    top: int = 0  # first row shown
    chat_id: int = 0


class Search(Struct, frozen=True):
    """A search of the transcript in front: matches are marked, one of them is looked at."""

    text: str
    hit: int = 0  # serial of the match looked at; 0 for none
    exhausted: bool = False  # nothing older matches


class Switcher(Struct, frozen=True):
    """The list of chats that match what was typed; Enter takes the picked one."""

    text: str = ""
    chat_id: int = 0  # the picked one; 0 for the first that matches


class Secret(Struct, frozen=True):
    """Something is asked that nobody is to see; what is typed is no part of the state."""

    asked: str


class Question(Struct, frozen=True):
    """Something that is asked once before it is done; y does it, anything else does not."""

    kind: str  # paste, quit
    text: str
    payload: str = ""


class Settings(Struct, frozen=True):
    """What /set changes and /save keeps."""

    theme: str = "default"  # default, mono, high-contrast, light
    chats: str = "auto"  # the chats pane: auto (from 80 columns), on, off
    members: str = "auto"  # the members pane: auto (from 100 columns), on, off
    notices: str = "on"  # protocol notices in the transcript: on, off
    mouse: str = "off"
    bell: str = "on"
    seconds: str = "on"  # whether times have seconds
    notify_command: str = ""  # gets JSON of a mention on stdin


class State(Struct, frozen=True):
    """All that a face knows."""

    nick: str = ""
    current: int = 0  # chat_id of the chat in front; 0 for none
    views: tuple[View, ...] = ()  # in order of joining
    gone: tuple[View, ...] = ()  # chats that are not there now: what was chosen and typed for them
    lobby: View = LOBBY  # takes what is said where no chat is in front
    nds: tuple[DiscoveryService, ...] = ()
    last_own: str = ""  # id of the last own message
    page: Page | None = None
    search: Search | None = None
    switcher: Switcher | None = None
    question: Question | None = None
    secret: Secret | None = None
    settings: Settings = field(default_factory=Settings)
    aliases: tuple[tuple[str, str], ...] = ()  # name, what it stands for
    ignored: tuple[str, ...] = ()  # nicks, folded; their lines are not shown and do not count
    lost: bool = False  # the node does not answer
    hint: str = ""  # one line for a newcomer, above the input; empty once it has served
    serial: int = 0  # the last one given

    def view(self, chat_id: int) -> View | None:
        return next((view for view in self.views if view.chat.chat_id == chat_id), None)

    @property
    def front(self) -> View | None:
        """The chat in front."""
        return self.view(self.current)

    @property
    def own_nick(self) -> str:
        """What one is called in the chat in front; where none is, in those to come."""
        return self.front.chat.nick or self.nick if self.front else self.nick

    @property
    def front_or_lobby(self) -> View:
        """The transcript that is shown."""
        return self.front or self.lobby

    @property
    def listed(self) -> tuple[View, ...]:
        """The chats as they are numbered: those that were not closed."""
        return tuple(view for view in self.views if not view.closed)

    @property
    def nds_down(self) -> tuple[str, ...]:
        return tuple(one.address for one in self.nds if one.down_since_ms)

    def shown_name(self, view: View) -> str:
        """The name of a chat, with its discovery service where another one has the same name."""
        alike = sum(one.name == view.name for one in self.views)
        return f"{view.name}@{view.chat.nds}" if alike > 1 and view.chat.nds else view.name

    def named(self, name: str) -> View | None:
        """The chat of that name, with or without #, whatever its case where that is unique; of
        several with one name the one that is shown so.
        """
        wanted = name.removeprefix("#")
        exact = [view for view in self.views if wanted in (view.name, self.shown_name(view))]
        alike = exact or [v for v in self.views if v.name.casefold() == wanted.casefold()]
        return alike[0] if len(alike) == 1 else None

    def having(self, view: View, serial: int = 0) -> "State":
        """The same with this view of its chat, and the serial that was given last, if one was.

        The lobby has chat_id 0; a view of a chat that is not there changes nothing.
        """
        serial, wanted = serial or self.serial, view.chat.chat_id
        if not wanted:
            return replace(self, lobby=view, serial=serial)
        views = tuple([view if one.chat.chat_id == wanted else one for one in self.views])
        return replace(self, views=views, serial=serial)
