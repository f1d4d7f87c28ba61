"""How the screen is divided: which parts there are, how wide and how high."""

from msgspec import Struct

from ..model import State
from . import over

CHATS_FROM, MEMBERS_FROM = 80, 100  # columns of the screen from which a pane is shown by itself
PANE = 16  # columns of a pane
TRANSCRIPT_MIN = 20  # columns that a forced pane leaves to the transcript
TITLE_FROM = 8  # rows of the screen


class Layout(Struct, frozen=True):
    """From top to bottom: the title, the body (chats, transcript, members, with borders between),
    rows over the status bar, the status bar; the input follows.
    """

    title: bool
    chats: int  # columns; 0 for no pane
    transcript: int
    members: int
    body: int  # rows
    over: int
    status: bool


def layout(state: State, columns: int, rows: int, input_rows: int) -> Layout:
    """The division of a screen of that size; never larger, however small that is."""
    room = max(0, rows - input_rows)
    bare = state.page is not None and state.page.kind == "bare"
    title = rows >= TITLE_FROM and not bare and room >= 3
    status = room >= 1
    left = room - title - status
    above = min(len(over.rows(state, columns)), max(0, left - 1))
    chats, members = panes(state, columns) if not bare else (0, 0)
    taken = sum(pane + 1 for pane in (chats, members) if pane)
    return Layout(title, chats, columns - taken, members, left - above, above, status)


def panes(state: State, columns: int) -> tuple[int, int]:
    """Columns of the chats pane and of the members pane."""

    def wanted(setting: str, least: int) -> bool:
        return setting == "on" or (setting != "off" and columns >= least)

    chats = wanted(state.settings.chats, CHATS_FROM) and bool(state.listed)
    members = wanted(state.settings.members, MEMBERS_FROM) and state.front is not None
    if members and columns - (PANE + 1) * (chats + members) < TRANSCRIPT_MIN:
        members = False  # the list of chats goes last
    if chats and columns - (PANE + 1) < TRANSCRIPT_MIN:
        chats = False
    return PANE * chats, PANE * members
