"""Tries node/codec/frames.py and node/codec/lines.py: the parts of a frame, there and back."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.codec import CARRIED, AskWriter, Malformed, call_of, lines
from node.codec.frames import (
    ADDRESSES_MAX,
    BODIES,
    Asked,
    read_frame,
    write_answer,
    write_hello,
)
from node.core import messages as core
from node.core.types import Key
from node.limits import COUNTER_MAX, DEPS_MAX, HLC_MAX, LINES_MAX, NUMBER_MAX, Limits
from p2pchat.v1 import node_pb2 as pb
from tests.node import wire_values as values
from tests.node.wire_values import CALLER, EXAMPLES, MESSAGE, TELL

LIMITS = Limits()
ID = "0f8fad5b-d9cb-469f-a165-7086772895{:02x}"


def said(seq: int, text: str = "hello", **changes: Any) -> core.ChatMessage:
    key = Key(MESSAGE.key.source, MESSAGE.key.stream, seq)
    return replace(MESSAGE, key=key, text=text, id=ID.format(seq), **changes)


SEVERAL = core.Tell(
    CALLER,
    1_000_001,
    (said(7), said(8, "two", deps=()), said(9, "three", kind=core.Kind.ACTION)),
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
    seq = min(seq, NUMBER_MAX - LINES_MAX)
    told = tuple(
        replace(message, key=Key(source, stream, seq + i)) for i, message in enumerate(messages)
    )
    return core.Tell(draw(values.callers), draw(values.members), told)


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
    put = lines.put_columns

    def counted(messages: Sequence[core.ChatMessage]) -> pb.Lines:
        written.append(len(messages))
        return put(messages)

    monkeypatch.setattr(lines, "put_columns", counted)
    writer = AskWriter()
    for to in range(1, 5):
        tell = replace(SEVERAL, to=to)
        (one,) = read_frame(writer.write(to, tell), LIMITS).asked
        assert one.request == tell
    assert written == [3]
    other = replace(SEVERAL, messages=(said(7, "not the same"), *SEVERAL.messages[1:]))
    (one,) = read_frame(writer.write(9, other), LIMITS).asked
    assert one.request == other, "another content under the same keys"


def test_only_the_columns_written_last_are_remembered() -> None:
    writer = AskWriter()
    for seq in range(1, 2 * BODIES):
        writer.write(1, core.Tell(CALLER, 1, (said(seq % 200 + 1),)))
    assert len(writer._bodies) == BODIES


# ---- what is refused -----------------------------------------------------------------------------


def spoilt(**columns: Any) -> dict[str, str]:
    """What is said to be wrong with `SEVERAL` once these columns are others."""
    message = pb.Frame.FromString(AskWriter().write(1, SEVERAL))
    for name, value in columns.items():
        field = getattr(message.asks[0].lines, name)
        if isinstance(value, list):
            del field[:]
            field.extend(value)
        elif isinstance(value, int):
            setattr(message.asks[0].lines, name, value)
        else:
            value(field)
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert isinstance(one.request, Malformed), one.request
    return dict(one.request.violations)


@pytest.mark.parametrize(
    ("columns", "field", "fault"),
    [
        ({"destination_id": 0}, "lines.destination_id", "is required"),
        ({"source_id": 2**53}, "lines.source_id", "must be 1 to"),
        ({"first_seq": 0}, "lines.first_seq", "is required"),
        ({"first_seq": NUMBER_MAX}, "lines.first_seq", "must be 1 to"),
        ({"texts": []}, "lines.texts", "is required"),
        ({"texts": ["x"] * (LINES_MAX + 1)}, "lines.texts", "at most 1024 entries"),
        ({"texts": ["a", "", "c"]}, "lines.texts[1]", "not empty"),
        ({"texts": ["a", "b", "x" * 16_385]}, "lines.texts[2]", "16384 bytes, not 16385"),
        ({"msg_ids": [MESSAGE.id] * 2}, "lines.msg_ids", "must have 3 entries, as texts has"),
        ({"msg_ids": [MESSAGE.id, "1", MESSAGE.id]}, "lines.msg_ids[1]", "36 characters"),
        ({"msg_ids": [MESSAGE.id, f"{MESSAGE.id}\n", "1"]}, "lines.msg_ids[1]", "36 characters"),
        ({"hlc_ms": [1, 2]}, "lines.hlc_ms", "must have 3 entries"),
        ({"hlc_ms": [1, HLC_MAX + 1, 3]}, "lines.hlc_ms[1]", "must be 0 to"),
        ({"hlc_counters": [0, 0, COUNTER_MAX + 1]}, "lines.hlc_counters[2]", "must be 0 to"),
        ({"sent_ms": [NUMBER_MAX + 1, 1, 1]}, "lines.sent_ms[0]", "must be 0 to"),
        ({"epoch_generations": [1]}, "lines.epoch_generations", "must have 3 entries"),
        ({"epoch_ns": [1, 1, 2**60]}, "lines.epoch_ns[2]", "must be 0 to"),
        ({"kinds": [1]}, "lines.kinds", "must have 3 entries"),
        ({"kinds": [1, 9, 1]}, "lines.kinds[1]", "TEXT (1)"),
        ({"dep_counts": [1]}, "lines.dep_counts", "must have 3 entries"),
        ({"dep_counts": [1, 0, 2]}, "lines.deps", "must have 3 entries, not 2"),
        ({"dep_counts": [1, 0, DEPS_MAX + 1]}, "lines.dep_counts[2]", "must be 0 to 512"),
        ({"dep_counts": []}, "lines.dep_counts", "must have 3 entries"),
        ({"stream": lambda stream: stream.Clear()}, "lines.stream.incarnation", "is required"),
        ({"caller": lambda caller: caller.Clear()}, "caller.chat_id", "is required"),
    ],
)
def test_a_column_that_is_wrong_is_named(columns: dict[str, Any], field: str, fault: str) -> None:
    found = spoilt(**columns)
    assert fault in found.get(field, ""), found


def test_a_dependency_that_is_wrong_is_named() -> None:
    message = pb.Frame.FromString(AskWriter().write(1, SEVERAL))
    message.asks[0].lines.deps[1].seq = 0
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert isinstance(one.request, Malformed)
    assert dict(one.request.violations) == {
        "lines.deps[1].seq": "is required: 1 to 9007199254740991"
    }


def test_kinds_not_said_are_text_and_ids_in_capitals_are_taken_in_small_letters() -> None:
    tell = replace(SEVERAL, messages=SEVERAL.messages[:2])
    message = pb.Frame.FromString(AskWriter().write(1, tell))
    told = message.asks[0].lines
    assert not told.kinds
    told.msg_ids[0] = told.msg_ids[0].upper()
    (one,) = read_frame(message.SerializeToString(), LIMITS).asked
    assert one.request == tell


@pytest.mark.parametrize(
    ("ask", "field"), [(pb.Ask(id=1), "request"), (pb.Ask(lines=pb.Lines()), "id")]
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
