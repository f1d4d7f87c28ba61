"""Tries node/codec/conversation.py: messages of several lines, by whatever call they come."""

from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis import given
from msgspec import Struct
from msgspec.structs import replace

from node.codec import METHODS, AskWriter, Malformed, method_of
from node.codec.frames import read_frame
from node.core import messages as core
from node.core.conversation import LINES_MAX, SALT_BYTES, ChatMessage, Kind, Spot
from node.limits import SIGNATURE_BYTES, TEXT_CEILING, Limits
from p2pchat.v1 import common_pb2
from p2pchat.v1 import node_pb2 as pb
from tests.node import wire_values as values
from tests.node.wire_values import CALLER, ID, ID_2, MESSAGE, TELL, TWO_LINES, VIEW

LIMITS = Limits()
Said: TypeAlias = Any  # the fields of a chat message, whichever message they stand in
Spoil: TypeAlias = Callable[[Said], object]


def nothing(_: Said) -> None:
    """As it is."""


class Carrier(Struct, frozen=True):
    """What a message comes with: how, with these changes; and where its fields are then."""

    carry: Callable[[ChatMessage, Spoil], ChatMessage]
    at: str


def by_call(message: ChatMessage, spoil: Spoil) -> ChatMessage:
    method = method_of(TELL)
    request: Any = method.put_request(replace(TELL, messages=(message,)))
    spoil(request)
    read = method.read_request(request.SerializeToString(), LIMITS)
    assert isinstance(read, core.Tell)
    return read.messages[0]


def by_link(message: ChatMessage, spoil: Spoil) -> ChatMessage:
    before = replace(MESSAGE, key=message.key._replace(seq=message.key.seq - 1))
    tell = core.Tell(CALLER, 1, (before, message))
    frame = pb.Frame.FromString(AskWriter().write(1, tell))
    spoil(frame.asks[0].messages.messages[1])
    (one,) = read_frame(frame.SerializeToString(), LIMITS).asked
    if isinstance(one.request, Malformed):
        raise one.request
    assert isinstance(one.request, core.Tell)
    return one.request.messages[1]


def by_page(message: ChatMessage, spoil: Spoil) -> ChatMessage:
    method = METHODS[core.Sync]
    reply: Any = method.put_reply(core.Synced(VIEW, messages=(MESSAGE, message)))
    spoil(reply.messages[1])
    read = method.read_reply(reply.SerializeToString(), LIMITS)
    assert isinstance(read, core.Synced)
    return read.messages[1]


CARRIERS = [
    pytest.param(Carrier(by_call, ""), id="call"),
    pytest.param(Carrier(by_link, "messages.messages[1]."), id="link"),
    pytest.param(Carrier(by_page, "messages[1]."), id="page"),
]


def of(*texts: str) -> ChatMessage:
    """A message of these lines, without salts and signature."""
    ids = tuple(str(UUID(int=n)) for n in range(1, len(texts) + 1))
    return replace(TWO_LINES, ids=ids, texts=texts, salts=b"", signature=b"")


def faults(carrier: Carrier, message: ChatMessage, spoil: Spoil = nothing) -> dict[str, str]:
    """What is said to be wrong with it, by the names that its fields have in any call."""
    with pytest.raises(Malformed) as caught:
        carrier.carry(message, spoil)
    found = dict(caught.value.violations)
    assert all(field.startswith(carrier.at) for field in found), found
    return {field.removeprefix(carrier.at): fault for field, fault in found.items()}


# ---- what comes as it went -----------------------------------------------------------------------


@given(values.long_messages)
def test_a_message_of_many_lines_comes_as_it_went(message: ChatMessage) -> None:
    for carry in (by_call, by_page):
        assert carry(message, nothing) == message


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(MESSAGE, id="a line"),
        pytest.param(TWO_LINES, id="signed"),
        pytest.param(replace(TWO_LINES, salts=b""), id="no salts"),
        pytest.param(replace(TWO_LINES, signature=b""), id="no signature"),
        pytest.param(of(*["x"] * LINES_MAX), id="as many lines as there may be"),
        pytest.param(of(*["x" * 16_384] * 4), id="as much text as there may be"),
        pytest.param(of(*["\u65e5" * 5_461] * 4, "1234"), id="as many bytes as there may be"),
        pytest.param(of("same", "same"), id="one text twice"),
        pytest.param(of("a\nb", "\0", "\x1b[2J"), id="control characters"),
    ],
)
def test_a_message_comes_as_it_went(carrier: Carrier, message: ChatMessage) -> None:
    came = carrier.carry(message, nothing)
    assert came == message
    assert came.digest == message.digest


@pytest.mark.parametrize("carrier", CARRIERS)
def test_ids_in_capitals_are_taken_in_small_letters(carrier: Carrier) -> None:
    def spoil(said: Said) -> None:
        said.msg_id, said.more_ids[0] = ID.upper(), ID_2.upper()

    assert carrier.carry(TWO_LINES, spoil) == TWO_LINES


def test_the_first_line_is_where_older_programs_look_for_it() -> None:
    sent = method_of(TELL).put_request(TELL)
    assert isinstance(sent, pb.MessageRequest)
    assert (sent.msg_id, sent.msg) == (ID, "hello")
    assert (list(sent.more_ids), list(sent.more_msgs)) == ([ID_2], ["and more"])


@pytest.mark.parametrize("kind", [pb.MessageRequest, common_pb2.ChatMessage])
def test_what_a_message_of_a_line_says_takes_no_room_for_others(kind: type) -> None:
    names = {"more_ids", "more_msgs"}
    assert names <= {field.name for field in kind.DESCRIPTOR.fields}  # type: ignore[attr-defined]
    said = method_of(TELL).put_request(replace(TELL, messages=(MESSAGE,)))
    assert not names & {field.name for field, _ in said.ListFields()}


# ---- what is refused -----------------------------------------------------------------------------


def put(name: str, value: object, **header: object) -> Spoil:
    """Puts something else into a field, and into others of the header."""
    head, _, last = name.rpartition(".")

    def spoil(said: Said) -> None:
        for other, theirs in header.items():
            setattr(said.header, other, theirs)
        where = getattr(said, head) if head else said
        if isinstance(value, list):
            where.ClearField(last)
            getattr(where, last).extend(value)
        else:
            setattr(where, last, value)

    return spoil


def lines_more(count: int) -> Spoil:
    def spoil(said: Said) -> None:
        said.header.ClearField("salts")
        said.more_ids.extend(str(UUID(int=n)) for n in range(1, count + 1))
        said.more_msgs.extend(["x"] * count)

    return spoil


VIOLATIONS: list[tuple[str, Spoil, str, str]] = [
    ("no more ids", put("more_ids", []), "more_ids", "must have 1 entries, as more_msgs has"),
    ("an id more", put("more_ids", [ID_2, str(UUID(int=9))]), "more_ids", "must have 1 entries"),
    ("a text more", put("more_msgs", ["a", "b"], salts=b""), "more_ids", "must have 2 entries"),
    ("repeated", put("more_ids", [ID]), "more_ids", "must be different ones"),
    ("repeated in capitals", put("more_ids", [ID.upper()]), "more_ids", "must be different ones"),
    ("odd id", put("more_ids", ["1"]), "more_ids[0]", "36 characters"),
    ("id and more", put("more_ids", [f"{ID_2}\n"]), "more_ids[0]", "36 characters"),
    ("two ids in one", put("more_ids", [f"{ID_2}\n{UUID(int=9)}"]), "more_ids[0]", "36 characters"),
    ("two in the first", put("msg_id", f"{ID}\n{UUID(int=9)}"), "msg_id", "36 characters"),
    ("odd first id", put("msg_id", "1"), "msg_id", "36 characters"),
    ("empty", put("more_msgs", [""]), "more_msgs[0]", "not empty"),
    ("first empty", put("msg", ""), "msg", "not empty"),
    ("long", put("more_msgs", ["x" * 16_385]), "more_msgs[0]", "16384 bytes, not 16385"),
    ("many bytes", put("more_msgs", ["\xe9" * 8_193]), "more_msgs[0]", "16384 bytes, not 16386"),
    ("first long", put("msg", "x" * 16_385), "msg", "16384 bytes, not 16385"),
    ("no salt for one", put("header.salts", b"s" * 16), "header.salts", "each line, not 16"),
    ("a salt more", put("header.salts", b"s" * 48), "header.salts", "16 bytes for each line"),
    ("part of a salt", put("header.salts", b"s" * 33), "header.salts", "each line, not 33"),
    ("short", put("header.signature", b"g" * 63), "header.signature", "64 bytes, not 63"),
    ("two", put("header.signature", b"g" * 128), "header.signature", "64 bytes, not 128"),
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("spoil", "field", "fault"),
    [pytest.param(*rest, id=name) for name, *rest in VIOLATIONS],
)
def test_what_is_wrong_with_lines_is_named(
    carrier: Carrier, spoil: Spoil, field: str, fault: str
) -> None:
    found = faults(carrier, TWO_LINES, spoil)
    assert set(found) == {field}
    assert fault in found[field]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_more_lines_than_there_may_be_are_not_gone_through(carrier: Carrier) -> None:
    limit = "must have at most 63 entries, not 64"
    assert faults(carrier, TWO_LINES, lines_more(LINES_MAX - 1)) == {
        "more_ids": limit,
        "more_msgs": limit,
    }
    assert len(carrier.carry(TWO_LINES, lines_more(LINES_MAX - 2)).texts) == LINES_MAX


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    "texts",
    [["x" * 16_384] * 4 + ["y"], ["\u65e5" * 5_461] * 4 + ["12345"], ["x" * 1_025] * LINES_MAX],
    ids=["long lines", "wide characters", "many lines"],
)
def test_more_text_than_there_may_be_is_told_with_its_size(
    carrier: Carrier, texts: list[str]
) -> None:
    size = sum(len(text.encode()) for text in texts)
    fault = f"must be at most {TEXT_CEILING} bytes with msg, not {size}"
    assert faults(carrier, of(*texts)) == {"more_msgs": fault}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_all_that_is_wrong_with_a_message_is_named(carrier: Carrier) -> None:
    def spoil(said: Said) -> None:
        said.more_ids[0], said.more_msgs[0] = "1", ""
        said.header.salts, said.header.signature = b"s", b"g"

    wrong = {"more_ids[0]", "more_msgs[0]", "header.salts", "header.signature"}
    assert set(faults(carrier, TWO_LINES, spoil)) == wrong


def test_what_salts_and_signatures_are_long_is_what_is_said_of_them() -> None:
    assert (SALT_BYTES, SIGNATURE_BYTES, LINES_MAX) == (16, 64, 64)


# ---- what is erased, and what changes lines ------------------------------------------------------


def spot(at: int = 0) -> Spot:
    """In the message before `MESSAGE`, of its stream."""
    return Spot(MESSAGE.key._replace(seq=MESSAGE.key.seq - 1), at)


LEFT = TWO_LINES.without((1,))
EDIT = replace(MESSAGE, kind=Kind.EDIT, about=spot(63))
REDACTION = replace(EDIT, kind=Kind.REDACT, texts=("",), heads=(b"a" * 16, b"b" * 16))


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(LEFT, id="one of two"),
        pytest.param(TWO_LINES.without((0, 1)), id="both"),
        pytest.param(of(*["x"] * LINES_MAX).without(range(LINES_MAX)), id="all that there may be"),
        pytest.param(EDIT, id="an edit"),
        pytest.param(EDIT.without((0,)), id="one of before"),
        pytest.param(REDACTION, id="a redaction"),
        pytest.param(replace(EDIT, about=Spot(EDIT.deps[0], 1)), id="of somebody else's line"),
    ],
)
def test_what_is_erased_and_what_changes_comes_as_it_went(
    carrier: Carrier, message: ChatMessage
) -> None:
    came = carrier.carry(message, nothing)
    assert came == message
    assert came.digest == message.digest


def test_what_is_said_in_full_takes_no_room_for_changes() -> None:
    sent: Any = method_of(TELL).put_request(TELL)
    names = {field.name for field, _ in sent.header.ListFields()}
    assert not names & {"about", "erased"}


def beyond(said: Said) -> None:
    said.header.about.line = 64


def far(said: Said) -> None:
    said.header.about.message.seq += 1


WRONG: list[tuple[str, ChatMessage, Spoil, str, str]] = [
    ("digest of 31", LEFT, put("header.erased", [b"", b"d" * 31]), "header.erased[1]", "not 31"),
    ("a digest less", LEFT, put("header.erased", [b"d" * 32]), "header.erased", "2 entries"),
    ("a text and its digest", LEFT, put("more_msgs", ["x"]), "more_msgs[0]", "must be empty"),
    ("no text", LEFT, put("msg", ""), "msg", "not empty"),
    ("no digest", LEFT, put("header.erased", [b"", b""]), "more_msgs[0]", "not empty"),
    ("a text", REDACTION, put("msg", "why"), "msg", "must be empty"),
    ("no text in an edit", EDIT, put("msg", ""), "msg", "not empty"),
    ("long", EDIT, put("msg", "x" * 16_385), "msg", "16384 bytes, not 16385"),
    ("about nothing", EDIT, lambda said: said.header.ClearField("about"), "header.about", "is req"),
    ("a line about one", EDIT, put("header.kind", 1), "header.about", "lines that are said"),
    ("later", EDIT, far, "header.about.message", "among deps, or earlier"),
    ("line 64", EDIT, beyond, "header.about.line", "must be 0 to 63"),
    ("short", REDACTION, put("header.heads", [b"h"]), "header.heads", "16 bytes"),
    ("twice", REDACTION, put("header.heads", [b"h" * 16] * 2), "header.heads", "must ascend"),
    ("many", EDIT, put("header.heads", [b"h" * 16] * 17), "header.heads", "at most 16 entries"),
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("message", "spoil", "field", "fault"),
    [pytest.param(*rest, id=name) for name, *rest in WRONG],
)
def test_what_is_wrong_with_changes_is_named(
    carrier: Carrier, message: ChatMessage, spoil: Spoil, field: str, fault: str
) -> None:
    found = faults(carrier, message, spoil)
    assert set(found) == {field}
    assert fault in found[field]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_change_has_one_line(carrier: Carrier) -> None:
    two = replace(TWO_LINES, kind=Kind.EDIT, about=spot())
    assert set(faults(carrier, two)) == {"more_msgs"}
