"""What may happen to a face's state, beside the node's happenings and its status."""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct, field

from ...happenings import Happening
from ...words import Line, Member, Status
from .values import Anchor, Level, Page, Question, Search, Secret, Settings, Switcher


class Towards(Enum):
    """Which part of the log a page is of."""

    END = "end"  # the last lines
    OLDER = "older"  # those before the window
    NEWER = "newer"  # those after it
    AROUND = "around"  # another window altogether, far from the one held


# ---- what came from the node, when it was asked ------------------------------------------------


class Roster(Struct, frozen=True):
    """The members of a chat."""

    chat_id: int
    members: tuple[Member, ...]


class Paged(Struct, frozen=True):
    """Lines of the log, in display order."""

    chat_id: int
    lines: tuple[Line, ...]
    towards: Towards
    older: str = ""  # cursor of what is before them; empty for nothing (not used for NEWER)
    at_end: bool = True  # NEWER and AROUND: nothing comes after them
    asked: str = ""  # OLDER and NEWER: the cursor asked with; a page beside the window is ignored


class CountedBack(Struct, frozen=True):
    """Lines of the log before the window, read to find where the unread ones begin."""

    chat_id: int
    lines: tuple[Line, ...]
    older: str  # cursor of what is before them; empty for nothing
    asked: str  # the cursor asked with; any but the one that is wanted is ignored


class Told(Struct, frozen=True):
    """Lines for the transcript: the answer of a slash command; chat_id 0 is the chat in front."""

    lines: tuple[str, ...]
    chat_id: int = 0
    at_ms: int = 0
    tone: str = ""


class Refused(Struct, frozen=True):
    """The node did not take an own text."""

    chat_id: int
    text: str
    why: str
    at_ms: int = 0


class Delayed(Struct, frozen=True):
    """The node has not stored an own text for so long that it is to be seen."""

    chat_id: int
    text: str
    at_ms: int = 0


class Answered(Struct, frozen=True):
    """The node has answered for a delayed text, whether it took it or not."""

    chat_id: int
    text: str


class Linked(Struct, frozen=True):
    """The node answers (again), or does not.  What was held is read anew after a loss."""

    up: bool


# ---- what the user did -------------------------------------------------------------------------


class Selected(Struct, frozen=True):
    """A chat was put in front; a closed one is listed again."""

    chat_id: int


class Scrolled(Struct, frozen=True):
    """The transcript was moved: `anchor` None is its end."""

    chat_id: int
    anchor: Anchor | None


class Read(Struct, frozen=True):
    """All of the chat counts as read; the marker goes."""

    chat_id: int


class Cleared(Struct, frozen=True):
    """The transcript was emptied; what was said stays in the log and can be scrolled to."""

    chat_id: int


class Closed(Struct, frozen=True):
    """The chat was taken off the list; the membership stays."""

    chat_id: int


class Muted(Struct, frozen=True):
    chat_id: int
    muted: bool


class Leveled(Struct, frozen=True):
    chat_id: int
    level: Level


class Ignored(Struct, frozen=True):
    """A nick's lines are hidden, or shown again."""

    nick: str
    ignored: bool


class Aliased(Struct, frozen=True):
    """`name` stands for `text` from now on; empty text takes it away."""

    name: str
    text: str


class Drafted(Struct, frozen=True):
    """What stands in the input of a chat that leaves the front."""

    chat_id: int
    text: str


class Chose(Struct, frozen=True):
    """Settings were changed."""

    settings: Settings


class Hinted(Struct, frozen=True):
    """The newcomer's line; empty takes it away."""

    text: str


class Showing(Struct, frozen=True):
    """What lies over or beside the transcript from now on; None closes it."""

    what: Page | Search | Switcher | Question | Secret | None
    kind: type = field(default=Page)  # which of them is closed by None


Event: TypeAlias = (
    Happening
    | Status
    | Roster
    | Paged
    | CountedBack
    | Told
    | Refused
    | Delayed
    | Answered
    | Linked
    | Selected
    | Scrolled
    | Read
    | Cleared
    | Closed
    | Muted
    | Leveled
    | Ignored
    | Aliased
    | Drafted
    | Chose
    | Hinted
    | Showing
)
