"""What goes over a link: hello, calls and their ends, each a part of a frame.

A frame of several parts is their bytes one after the other, so a part is written without knowing
with what it goes out, and chat messages once for all members that are told them.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message
from msgspec import Struct

from node.codec import conversation
from node.codec.calls import METHODS, parse
from node.codec.check import Check, Malformed
from node.codec.facts import PROTOCOL, program
from node.codec.sealing import SEALED, Seals, seal, unseal
from node.core import messages as core
from node.core.conversation import ChatMessage
from node.core.messages import Reply, Request
from node.core.types import NO_EPOCH, Address, Key, MemberId
from node.limits import Limits
from p2pchat.v1 import node_pb2 as pb

ADDRESSES_MAX = 16
# What takes as long as a line (rpc/budget.py): so much of what is no line, so many ends of deps.
BYTES_OF_LINE = 32
BYTES_OF_RECORD = (
    256  # likewise, of a roster that was asked for: a record has some 800, and few are known
)
DEPS_OF_LINE = 16
ANSWER_BYTES = 1_024  # of an answer are free: it was asked for, and has rarely more
BODIES = 64  # calls' messages that are kept for the next member

# Which calls go over links: the fields of Ask and Answer that carry them.
CARRIED: dict[type[Any], tuple[str, str]] = {
    core.Tell: ("messages", "told"),
    core.Ping: ("ping", "ping"),
    core.Elect: ("election", "election"),
    core.Coordinator: ("coordinator", "coordinator"),
    core.Update: ("update", "update"),
    core.Acks: ("acknowledge", "acknowledge"),
}
_BY_ASK = {ask: METHODS[kind] for kind, (ask, _) in CARRIED.items()}
_BY_ANSWER = {answer: METHODS[kind] for kind, (_, answer) in CARRIED.items()}
_ANSWERS = dict(CARRIED.values())

_ASKS = pb.Frame.DESCRIPTOR.fields_by_name["asks"].number
_MESSAGES = pb.Ask.DESCRIPTOR.fields_by_name["messages"].number
_TOLD = pb.Messages.DESCRIPTOR.full_name
_SEALED = pb.Messages.DESCRIPTOR.fields_by_name["sealed"].number
_CONTENT = pb.Sealed.DESCRIPTOR.fields_by_name["content"].number
_WRAP = pb.Sealed.DESCRIPTOR.fields_by_name["wrap"].number


class Hello(Struct, frozen=True):
    """The other end of a link."""

    protocol: str
    addresses: tuple[Address, ...]


class Asked(Struct, frozen=True, gc=False):
    """A call that came in: the request, or what is wrong with it."""

    id: int
    field: str  # of Ask; names how it is to be answered
    request: Request | Malformed
    lines: int = 1  # for so many chat messages of no length it counts


class Answer(Struct, frozen=True, gc=False):
    """An end that came in: the reply, the status, or what is wrong with it."""

    id: int
    reply: Reply | bytes | Malformed
    lines: int = 0  # likewise, where it is long


class Frame(Struct, frozen=True, gc=False):
    hello: Hello | None
    asked: list[Asked]
    answers: list[Answer]


def _of_nobody(_: int) -> core.Caller | None:
    """Where no call of ours is known."""
    return None


def write_hello(addresses: tuple[Address, ...]) -> bytes:
    """The part of a frame that says who we are: `addresses` are where we can be called."""
    hello = pb.Hello(protocol=PROTOCOL, build=program(), addresses=addresses[:ADDRESSES_MAX])
    return pb.Frame(hello=hello).SerializeToString()


class AskWriter:
    """Writes calls; remembers the messages written last, for the next who is told them.

    `seals`: what is said goes out sealed with them, and must come so.
    """

    def __init__(self, seals: Seals | None = None) -> None:
        self.seals = seals
        self._bodies: OrderedDict[tuple[Key, int], tuple[tuple[ChatMessage, ...], bytes, bytes]]
        self._bodies = OrderedDict()

    def write(self, id: int, request: Request) -> bytes:
        """The part of a frame that asks this; the kind of request must be among `CARRIED`."""
        if isinstance(request, core.Tell):
            caller = request.caller
            body, key = self._body(request.messages)
            if self.seals is not None:
                wrap = self.seals.wrap(key, _TOLD, caller.chat, caller.callee)
                body = _delimited(_SEALED, body + _delimited(_WRAP, wrap))
            told = _head(caller, request.to, request.pass_on) + body
            ask = pb.Ask(id=id).SerializeToString() + _delimited(_MESSAGES, told)
            return _delimited(_ASKS, ask)
        field, _ = CARRIED[type(request)]
        method, caller = METHODS[type(request)], request.caller
        message = method.put_request(request)
        if self.seals is not None and method.request in SEALED:
            seal(message, self.seals, caller.chat, caller.callee)
        asked: dict[str, Any] = {"id": id, field: message}
        return pb.Frame(asks=[pb.Ask(**asked)]).SerializeToString()

    def _body(self, messages: tuple[ChatMessage, ...]) -> tuple[bytes, bytes]:
        """The messages as they go out, and the key that opens them where they are sealed."""
        name = messages[0].key, len(messages)
        kept = self._bodies.get(name)
        if kept is not None and kept[0] == messages:
            return kept[1:]
        body, key = conversation.put_body(messages).SerializeToString(), b""
        if self.seals is not None:
            content, key = self.seals.close(body)
            body = _delimited(_CONTENT, content)
        self._bodies[name] = messages, body, key
        if len(self._bodies) > BODIES:
            self._bodies.popitem(last=False)
        return body, key


@lru_cache(maxsize=1_024)
def _head(caller: core.Caller, to: MemberId, pass_on: tuple[MemberId, ...]) -> bytes:
    """The same for line after line."""
    return conversation.put_head(caller, to, pass_on).SerializeToString()


def call_of(request: Request) -> tuple[str, Callable[[Any], Message]]:
    """Path and request of the RPC as which somebody could make this call by hand."""
    method = METHODS[type(request)]
    if isinstance(request, core.Tell) and len(request.messages) > 1:
        return "/p2pchat.v1.Node/Link", _frame_of
    return method.path, method.put_request


def _frame_of(tell: core.Tell) -> Message:
    told = conversation.put_body(tell.messages)
    told.MergeFrom(conversation.put_head(tell.caller, tell.to, tell.pass_on))
    return pb.Frame(asks=[pb.Ask(id=1, messages=told)])


def write_answer(asked: Asked, reply: Reply | bytes, seals: Seals | None = None) -> bytes:
    """The part of a frame that answers; bytes are a google.rpc.Status."""
    if isinstance(reply, bytes):
        return pb.Frame(answers=[pb.Answer(id=asked.id, status=reply)]).SerializeToString()
    method, field = _BY_ASK[asked.field], _ANSWERS[asked.field]
    caller = asked.request.caller if not isinstance(asked.request, Malformed) else None
    answer: dict[str, Any] = {"id": asked.id, field: method.put_sealed_reply(reply, caller, seals)}
    return pb.Frame(answers=[pb.Answer(**answer)]).SerializeToString()


def read_frame(
    data: bytes,
    limits: Limits,
    seals: Seals | None = None,
    caller_of: Callable[[int], core.Caller | None] = _of_nobody,
) -> Frame:
    """What came; what is said must be sealed for `seals`, where there are any.  Raises `Malformed`
    where it is no frame; a part that is wrong says so itself.

    `caller_of`: who called whom in our own call of that id.
    """
    frame = parse(pb.Frame, data)
    assert isinstance(frame, pb.Frame)
    hello = _hello(frame.hello) if frame.HasField("hello") else None
    asked = [_asked(ask, limits, seals) for ask in frame.asks]
    answers = [_answer(answer, limits, seals, caller_of) for answer in frame.answers]
    return Frame(hello, asked, answers)


def _hello(p: pb.Hello) -> Hello:
    check = Check(Limits())
    addresses = tuple(p.addresses)
    if check.size(addresses, "hello.addresses", ADDRESSES_MAX):
        for i, address in enumerate(addresses):
            check.address(address, f"hello.addresses[{i}]", required=True)
    check.done()
    return Hello(p.protocol, addresses)


def _asked(p: pb.Ask, limits: Limits, seals: Seals | None) -> Asked:
    field = p.WhichOneof("request") or ""
    check = Check(limits, seals)
    check.required(bool(p.id), "id")
    check.required(bool(field), "request")
    if check.violations:
        return Asked(p.id, field, Malformed(tuple(check.violations)))
    part: Any = getattr(p, field)
    lines = _lines(part) if field == "update" else 1
    if seals is not None and type(part) in SEALED and field != "messages":
        unseal(part, seals, part.caller.chat_id, part.caller.node_id)
    get: Callable[[Any, Check], Request] = _BY_ASK[field].get_request
    if field == "messages":
        get = conversation.get_several
    request = get(part, check)
    if check.violations:
        return Asked(p.id, field, Malformed(tuple(check.violations)), _lines(part))
    if isinstance(request, core.Tell):
        deps = sum([len(message.deps) for message in request.messages])
        lines = max(1, len(request.messages)) + deps // DEPS_OF_LINE
    return Asked(p.id, field, request, lines)


def _lines(part: Message) -> int:
    """For how many it counts by its size: records cost what lines do, and are signed, too."""
    return 1 + part.ByteSize() // BYTES_OF_LINE


def _answer(
    p: pb.Answer,
    limits: Limits,
    seals: Seals | None,
    caller_of: Callable[[int], core.Caller | None],
) -> Answer:
    field = p.WhichOneof("reply") or ""
    each = BYTES_OF_RECORD if field == "update" else BYTES_OF_LINE
    lines = max(0, p.ByteSize() - ANSWER_BYTES) // each
    if field == "status":
        return Answer(p.id, p.status, lines)
    check = Check(limits)
    if not check.required(bool(field), "reply"):
        return Answer(p.id, Malformed(tuple(check.violations)), lines)
    part = getattr(p, field)
    if seals is not None and type(part) in SEALED:
        asked = caller_of(p.id) or core.Caller(0, 0, 0, NO_EPOCH)
        unseal(part, seals, asked.chat, asked.callee)
    reply = _BY_ANSWER[field].get_reply(part, check)
    if check.violations:
        return Answer(p.id, Malformed(tuple(check.violations)), lines)
    return Answer(p.id, reply, lines)


def _delimited(field: int, payload: bytes) -> bytes:
    """A field of protobuf's wire format that holds a message."""
    size, length = len(payload), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((field << 3 | 2,)) + length + payload
