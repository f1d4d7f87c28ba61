"""Does what a typed line asks for."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import assert_never

from msgspec.structs import replace

from ...errors import Complaint
from ..commands import (
    Action,
    Apply,
    Copy,
    Find,
    LookUp,
    Mistyped,
    Open,
    Query,
    Quit,
    Reload,
    Save,
    Say,
    Show,
    about,
    of_another,
    parse,
)
from ..model import Hinted, Selected, Told
from ..queries import ask, entered, look_up
from .face import Face
from .pages import Pages
from .saving import Saving
from .searching import Searching
from .sending import Sending
from .terminal import Screen
from .watching import Watching

# What takes effect in the order in which it was entered, with what is said before and after.
_IN_TURN = (
    *("nick", "topic", "away", "back", "leave", "read", "edit", "redact", "decide", "rights"),
)
_CHANGING = ("join", "create", "leave")  # which chats there are


class Performing:
    """From a line to what it does."""

    def __init__(
        self,
        face: Face,
        *,
        pages: Pages,
        saving: Saving,
        is_typing: Callable[[], bool],
        searching: Searching,
        sending: Sending,
        watching: Watching,
        screen: Screen,
    ) -> None:
        self._face, self._pages, self._searching = face, pages, searching
        self._sending, self._watching, self._screen = sending, watching, screen
        self._saving, self._is_typing = saving, is_typing

    def line(self, text: str) -> None:
        """Does what a line asks for, or says why not; a newcomer who typed one needs no hint."""
        if self._face.state.hint:
            self._face.apply(Hinted(""))
        try:
            action = parse(self._face.state, text)
        except Mistyped as mistake:
            self._face.tell(str(mistake), tone="error")
        else:
            self.do(action)

    def do(self, action: Action) -> None:
        """Performs one action; what comes after the app was told to end is meant for no chat."""
        face = self._face
        if face.ends and not isinstance(action, Quit):
            return
        match action:
            case Say():
                self._sending.send(action)
            case Query():
                face.spawn(self._query(action), f"/{action.name}", lasting=True)
            case Apply(event=event, said=said, then=then):
                face.apply(event)
                face.tell(*([said] if said else ()))
                if then is not None:
                    face.spawn(self._query(then), f"/{then.name}", lasting=True)
            case Show(lines=lines):
                face.tell(*lines)
            case Open():
                self._pages.open(action)
            case Find(text=text):
                self._searching.begin(text)
            case Copy():
                self._copy(action)
            case LookUp():
                face.spawn(self._look_up(action), "the message", lasting=True)
            case Save():
                face.spawn(self._save(), "/save", lasting=True)
            case Reload():
                self._reload()
            case Quit():
                face.depart()
            case _:
                assert_never(action)

    async def _query(self, query: Query) -> None:
        front = self._face.state.current
        turn = self._face.turn(str(query.args.get("chat", "")))
        changes = query.name in _CHANGING
        with self._watching.asking() if changes else nullcontext():
            try:
                async with turn if query.name in _IN_TURN else nullcontext():
                    asks = {"asks": self._face.asks} if query.name == "join" else {}
                    answer = await ask(self._face.node, query.name, **query.args, **asks)
            except Complaint as complaint:
                self._face.tell(str(complaint), tone="error", chat_id=front)
                return
            if changes:  # the chats are as the answer says before that is told
                with suppress(Complaint):
                    self._face.apply(await self._face.node.status())
        self._watching.refresh()
        lines = (*answer.lines, *answer.notes)
        if chat_id := entered(query.name, answer):
            if self._face.state.current == front and not self._is_typing():
                self._face.apply(Selected(chat_id))
                front = chat_id
            else:  # whoever types goes on where he types
                lines = (*lines, self._where(chat_id))
        self._face.tell(*lines, chat_id=front)

    def _copy(self, copy: Copy) -> None:
        self._screen.copy(copy.text)
        self._face.tell(*([copy.said] if copy.said else ()))

    async def _look_up(self, wanted: LookUp) -> None:
        """Does what is to be done with a line that the node knows; nothing that was entered later
        is said before the answer to it.
        """
        face, front = self._face, self._face.state.current
        async with face.turn(wanted.chat):
            try:
                wants = partial(of_another, face.state)
                line = await look_up(face.node, wanted.chat, wanted.id, wants)
                action = about(wanted, line)
            except (Complaint, Mistyped) as fault:
                face.tell(str(fault), tone="error", chat_id=front)
                return
            match action:
                case Say():
                    await self._sending.say(action, nullcontext())
                case Copy():
                    self._copy(action)

    def _where(self, chat_id: int) -> str:
        """How one comes to a chat that is not in front."""
        numbers = {view.chat.chat_id: n for n, view in enumerate(self._face.state.listed, 1)}
        number = numbers.get(chat_id, 0)
        if not number:
            return "it will be in the list as soon as the node tells"
        return f"Alt+{number % 10} shows it" if number <= 10 else f"/chat {number} shows it"

    async def _save(self) -> None:
        fault = await self._saving.save()
        self._face.tell(fault or "saved", tone="error" if fault else "")

    def _reload(self) -> None:
        face = self._face
        try:
            events = face.setup.keeper.reload(face.state)
        except Complaint as complaint:
            face.tell(str(complaint), tone="error")
            return
        for event in events:
            face.apply(replace(event, at_ms=face.now()) if isinstance(event, Told) else event)
        face.tell("settings, keys and aliases are as the files say")
