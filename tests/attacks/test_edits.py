"""Members who change what is not theirs, or bring back what is gone, with messages of their own.

bob is the attacker: a member with good keys, whose node is asked past.  alice has founded the chat.
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.conversation import ChatMessage, Kind, Spot, statement
from node.core.types import Hlc, Key, Run, Stream
from tests.attacks.site import CHAT, HONEST, Refused, Site, call
from tests.e2e.test_changes import everything
from tests.sealing import Sealer
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("attacks")
WRONG = Refused("PERMISSION_DENIED", "WRONG_SIGNATURE")
BAD = "INVALID_ARGUMENT"
_streams = iter(range(100, 10_000))


def said(site: Site, by: str, text: str) -> ChatMessage:
    """A line that a member says by way of its node, as all have it, with its signature."""
    site.cluster[by].say(CHAT, text)
    answer = reads(site, "alice", sources=(site.id[by],))
    assert isinstance(answer, m.Synced), answer
    return next(message for message in answer.messages if text in message.texts)


def reads(site: Site, name: str, **more: Any) -> Any:
    """What that member serves bob."""
    read = m.Sync(site.caller("bob", site.id[name]), site.view, **more)
    return call(site.listen[name], site.keys["bob"].tls, read, site.seals("bob"))


def change(site: Site, kind: Kind, about: ChatMessage, text: str = "") -> ChatMessage:
    """By bob, in a stream that nobody knows yet."""
    now_ms = time.time_ns() // 1_000_000
    key = Key(site.id["bob"], Stream(now_ms, next(_streams)), 1)
    at = Hlc(max(now_ms, about.hlc.ms + 1), 0)
    one = replace(site.line(site.id["bob"], text), key=key, hlc=at, sent=now_ms)
    spot = Spot(about.key, 0)
    return replace(one, kind=kind, about=spot, deps=(about.key,))


def hands_on(site: Site, message: ChatMessage, to: str) -> object:
    tell = m.Tell(site.caller("bob", site.id[to]), site.id[to], (message,))
    return call(site.listen[to], site.keys["bob"].tls, tell, site.seals("bob"))


def shown(site: Site, name: str) -> list[str]:
    return site.cluster[name].texts(CHAT)


@pytest.fixture
def target(site: Site) -> Iterator[ChatMessage]:
    """A line of carol's, which no attack may do any harm."""
    text = f"carol's line {next(_streams)}"
    message = said(site, "carol", text)
    yield message
    for name in HONEST:  # bob's node may first have to fetch what bob said past it.
        wait_for(lambda name=name: text in shown(site, name), f"{name} reads it")  # type: ignore[misc]


@pytest.fixture
def gone(site: Site) -> Iterator[ChatMessage]:
    """A line of bob's own that was redacted, in full."""
    text = f"bob's secret {next(_streams)}"
    message = said(site, "bob", text)
    site.cluster["bob"].run("redact", "-c", CHAT, message.id)
    for name in HONEST:
        wait_for(lambda name=name: text not in shown(site, name), f"{name} has erased it")  # type: ignore[misc]
    yield message
    for name in HONEST:
        assert text not in shown(site, name), name
        assert text not in everything(site.cluster, name), name


def test_a_member_that_redacts_another_s_line_erases_nothing(
    site: Site, target: ChatMessage
) -> None:
    for name in ("alice", "carol"):
        redaction = site.signed(change(site, Kind.REDACT, target), "bob")
        assert isinstance(hands_on(site, redaction, name), m.Told)


def test_a_member_that_edits_another_s_line_changes_nothing(
    site: Site, target: ChatMessage
) -> None:
    edit = site.signed(change(site, Kind.EDIT, target, "carol never said that"), "bob")
    for name in ("alice", "carol"):
        assert isinstance(hands_on(site, edit, name), m.Told)
    for name in HONEST:
        assert "carol never said that" not in shown(site, name)
        wait_for(
            lambda name=name: "carol never said" not in everything(site.cluster, name),  # type: ignore[misc]
            f"{name} does not even keep it",
        )


def test_a_redaction_in_the_owner_s_name_is_refused(site: Site, target: ChatMessage) -> None:
    key = Key(site.id["alice"], Stream(time.time_ns() // 1_000_000, next(_streams)), 1)
    forged = replace(change(site, Kind.REDACT, target), key=key)
    for name in ("alice", "carol"):
        assert hands_on(site, site.signed(forged, "bob"), name) == WRONG


def test_decisions_that_nobody_made_give_no_right(site: Site, target: ChatMessage) -> None:
    redaction = replace(change(site, Kind.REDACT, target), heads=(b"made up by bob..",))
    for name in ("alice", "carol"):
        hands_on(site, site.signed(redaction, "bob"), name)


def test_a_redaction_of_another_chat_is_refused_in_this_one(
    site: Site, target: ChatMessage
) -> None:
    redaction = change(site, Kind.REDACT, target)
    elsewhere = replace(redaction)
    elsewhere.sign(site.keys["bob"].signing.sign(statement(site.chat + 1, redaction)))
    for name in ("alice", "carol"):
        assert hands_on(site, elsewhere, name) == WRONG


def test_an_own_redaction_bent_to_another_line_is_refused(
    site: Site, target: ChatMessage, gone: ChatMessage
) -> None:
    redaction = site.signed(change(site, Kind.REDACT, gone), "bob")
    bent = replace(redaction, about=Spot(target.key, 0), deps=(target.key,))
    for name in ("alice", "carol"):
        assert hands_on(site, bent, name) == WRONG


def test_a_redaction_of_a_redaction_brings_nothing_back(site: Site, gone: ChatMessage) -> None:
    answer = reads(site, "alice", sources=(site.id["bob"],))
    assert isinstance(answer, m.Synced)
    redaction = next(one for one in answer.messages if one.about == Spot(gone.key, 0))
    undone = site.signed(change(site, Kind.REDACT, redaction), "bob")
    for name in ("alice", "carol"):
        assert isinstance(hands_on(site, undone, name), m.Told)


def test_an_edit_of_a_redacted_line_brings_nothing_back(site: Site, gone: ChatMessage) -> None:
    edit = site.signed(change(site, Kind.EDIT, gone, "it is back"), "bob")
    for name in ("alice", "carol"):
        assert isinstance(hands_on(site, edit, name), m.Told)
        assert "it is back" not in shown(site, name)


def test_the_full_text_told_again_is_not_taken(site: Site, gone: ChatMessage) -> None:
    for name in ("alice", "carol"):
        assert isinstance(hands_on(site, gone, name), m.Told)


def test_what_is_gone_is_served_to_nobody(site: Site, gone: ChatMessage) -> None:
    stream = gone.key.stream
    held = (Run(site.id["bob"], stream, gone.key.seq + 1, gone.key.seq + 1),)
    for name in ("alice", "carol"):
        more: dict[str, Any]
        for more in ({}, {"held": held}, {"newest_first": True}):
            answer = reads(site, name, sources=(site.id["bob"],), **more)
            assert isinstance(answer, m.Synced)
            (one,) = [message for message in answer.messages if message.key == gone.key]
            assert one.texts == ("",)
            assert one.digest == gone.digest


def test_digests_that_do_not_fit_are_refused(site: Site, target: ChatMessage) -> None:
    fresh = site.signed(
        replace(change(site, Kind.EDIT, target, "x"), kind=Kind.TEXT, about=None), "bob"
    )
    left = fresh.without((0,))
    for name in ("alice", "carol"):
        assert hands_on(site, replace(left, erased=(b"d" * 32,)), name) == WRONG


def test_erasing_another_s_line_on_the_way_lasts_until_who_has_it_says_it(
    site: Site, target: ChatMessage
) -> None:
    """Nobody is given an erased line for a whole one by one member alone, where others have it."""
    for name in ("alice", "carol"):
        assert isinstance(hands_on(site, target.without((0,)), name), m.Told)


@pytest.mark.parametrize("kind", [Kind.EDIT, Kind.REDACT])
def test_a_change_of_what_comes_later_is_malformed(
    site: Site, target: ChatMessage, kind: Kind
) -> None:
    text = "x" if kind is Kind.EDIT else ""
    later = replace(change(site, kind, target, text), deps=())
    answer = hands_on(site, site.signed(later, "bob"), "alice")
    assert isinstance(answer, Refused)
    assert answer.code == BAD


def test_a_newcomer_is_given_nothing_of_before_in_a_chat_that_hides_it(site: Site) -> None:
    """However it asks, and whatever it says of when it came."""
    alice, bob = site.cluster["alice"], site.cluster["bob"]
    nds = site.cluster.nds.address
    line = alice.row("create", "quiet", "--nds", nds, "--history", "none")["join"]
    alice.run("send", "-c", "quiet", "what bob must not read")
    bob.run("join", line, "--no-ui")
    alice.run("send", "-c", "quiet", "hello bob")
    wait_for(lambda: bob.texts("quiet") == ["hello bob"], "bob reads what came after")
    chat = alice.chat("quiet")
    assert chat is not None
    me, author = bob.id("quiet"), alice.id("quiet")
    tls, at = site.keys["bob"].tls, site.listen["alice"]
    seals = Sealer(site.keys["bob"], lambda _: site.record("alice").card)
    lives = iter(range(2**41, 2**42, 1_000))  # bob's node says each time that it lives still

    def asks(request: m.Update | m.Sync) -> object:
        for life in itertools.islice(lives, 9):
            caller = m.Caller(int(chat.chat_id), me, life, site.view.epoch, author)
            answer = call(at, tls, replace(request, caller=caller), seals)
            if answer != Refused("FAILED_PRECONDITION", "OLD_INCARNATION"):
                return answer
        raise AssertionError("bob's node is faster every time")

    nobody = site.caller("bob")
    knows = asks(m.Update(nobody, m.Roster(), want_roster=True))
    assert isinstance(knows, m.Updated), knows
    mine = next(one for one in knows.roster.members if one.id == me)
    assert mine.since > 0
    asks(m.Update(nobody, m.Roster((replace(mine, since=0),))))
    for more in ({}, {"newest_first": True}, {"digests": ()}):
        answer = asks(m.Sync(nobody, site.view, sources=(author,), **more))
        assert isinstance(answer, m.Synced), answer
        texts = [text for message in answer.messages for text in message.texts]
        assert "hello bob" in texts
        assert "what bob must not read" not in texts
        assert "" in texts
