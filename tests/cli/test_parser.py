"""The command line: verbs, flags before and after them, and what is said of nonsense.

Tries node/cli/flags.py too.
"""

import re
from typing import Any

import pytest

from node import words as w
from node.cli import verbs
from node.cli.parser import VERBS, Parser, build, parse
from node.cli.render import tables
from node.errors import Usage
from node.happenings import KINDS


def test_flags_for_every_verb_stand_before_or_after_it() -> None:
    for line in (["--home", "/h", "--json", "status"], ["status", "--json", "--home", "/h"]):
        found = parse(line)
        assert (found.verb, found.home, found.json) == ("status", "/h", True)


def test_no_verb_is_chatting() -> None:
    found = parse(["--plain"])
    assert (found.verb, found.plain) == (None, True)


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_help_and_somebody_who_does_it(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([verb, "--help"])
    assert ended.value.code == 0
    assert "--home" in capsys.readouterr().out
    assert verb in verbs.PLACE


def test_the_help_shows_every_verb_and_hides_the_node_itself() -> None:
    told = build().format_help()
    for verb in VERBS:
        assert f"\n    {verb.name}" in told
    assert "\n    _node" not in told


def _verbs() -> dict[str, Parser]:
    """The parser of each verb."""
    (found,) = (one for one in build()._actions if one.dest == "verb")
    assert isinstance(found.choices, dict)
    return found.choices


def _needed(verb: str) -> list[str]:
    """Words without which a verb is refused."""
    positional = (one for one in _verbs()[verb]._actions if not one.option_strings)
    needed = (one for one in positional if one.nargs in (None, "+"))
    return [str(next(iter(one.choices))) if one.choices else "x" for one in needed]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["leeve"], "there is no verb 'leeve'. Did you mean leave?"),
        (["xyzzy"], "there is no verb 'xyzzy'. See"),
        (["send", "--wait", "some"], "invalid choice: 'some'"),
        (["tail", "-n", "many"], "must be a whole number, 0 or more, not 'many'"),
        (["tail", "-n", "-5"], "must be a whole number, 0 or more, not '-5'"),
        (["bench", "--rate", "1e-9"], "must be a whole number from 0 to 10000, not '1e-9'"),
        (["bench", "--count", "0"], "must be a whole number from 1 to 100000, not '0'"),
        (["tail", "--since", "soon"], "must be a span like 30s, 5m, 1h or 2d"),
        (["tail", "--since", "0h"], "must be above 0, not '0h'"),
        (["invite", "--expires", "0s"], "--expires: must be above 0, not '0s'"),
        (["config"], "required: path|show"),
        (["completion"], "required: bash|zsh|fish"),
        (["join"], "required: LINE"),
        (["up", "--flag"], "unrecognized arguments: --flag"),
        (["errors", "99"], "must be an exit code, one of 0, 1, 2, 3, 4, 5, 6, 7, 130, not '99'"),
        (["errors", "FOO"], "must be an exit code, one of 0, 1, 2, 3, 4, 5, 6, 7, 130, not 'FOO'"),
        (["errors", "-1"], "-1"),
        (["members", "-c", ""], "-c/--chat: must not be empty"),
        (["trace", " "], "ID: must not be empty"),
        (["ping", ""], "MEMBER: must not be empty"),
    ],
)
def test_nonsense_is_refused_in_one_line(line: list[str], said: str) -> None:
    with pytest.raises(Usage) as told:
        parse(line)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


VALUED = [
    (verb, flag)
    for verb, one in (("", build()), *_verbs().items())
    for action in one._actions
    if action.option_strings and action.nargs is None
    for flag in action.option_strings
]


@pytest.mark.parametrize(("verb", "flag"), VALUED)
def test_two_dashes_as_a_value_are_a_text_like_any_other(verb: str, flag: str) -> None:
    """What a script's variable holds is neither ignored nor taken for something else."""
    given = f"{flag}=--" if flag.startswith("--") else f"{flag}--"
    line = [verb, given, *_needed(verb)] if verb else [given]
    actions = _verbs().get(verb, build())._actions
    (dest,) = (one.dest for one in actions if flag in one.option_strings)
    said = ""
    taken: object = None
    try:
        taken = vars(parse(line))[dest]
    except Usage as told:
        said = str(told)
    refused = re.match(rf"argument (\S+/)?{flag}(/\S+)?: .*'--'", said)
    assert taken in ("--", ["--"]) or refused, (taken, said)


def test_what_is_left_out_is_empty() -> None:
    assert (parse(["trace"]).id, parse(["trace"]).chat, parse(["ping"]).member) == ("", "", "")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), ("7", 7_000)],
)  # fmt: skip
def test_spans(text: str, ms: int) -> None:
    assert parse(["tail", "--since", text]).since == ms


def test_what_starts_a_node_takes_its_flags() -> None:
    line = ["host", "dev", "--nds", "a:1", "--nds", "b:2", "--listen", "0.0.0.0", "--insecure"]
    found = parse(line)
    assert (found.nds, found.listen, found.insecure) == (["a:1", "b:2"], "0.0.0.0", True)


CHAT = w.Chat(name="dev", chat_id=1, member_id=2)
TRACE = w.TraceRow(member_id=2)
SAID: dict[str, tables.Answer] = {
    "host": tables.created(w.Created(CHAT, "a:1/dev")),
    "create": tables.hosted(CHAT, "a:1/dev"),
    "join": tables.joined(w.Admitted(CHAT, "you")),
    "leave": tables.left(w.Departure(), "dev"),
    "status": tables.status(w.Status(nds=(w.DiscoveryService("a:1"),), chats=(CHAT,)), 0),
    "send": tables.progress(w.Progress()),
    "tail": tables.history(w.Page((w.Line(own=True),)), "dev", 0),
    "members": tables.members(w.Members("dev", (w.Member(2),)), 0),
    "leader": tables.leader(w.Leader("dev")),
    "list": tables.networks(w.Networks((w.Network("dev", 1),)), 0),
    "invite": tables.invitation(w.Invitation("a:1/dev"), "dev"),
    "unread": tables.unread(w.Unread(), "dev"),
    "peers": tables.peers(w.Peers((w.Peer(),))),
    "ping": tables.pings(w.Pings("dev", (w.PingRow(),))),
    "check": tables.comparison(w.Comparison("dev", rows=(w.Compared(2),), lost=(w.Lost(2),))),
    "doctor": tables.diagnosis(w.Diagnosis((w.Finding("port", True),))),
    "rpc": tables.calls(w.Calls((w.CallMade(),)), 0),
}


def fields(value: Any) -> set[str]:
    """The names of all fields of what is printed."""
    if isinstance(value, list | tuple):
        return set().union(*map(fields, value))
    if not isinstance(value, dict):
        return set()
    return {*value}.union(*map(fields, value.values()))


@pytest.mark.parametrize("verb", SAID)
def test_the_help_names_every_field_of_what_is_printed_and_no_other(verb: str) -> None:
    (json,) = (one.json for one in VERBS if one.name == verb)
    said = fields(SAID[verb].rows)
    assert said == set(re.findall(r'"(\w+)"', json))


def test_the_help_of_watch_names_every_type_and_no_other() -> None:
    (json,) = (verb.json for verb in VERBS if verb.name == "watch")
    kinds = {"chat" if kind == "chat_changed" else kind for kind in KINDS}
    assert set(json.partition(": ")[2].split()) == kinds
