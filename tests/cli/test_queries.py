"""What faces ask of a node, over one that is played: every query answers, every page is filled."""

import asyncio
from typing import Any

import pytest

from node import words as w
from node.cli.queries import PAGES, QUERIES, ask, entered, fetch
from node.cli.render.tables import Answer
from node.errors import (
    AmbiguousMember,
    NodeDown,
    NoSuchMember,
    NoSuchMessage,
    TooManyInvites,
    Usage,
)
from tests.cli.fake_node import NDS, NOON_MS, FakeNode

DEV = f"{1:016x}"
KEY = w.PasswordKey(b"s" * 16, 15, 8, 1, b"k" * 32)
FAKE_ID = f"{40_503:04x}"  # of the first line of a played node
GIVEN: dict[str, Any] = {
    "password": KEY,
    "line": f"{NDS}/lab",
    "name": "lab",
    "member": "bob",
    "text": "build",
    "nick": "eve",
    "away": "lunch",
    "chat": DEV,
    "id": FAKE_ID,
    "act": "kick",
}
NEEDS = {
    "join": ("line",),
    "create": ("name",),
    "whois": ("chat", "member"),
    "search": ("chat", "text"),
    "nick": ("nick",),
    "away": ("away",),
    "revoke": ("chat", "id"),
    "edit": ("chat", "text"),
    "redact": ("chat", "id"),
    "password": ("chat", "password"),
    "decide": ("chat", "act", "member"),
}
ALONE = ("networks", "back", "status", "version", "nds", "log", "rpc", "doctor")


@pytest.fixture
def node() -> FakeNode:
    played = FakeNode(lambda: NOON_MS)
    played.add_chat("dev", "alice", "bob", "you", leader="alice")
    line = played.past("dev", "alice", "the build broke", 60_000)
    played.answers["trace"] = w.Tracing(line=line, leader_nick="alice")
    played.past("dev", "you", "sorry", 30_000)
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
        (
            "password",
            {"chat": DEV, "password": w.PasswordKey()},
            "#dev has no password any more; who has a line gets in ('p2pchat invite')",
        ),
        (
            "password",
            {"chat": DEV, "password": KEY},
            "who knows the password gets into #dev from now on, or has a line ('p2pchat invite')",
        ),
        ("edit", {"chat": DEV, "text": "so sorry"}, "3c6e is edited"),
        ("redact", {"chat": DEV, "id": FAKE_ID}, f"{FAKE_ID} is redacted"),
        ("topic", {"chat": DEV}, "#dev has no topic"),
        ("nick", {"nick": "eve"}, "you are eve now"),
        ("whois", {"chat": DEV, "member": "@BOB"}, "bob (id 2) in #dev"),
        ("whois", {"chat": DEV, "member": "3"}, "you (id 3) in #dev"),
    ],
)
def test_what_a_query_says(node: FakeNode, query: str, args: dict[str, Any], lines: str) -> None:
    assert lines in asked(node, query, **args).lines


def test_a_chat_that_is_hosted_again_is_told_as_at_its_making(node: FakeNode) -> None:
    made, again = asked(node, "create", name="lab").rows[0], asked(node, "hosted", chat="lab")
    assert made.keys() == again.rows[0].keys()
    node.answers["invite"] = TooManyInvites(chat="lab", most=64)
    answer = asked(node, "hosted", chat="lab")
    assert (answer.exit, answer.lines, answer.rows[0]["join"]) == (0, (), None)
    assert "has 64 invitations of yours that can be used" in answer.notes[0]


@pytest.mark.parametrize(
    ("flags", "mode", "invites", "said"),
    [
        ({"transient": True}, w.Mode.LOGGED, {}, "it is kept on disk"),
        ({"transient": True}, w.Mode.TRANSIENT, {}, ""),
        ({"is_open": True}, w.Mode.LOGGED, {}, "it lets in who is invited"),
        ({"is_open": True}, w.Mode.LOGGED, {"open": True}, ""),
        ({"hides_history": True}, w.Mode.LOGGED, {}, "it shows newcomers all that was said"),
        ({"hides_history": True}, w.Mode.LOGGED, {"hides_history": True}, ""),
        ({}, w.Mode.TRANSIENT, {"open": True, "hides_history": True}, ""),
    ],
)
def test_a_chat_is_not_made_otherwise_by_hosting_it_again(
    node: FakeNode, flags: dict[str, bool], mode: w.Mode, invites: dict[str, bool], said: str
) -> None:
    node.set_chat(DEV, mode=mode)
    node.answers["invites"] = w.Invites("dev", **invites)
    if not said:
        assert asked(node, "hosted", chat=DEV, **flags).rows[0]["join"]
        return
    with pytest.raises(Usage, match=f"is for a new chat: you are in #dev already, and {said}"):
        asked(node, "hosted", chat=DEV, **flags)
    assert not node.asked("invite"), "none is spent"


@pytest.mark.parametrize("full", [False, True])
def test_a_nick_for_a_chat_that_one_is_in_is_said_to_come_too_late(
    node: FakeNode, full: bool
) -> None:
    node.set_chat(DEV, nick="you")
    if full:
        node.answers["invite"] = TooManyInvites(chat="dev", most=64)
    told = "you are you there; --nick counts at its making: /nick changes it"
    assert asked(node, "hosted", chat=DEV, nick="eve").notes[-1] == told
    for same in ("you", ""):
        assert told not in asked(node, "hosted", chat=DEV, nick=same).notes


def test_invitations_are_listed_without_their_secrets(node: FakeNode) -> None:
    assert asked(node, "invites", chat=DEV).notes == ("nobody is invited to #dev",)
    node.answers["invites"] = w.Invites("dev", password=True)
    told = "nobody is invited to #dev; who knows its password gets in, too"
    assert asked(node, "invites", chat=DEV).notes == (told,)
    one = w.InviteRow("0123456789abcdef", "bob", 2, NOON_MS, 0, True, "used", 1)
    two = w.InviteRow("fedcba9876543210", "eve", 5, NOON_MS, NOON_MS + 60_000, False, "good", 3)
    node.answers["invites"] = w.Invites("dev", False, (one, two))
    answer = asked(node, "invites", chat=DEV)
    assert answer.notes == ()
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


def test_who_is_asked_about_is_read_as_everywhere(node: FakeNode) -> None:
    bob = w.Member(1_000_002, nick="bob", state="alive", identity="c5b3863300000000")
    two = w.Member(1_000_003, nick="2", state="alive", identity="3ccc000000000000")
    gone = w.Member(1_000_001, nick="bob", state="left", identity="1aaa000000000000")
    node.answers["members"] = w.Members("dev", (gone, bob, two))
    for named in ("bob", "@bob", "c5b3", "1000002", "bob#2"):
        assert asked(node, "whois", chat=DEV, member=named).lines[0] == "bob (id 2) in #dev"
    with pytest.raises(AmbiguousMember, match="bob#2 or 2#3"):
        asked(node, "whois", chat=DEV, member="2")
    assert asked(node, "whois", chat=DEV, member="1aaa").lines[1] == "state left"


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


def test_whois_says_what_somebody_is_and_by_whom_it_was_removed(node: FakeNode) -> None:
    node.set_member("dev", "alice", role="owner")
    node.set_member("dev", "bob", state="kicked", removed_by="alice")
    assert "role owner" in asked(node, "whois", chat=DEV, member="alice").lines
    told = asked(node, "whois", chat=DEV, member="bob").lines
    assert ("removed by alice" in told, any(line.startswith("role") for line in told)) == (
        True,
        False,
    )
    node.set_member("dev", "bob", state="kicked", removed_by="")
    assert "may be let in again" in asked(node, "whois", chat=DEV, member="bob").lines


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("kick", "bob is removed from #dev, and not let in again ('unban' takes that back)"),
        ("ban", "bob is not let into #dev"),
        ("unban", "bob may be let into #dev again, as a new member"),
        ("op", "bob is an admin of #dev now"),
        ("deop", "bob is no admin of #dev any more"),
        ("owner", "bob owns #dev now, and you are an admin"),
    ],
)
def test_what_was_decided_is_said(node: FakeNode, act: str, said: str) -> None:
    answer = asked(node, "decide", chat=DEV, act=act, member="bob")
    assert answer == Answer((said,), ({"chat": "dev", "act": act, "nick": "bob"},))
