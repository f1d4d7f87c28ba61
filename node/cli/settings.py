"""What a face keeps from one run to the next, in `ui.json` of the profile.

Settings that `/set` has changed, muted and closed chats, what rings, who is ignored, aliases, and
the chat that was in front.  The file is replaced as a whole, never half written; one that cannot be
understood is told of, put aside at the next change, and stops nothing.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from ..config import Config
from ..disk import refusal, replace_file
from ..limits import nick_fault
from ..names import is_number
from ..options import BY_KEY, SETTABLE
from ..places import Places
from ..words import Mode
from .commands import alias_fault
from .keys import Chords
from .model.events import Aliased, Chose, Closed, Event, Ignored, Leveled, Muted, Selected, Told
from .model.values import Level, Settings, State, View
from .personal import personal
from .render.text import clean_line

VERSION = 1
HINT = "Type and press Enter to talk.  Tab completes, F1 helps, /quit leaves."


class Kept(Struct, frozen=True):
    """What ui.json holds; chats are named by their numbers."""

    settings: Mapping[str, str] = field(default_factory=dict)  # that differ from the config's
    muted: tuple[int, ...] = ()
    levels: Mapping[int, Level] = field(default_factory=dict)  # other than ALL
    closed: tuple[int, ...] = ()
    ignored: tuple[str, ...] = ()  # nicks, folded
    aliases: Mapping[str, str] = field(default_factory=dict)  # "": one of the config's is removed
    current: int = 0  # the chat that was in front
    hinted: bool = False  # the newcomer's line has served


# ---- ui.json -----------------------------------------------------------------------------------


def load(file: Path) -> tuple[Kept, tuple[str, ...]]:
    """What the file holds, and what is wrong with it; nothing where there is none yet."""
    try:
        table = _table(file)
    except FileNotFoundError:
        return Kept(), ()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return Kept(), (f"{file}: {why}; what it kept of this view is not used",)
    reading = _Reading(file, table)
    kept = Kept(
        settings=reading.settings(),
        muted=reading.chats("muted"),
        levels=reading.levels(),
        closed=reading.chats("closed"),
        ignored=tuple(dict.fromkeys(reading.texts("ignored", _nick))),
        aliases=reading.aliases(),
        current=next(iter(reading.chats("current")), 0),
        hinted=table.get("hinted") is True,
    )
    return kept, tuple(reading.complaints)


def _table(file: Path) -> Mapping[str, Any]:
    """Raises OSError or ValueError where it cannot be understood."""
    try:
        table = json.loads(file.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
    if not isinstance(table, dict) or not isinstance(table.get("version"), int):
        raise ValueError("it is damaged")
    if table["version"] > VERSION:
        raise ValueError("a newer p2pchat wrote it")
    return table


class _Reading(Struct):
    """Takes ui.json apart; what is not as it should be is told of and left out."""

    file: Path
    table: Mapping[str, Any]
    complaints: list[str] = field(default_factory=list)

    def drop(self, key: str, text: str) -> None:
        self.complaints.append(f"{self.file} key '{key}': {text}; it is not used")

    def texts(self, key: str, read: Callable[[str], Any]) -> list[Any]:
        """The entries of a list, each as `read` gives it."""
        value = self.table.get(key, [])
        found = []
        for one in value if isinstance(value, list) else [value]:
            try:
                found.append(read(_text(one)))
            except ValueError as error:
                self.drop(key, str(error))
        return found

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """The entries of a table of texts."""
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            self.drop(key, "must be a table")
            return []
        good = [(name, text) for name, text in value.items() if isinstance(text, str)]
        if len(good) < len(value):
            self.drop(key, "its values must be texts")
        return good

    def chats(self, key: str) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.texts(key, _chat)))

    def settings(self) -> dict[str, str]:
        found = {}
        for key, value in self.pairs("settings"):
            option = BY_KEY.get(key)
            try:
                if option is None or not option.view:
                    raise ValueError("there is no such setting")
                found[key] = option.read(value) if value else option.default
            except ValueError as error:
                self.drop(f"settings.{key}", str(error))
        return found

    def levels(self) -> dict[int, Level]:
        found = {}
        for key, value in self.pairs("levels"):
            try:
                found[_chat(key)] = Level(value)
            except ValueError as error:
                self.drop(f"levels.{key}", str(error))
        return found

    def aliases(self) -> dict[str, str]:
        found = {}
        for name, text in self.pairs("aliases"):
            if fault := alias_fault(name, text or "-"):
                self.drop(f"aliases.{name}", fault)
            else:
                found[name.casefold()] = text.strip()
        return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {value!r}")
    return value


def _chat(text: str) -> int:
    if not is_number(text):
        raise ValueError(f"{text!r} is no chat")
    return int(text, 16)


def _nick(text: str) -> str:
    if fault := nick_fault(text):
        raise ValueError(fault)
    return text.casefold()


def save(file: Path, kept: Kept) -> None:
    """Replaces what the file holds; one that is not understood is put aside first.

    Raises:
        Unwritable: the disk refuses.
    """
    text = json.dumps(_written(kept), indent=1, ensure_ascii=False)
    try:
        _put_aside(file)
    except OSError as error:
        raise refusal(file, error) from error
    replace_file(file, text.encode("utf-8", "replace"))


def _put_aside(file: Path) -> None:
    try:
        _table(file)
    except OSError:
        pass  # there is none; or it cannot be read, and replacing it says whether it is lost
    except ValueError:
        file.replace(file.with_name(f"{file.name}.aside"))


def _written(kept: Kept) -> dict[str, Any]:
    return {
        "version": VERSION,
        "settings": dict(kept.settings),
        "muted": list(map(_number, kept.muted)),
        "levels": {_number(chat): level.value for chat, level in kept.levels.items()},
        "closed": list(map(_number, kept.closed)),
        "ignored": list(kept.ignored),
        "aliases": dict(kept.aliases),
        "hinted": kept.hinted,
        **({"current": _number(kept.current)} if kept.current else {}),
    }


def _number(chat_id: int) -> str:
    return f"{chat_id:016x}"


# ---- between the files and a face --------------------------------------------------------------


def base(config: Config) -> Settings:
    """The settings as flags, environment, profile and file have them."""
    return Settings(**{key: config.values[key] for key in Settings.__struct_fields__})


def _given_now(config: Config, key: str) -> bool:
    """Whether a flag or the environment says it, which stands above what was kept."""
    source = config.sources[key]
    return source.startswith("flag ") or source == BY_KEY[key].variable


class Keeper:
    """What one face begins with, and what is kept of it."""

    def __init__(
        self, places: Places, config: Config, again: Callable[[], Config] | None = None
    ) -> None:
        """Reads ui.json; `complaints` has what is wrong with it, and with one's keys and aliases.

        Args:
            places: names the file.
            config: the settings below those that are kept.
            again: reads them anew, for `reload`.
        """
        self._file, self._config, self._again = places.ui, config, again
        self._own = personal(config)
        self._saving = Lock()  # the app saves in a thread, and at its end
        self._unkept: set[str] = set()  # ignored beside a transient chat: they may be of it
        self._kept, faults = load(places.ui)
        self.complaints = (*self._own.complaints, *faults)

    @property
    def keys(self) -> Mapping[str, Chords]:
        """The keys of every action as the config has them, those of the demo included."""
        return self._own.keys

    def begin(self) -> State:
        """The state to begin with, before anything is known of the node."""
        return State(
            settings=self._settings(),
            aliases=self._aliases(),
            ignored=self._kept.ignored,
            hint="" if self._kept.hinted else HINT,
        )

    def restored(self) -> tuple[Event, ...]:
        """What is to be reduced once the chats are known."""
        kept = self._kept
        events: list[Event] = [Closed(chat_id) for chat_id in kept.closed]
        events += [Muted(chat_id, True) for chat_id in kept.muted]
        events += [Leveled(chat_id, level) for chat_id, level in kept.levels.items()]
        events += [Selected(kept.current)] if kept.current else []
        return tuple(events)

    def save(self, state: State) -> None:
        """Keeps what of `state` is worth it; nothing is written where nothing has changed.

        Raises:
            Unwritable: the disk refuses.
        """
        with self._saving:
            kept = self._worth(state)
            if kept != self._kept:
                save(self._file, kept)
                self._kept = kept

    def reload(self, state: State) -> tuple[Event, ...]:
        """What brings `state` to what the files say now, and what is wrong with them."""
        if self._again is not None:
            self._config = self._again()
        self._own = personal(self._config)
        self._kept, faults = load(self._file)
        self.complaints = (*self._own.complaints, *faults)
        kept, wanted = self._kept, dict(self._aliases())
        events: list[Event] = [Chose(self._settings())]
        events += [Aliased(name, "") for name, _ in state.aliases if name not in wanted]
        events += [Aliased(name, text) for name, text in wanted.items()]
        events += [Ignored(nick, False) for nick in state.ignored if nick not in kept.ignored]
        events += [Ignored(nick, True) for nick in kept.ignored]
        for view in state.views:
            chat_id = view.chat.chat_id
            events.append(Muted(chat_id, chat_id in kept.muted))
            events.append(Leveled(chat_id, kept.levels.get(chat_id, Level.ALL)))
        if wrong := (*self._config.complaints, *self.complaints):
            events.append(Told(tuple(map(clean_line, wrong)), tone="error"))
        return tuple(events)

    def _settings(self) -> Settings:
        config, kept = self._config, self._kept.settings
        changed = {key: value for key, value in kept.items() if not _given_now(config, key)}
        return replace(base(config), **changed)

    def _aliases(self) -> tuple[tuple[str, str], ...]:
        every = {**self._own.aliases, **self._kept.aliases}
        return tuple((name, text) for name, text in sorted(every.items()) if text)

    def _worth(self, state: State) -> Kept:
        """What is to be kept; of chats that are not there just now, what was."""
        was, theirs, own = self._kept, self._own.aliases, dict(state.aliases)
        absent = {*was.muted, *was.closed, *was.levels}.difference(_chats(state.views))
        views = [view for view in state.views if view.chat.mode != Mode.TRANSIENT]
        if len(views) < len(state.views):
            self._unkept.update(set(state.ignored).difference(was.ignored))
        is_passing = state.current in _chats(state.views) - _chats(views)
        levels = {chat: was.levels[chat] for chat in absent if chat in was.levels}
        return Kept(
            settings=self._changed(state.settings),
            muted=_sorted(absent.intersection(was.muted), _chats(v for v in views if v.muted)),
            levels=levels | {v.chat.chat_id: v.level for v in views if v.level is not Level.ALL},
            closed=_sorted(absent.intersection(was.closed), _chats(v for v in views if v.closed)),
            ignored=tuple(sorted(set(state.ignored) - self._unkept)),
            aliases={name: text for name, text in own.items() if theirs.get(name) != text}
            | {name: "" for name in theirs if name not in own},
            current=state.current if state.views and not is_passing else was.current,
            hinted=was.hinted or not state.hint,
        )

    def _changed(self, settings: Settings) -> dict[str, str]:
        """The settings that differ from the config's; one that is given for this run stays kept."""
        usual, was = base(self._config), self._kept.settings
        found = {}
        for option in SETTABLE:
            value = getattr(settings, option.key)
            if value != getattr(usual, option.key):
                found[option.key] = value
            elif option.key in was and _given_now(self._config, option.key):
                found[option.key] = was[option.key]
        return found


def _chats(views: Iterable[View]) -> set[int]:
    return {view.chat.chat_id for view in views}


def _sorted(*chats: set[int]) -> tuple[int, ...]:
    return tuple(sorted(set().union(*chats)))
