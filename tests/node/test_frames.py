"""Tries node/codec/frames.py: the parts of a frame, there and back."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.codec import CARRIED, AskWriter, Malformed, call_of, conversation
from node.codec.frames import (
    ADDRESSES_MAX,
    ANSWER_BYTES,
    BODIES,
    BYTES_OF_LINE,
    BYTES_OF_RECORD,
    DEPS_OF_LINE,
    Asked,
    read_frame,
    write_answer,
    write_hello,
)
from node.core import messages as core
from node.core.conversation import ChatMessage, Kind
from node.core.types import Key
from node.limits import MESSAGES_MAX, NUMBER_MAX, PASS_ON_MAX, ROSTER_MAX, Limits
from node.rpc.budget import LINES
from p2pchat.v1 import common_pb2
from p2pchat.v1 import node_pb2 as pb
from tests.node import wire_values as values
from tests.node.village import REPLIES
from tests.node.wire_values import CALLER, EXAMPLES, MESSAGE, REPLY_OF, TELL, TWO_LINES

LIMITS = Limits()
ID = "0f8fad5b-d9cb-469f-a165-7086772895{:02x}"


def said(seq: int, text: str = "hello", **changes: Any) -> ChatMessage:
    key = Key(MESSAGE.key.source, MESSAGE.key.stream, seq)
    return replace(MESSAGE, key=key, texts=(text,), ids=(ID.format(seq),), **changes)


SEVERAL = core.Tell(
    CALLER,
    1_000_001,
    (
        said(7),
        replace(TWO_LINES, key=MESSAGE.key._replace(seq=8), deps=()),
        said(9, "four", kind=Kind.ACTION),
    ),
    (1_000_003, 1_000_004),
)


def asked(request: core.Request) -> core.Request | Malformed:
    (one,) = read_frame(AskWriter().write(5, request), LIMITS).asked
    assert one.id == 5
    return one.request


@st.composite
def tells(draw: st.DrawFn) -> core.Tell:
    """Any messages, made consecutive ones of one stream."""
    messages = draw(st.lists(values.chat_messages, min_size=1, max_size=5))
    source, stream, seq = messages[0].key
    seq = min(seq, NUMBER_MAX - MESSAGES_MAX)
    told = tuple(
        replace(message, key=Key(source, stream, seq + i)) for i, message in enumerate(messages)
    )
    pass_on = draw(values.member_lists)
    return core.Tell(draw(values.callers), draw(values.members), told, pass_on)


@given(tells())
def test_messages_come_back_as_they_went(tell: core.Tell) -> None:
    assert asked(tell) == tell


@given(values.requests)
def test_a_call_that_links_carry_comes_back_as_it_went(request: core.Request) -> None:
    if type(request) in CARRIED and not isinstance(request, core.Tell):
        assert asked(request) == request


@pytest.mark.parametrize("kind", CARRIED, ids=lambda kind: kind.__name__)
def test_an_answer_comes_back_as_it_went(kind: type) -> None:
    reply = next(one for one in values.REPLIES if isinstance(one, values.REPLY_OF[kind]))
    request = next(one for one in EXAMPLES if isinstance(one, kind))
    (one,) = read_frame(AskWriter().write(6, request), LIMITS).asked
    (answer,) = read_frame(write_answer(one, reply), LIMITS).answers
    assert (answer.id, answer.reply) == (6, reply)


def test_parts_one_after_the_other_are_one_frame() -> None:
    writer = AskWriter()
    ping = next(one for one in EXAMPLES if isinstance(one, core.Ping))
    parts = [writer.write(1, SEVERAL), write_hello(("127.0.0.1:5",)), writer.write(2, ping)]
    frame = read_frame(b"".join(parts), LIMITS)
    assert frame.hello is not None
    assert frame.hello.addresses == ("127.0.0.1:5",)
    assert [(one.id, one.request) for one in frame.asked] == [(1, SEVERAL), (2, ping)]


def test_a_status_is_handed_on_as_it_is() -> None:
    one = Asked(3, "ping", Malformed(()))
    (answer,) = read_frame(write_answer(one, b"status"), LIMITS).answers
    assert answer.reply == b"status"


def test_what_is_told_to_many_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    put = conversation.put_body

    def counted(messages: Sequence[ChatMessage]) -> pb.Messages:
        written.append(len(messages))
        return put(messages)

    monkeypatch.setattr(conversation, "put_body", counted)
    writer = AskWriter()
    for to in range(1, 5):
        tell = replace(SEVERAL, to=to)
        (one,) = read_frame(writer.write(to, tell), LIMITS).asked
        assert one.request == tell
    assert written == [3]
    other = replace(SEVERAL, messages=(said(7, "not the same"), *SEVERAL.messages[1:]))
    (one,) = read_frame(writer.write(9, other), LIMITS).asked
    assert one.request == other, "another content under the same keys"


def test_only_the_messages_written_last_are_remembered() -> None:
    writer = AskWriter()
    for seq in range(1, 2 * BODIES):
        writer.write(1, core.Tell(CALLER, 1, (said(seq % 200 + 1),)))
    assert len(writer._bodies) == BODIES


# ---- what is refused -----------------------------------------------------------------------------


def spoilt(spoil: Callable[[pb.Messages], object]) -> dict[str, str]:
    """What is said to be wrong with `SEVERAL` once this was done to it."""
    message = pb.Frame.FromString(AskWriter().write(1, SEVERAL))
    spoil(message.asks[0].messages)
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert isinstance(one.request, Malformed), one.request
    return dict(one.request.violations)


def header(told: pb.Messages, n: int = 1) -> common_pb2.Header:
    """Of the second message, unless another one is meant."""
    return told.messages[n].header


SECOND = "messages.messages[1]"
NEXT = "must be the next one of the stream"
MANY, CROWD = MESSAGES_MAX + 1, PASS_ON_MAX + 1


@pytest.mark.parametrize(
    ("spoil", "field", "fault"),
    [
        (lambda m: m.ClearField("caller"), "caller", "is required"),
        (lambda m: m.caller.Clear(), "caller.chat_id", "is required"),
        (lambda m: m.ClearField("destination_id"), "messages.destination_id", "is required"),
        (lambda m: m.pass_on.append(0), "messages.pass_on[2]", "is required"),
        (lambda m: m.pass_on.extend([5] * CROWD), "messages.pass_on", "at most 256 entries"),
        (lambda m: m.ClearField("messages"), "messages.messages", "is required"),
        (
            lambda m: m.messages.extend([m.messages[0]] * MANY),
            "messages.messages",
            "at most 1024 entries, not 1028",
        ),
        (lambda m: setattr(m.messages[1], "source_id", 2**53), f"{SECOND}.source_id", "must be 1"),
        (lambda m: setattr(m.messages[1], "msg", ""), f"{SECOND}.msg", "not empty"),
        (lambda m: setattr(m.messages[1], "msg_id", "1"), f"{SECOND}.msg_id", "36 characters"),
        (lambda m: m.messages[1].ClearField("header"), f"{SECOND}.header.hlc", "is required"),
        (lambda m: setattr(header(m), "kind", 9), f"{SECOND}.header.kind", "TEXT (1)"),
        (
            lambda m: setattr(header(m, 0).deps[0], "seq", 0),
            "messages.messages[0].header.deps[0].seq",
            "is required",
        ),
        (lambda m: setattr(header(m), "seq", 0), f"{SECOND}.header.seq", "is required"),
        (lambda m: setattr(header(m), "seq", 7), f"{SECOND}.header.seq", NEXT),
        (lambda m: setattr(header(m), "seq", 9), f"{SECOND}.header.seq", NEXT),
        (lambda m: setattr(header(m, 2), "seq", 10), "messages.messages[2].header.seq", NEXT),
        (lambda m: setattr(header(m).stream, "random", 1), f"{SECOND}.header.seq", NEXT),
        (lambda m: setattr(m.messages[1], "source_id", 5), f"{SECOND}.header.seq", NEXT),
    ],
)
def test_what_is_wrong_in_a_call_is_named(
    spoil: Callable[[pb.Messages], object], field: str, fault: str
) -> None:
    found = spoilt(spoil)
    assert fault in found.get(field, ""), found


def test_of_two_messages_that_are_wrong_both_are_named() -> None:
    def spoil(told: pb.Messages) -> None:
        told.messages[0].msg = told.messages[2].msg_id = ""

    assert set(spoilt(spoil)) == {"messages.messages[0].msg", "messages.messages[2].msg_id"}


def lines(ask: bytes) -> int:
    (one,) = read_frame(ask, LIMITS).asked
    return one.lines


def test_what_is_told_counts_by_its_lines_and_by_what_it_answers() -> None:
    assert lines(AskWriter().write(1, SEVERAL)) == 3
    assert lines(AskWriter().write(1, replace(SEVERAL, messages=SEVERAL.messages[:1]))) == 1
    deps = tuple(MESSAGE.key._replace(seq=n) for n in range(1, 513))
    tell = core.Tell(CALLER, 1, (said(7, deps=deps), said(8)))
    assert lines(AskWriter().write(1, tell)) == 2 + 512 // DEPS_OF_LINE


def test_rosters_and_what_is_malformed_count_by_their_size() -> None:
    """Each record costs more than a line; and what is wrong is found at the end."""
    records = tuple(replace(values.RECORD, id=id) for id in range(1, 101))
    update = AskWriter().write(1, core.Update(CALLER, core.Roster(records)))
    assert lines(update) == pytest.approx(len(update) / BYTES_OF_LINE, abs=2)
    frame = pb.Frame.FromString(AskWriter().write(1, core.Tell(CALLER, 1, (said(1), said(2)))))
    frame.asks[0].messages.messages[1].msg = ""
    frame.asks[0].messages.messages[0].msg = "x" * 9_000
    bad = frame.SerializeToString()
    assert isinstance(read_frame(bad, LIMITS).asked[0].request, Malformed)
    assert lines(bad) == pytest.approx(len(bad) / BYTES_OF_LINE, abs=2)


def test_a_long_answer_counts_by_its_size_and_an_ordinary_one_for_nothing() -> None:
    def count(asked: Asked, reply: core.Reply | bytes) -> int:
        (answer,) = read_frame(write_answer(asked, reply), LIMITS).answers
        return answer.lines

    records = tuple(replace(values.RECORD, id=id) for id in range(1, 101))
    update = core.Update(CALLER, core.Roster())
    asked = Asked(1, "update", update)
    long = core.Updated(core.Roster(records), values.VIEW)
    more = len(write_answer(asked, long)) - ANSWER_BYTES
    assert count(asked, long) == pytest.approx(more / BYTES_OF_RECORD, abs=2)
    each = (len(write_answer(asked, long)) // len(records)) + 500  # with a card, which is 460
    assert ROSTER_MAX * each / BYTES_OF_RECORD < LINES.burst / 2, "all of a large group is welcome"
    assert count(asked, bytes(ANSWER_BYTES + 3_200)) == pytest.approx(100, abs=2)
    for request in EXAMPLES:
        if type(request) in CARRIED and not isinstance(request, core.Update):
            field, _ = CARRIED[type(request)]
            assert count(Asked(1, field, request), REPLIES[REPLY_OF[type(request)]]) == 0


def test_as_many_messages_as_a_call_may_have_are_read() -> None:
    said_so = [replace(said(seq % 200), key=said(seq).key) for seq in range(1, MESSAGES_MAX + 1)]
    tell = core.Tell(CALLER, 1, tuple(said_so))
    assert asked(tell) == tell


def test_a_kind_not_said_is_text_and_ids_in_capitals_are_taken_in_small_letters() -> None:
    message = pb.Frame.FromString(AskWriter().write(1, SEVERAL))
    first, second, _ = message.asks[0].messages.messages
    first.header.kind = 0  # type: ignore[assignment]
    first.msg_id, second.more_ids[0] = first.msg_id.upper(), second.more_ids[0].upper()
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert one.request == SEVERAL


@pytest.mark.parametrize(
    ("ask", "field"), [(pb.Ask(id=1), "request"), (pb.Ask(messages=pb.Messages()), "id")]
)
def test_a_call_that_says_nothing_is_malformed_alone(ask: pb.Ask, field: str) -> None:
    data = pb.Frame(asks=[ask]).SerializeToString() + AskWriter().write(2, TELL)
    wrong, right = read_frame(data, LIMITS).asked
    assert isinstance(wrong.request, Malformed)
    assert field in dict(wrong.request.violations)
    assert right.request == TELL


def test_an_answer_that_is_wrong_says_so_itself() -> None:
    told = pb.MessageResponse(receipt=pb.RECEIPT_STORED, msg_id="1", node_id=1)
    data = pb.Frame(answers=[pb.Answer(id=4), pb.Answer(id=5, told=told)]).SerializeToString()
    first, second = read_frame(data, LIMITS).answers
    assert isinstance(first.reply, Malformed)
    assert isinstance(second.reply, Malformed)


@pytest.mark.parametrize(
    "hello",
    [pb.Hello(addresses=["nowhere"]), pb.Hello(addresses=["a:1"] * (ADDRESSES_MAX + 1))],
    ids=["no address", "too many"],
)
def test_a_hello_that_is_wrong_ends_the_link(hello: pb.Hello) -> None:
    with pytest.raises(Malformed, match=r"hello\.addresses"):
        read_frame(pb.Frame(hello=hello).SerializeToString(), LIMITS)


@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(data: bytes) -> None:
    try:
        frame = read_frame(data, LIMITS)
    except Malformed:
        return
    assert all(isinstance(one.request, Malformed) or one.id for one in frame.asked)


@given(st.data())
def test_damage_raises_nothing_else(data: st.DataObject) -> None:
    payload = bytearray(AskWriter().write(1, SEVERAL))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        frame = read_frame(bytes(payload), LIMITS)
    except Malformed:
        return
    assert len(frame.asked) <= len(payload)


# ---- by hand -------------------------------------------------------------------------------------


def test_several_messages_are_shown_as_the_frame_that_carries_them() -> None:
    path, put = call_of(SEVERAL)
    assert path == "/p2pchat.v1.Node/Link"
    message = put(SEVERAL)
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert one.request == SEVERAL
    assert call_of(TELL)[0] == "/p2pchat.v1.Node/Message"
