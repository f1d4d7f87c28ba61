"""The command line: every verb, its flags and its JSON.  Imports argparse and no more."""

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from msgspec import Struct

from ..errors import EXIT_CODES, Usage, nearest
from ..limits import TEXT_MAX

Subparsers = argparse._SubParsersAction  # the only name that argparse has for it


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that complains in our way."""

    def error(self, message: str) -> NoReturn:
        if wrong := re.match(
            r"argument VERB: invalid choice: '(.*?)' \(choose", message, re.DOTALL
        ):
            near = nearest(wrong[1], [verb.name for verb in VERBS], mark="")
            message = f"there is no verb {wrong[1]!r}.{near}".rstrip(".")
        raise Usage(text=f"{message}. See '{self.prog} --help'.".replace("?.", "?"))


class Verb(Struct, frozen=True):
    """A verb as `--help` shows it."""

    name: str
    help: str
    json: str = ""  # fields of its JSON objects
    flags: str = ""  # of: node, chat, nds
    more: str = ""


CHAT_ROW = '"chat","chat_id","id","member","epoch","generation"'
LINE_ROW = (
    '"v","type","chat","id","short","epoch","generation","from":{"id","member","nick"},"ts",'
    '"text","kind","backlog","own","mention"'
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "host",
        "make a chat and print the line that others run; starts an NDS where none answers",
        f'{CHAT_ROW},"join"',
        "node",
    ),
    Verb("create", "the same as host --no-ui", f'{CHAT_ROW},"join"', "node"),
    Verb(
        "join",
        "join a chat: HOST:PORT/name, name@HOST:PORT, or a name that the NDS knows",
        f'{CHAT_ROW},"nick","already"',
        "node",
    ),
    Verb("leave", "end the membership in a chat", '"chat","told","untold","deleted"', "chat"),
    Verb(
        "up",
        "start this profile's node in the background and re-enter its chats",
        '"pid","listen","advertise","control","already"',
        "node",
    ),
    Verb("down", "stop it; leadership is handed over, memberships stay", '"pid","nds_pid"'),
    Verb(
        "status",
        "the node and its chats",
        '"pid","listen","advertise","control","nds":[{"address","state","fault"}],"chats":[{"name",'
        '"chat_id","id","member","epoch","generation","leader","leader_nick","provisional",'
        '"alive","known","unread","mentions","outbox","lost","fingerprint","nds","topic","halt",'
        '"halt_reason"}],"nick","identity","version","log","started",'
        '"problems","durability","ended","certificate"',
    ),
    Verb(
        "send",
        "send a line, or with - one message for each line of stdin",
        '"id","short","acked","of","missing","later","complete"',
        "chat",
        "Exits when it is acknowledged (see --wait) or --timeout is over; prints 4f2a 3/3.",
    ),
    Verb("tail", "the last lines of a chat, in display order", LINE_ROW, "chat"),
    Verb("search", "the lines that hold a text", LINE_ROW, "chat"),
    Verb(
        "members",
        "who is in a chat: * leads, ? silent, - gone",
        '"chat","id","member","nick","state","address","leader","self","acked","lacking",'
        '"seen","away","identity","certificate"',
        "chat",
    ),
    Verb(
        "leader",
        "who leads; exit 5 where nobody is known to",
        '"chat","id","member","nick","epoch","generation","provisional","address","seen",'
        '"halt","halt_reason"',
        "chat",
    ),
    Verb(
        "list",
        "the chats that the discovery services know",
        '"chat","chat_id","leader","address","state","nds","seen","epoch","generation"',
        "nds",
    ),
    Verb(
        "invite",
        "the line that others run to join: for a day and any number, unless flags say otherwise",
        '"chat","join","through","id","expires","once"',
        "chat",
    ),
    Verb(
        "unread", "unread lines and mentions, as two numbers", '"chat","unread","mentions"', "chat"
    ),
    Verb(
        "peers",
        "the links to the other members",
        '"chat","id","member","nick","address","link","rtt_us","calls","failures","last_error",'
        '"state","in_flight"',
        "chat",
    ),
    Verb(
        "ping",
        "round trip to one member, or to all; exit 5 where one is silent",
        '"chat","id","member","nick","answered","rtt_us","said","epoch","generation"',
        "chat",
    ),
    Verb(
        "trace",
        "who has a message, who lacks it and why (the last own one)",
        'of the message, and "chat","leader","provisional","stored","follows","members":[{"id",'
        '"member","nick","state","took_ms","way","last_status","next_try_ms","tries"}]',
        "chat",
    ),
    Verb(
        "election",
        "the last elections; --start stands as after a missed ping",
        '"began","took_ms","winner","epoch","generation","steps":[{"at","text"}],'
        '"under_way","provisional"; with --start '
        'that of leader, and "outcome"',
        "chat",
    ),
    Verb(
        "check",
        "whether every member has the same history; exit 6 where not, or one that is not gone"
        " does not answer",
        '"chat","same","differ","unanswered":[id],"members":[{"id","member","nick","fingerprint","same","self"}],'
        '"lost":[{"id","member","nick","messages"}],"halt","halt_reason"',
        "chat",
    ),
    Verb(
        "bench",
        "say lines, and how long their acknowledgements take: p50, p99, msg/s",
        '"chat","count","size","rate","of","acked","msg_s","p50_ms","p99_ms","max_ms"',
        "chat",
        "Asks before, since everybody there sees the lines; exit 6 where one is not acknowledged.",
    ),
    Verb(
        "watch",
        "everything that happens, as JSON, until Ctrl+C",
        '"v","type","chat" and what the type has: message receipt member suspect election '
        "leader nds queue split merge gap error chat",
        "chat",
    ),
    Verb(
        "doctor",
        "check port, address, NDS, dial-back, clock, each chat's log, free room and versions",
        '"check","ok","text"',
        more="Without a node it checks the logs and the room; exit 5 where those are well, else 1.",
    ),
    Verb(
        "rpc",
        "the grpcurl line for a method of this node; without one, the last calls",
        '"at","method","address","request_json","status","took_ms"',
    ),
    Verb("log", "the logs of several nodes, merged in order of time"),
    Verb("config", "where the settings come from", '"key","value","source"'),
    Verb("completion", "a script that completes verbs and flags in your shell"),
    Verb("errors", "the exit codes, or all that may be said with one", '"exit","reason","text"'),
    Verb("demo", "an NDS and three peers on this machine, and you; --auto plays by itself"),
)


def build() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="p2pchat",
        description="Group chat without a message server. With no verb: chat, here.",
        epilog="Run 'p2pchat VERB --help' for flags and JSON. Exit codes: "
        + "; ".join(f"{code} {text.split(';')[0]}" for code, text in EXIT_CODES.items()),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    _common(parser)
    _node_flags(parser)
    _face_flags(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for verb in VERBS:
        _add(verbs, verb)
    hidden = verbs.add_parser("_node")  # the background process itself
    _common(hidden)
    _node_flags(hidden)
    hidden.add_argument("--nick-later", action="store_true")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"p2pchat {version('p2pchat')}")
        parser.exit()


class _NotGiven(str):
    """A default that argparse converts as if it had been typed."""


NOT_GIVEN = _NotGiven()
NEVER = -1  # of --expires


def _add(verbs: "Subparsers[Parser]", verb: Verb) -> None:
    epilog = [verb.more] if verb.more else []
    epilog += [f"--json: one object a line: {{{verb.json}}}"] if verb.json else []
    text = verb.help[0].upper() + verb.help[1:] + "."
    one = verbs.add_parser(verb.name, help=verb.help, description=text, epilog=" ".join(epilog))
    _common(one)
    if verb.flags == "node":
        _node_flags(one)
    if verb.flags == "chat":
        one.add_argument(
            "-c",
            "--chat",
            type=_given,
            default=NOT_GIVEN,
            metavar="CHAT",
            help="which chat; not needed with only one",
        )
    if verb.flags == "nds":
        one.add_argument("--nds", action="append", metavar="HOST:PORT", help="only this one's")
    if verb.name in _OWN:
        _OWN[verb.name](one)


def _common(parser: argparse.ArgumentParser) -> None:
    """Flags that may stand before or after the verb."""
    group = parser.add_argument_group("for every verb")
    hide = argparse.SUPPRESS
    flag = group.add_argument
    flag("--json", action="store_true", default=hide, help="JSON on stdout, one object a line")
    flag("--profile", default=hide, metavar="NAME", help="which node of this machine")
    flag("--home", default=hide, metavar="DIR", help="keep all files under this directory")
    flag(
        "--timeout",
        default=hide,
        metavar="S",
        help="seconds to wait for an answer (10)",
    )
    flag("--quiet", action="store_true", default=hide, help="no talk on stderr")


def _node_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for starting the node")
    hide = argparse.SUPPRESS
    flag = group.add_argument
    flag("--nick", default=hide, metavar="NAME", help="your name in chats")
    flag("--nds", action="append", default=hide, metavar="HOST:PORT", help="an NDS; repeatable")
    flag("--listen", default=hide, metavar="HOST[:PORT]", help="where to listen (127.0.0.1)")
    flag("--advertise", default=hide, metavar="HOST:PORT", help="the address that others are told")
    flag("--preset", default=hide, choices=["lan", "wan"], help="timing (lan)")
    flag(
        "--durability",
        default=hide,
        choices=["process", "power"],
        help="what is stored survives the death of the process, or the loss of power too (process)",
    )
    flag("--timing", action="append", default=hide, metavar="KEY=MS", help="one timing setting")
    flag("--log-level", default=hide, choices=["debug", "info", "warning"], help="of the log")
    flag("--insecure", action="store_true", default=hide, help="plain connections, on this machine")


def _face_flags(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    flag("--plain", action="store_true", help="line mode: append only, for pipes and readers")
    flag("--commands", action="store_true", help="line mode: obey slash commands from a pipe")
    flag("--color", default=None, choices=["auto", "always", "never"], help="colour (auto)")


# ---- what single verbs take --------------------------------------------------------------------


def _host(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", nargs="?", default="lobby", metavar="CHAT", help="its name (lobby)")
    one.add_argument("--no-ui", action="store_true", help="leave a background node and return")
    _made(one)
    _face_flags(one)


def _create(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", metavar="CHAT", help="its name")
    one.add_argument("--no-ui", action="store_true", help="so it is already")
    _made(one)


def _made(one: argparse.ArgumentParser) -> None:
    one.add_argument("--transient", action="store_true", help="nothing of it is written to disk")
    one.add_argument("--open", action="store_true", help="whoever asks is let in")


def _invite(one: argparse.ArgumentParser) -> None:
    what = one.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="for one only")
    what.add_argument("--list", action="store_true", help="the invitations there are")
    what.add_argument("--revoke", type=_given, default=NOT_GIVEN, metavar="ID", help="end one")
    one.add_argument("--expires", type=_lasts, default=0, metavar="1d", help="30m, 12h, never")


def _join(one: argparse.ArgumentParser) -> None:
    one.add_argument("line", metavar="LINE", help="HOST:PORT/name#SECRET, as it was given to you")
    one.add_argument("--no-ui", action="store_true", help="leave a background node and return")
    _face_flags(one)


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
    one.add_argument("-n", type=_count, default=20, metavar="N", help="how many lines (20)")
    one.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
    one.add_argument("--since", type=_span, default=0, metavar="1h", help="no older lines: 30s 5m")
    one.add_argument("--events", action="store_true", help="with -f: notices too")


def _given(text: str) -> str:
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
    if not number.isdecimal() or int(number) == 0:
        raise argparse.ArgumentTypeError(f"must be a span like 30s, 5m, 1h or 2d, not {text!r}")
    return int(number) * units[unit]


def _search(one: argparse.ArgumentParser) -> None:
    one.add_argument("text", nargs="+", metavar="TEXT", help="whatever its case")


def _members(one: argparse.ArgumentParser) -> None:
    one.add_argument("--all", action="store_true", help="also those that left")


def _ping(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "member", nargs="?", type=_given, default=NOT_GIVEN, metavar="MEMBER", help="nick or id"
    )


def _trace(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "id",
        nargs="?",
        type=_given,
        default=NOT_GIVEN,
        metavar="ID",
        help="first digits, at least 4",
    )


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
    one.add_argument("--history", type=_count, default=0, metavar="N", help="begin with past lines")


def _rpc(one: argparse.ArgumentParser) -> None:
    one.add_argument("method", nargs="?", default="", metavar="SERVICE/METHOD", help="or METHOD")


def _log(one: argparse.ArgumentParser) -> None:
    one.add_argument("homes", nargs="*", metavar="HOME", help="homes, profiles' or log files")


def _config(one: argparse.ArgumentParser) -> None:
    one.add_argument("what", choices=["path", "show"], help="of config.toml, or every setting")


def _completion(one: argparse.ArgumentParser) -> None:
    one.add_argument("shell", choices=["bash", "zsh", "fish"])


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


_OWN = {
    "host": _host,
    "create": _create,
    "join": _join,
    "leave": _leave,
    "down": _down,
    "send": _send,
    "tail": _tail,
    "search": _search,
    "members": _members,
    "ping": _ping,
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


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for.

    Raises:
        Usage: it makes no sense.
        SystemExit: after --help and --version.
    """
    return build().parse_args(list(arguments))
