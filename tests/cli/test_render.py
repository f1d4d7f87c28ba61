"""What people and programs read, word for word.

Takes on node/words.py and node/happenings.py too, the values that are drawn, and
node/cli/render/comparing.py.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.cli.render import notices, records, shell, tables, text
from node.faults import OTHER_KEY
from node.happenings import Happening

G = 1_795_000_000_000_000  # generation * 1,000,000: what is added is what people see
AT = 1_795_167_912_023  # 2026-11-20 09:45:12.023 UTC
EPOCH = w.Epoch(1_795_000_000, 12)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# ---- hostile text ------------------------------------------------------------------------------

HOSTILE = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) + "\u2028\u2029"


def test_no_control_character_survives() -> None:
    kept = text.clean("a\x1b[31mb\x9b2Jc\x07d" + HOSTILE)
    assert all(char == "\n" or char.isprintable() for char in kept)
    assert kept.startswith("a[31mb2Jcd")


def test_line_breaks_and_tabs_stay_readable() -> None:
    assert text.clean("a\r\nb\tc") == "a\nb       c"


def test_names_lose_what_cannot_be_seen() -> None:
    assert text.clean_name("a\u202eb\u200dc\u2066d\x1be\ufefff") == "abcdef"


def test_a_lone_surrogate_can_be_printed() -> None:
    assert text.clean("a\ud800") == "a\ufffd"


def test_no_text_can_pass_for_the_line_of_another() -> None:
    line = w.Line(nick="eve", text="hi\n12:00:00 #dev <bob> I am bob", sent_ms=AT)
    assert notices.message_lines(line, "dev") == (
        "09:45:12 #dev <eve> hi",
        "09:45:12 #dev <eve> 12:00:00 #dev <bob> I am bob",
    )


def test_json_is_safe_on_a_terminal_and_loses_nothing() -> None:
    row = {"text": "x\x1b\x9b\x7f\u2028é"}
    dumped = records.dumped(row)
    assert json.loads(dumped) == row
    assert all(char.isprintable() for char in dumped)
    assert "é" in dumped


# ---- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0.00 s"),
        (31, "0.03 s"),
        (900, "0.9 s"),
        (9_949, "9.9 s"),
        (10_000, "10 s"),
        (40_400, "40 s"),
    ],
)
def test_seconds(ms: int, said: str) -> None:
    assert text.seconds(ms) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [(-5, "0s"), (999, "0s"), (40_000, "40s"), (119_000, "119s"), (120_000, "2m"),
     (7_200_000, "2h"), (172_800_000, "2d")],
)  # fmt: skip
def test_duration(ms: int, said: str) -> None:
    assert text.duration(ms) == said


def test_older_lines_show_their_date() -> None:
    assert text.clock(AT, AT) == "09:45:12"
    assert text.clock(AT, AT + 86_400_000) == "2026-11-20 09:45:12"


def test_instants_for_programs_are_utc() -> None:
    assert text.iso(AT) == "2026-11-20T09:45:12.023Z"
    assert text.iso(0) is None


def test_tables_align_wide_letters() -> None:
    assert text.table([("字", "x"), ("abc", "y")]) == ("字   x", "abc  y")
    assert text.table([]) == ()


# ---- notices -----------------------------------------------------------------------------------


def happened(what: h.What, chat: str = "dev") -> Happening:
    return Happening(what, chat, 7, EPOCH, AT)


def member(change: str, nick: str = "carol", id: int = 4, detail: str = "") -> h.MemberEvent:
    return h.MemberEvent(G + id, nick, change, detail)


def decided(change: str) -> h.MemberEvent:
    return h.MemberEvent(G + 9, "dan", change, by_id=G + 1, by_nick="alice")


EDITED = w.Line("4f2a", "4f2a", G + 4, "carol", "fi\nxed", sent_ms=AT, edited=True)
REDACTED = replace(EDITED, text="", edited=False, erased=True, redacted_by="alice")
NOTICES: list[tuple[h.What, str]] = [
    (member("joined"), "carol joined (id 4)"),
    (member("left"), "carol left"),
    (member("kicked"), "carol (id 4) was removed"),
    (member("dropped", "dan", 9, "no answer for 6 s"), "dan (id 9) is gone (no answer for 6 s)"),
    (
        member("dropped", "dan", 9, "no answer for 6 s; unsent 2"),
        "dan (id 9) is gone (no answer for 6 s). Unsent to them: 2, kept.",
    ),
    (member("dropped", "dan", 9), "dan (id 9) is gone"),
    (member("returned", "dan", 9), "dan (id 9) is back"),
    (member("reinstated"), "carol (id 4) is a member still: the removal does not count"),
    (member("renamed", "rob", 2, "bob"), "bob is called rob now"),
    (member("away", detail="lunch"), "carol is away: lunch"),
    (member("throttled"), "carol floods: throttled"),
    (h.ChangeEvent(EDITED, G + 4, "carol"), "carol edited 4f2a: fi xed"),
    (h.ChangeEvent(REDACTED, G + 4, "carol"), "carol redacted 4f2a"),
    (h.ChangeEvent(REDACTED, G + 1, "alice"), "alice redacted 4f2a of carol"),
    (h.ChangeEvent(replace(EDITED, edited=False), G + 4, "carol"), "carol said 4f2a: fi xed"),
    (member("back"), "carol is back"),
    (member("topic", detail="release"), "carol set the topic: release"),
    (member("topic"), "carol removed the topic"),
    (h.SuspectEvent(G + 9, "dan"), "dan (id 9) does not answer: 1 of 2 checks missed"),
    (h.SuspectEvent(G + 1, "alice"), "leader alice (id 1) is silent"),
    (h.SuspectEvent(G + 9, "dan", True), "dan (id 9) answers again"),
    (
        h.ElectionEvent(G + 2, "bob", "started", "leader silent"),
        "election started by bob (id 2): leader silent",
    ),
    (h.ElectionEvent(G + 2, "bob", "asked", "3"), ""),
    (
        h.ElectionEvent(G + 2, "bob", "ended", "alice leads"),
        "election of bob (id 2) ended: alice leads",
    ),
    (
        h.LeaderEvent(G + 2, "bob", EPOCH, False, False, 900),
        "bob (id 2) leads now (epoch 12, 0.9 s)",
    ),
    (h.LeaderEvent(G + 2, "bob", EPOCH), "bob (id 2) leads now (epoch 12)"),
    (h.LeaderEvent(G + 2, "bob", EPOCH, self=True), "you lead #dev now (epoch 12)"),
    (
        h.LeaderEvent(G + 2, "bob", EPOCH, handed_over_by="alice", handed_over_leaving=True),
        "alice left and handed over to bob",
    ),
    (h.LeaderEvent(G + 2, "bob", EPOCH, handed_over_by="alice"), "alice handed over to bob"),
    (
        h.LeaderEvent(G + 2, "bob", EPOCH, provisional=True),
        "bob (id 2) leads for now, after epoch 12; the NDS has not confirmed it",
    ),
    (
        h.LeaderEvent(G + 1, "you", EPOCH, provisional=True, self=True, took_ms=900),
        "you lead for now, after epoch 12 (0.9 s); the NDS has not confirmed it",
    ),
    (h.LeaderEvent(), "no leader is known"),
    (
        h.NdsEvent("10.0.0.5:50050", False),
        "NDS 10.0.0.5:50050 does not answer. Chat works; creating waits, joining goes through any"
        " member.",
    ),
    (h.NdsEvent("10.0.0.5:50050", True, 40_000), "NDS is back (down 40 s)."),
    (
        h.NdsEvent("10.0.0.5:50050", True, fault="STORE_FULL"),
        "NDS 10.0.0.5:50050 cannot store (its disk is full). Chat works; creating waits.",
    ),
    (
        h.NdsEvent("10.0.0.5:50050", False, fault=OTHER_KEY),
        "NDS 10.0.0.5:50050 is not spoken to: it is not the one that was there, or its"
        " connections are plain. Chat works;"
        " 'p2pchat doctor' says what to do.",
    ),
    (h.MergeEvent(37, G + 2, "bob"), "caught up: 37 messages from bob"),
    (h.MergeEvent(1, G + 2, "bob"), "caught up: 1 message from bob"),
    (h.GapEvent(3, G + 4, "dan"), "3 messages of dan are missing: nobody who was here had them"),
    (h.GapEvent(1, G + 4, "dan"), "1 message of dan is missing: nobody who was here had it"),
    (h.GapEvent(2, G + 4, "dan", filled=True), "2 missing messages of dan are here now"),
    (h.GapEvent(1, G + 4, "dan", filled=True), "1 missing message of dan is here now"),
    (
        h.SplitEvent(True, 14, "carol", w.Epoch(1, 13)),
        "split healed: 14 messages merged from the other side (leader there was carol, epoch 13)",
    ),
    (h.ErrorEvent("DISK", "no space\nleft"), "error: no space left"),
    (h.ChatEvent(w.Chat(name="ops", member_id=G + 1), "opened"), "you are in #ops (id 1)"),
    (h.ChatEvent(w.Chat(name="ops"), "closed"), "you are no longer in #ops"),
    (h.QueueEvent(3), ""),
    (h.ReceiptEvent(), ""),
    (
        h.ReceiptEvent("m", "m4", acked=2, of=3, later=("dan",)),
        "sent to 2 of 3; dan gets it when they are back",
    ),
    (  # who was gone before is not among those counted, and yet among those that it is for
        h.ReceiptEvent("m", "m4", acked=2, of=2, later=("dan",)),
        "sent to 2 of 3; dan gets it when they are back",
    ),
    (h.MemberEvent(G + 4, "carol", "left", quiet=True), ""),
    (decided("kicked"), "alice removed dan"),
    (decided("banned"), "alice banned dan"),
    (decided("pardoned"), "alice lets dan in again"),
    (decided("admin"), "alice made dan an admin"),
    (decided("no_admin"), "alice made dan a member like others"),
    (decided("owner"), "alice made dan the owner"),
    (member("admin"), "carol is an admin now"),
    (member("banned"), "carol (id 4) was banned"),
    (member("rights", detail="invite admins"),
     "carol decided: its owner and admins alone invite from now on"),
    (member("rights", detail="topic all"),
     "carol decided: every member may set the topic from now on"),
    (h.SuspectEvent(G + 1, "alice", quiet=True), ""),
    (h.ElectionEvent(G + 2, "bob", "started", "leader silent", quiet=True), ""),
    (h.ElectionEvent(G + 2, "bob", "ended", "alice leads", quiet=True), ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "said"), NOTICES)
def test_a_notice(what: h.What, said: str) -> None:
    assert notices.notice(happened(what), leader=G + 1) == said


def test_every_kind_of_happening_has_a_notice_or_is_a_line() -> None:
    tried = {type(what) for what, _ in NOTICES} | {w.Line}
    assert tried == set(h.KINDS.values())


def test_names_in_notices_are_cleaned() -> None:
    assert notices.notice(happened(member("left", "e\x1bv\u202ee"))) == "eve left"


LINE_MODE: list[tuple[h.What, tuple[str, ...]]] = [
    (w.Line(nick="carol", text="fixed", sent_ms=AT), ("09:45:12 #dev <carol> fixed",)),
    (
        w.Line(nick="carol", text="waves", sent_ms=AT, kind=w.Kind.ACTION),
        ("09:45:12 #dev * carol waves",),
    ),
    (EDITED, ("09:45:12 #dev <carol> fi", "09:45:12 #dev <carol> xed (edited)")),
    (REDACTED, ("09:45:12 #dev <carol> [redacted by alice]",)),
    (replace(REDACTED, redacted_by=""), ("09:45:12 #dev <carol> [erased]",)),
    (replace(REDACTED, redacted_by="you"), ("09:45:12 #dev <carol> [redacted by <you>]",)),
    (w.Line(nick="carol", text="fixed", sent_ms=AT, own=True), ("09:45:12 #dev <you> fixed",)),
    (h.LeaderEvent(G + 2, "bob", EPOCH), ("09:45:12 #dev -- bob (id 2) leads now (epoch 12)",)),
    (h.QueueEvent(1), ()),
]


@pytest.mark.parametrize(("what", "lines"), LINE_MODE)
def test_line_mode_has_time_chat_and_author(what: h.What, lines: tuple[str, ...]) -> None:
    assert notices.line_mode(happened(what)) == lines


def test_what_concerns_the_whole_node_names_no_chat() -> None:
    told = notices.line_mode(happened(h.NdsEvent("a:1", True, 40_000), ""))
    assert told == ("09:45:12 -- NDS is back (down 40 s).",)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (w.Line(nick="you", text="I pay", sent_ms=AT), "<<you>> I pay"),
        (w.Line(nick="you", text="pays", sent_ms=AT, kind=w.Kind.ACTION), "* <you> pays"),
        (w.Line(nick="me", text="I pay", sent_ms=AT, own=True), "<you> I pay"),
        (member("joined", "you"), "-- <you> joined (id 4)"),
        (member("left", "YOU"), "-- <YOU> left"),
        (member("renamed", "you", detail="you"), "-- <you> is called <you> now"),
        (h.LeaderEvent(G + 2, "you", EPOCH), "-- <you> (id 2) leads now (epoch 12)"),
        (
            h.LeaderEvent(G + 2, "you", EPOCH, handed_over_by="you"),
            "-- <you> handed over to <you>",
        ),
        (h.MergeEvent(2, G + 2, "you"), "-- caught up: 2 messages from <you>"),
        (h.SuspectEvent(G + 4, "you"), "-- <you> (id 4) does not answer: 1 of 2 checks missed"),
    ],
)
def test_nobody_else_is_you(what: h.What, said: str) -> None:
    assert notices.line_mode(happened(what)) == (f"09:45:12 #dev {said}",)


def test_ones_own_nick_may_be_you() -> None:
    own = w.Line(nick="you", text="I pay", sent_ms=AT, own=True)
    assert notices.message_lines(own, "") == ("09:45:12 <you> I pay",)


def test_nobody_else_is_you_in_answers() -> None:
    rows = (w.Member(G + 2, "you", "alive", "a:1"), w.Member(G + 7, "me", "alive", self=True))
    lines = tables.members(w.Members("dev", rows), AT).lines
    assert [line.split()[0] for line in lines] == ["<you>", "me"]


def test_a_burst_is_one_line() -> None:
    three = [member("joined", nick, id) for nick, id in (("a", 1), ("b", 2), ("c", 3))]
    assert notices.joint(three) == "a (id 1), b (id 2) and c (id 3) joined"
    assert notices.joint([member("left", "a"), member("left", "b")]) == "a and b left"
    assert notices.joint(three[:1]) == "a joined (id 1)"


@pytest.mark.parametrize(
    ("later", "missing", "said"),
    [
        ((), (), ""),
        (("dan",), (), "sent to 2 of 3; dan gets it when they are back"),
        (("dan", "eve"), (), "sent to 2 of 3; dan and eve get it when they are back"),
        ((), ("dan",), "sent to 2 of 3; dan does not answer yet"),
    ],
)
def test_a_line_that_did_not_reach_everyone(
    later: tuple[str, ...], missing: tuple[str, ...], said: str
) -> None:
    assert notices.delivered(2, 3, later, missing) == said


# ---- JSON --------------------------------------------------------------------------------------


def test_a_message_event_has_the_documented_fields() -> None:
    line = w.Line(
        msg_id="4f2a-1", id="4f2a", source_id=G + 4, nick="carol", text="fixed", sent_ms=AT,
        epoch=EPOCH, kind=w.Kind.TEXT,
    )  # fmt: skip
    row = records.event(happened(line))
    expected = {
        "v": 1,
        "type": "message",
        "chat": "dev",
        "id": "4f2a-1",
        "epoch": 12,
        "generation": 1_795_000_000,
        "from": {"id": 4, "member": G + 4, "nick": "carol"},
        "ts": "2026-11-20T09:45:12.023Z",
        "text": "fixed",
        "backlog": False,
    }
    assert {key: row[key] for key in expected} == expected


EVENTS: list[tuple[h.What, str, dict[str, Any]]] = [
    (h.ReceiptEvent("m", "m4", G + 2, "bob", 1, 2, "relay", 9), "receipt",
     {"id": "m", "by": 2, "nick": "bob", "acked": 1, "of": 2, "way": "relay", "took_ms": 9}),
    (h.ReceiptEvent("m", "m4", acked=1, of=2, later=("dan",)), "receipt",
     {"id": "m", "by": None, "nick": "", "later": ["dan"]}),
    (member("joined"), "member", {"id": 4, "member": G + 4, "nick": "carol", "change": "joined"}),
    (h.ChangeEvent(REDACTED, G + 1, "alice"), "change",
     {"short": "4f2a", "text": "", "edited": False, "erased": True, "redacted_by": "alice",
      "by": {"id": 1, "member": G + 1, "nick": "alice"}}),
    (h.ChangeEvent(EDITED, G + 4, "carol"), "change",
     {"text": "fi\nxed", "edited": True, "erased": False, "redacted_by": None}),
    (h.SuspectEvent(G + 4, "carol"), "suspect", {"id": 4, "cleared": False}),
    (h.ElectionEvent(G + 2, "bob", "won", "x"), "election", {"phase": "won", "detail": "x"}),
    (h.ElectionEvent(G + 2, "bob", "ended", quiet=True), "election", {"quiet": True}),
    (h.ElectionEvent(G + 2, "bob", "asked", "", G + 4, "carol", "bob asked carol"), "election",
     {"whom": {"id": 4, "member": G + 4, "nick": "carol"}, "text": "bob asked carol"}),
    (h.LeaderEvent(0), "leader", {"id": None, "member": None, "provisional": False}),
    (h.LeaderEvent(G + 2, "bob", w.Epoch(5, 9)), "leader", {"id": 2, "epoch": 9, "generation": 5}),
    (h.NdsEvent("a:1", True, 40), "nds", {"address": "a:1", "up": True, "down_ms": 40}),
    (h.QueueEvent(3), "queue", {"outbox": 3}),
    (h.SplitEvent(True, 2, "carol", w.Epoch(5, 9)), "split", {"healed": True, "messages": 2}),
    (h.MergeEvent(2, G + 2, "bob"), "merge", {"messages": 2}),
    (h.GapEvent(2, G + 2, "bob"), "gap", {"messages": 2, "filled": False}),
    (h.ErrorEvent("R", "t"), "error", {"reason": "R", "text": "t"}),
    (h.ChatEvent(w.Chat(name="x"), "opened"), "chat", {"change": "opened"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "kind", "fields"), EVENTS)
def test_an_event_in_json(what: h.What, kind: str, fields: dict[str, Any]) -> None:
    row = records.event(happened(what))
    assert (row["v"], row["type"], row["chat"]) == (1, kind, "dev")
    assert {key: row[key] for key in fields} == fields
    json.loads(records.dumped(row))


def test_every_kind_of_happening_has_its_json() -> None:
    assert {type(what) for what, _, _ in EVENTS} | {w.Line} == set(h.KINDS.values())


STATUS = w.Status(
    pid=9, listen="127.0.0.1:1", advertise="127.0.0.1:1", control="/s", nick="alice",
    nds=(w.DiscoveryService("n:1", "down 40s", 5),), version="1", log="/l", started_ms=AT,
    chats=(w.Chat("dev", 255, G + 1, EPOCH, G + 2, "bob", False, 2, 3, 4, 1, 5, "7c3e", "n:1"),),
)  # fmt: skip


def test_status_in_json_has_the_documented_fields() -> None:
    (row,) = tables.status(STATUS, AT).rows
    assert row["nds"] == [{"address": "n:1", "state": "down 40s", "fault": None}]
    chat = row["chats"][0]
    expected = {
        "name": "dev", "chat_id": "00000000000000ff", "id": 1, "epoch": 12, "leader": 2,
        "alive": 2, "known": 3, "unread": 4, "outbox": 5, "fingerprint": "7c3e",
    }  # fmt: skip
    assert {key: chat[key] for key in expected} == expected
    assert {"pid", "listen", "advertise", "control"} <= set(row)


# ---- answers -----------------------------------------------------------------------------------


def test_status_for_people() -> None:
    lines = tables.status(STATUS, AT + 40_000).lines
    assert lines[0] == "alice, node 9, up 40s, p2pchat 1"
    assert "NDS n:1: down 40s" in lines
    assert lines[-1] == "#dev  id 1  2/3  L:bob  e12  out:5  unread:4  7c3e"


def test_status_tells_chats_of_one_name_apart_as_they_are_to_be_named() -> None:
    first = replace(STATUS.chats[0], nds="n:1")
    other, same = replace(first, nds="n:2", chat_id=254), replace(first, chat_id=253)
    for chats, names in (
        ((first, other), ["#dev@n:1", "#dev@n:2"]),
        ((first, same), [f"{255:016x}", f"{253:016x}"]),
        ((first, replace(other, nds="")), ["#dev@n:1", f"{254:016x}"]),
        ((first, replace(other, name="ops")), ["#dev", "#ops"]),
    ):
        lines = tables.status(replace(STATUS, chats=chats), AT).lines[-2:]
        assert [line.split()[0] for line in lines] == names
        assert text.places(chats, "alice") == " ".join(names)


def test_status_says_where_one_is_called_otherwise() -> None:
    chats = (
        replace(STATUS.chats[0], nick="alice"),
        replace(STATUS.chats[0], name="ops", nick="a2"),
    )
    answer = tables.status(replace(STATUS, chats=chats), AT)
    assert [line.split("  ")[1].strip() for line in answer.lines[-2:]] == ["id 1", "id 1 as a2"]
    assert [chat["nick"] for chat in answer.rows[0]["chats"]] == ["alice", "a2"]
    assert text.places(chats, "alice") == "#dev #ops as a2"


def test_who_leads_for_now_has_no_epoch_of_his_own_in_any_answer() -> None:
    chat = replace(STATUS.chats[0], provisional=True)
    answer = tables.status(replace(STATUS, chats=(chat,)), AT)
    assert answer.lines[-1] == "#dev  id 1  2/3  L:bob?  e12+  out:5  unread:4  7c3e"
    answer = tables.leader(w.Leader("dev", G + 2, "bob", EPOCH, provisional=True))
    told = "bob (id 2) leads #dev for now, after epoch 12: the NDS has not confirmed it"
    assert answer.lines == (told,)
    one = w.Election(AT, 900, "bob", EPOCH, provisional=True)
    answer = tables.elections(w.Elections((one,)), AT)
    assert answer.lines[0].endswith("election, 0.9 s: bob leads for now (after epoch 12)")
    assert answer.rows[0]["provisional"] is True
    row = w.PingRow(G + 2, "bob", True, 900, "provisional", EPOCH)
    answer = tables.pings(w.Pings("dev", (row,)))
    assert answer.lines[0].endswith("provisional, after epoch 12")


HALT = {"halt": "stalled", "halt_reason": "DISK_READ_ONLY"}


def test_a_chat_that_does_not_go_on_here_says_so_in_every_answer() -> None:
    answer = tables.status(
        replace(STATUS, chats=(replace(STATUS.chats[0], alive=0, leader_id=0, **HALT),)), AT
    )
    row = "#dev  id 1  ?/3  stalled: disk read only  e12  out:5  unread:4  7c3e"
    assert answer.lines[-1] == row
    assert answer.rows[0]["chats"][0] | HALT == answer.rows[0]["chats"][0]
    answer = tables.leader(w.Leader("dev", epoch=EPOCH, **HALT))
    told = "#dev is stalled: disk read only, so who leads is not known here (epoch 12)"
    assert (answer.lines, answer.exit) == ((told,), 5)
    assert answer.rows[0] | HALT == answer.rows[0]
    listed = (
        w.Member(G + 1, "alice", "stalled", "a:1", self=True),
        w.Member(G + 2, "bob", "unknown", "b:1"),
    )
    answer = tables.members(w.Members("dev", listed, **HALT), AT)
    assert answer.lines == (
        " alice  id 1    stalled (you)  a:1",
        "?bob    id 2    unknown        b:1",
    )
    note = "#dev is stalled: disk read only; 'p2pchat status' has more"
    assert answer.notes == (note,)
    rows = (
        w.Compared(G + 1, "alice", "1111", same=False, self=True),
        w.Compared(G + 2, "bob", "2222", same=True),
        w.Compared(G + 3, "carol", "3333", same=False),
        w.Compared(G + 4, "dan"),
    )
    answer = tables.comparison(w.Comparison("dev", False, rows, **HALT))
    assert answer.lines == (
        "alice (id 1)  1111       stalled",
        "bob (id 2)    2222",
        "carol (id 3)  3333       differs",
        "dan (id 4)    no answer",
        "this node's history is as it was when the chat stood still; the others are compared",
    )
    assert (answer.notes, answer.exit) == ((note,), 6)
    assert [one["self"] for one in answer.rows[0]["members"]] == [True, False, False, False]
    assert answer.rows[0] | HALT == answer.rows[0]


def test_a_transient_chat_is_marked_wherever_chats_are_listed() -> None:
    mode = w.Mode.TRANSIENT
    chats = (w.Chat(name="dev"), w.Chat(name="attic", mode=mode))
    answer = tables.status(w.Status(chats=chats), AT)
    assert [line.split()[-1] for line in answer.lines[-2:]] == ["unread:0", "transient"]
    assert [row["transient"] for row in answer.rows[0]["chats"]] == [False, True]
    rows = (w.Network(name="dev", nds="n:1"), w.Network(name="attic", nds="n:1", mode=mode))
    answer = tables.networks(w.Networks(rows), AT)
    assert [line.split()[-1] for line in answer.lines] == ["seen", "transient"]
    assert [row["transient"] for row in answer.rows] == [False, True]
    for noted in (
        tables.members(w.Members("attic", (), mode), AT),
        tables.created(w.Created(chats[1])),
        tables.joined(w.Admitted(chats[1])),
    ):
        assert "transient" in noted.notes[0]
    assert not tables.members(w.Members("dev"), AT).notes


def test_no_leader_is_exit_5_and_null() -> None:
    answer = tables.leader(w.Leader(chat="dev", epoch=EPOCH))
    assert answer.exit == 5
    assert answer.rows[0]["id"] is None
    assert answer.rows[0]["provisional"] is False


def test_a_leader_is_named_with_its_epoch() -> None:
    answer = tables.leader(w.Leader("dev", G + 2, "bob", EPOCH))
    assert (answer.lines, answer.exit) == (("bob (id 2) leads #dev (epoch 12)",), 0)


def test_members_carry_marks() -> None:
    rows = (
        w.Member(G + 2, "bob", "alive", "a:1", leader=True),
        w.Member(G + 7, "you", "alive", "a:2", self=True),
        w.Member(G + 9, "dan", "suspect", "a:3"),
        w.Member(G + 1, "alice", "dropped", "a:4"),
    )
    lines = tables.members(w.Members("dev", rows), AT).lines
    assert [line.split()[0] for line in lines] == ["bob", "you", "?dan", "-alice"]
    assert "*" in lines[0]
    assert "*" not in "".join(lines[1:])


@pytest.mark.parametrize(
    ("progress", "line", "code", "notes"),
    [
        (w.Progress("4f2a", "m", 3, 3, complete=True), "4f2a 3/3", 0, ()),
        (
            w.Progress("4f2a", "m", 2, 3, later=("dan",), complete=True),
            "4f2a 2/3",
            0,
            ("sent to 2 of 3; dan gets it when they are back",),
        ),
        (
            w.Progress("4f2a", "m", 2, 3, missing=("dan",)),
            "4f2a 2/3",
            6,
            ("sent to 2 of 3; dan does not answer yet",),
        ),
        (w.Progress("4f2a", "m", 0, 3, missing=("a", "b", "c"), complete=True), "4f2a 0/3", 0, ()),
    ],
)
def test_what_became_of_a_line(
    progress: w.Progress, line: str, code: int, notes: tuple[str, ...]
) -> None:
    answer = tables.progress(progress)
    assert (answer.lines, answer.exit, answer.notes) == ((line,), code, notes)


def test_a_name_that_two_services_know_is_spelled_out() -> None:
    rows = tuple(w.Network("dev", 1, G + 1, "l:1", "live", nds) for nds in ("a:1", "b:2"))
    lines = tables.networks(w.Networks(rows), AT).lines
    assert [line.split()[0] for line in lines] == ["#dev@a:1", "#dev@b:2"]


def test_an_nds_that_does_not_answer_is_said_and_counts_when_there_is_nothing_else() -> None:
    silent = tables.networks(w.Networks((), ("a:1",)), AT)
    assert (silent.exit, silent.notes) == (4, ("NDS a:1 does not answer",))
    half = tables.networks(w.Networks((w.Network("dev", 1),), ("a:1",)), AT)
    assert half.exit == 0


def test_lengths_of_time_are_numbers_and_instants_are_dates() -> None:
    answer = tables.peers(w.Peers((w.Peer(held_ms=1_500),)))
    assert answer.rows[0]["held_ms"] == 1_500


def test_an_nds_that_is_not_trusted_is_said_to_be_that() -> None:
    why = "the NDS at a:1 shows another key than it had"
    answer = tables.networks(w.Networks((), ("b:1",), (why,)), AT)
    assert (answer.exit, answer.lines) == (4, ())
    assert answer.notes == ("NDS b:1 does not answer", f"not trusted: {why}")


def test_histories_that_differ_are_exit_6() -> None:
    rows = (w.Compared(G + 1, "a", "7c3e", True), w.Compared(G + 2, "b", "0000", False))
    answer = tables.comparison(w.Comparison("dev", False, rows))
    assert answer.exit == 6
    assert answer.rows[0]["members"][1]["fingerprint"] == "0000"
    assert tables.comparison(w.Comparison("dev", True, rows[:1])).exit == 0


ALICE, BOB, CAROL = (
    w.Compared(G + 1, "alice", "7c3e", True, True),
    w.Compared(G + 2, "bob", "7c3e", True),
    w.Compared(G + 3, "carol"),
)
OTHER, ALONE = w.Compared(G + 2, "bob", "0000"), "nobody else answers: there is nothing to compare"


@pytest.mark.parametrize(
    ("same", "rows", "said", "differ", "unanswered"),
    [
        (True, (ALICE,), "same history on every member", False, []),
        (True, (ALICE, BOB), "same history on every member", False, []),
        (True, (ALICE, BOB, CAROL), "same history on the 2 members that answer", False, [3]),
        (True, (ALICE, CAROL), f"{ALONE} with", False, [3]),
        (
            False,
            (ALICE, CAROL),
            "carol (id 3) does not answer: there is nothing to compare with",
            False,
            [3],
        ),
        (
            False,
            (ALICE, CAROL, w.Compared(G + 4, "dan")),
            "carol (id 3) and dan (id 4) do not answer: there is nothing to compare with",
            False,
            [3, 4],
        ),
        (
            False,
            (ALICE, BOB, CAROL),
            "same history on the 2 members that answer; carol (id 3) does not",
            False,
            [3],
        ),
        (
            False,
            (ALICE, BOB, CAROL, w.Compared(G + 4, "dan")),
            "same history on the 2 members that answer; carol (id 3) and dan (id 4) do not",
            False,
            [3, 4],
        ),
        (False, (ALICE, OTHER), "histories differ", True, []),
        (False, (ALICE, OTHER, CAROL), "histories differ", True, [3]),
    ],
)
def test_histories_differ_only_where_somebody_who_answers_has_another(
    same: bool, rows: tuple[w.Compared, ...], said: str, differ: bool, unanswered: list[int]
) -> None:
    answer = tables.comparison(w.Comparison("dev", same, rows))
    assert (answer.lines[-1], answer.exit) == (said, 0 if same else 6)
    (row,) = answer.rows
    assert (row["same"], row["differ"], row["unanswered"]) == (same, differ, unanswered)


def test_what_is_lost_is_said_by_check_and_status() -> None:
    rows = (w.Compared(G + 1, "a", "7c3e", True),)
    lost = (w.Lost(G + 4, "dan", 3),)
    answer = tables.comparison(w.Comparison("dev", True, rows, lost))
    said = "3 messages of dan (id 4) are missing: nobody who was here had them"
    assert answer.lines[-2:] == (said, "same history on every member")
    assert (answer.exit, answer.rows[0]["lost"][0]["messages"]) == (0, 3)
    chat = w.Chat("dev", 255, G + 1, EPOCH, G + 2, "bob", lost=3)
    told = tables.status(replace(STATUS, chats=(chat,)), AT)
    assert told.lines[-1].endswith("3 messages missing")
    assert told.rows[0]["chats"][0]["lost"] == 3
    assert "missing" not in tables.status(STATUS, AT).lines[-1]


def test_a_silent_member_is_exit_5() -> None:
    silent = w.PingRow(G + 2, "bob", False, 0, "UNAVAILABLE")
    assert tables.pings(w.Pings("dev", (silent,))).exit == 5
    assert tables.pings(w.Pings("dev", (w.PingRow(G + 2, "bob", True, 800, "leading"),))).exit == 0


def test_a_trace_says_who_lacks_a_line_and_why() -> None:
    rows = (
        w.TraceRow(G + 2, "bob", "acked", 12, "direct"),
        w.TraceRow(G + 4, "carol", "waiting", 0, "", "UNAVAILABLE: gone", 400, 3),
        w.TraceRow(G + 9, "dan", "later"),
    )
    line = w.Line("4f2a-1", "4f2a", G + 1, "alice", "hi", 1, AT, EPOCH, own=True, acked=1, of=3)
    lines = tables.tracing(w.Tracing(line, "bob", rows, ("1b2c",), AT), "dev", AT).lines
    told = "\n".join(lines)
    assert "epoch 12, leader bob" in told
    assert "bob (id 2)    has it after 12 ms, direct" in told
    assert "waiting, 3 tries, last: UNAVAILABLE: gone, next in 0.4 s" in told
    assert "dan (id 9)    gone; gets it when they are back" in told


def test_links_say_who_watches_whom() -> None:
    link = w.Peer("dev", G + 2, "bob", "a:1", "ready", 820, 9, 1, "", "alive", 0, "you watch it")
    assert tables.peers(w.Peers((link,))).lines == (
        "#dev  bob (id 2)  a:1  alive  ready  0.8 ms  9 calls, 1 failed, 0 under way  you watch it",
    )


def test_an_election_under_way_is_told_as_such() -> None:
    one = w.Election(AT, 310, steps=(w.ElectionStep(AT + 2, "bob (id 2) asked carol (id 4)"),))
    told = tables.elections(w.Elections((one, replace(one, under_way=True))), AT).lines
    assert told[0] == "09:45:12 election, 0.3 s: no change"
    assert told[2] == "09:45:12 election, 0.3 s: under way"
    assert told[1] == told[3] == "  +2 ms  bob (id 2) asked carol (id 4)"


def test_a_join_line_is_the_last_word() -> None:
    created = w.Created(w.Chat("dev", 1, G + 1), "10.0.0.5:50050/dev")
    assert tables.created(created).lines[-1].split()[-1] == "10.0.0.5:50050/dev"
    assert tables.invitation(w.Invitation("a:1/dev", "nds"), "dev").lines == ("a:1/dev",)


@pytest.mark.parametrize(
    ("departure", "said"),
    [
        (w.Departure(2, 0), "you left #dev"),
        (w.Departure(0, 0, True), "you left #dev; you were the last, so it is gone"),
        (w.Departure(1, 1), "you left #dev; 1 know, 1 will learn it from them"),
        (w.Departure(0, 2), "you left #dev; nobody could be told yet, those who return will be"),
    ],
)
def test_how_one_left(departure: w.Departure, said: str) -> None:
    assert tables.left(departure, "dev").lines == (said,)


def test_a_grpcurl_line_can_be_pasted() -> None:
    assert shell.grpcurl("a:1", "s/M", "{}") == "grpcurl -plaintext a:1 s/M"
    line = shell.grpcurl("/s", "s/M", '{"t":"it\'s"}', unix=True)
    assert line == """grpcurl -plaintext -unix -d '{"t":"it'\\''s"}' /s s/M"""


def test_a_broken_check_fails_the_doctor() -> None:
    rows = (w.Finding("port", True, "fine"), w.Finding("NDS", False, "does not answer"))
    answer = tables.diagnosis(w.Diagnosis(rows))
    assert answer.exit == 1
    assert answer.lines == ("ok  port  fine", "!!  NDS   does not answer")


def test_json_or_lines_never_both() -> None:
    answer = tables.unread(w.Unread(7, 2), "dev")
    assert tables.printed(answer, as_json=False) == ("7 2",)
    (row,) = tables.printed(answer, as_json=True)
    assert json.loads(row) == {"chat": "dev", "unread": 7, "mentions": 2}


@pytest.mark.parametrize(
    ("what", "codes"),
    [
        (w.Line(text="hello"), ""),
        (w.Line(text="hello", mention=True), "1"),
        (h.ErrorEvent("X", "broken"), "31"),
        (h.LeaderEvent(G + 2, "bob", EPOCH), "36"),
        (h.MemberEvent(G + 2, "bob", "left", ""), "2"),
    ],
)
def test_kinds_of_lines_differ_in_colour(what: h.What, codes: str) -> None:
    assert notices.tone(happened(what)) == codes
    assert notices.toned("a line", codes) == (f"\x1b[{codes}ma line\x1b[0m" if codes else "a line")


def test_members_are_shown_with_their_rank_and_by_whom_they_were_removed() -> None:
    listed = (
        w.Member(G + 1, "alice", "alive", "a:1", self=True, role="owner"),
        w.Member(G + 2, "bob", "alive", "b:1", role="admin"),
        w.Member(G + 3, "carol", "alive", "c:1", role="member"),
        w.Member(G + 4, "dan", "kicked", "d:1", removed_by="bob"),
        w.Member(G + 5, "eve", "kicked", "e:1"),
    )
    seen = w.Members("dev", listed, admins_topic=True)
    answer = tables.members(seen, AT)
    assert answer.lines == (
        " alice  id 1    alive (you), owner  a:1",
        " bob    id 2    alive, admin        b:1",
        " carol  id 3    alive               c:1",
        "xdan    id 4    kicked              d:1    removed by bob",
        "xeve    id 5    kicked              e:1    may be let in again",
    )
    assert [(row["role"], row["removed_by"]) for row in answer.rows] == [
        ("owner", None),
        ("admin", None),
        ("member", None),
        (None, "bob"),
        (None, None),
    ]
    answer = tables.rights(seen)
    assert answer.lines == (
        "owner: alice",
        "admins: bob",
        "invite: every member",
        "topic: its owner and admins",
    )
    row = {"chat": "dev", "owner": "alice", "admins": ["bob"], "invite": "all", "topic": "admins"}
    assert answer.rows == (row,)
    nobody = tables.rights(w.Members("dev", listed[2:]))
    assert nobody.lines[:2] == ("owner: nobody who is in it", "admins: none")
