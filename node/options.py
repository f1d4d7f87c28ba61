"""What may be set: each option with its key, the values it takes, its default and what it is for.

`config` says where a value comes from; those marked `view` can also be changed while one looks, by
`/set`.  Pure: no file is read in here.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from .limits import line_fault, nick_fault
from .names import parse_address, parse_listen

NDS_DEFAULT = "127.0.0.1:50050"
THEMES = ("default", "mono", "high-contrast", "light")
PANE = ("auto", "on", "off")
SWITCH = ("on", "off")
COMMAND_MAX = 1_000  # characters


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be a text, not {value!r}")
    return value.strip()


def _nick(value: object) -> str:
    text = _text(value)
    if fault := nick_fault(text):
        raise ValueError(fault)
    return text


def _dialled(value: object) -> str:
    return parse_address(_text(value))


def _listen(value: object) -> str:
    return parse_listen(_text(value))


def _addresses(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of HOST:PORT, not {value!r}")
    return tuple(dict.fromkeys(_dialled(one) for one in value))


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        seconds = -1.0
    if isinstance(value, bool) or not 0 < seconds <= 3600:
        raise ValueError(f"must be a number of seconds above 0, at most 3600, not {value!r}")
    return seconds


def _command(value: object) -> str:
    text = _text(value)
    if fault := line_fault(text, COMMAND_MAX):
        raise ValueError(fault)
    return text


def _one_of(*choices: str) -> Callable[[object], str]:
    def choose(value: object) -> str:
        if isinstance(value, bool) and set(SWITCH) <= set(choices):
            return "on" if value else "off"  # as a file may say it
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {value!r}")
        return str(value)

    return choose


class Option(Struct, frozen=True):
    """One setting: its key in the file and among flags, how it is read, and what it is for.

    `read` gives the value of what was written, or raises ValueError that says what it must be.
    """

    key: str
    read: Callable[[object], Any]
    default: Any
    help: str
    choices: tuple[str, ...] = ()  # all values it takes; empty where there are too many to list
    view: bool = False  # /set changes it, and so does the profile's ui.json

    @property
    def flag(self) -> str:
        return "--" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        return f"P2PCHAT_{self.key.upper()}"


def _choice(
    key: str, choices: tuple[str, ...], default: str, help: str, *, view: bool = False
) -> Option:
    return Option(key, _one_of(*choices), default, help, choices, view)


OPTIONS = (
    Option(
        "nick",
        _nick,
        "",
        "your name in chats to come; empty: the login name",
    ),
    Option("nds", _addresses, (), "discovery services, HOST:PORT each"),
    Option("listen", _listen, "127.0.0.1:0", "where the node listens, HOST[:PORT]; 0 draws one"),
    Option("advertise", _dialled, "", "the address that others are told; empty: found out"),
    Option(
        "nds_listen",
        _listen,
        NDS_DEFAULT,
        "where `host` starts an NDS of its own; not set: there, on all addresses",
    ),
    Option("timeout", _seconds, 10.0, "seconds that a verb waits for an answer"),
    _choice(
        "insecure",
        SWITCH,
        "off",
        "plain connections, on this machine alone: anybody here may read and use them",
    ),
    _choice("preset", ("lan", "wan"), "lan", "timing: lan, or wan (four times as patient)"),
    _choice(
        "durability",
        ("process", "power"),
        "process",
        "what is stored survives the death of the process, or the loss of power too",
    ),
    _choice("color", ("auto", "always", "never"), "auto", "colour in the terminal"),
    _choice("log_level", ("debug", "info", "warning"), "info", "how much the node logs"),
    _choice("theme", THEMES, "default", "colours of the full screen", view=True),
    _choice("chats", PANE, "auto", "the chats pane; auto: from 80 columns", view=True),
    _choice("members", PANE, "auto", "the members pane; auto: from 100 columns", view=True),
    _choice("notices", SWITCH, "on", "who joins, leaves, leads: told in the chat", view=True),
    _choice("mouse", SWITCH, "off", "the mouse scrolls and picks chats", view=True),
    _choice("bell", SWITCH, "on", "the terminal rings when somebody names you", view=True),
    _choice("seconds", SWITCH, "on", "times have seconds", view=True),
    Option(
        "notify_command",
        _command,
        "",
        "run when somebody names you; gets the line as JSON on stdin",
        view=True,
    ),
)
BY_KEY = {option.key: option for option in OPTIONS}
SETTABLE = tuple(option for option in OPTIONS if option.view)
