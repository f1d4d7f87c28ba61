"""What single verbs take on the command line beside what all do."""

import argparse
from collections.abc import Callable

from ..errors import EXIT_CODES
from ..limits import TEXT_MAX


class _NotGiven(str):
    """A default that argparse converts as if it had been typed."""


NOT_GIVEN = _NotGiven()
NEVER = -1  # of --expires
SPAN_MAX_D, SPAN_DIGITS = 36_500, 12


def face_flags(parser: argparse.ArgumentParser) -> None:
    """How one talks."""
    flag = parser.add_argument
    flag("--plain", action="store_true", help="line mode: append only, for pipes and readers")
    flag("--commands", action="store_true", help="line mode: obey slash commands from a pipe")
    flag("--color", default=None, choices=["auto", "always", "never"], help="colour (auto)")


def _host(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", nargs="?", default="lobby", metavar="CHAT", help="its name (lobby)")
    one.add_argument("--no-ui", action="store_true", help="leave a background node and return")
    _made(one)
    face_flags(one)


def _create(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", metavar="CHAT", help="its name")
    one.add_argument("--no-ui", action="store_true", help="so it is already")
    _made(one)


def _made(one: argparse.ArgumentParser) -> None:
    one.add_argument("--transient", action="store_true", help="nothing of it is written to disk")
    one.add_argument(
        "--history",
        choices=("all", "none"),
        default="all",
        help="what newcomers read of what was said before them (all)",
    )
    ways = one.add_mutually_exclusive_group()
    ways.add_argument("--open", action="store_true", help="whoever asks is let in")
    _password(ways, "who knows it is let in, too; asked for on the terminal")


def _password(ways: argparse._ActionsContainer, help: str) -> None:
    """A password, as one gives it: by hand, or in a file."""
    ways.add_argument("--password", action="store_true", help=help)
    _password_file(ways)


def _password_file(ways: argparse._ActionsContainer) -> None:
    ways.add_argument(
        "--password-file",
        type=given,
        default=NOT_GIVEN,
        metavar="PATH",
        help="the password is in a file that nobody else can read; - is a line of stdin",
    )


def _invite(one: argparse.ArgumentParser) -> None:
    what = one.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="for one only")
    what.add_argument("--list", action="store_true", help="the invitations there are")
    what.add_argument("--revoke", type=given, default=NOT_GIVEN, metavar="ID", help="end one")
    one.add_argument("--expires", type=_lasts, default=0, metavar="1d", help="30m, 12h, never")


def _join(one: argparse.ArgumentParser) -> None:
    one.add_argument("line", metavar="LINE", help="HOST:PORT/name#..., as it was given to you")
    one.add_argument("--no-ui", action="store_true", help="leave a background node and return")
    way = one.add_mutually_exclusive_group()
    _password(way, "by the password, asked for on the terminal, and in no other way")
    face_flags(one)


def _set_password(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", nargs="?", default="", metavar="CHAT", help="which chat")
    what = one.add_mutually_exclusive_group()
    _password_file(what)
    what.add_argument("--none", action="store_true", help="take it away")


def _leave(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", nargs="?", default="", metavar="CHAT", help="which chat")


def _down(one: argparse.ArgumentParser) -> None:
    one.add_argument("--all", action="store_true", help="also the NDS that host started")


def _send(one: argparse.ArgumentParser) -> None:
    one.add_argument("text", nargs="*", metavar="TEXT", help="the line; - or nothing reads stdin")
    one.add_argument(
        "--wait", choices=["none", "leader", "all"], default="all", help="for whose ACK (all)"
    )
    one.add_argument("--whole", action="store_true", help="stdin is one message")
    one.add_argument("--me", action="store_true", help="say what you do")


def _tail(one: argparse.ArgumentParser) -> None:
    one.add_argument("-n", type=_count, metavar="N", help="how many lines (20)")
    one.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    one.add_argument("--since", type=_span, default=0, metavar="1h", help="no older lines: 30s 5m")
    one.add_argument("--events", action="store_true", help="with -f: notices too")
    one.add_argument(
        "--export",
        type=given,
        default=NOT_GIVEN,
        metavar="FILE",
        help="all lines as JSON into a new file",
    )


def given(text: str) -> str:
    """What was given; an empty variable of a script is not taken for nothing given."""
    if text is NOT_GIVEN:
        return ""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty: leave it out, or name one")
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text!r}")
    return int(text)


def _lasts(text: str) -> int:
    """Milliseconds, a second at least; or `NEVER`."""
    if (span := NEVER if text == "never" else _span(text)) in range(1_000):
        raise argparse.ArgumentTypeError("must be 1s at least, or never")
    return span


def _span(text: str) -> int:
    """Milliseconds of 30s, 5m, 1h, 2d."""
    units = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    if number.isdecimal() and not number.strip("0"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {text!r}")
    if not number.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a span like 30s, 5m, 1h or 2d, not {text!r}")
    if len(number) > SPAN_DIGITS or int(number) * units[unit] > SPAN_MAX_D * units["d"]:
        raise argparse.ArgumentTypeError(f"must be at most {SPAN_MAX_D}d, not {text}")
    return int(number) * units[unit]


def _search(one: argparse.ArgumentParser) -> None:
    one.add_argument("text", nargs="+", metavar="TEXT", help="whatever its case")


def _members(one: argparse.ArgumentParser) -> None:
    one.add_argument("--all", action="store_true", help="also those that left or were removed")


def _whom(one: argparse.ArgumentParser) -> None:
    one.add_argument("member", type=given, metavar="WHO", help="nick, nick#id, id or identity")


def _rights(one: argparse.ArgumentParser) -> None:
    flag = one.add_argument
    flag("right", nargs="?", choices=["invite", "topic"], metavar="RIGHT", help="invite or topic")
    flag("value", nargs="?", choices=["all", "admins"], metavar="VALUE", help="all or admins")


def _ping(one: argparse.ArgumentParser) -> None:
    who = "nick, nick#id, id or identity"
    one.add_argument("member", nargs="?", type=given, default=NOT_GIVEN, metavar="MEMBER", help=who)


def _trace(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "id",
        nargs="?",
        type=given,
        default=NOT_GIVEN,
        metavar="ID",
        help="first digits, at least 4",
    )


def _edit(one: argparse.ArgumentParser) -> None:
    _id(one)
    one.add_argument("text", nargs="+", metavar="TEXT", help="what stands there from now on")


def _id(one: argparse.ArgumentParser) -> None:
    one.add_argument("id", type=given, metavar="ID", help="first digits, at least 4")


def _election(one: argparse.ArgumentParser) -> None:
    one.add_argument("--start", action="store_true", help="stand; a living leader stays")


def _bench(one: argparse.ArgumentParser) -> None:
    flag = one.add_argument
    flag("--count", type=_within(1, 100_000), default=100, metavar="N", help="lines (100)")
    flag(
        "--rate",
        type=_within(0, 10_000),
        default=30,
        metavar="N",
        help="lines a second (30); 0: as fast as they are acknowledged",
    )
    flag("--size", type=_within(32, TEXT_MAX), default=200, metavar="N", help="bytes each (200)")
    flag("--yes", action="store_true", help="do not ask")


def _within(low: int, high: int) -> Callable[[str], int]:
    """What takes a number from `low` to `high`."""

    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            must = f"must be a whole number from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{must}, not {text!r}")
        return int(text)

    return number


def _watch(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--history", type=_within(0, 1_000), default=0, metavar="N", help="begin with past lines"
    )


def _rpc(one: argparse.ArgumentParser) -> None:
    one.add_argument("method", nargs="?", default="", metavar="SERVICE/METHOD", help="or METHOD")


def _log(one: argparse.ArgumentParser) -> None:
    one.add_argument("homes", nargs="*", metavar="HOME", help="homes, profiles' or log files")


def _config(one: argparse.ArgumentParser) -> None:
    help = "of config.toml, or every setting"
    one.add_argument("what", choices=["path", "show"], metavar="path|show", help=help)


def _completion(one: argparse.ArgumentParser) -> None:
    one.add_argument("shell", choices=["bash", "zsh", "fish"], metavar="bash|zsh|fish")


def _errors(one: argparse.ArgumentParser) -> None:
    one.add_argument("code", nargs="?", type=_exit, choices=sorted(EXIT_CODES), metavar="CODE")


def _exit(text: str) -> int:
    if not text.isdecimal() or int(text) not in EXIT_CODES:
        known = ", ".join(map(str, sorted(EXIT_CODES)))
        raise argparse.ArgumentTypeError(f"must be an exit code, one of {known}, not {text!r}")
    return int(text)


def _demo(one: argparse.ArgumentParser) -> None:
    one.add_argument("--auto", action="store_true", help="play the whole story and exit")
    one.add_argument("--plain", action="store_true", help="you in line mode, and not in the app")


OWN = {
    "host": _host,
    "create": _create,
    "join": _join,
    "leave": _leave,
    "password": _set_password,
    "down": _down,
    "send": _send,
    "tail": _tail,
    "search": _search,
    "members": _members,
    **dict.fromkeys(("kick", "ban", "unban", "op", "deop", "owner"), _whom),
    "rights": _rights,
    "ping": _ping,
    "edit": _edit,
    "redact": _id,
    "trace": _trace,
    "election": _election,
    "invite": _invite,
    "bench": _bench,
    "watch": _watch,
    "rpc": _rpc,
    "log": _log,
    "config": _config,
    "completion": _completion,
    "errors": _errors,
    "demo": _demo,
}
