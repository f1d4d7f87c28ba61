"""The command line: every verb, its flags and its JSON.  Imports argparse and no more."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from msgspec import Struct

from ..errors import EXIT_CODES, Usage, nearest
from .flags import NOT_GIVEN, OWN, face_flags, given

Subparsers = argparse._SubParsersAction  # the only name that argparse has for it


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that complains in our way."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """As ever, but that `--flag=--` is a text: argparse would drop it, and give a list."""
        if not action.option_strings or arg_strings != ["--"]:
            return super()._get_values(action, arg_strings)
        value = self._get_value(action, "--")
        self._check_value(action, value)
        return value

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


DECIDED = '"chat","act","nick"'
CHAT_ROW = '"chat","chat_id","id","member","epoch","generation"'
LINE_ROW = (
    '"v","type","chat","id","short","epoch","generation","from":{"id","member","nick"},"ts",'
    '"text","edited","erased","redacted_by","kind","backlog","own","mention","acked","of"'
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "host",
        "make a chat and print the line that others run; starts an NDS if none is named or answers",
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
        '"alive","known","unread","mentions","outbox","lost","fingerprint","nds","topic",'
        '"transient","halt","halt_reason","nick"}],"nick","identity","version","log","started",'
        '"problems","durability","ended","certificate"',
    ),
    Verb(
        "send",
        "send a line, or with - one message for each line of stdin that is not blank",
        '"id","short","acked","of","missing","later","complete"',
        "chat",
        "Exits when it is acknowledged (see --wait) or --timeout is over; prints 4f2a 3/3.",
    ),
    Verb("edit", "put another text in the place of a line of your own", LINE_ROW, "chat"),
    Verb(
        "redact",
        "erase a line, of your own or as owner or admin anybody's, at all members",
        LINE_ROW,
        "chat",
    ),
    Verb("tail", "the last lines of a chat, in display order", LINE_ROW, "chat"),
    Verb("search", "the lines that hold a text", LINE_ROW, "chat"),
    Verb(
        "members",
        "who is in a chat: * leads, ? silent, - gone",
        '"chat","id","member","nick","state","address","leader","self","acked","lacking",'
        '"seen","away","identity","certificate","role","removed_by"',
        "chat",
    ),
    Verb(
        "kick",
        "remove a member, who is not let in again: the owner's and admins' to say",
        DECIDED,
        "chat",
        "WHO is a nick, nick#id, an id, or the first digits of an identity; exit 7 where refused.",
    ),
    Verb("ban", "do not let in somebody, who may have left: theirs, too", DECIDED, "chat"),
    Verb("unban", "let in again who was removed, as a new member: theirs, too", DECIDED, "chat"),
    Verb("op", "make a member an admin: the owner's to say", DECIDED, "chat"),
    Verb("deop", "make an admin a member like others: the owner's", DECIDED, "chat"),
    Verb("owner", "make a member the owner, and oneself an admin: the owner's", DECIDED, "chat"),
    Verb(
        "rights",
        "who may invite and set the topic; with RIGHT and VALUE, that from now on",
        '"chat","owner","admins":[nick],"invite","topic"',
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
        '"chat","chat_id","leader","address","state","nds","seen","epoch","generation","transient"',
        "nds",
    ),
    Verb(
        "invite",
        "the line that others run to join: for a day and any number, unless flags say otherwise",
        '"chat","join","through","id","expires","once"',
        "chat",
    ),
    Verb(
        "password",
        "let in who knows a password, too: set it, change it, or take it away with --none",
        '"chat","password"',
        "chat",
    ),
    Verb(
        "unread", "unread lines and mentions, as two numbers", '"chat","unread","mentions"', "chat"
    ),
    Verb(
        "peers",
        "the links to the other members",
        '"chat","id","member","nick","address","link","rtt_us","calls","failures","last_error",'
        '"state","in_flight","watch","held_ms"',
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
        '"chat","count","size","rate","of","acked","later":[nick],"msg_s","p50_ms","p99_ms","max_ms"',
        "chat",
        "Asks before, since everybody there sees the lines; exit 6 where one is not acknowledged.",
    ),
    Verb(
        "watch",
        "everything that happens, as JSON, until Ctrl+C",
        '"v","type","chat" and what the type has: message change receipt member suspect '
        "election leader nds queue split merge gap error chat",
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
    Verb("config", "where the settings come from", '"key","value","source"; with path "path"'),
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
    face_flags(parser)
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
            type=given,
            default=NOT_GIVEN,
            metavar="CHAT",
            help="which chat; not needed with only one",
        )
    if verb.flags == "nds":
        one.add_argument("--nds", action="append", metavar="HOST:PORT", help="only this one's")
    if verb.name in OWN:
        OWN[verb.name](one)


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
    flag("--nick", default=hide, metavar="NAME", help="your name in chats to come (/nick: in all)")
    flag("--nds", action="append", default=hide, metavar="HOST:PORT", help="an NDS; repeatable")
    flag(
        "--listen",
        default=hide,
        metavar="HOST[:PORT]",
        help="where to listen (127.0.0.1, and this machine's address on the way to the NDS)",
    )
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


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for.

    Raises:
        Usage: it makes no sense.
        SystemExit: after --help and --version.
    """
    return build().parse_args(list(arguments))
