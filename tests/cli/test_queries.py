"""What faces ask of a node, over one that is played: every query answers, every page is filled."""

import asyncio
from typing import Any

import pytest

from node import words as w
from node.cli.queries import PAGES, QUERIES, ask, entered, fetch
from node.cli.render.tables import Answer
from node.errors import NodeDown, NoSuchMember, NoSuchMessage, Usage
from tests.cli.fake_node import NDS, NOON_MS, FakeNode

DEV = f"{1:016x}"
GIVEN: dict[str, Any] = {
    "line": f"{NDS}/lab",
    "name": "lab",
    "member": "bob",
    "text": "build",
    "nick": "eve",
    "away": "lunch",
    "chat": DEV,
    "id": "0123",
}
NEEDS = {
    "join": ("line",),
    "create": ("name",),
    "whois": ("chat", "member"),
    "search": ("chat", "text"),
    "nick": ("nick",),
    "away": ("away",),
    "revoke": ("chat", "id"),
}
ALONE = ("networks", "back", "status", "version", "nds", "log", "rpc", "doctor")


@pytest.fixture
def node() -> FakeNode:
    played = FakeNode(lambda: NOON_MS)
    played.add_chat("dev", "alice", "bob", "you", leader="alice")
    line = played.past("dev", "alice", "the build broke", 60_000)
    played.answers["trace"] = w.Tracing(line=line, leader_nick="alice")
    return played


def asked(node: FakeNode, query: str, **args: Any) -> Answer:
    return asyncio.run(ask(node, query, **args))  # type: ignore[arg-type]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_answers(node: FakeNode, query: str) -> None:
    wanted = NEEDS.get(query, () if query in ALONE else ("chat",))
    answer = asked(node, query, **{name: GIVEN[name] for name in wanted})
    assert isinstance(answer, Answer)
    assert all(line.isprintable() for line in (*answer.lines, *answer.notes))


@pytest.mark.parametrize("kind", PAGES)
def test_every_page_is_filled_with_a_value(node: FakeNode, kind: str) -> None:
    args = {} if kind == "rpc" else {"chat": DEV}
    value = asyncio.run(fetch(node, kind, **args))  # type: ignore[arg-type]
    assert type(value).__module__ == w.__name__
    method = {"rpc": "calls"}.get(kind, kind)
    (heard,) = node.asked(method)
    assert heard.get("chat", DEV) == DEV


@pytest.mark.parametrize(
    ("query", "args", "lines"),
    [
        ("create", {"name": "lab"}, f"others run:  p2pchat join {NDS}/lab"),
        ("hosted", {"chat": DEV}, f"others run:  p2pchat join {NDS}/dev"),
        ("invite", {"chat": DEV}, f"{NDS}/dev"),
        ("revoke", {"chat": DEV, "id": "0123"}, "invitation 0123 of #dev is of no use any more"),
        ("topic", {"chat": DEV}, "#dev has no topic"),
        ("nick", {"nick": "eve"}, "you are eve now"),
        ("whois", {"chat": DEV, "member": "@BOB"}, "bob (id 2) in #dev"),
        ("whois", {"chat": DEV, "member": "3"}, "you (id 3) in #dev"),
    ],
)
def test_what_a_query_says(node: FakeNode, query: str, args: dict[str, Any], lines: str) -> None:
    assert lines in asked(node, query, **args).lines


def test_invitations_are_listed_without_their_secrets(node: FakeNode) -> None:
    assert asked(node, "invites", chat=DEV).notes == ("nobody is invited to #dev",)
    one = w.InviteRow("0123456789abcdef", "bob", 2, NOON_MS, 0, True, "used", 1)
    two = w.InviteRow("fedcba9876543210", "eve", 5, NOON_MS, NOON_MS + 60_000, False, "good", 3)
    node.answers["invites"] = w.Invites("dev", False, (one, two))
    answer = asked(node, "invites", chat=DEV)
    assert [" ".join(line.split()) for line in answer.lines] == [
        "0123456789abcdef used by bob for one for good 1 came by it",
        "fedcba9876543210 good by eve for any number until 2026-01-15 12:02:00 3 came by it",
    ]
    assert [(row["id"], row["expires"], row["once"]) for row in answer.rows] == [
        ("0123456789abcdef", None, True),
        ("fedcba9876543210", "2026-01-15T12:02:00.000Z", False),
    ]
    node.answers["invites"] = w.Invites("dev", True)
    assert asked(node, "invites", chat=DEV).notes == ("#dev lets in whoever asks",)


def test_a_topic_is_told_with_its_author_and_can_be_set(node: FakeNode) -> None:
    assert asked(node, "topic", chat=DEV, topic="freeze") == Answer()
    assert asked(node, "topic", chat=DEV).lines == ("#dev - freeze (set by you)",)


def test_of_two_chats_of_one_name_the_topic_is_the_asked_ones(node: FakeNode) -> None:
    asked(node, "topic", chat=DEV, topic="freeze")
    other = node.add_chat("dev", "you", leader="you")
    node.set_chat(other, topic="thaw")
    assert asked(node, "topic", chat=DEV).lines == ("#dev - freeze (set by you)",)
    assert asked(node, "topic", chat=f"{other:016x}").lines == ("#dev - thaw",)
    assert asked(node, "topic", chat="#dev").lines == ("#dev - freeze (set by you)",)


@pytest.mark.parametrize(
    ("unread", "mentions", "said"),
    [
        (0, 0, "nothing unread"),
        (1, 0, "1 unread"),
        (7, 2, "7 unread, 2 mention you"),
        (7, 1, "7 unread, 1 mentions you"),
    ],
)
def test_what_was_missed_is_told_in_words(
    node: FakeNode, unread: int, mentions: int, said: str
) -> None:
    node.answers["unread"] = w.Unread(unread, mentions)
    assert asked(node, "missed", chat=DEV).lines == (said,)
    assert asked(node, "unread", chat=DEV).lines == (f"{unread} {mentions}",), "for status bars"


def test_somebody_who_is_not_there_is_named_with_the_nearest(node: FakeNode) -> None:
    with pytest.raises(NoSuchMember, match="Did you mean bob"):
        asked(node, "whois", chat=DEV, member="bobb")


def test_who_is_in_is_told_so_though_the_node_has_gone_since(node: FakeNode) -> None:
    node.answers["status"] = NodeDown(profile="you")
    assert asked(node, "join", line=f"{NDS}/lab").lines[0].startswith("you are in #lab as you")


def test_a_page_that_the_node_refuses_is_its_complaint(node: FakeNode) -> None:
    node.answers["trace"] = NoSuchMessage(id="4f2a", chat="dev")
    with pytest.raises(NoSuchMessage):
        asyncio.run(fetch(node, "trace", chat=DEV, id="4f2a"))  # type: ignore[arg-type]


def test_a_search_reads_on_until_there_is_nothing_older(node: FakeNode) -> None:
    for number in range(2_500):
        node.past("dev", "bob", f"build {number}", 50_000 - number)
    answer = asked(node, "search", chat=DEV, text="BUILD")
    assert len(answer.lines) == 2_501
    assert len(node.asked("history")) == 3
    assert len(asked(node, "search", chat=DEV, text="build", count=7).lines) == 7
    assert asked(node, "search", chat=DEV, text="nowhere").notes == ("nothing in #dev holds it",)


@pytest.mark.parametrize("nothing", ["", " ", "\t"])
def test_a_search_for_nothing_is_refused(node: FakeNode, nothing: str) -> None:
    with pytest.raises(Usage, match="Which text"):
        asked(node, "search", chat=DEV, text=nothing)
    assert node.asked("history") == []


def test_who_joins_or_makes_a_chat_has_entered_it(node: FakeNode) -> None:
    for query, args in (("join", {"line": f"{NDS}/lab"}), ("create", {"name": "ops"})):
        answer = asked(node, query, **args)
        assert entered(query, answer) == len(node.towns)
        assert entered("invite", answer) == 0
    assert entered("join", Answer()) == 0
