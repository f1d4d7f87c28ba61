"""The real grpcurl: one call, its answers or its error; and requests that are good as they stand.

It knows the services by reflection alone.  `Calls` collects from a running group what a member has
to say to be understood, so that a bad request differs from a good one in a single field.
"""

import json
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2  # noqa: F401  so that details can be read
from grpc_status import rpc_status

from node.codec.check import Check
from node.codec.joining import get_join
from node.codec.sealing import opened
from node.core.admission import wish
from node.limits import Limits
from node.trust import keys
from node.trust.certificates import Tls
from p2pchat.v1 import node_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.programs import OPTIONS, secured
from tests.sealing import Sealer
from tests.waiting import WAIT_S

GRPCURL = Path(sys.executable).with_name("grpcurl")
PACKAGE = "p2pchat.v1"
CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
}
TIME_S = 15.0

Request = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came of a call."""

    code: str  # OK, the name of a status, or LOCAL where grpcurl itself refused the request
    answers: tuple[Request, ...] = ()  # several where they were streamed
    message: str = ""
    reason: str = ""  # of google.rpc.ErrorInfo
    facts: Mapping[str, str] | None = None
    violations: Mapping[str, str] | None = None  # of google.rpc.BadRequest

    @property
    def answer(self) -> Request:
        """The only one."""
        assert self.code == "OK", self
        (found,) = self.answers
        return found


def call(
    where: str | Path, method: str, request: object = None, *, wait_s: float = TIME_S
) -> Reply:
    """Calls SERVICE/METHOD of ours at HOST:PORT, or at the path of a unix socket."""
    flags = ["-plaintext", "-format-error", "-max-time", str(wait_s)]
    flags += ["-unix"] if isinstance(where, Path) else []
    done = subprocess.run(
        [str(GRPCURL), *flags, "-d", "@", str(where), f"{PACKAGE}.{method}"],
        input=json.dumps({} if request is None else request),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=WAIT_S,
    )
    answers = tuple(_objects(done.stdout))
    if done.returncode == 0:
        return Reply("OK", answers)
    if not done.stderr.lstrip().startswith("{"):
        return Reply("LOCAL", answers, done.stderr.strip())
    return _failed(json.loads(done.stderr), answers)


class Channel:
    """The same calls without a program for each, where there are hundreds."""

    def __init__(self, where: str | Path, own: Tls | None = None) -> None:
        """Plain to HOST:PORT or the path of a unix socket; with `own` secured by that."""
        target = f"unix:{where}" if isinstance(where, Path) else where
        plain = own is None
        self._channel = grpc.insecure_channel(target, OPTIONS) if plain else secured(target, own)

    def call(self, method: str, request: object = None, *, wait_s: float = TIME_S) -> Reply:
        """Calls SERVICE/METHOD of ours.  Raises ParseError for what is no request of it."""
        service, _, name = method.partition("/")
        found = descriptor_pool.Default().FindServiceByName(f"{PACKAGE}.{service}")
        shape = found.methods_by_name[name]
        made = ParseDict(request or {}, GetMessageClass(shape.input_type)())
        path, read = f"/{PACKAGE}.{method}", GetMessageClass(shape.output_type).FromString
        answers: list[Request] = []
        stream = self._channel.stream_stream(path, made.__class__.SerializeToString, read)
        answering = stream(iter([made]), timeout=wait_s)
        try:
            for one in answering:
                answers.append(MessageToDict(one, preserving_proto_field_name=True))
        except grpc.RpcError:
            status = rpc_status.from_call(answering)
            code = answering.code().value[0]
            told = {"code": code, "message": answering.details()}
            if status is not None:
                told = MessageToDict(status, preserving_proto_field_name=True)
            return _failed(told, tuple(answers))
        return Reply("OK", tuple(answers))

    def close(self) -> None:
        self._channel.close()


def _failed(status: Request, answers: tuple[Request, ...]) -> Reply:
    reason, facts, violations = "", {}, {}
    for detail in status.get("details", ()):
        match detail["@type"].rpartition(".")[2]:
            case "ErrorInfo":
                assert detail["domain"] == PACKAGE, detail
                reason, facts = detail["reason"], detail.get("metadata", {})
            case "BadRequest":
                violations = {
                    one.get("field", ""): one["description"] for one in detail["field_violations"]
                }
    code = CODES[status["code"]]
    return Reply(code, answers, status.get("message", ""), reason, facts, violations)


def _objects(text: str) -> list[Request]:
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text) and (rest := text[at:].lstrip()):
        at = len(text) - len(rest)
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def changed(request: Request, path: str, value: object) -> Request:
    """The request with another value at `a.b.0.c`; None takes the field away."""
    fresh = deepcopy(request)
    place: Any = fresh
    *way, last = path.split(".")
    for step in way:
        place = place[int(step)] if step.isdecimal() else place.setdefault(step, {})
    if isinstance(place, list):
        place[int(last)] = value
    elif value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return fresh


class Calls:
    """Good requests to the nodes of `chat`, said as if by another member.

    Where connections are secured, what they are made of is asked with the certificate of that one.
    """

    def __init__(self, cluster: Cluster, chat: str, *names: str) -> None:
        self.cluster, self.chat = cluster, chat
        self.listen = {name: cluster[name].row("status")["listen"] for name in names}
        record = cluster.nds.network(chat)
        assert record is not None, f"#{chat} is not listed"
        self.network: Request = MessageToDict(record, preserving_proto_field_name=True)
        self.ids = {name: cluster[name].id(chat) for name in names}
        self.views: dict[str, Request] = {}
        for name in names:
            anyone = {"chat_id": self.network["chat_id"]}
            pong = self.ask(name, name, "Node/LivenessPing", {"caller": anyone})
            self.views[name] = pong.answer["view"]

    def ask(self, by: str, at: str, method: str, request: Request) -> Reply:
        """Calls SERVICE/METHOD of a member's node, as another's node would."""
        if self.cluster.insecure:
            return call(self.listen[at], method, request)
        channel = Channel(self.listen[at], self.cluster[by].tls)
        try:
            return channel.call(method, request)
        finally:
            channel.close()

    def caller(self, name: str) -> Request:
        """How a member introduces itself."""
        return {
            "chat_id": self.network["chat_id"],
            "node_id": self.ids[name],
            "incarnation": self.views[name]["incarnation"],
            "epoch": self.network["epoch"],
        }

    def ping(self, name: str) -> Request:
        return {"caller": self.caller(name), "view": self.views[name]}

    def message(self, name: str, to: str, text: str, *more: str, seq: int = 1) -> Request:
        """Lines that `name` never typed, in a new stream, signed by `name` all the same."""
        now_ms = time.time_ns() // 1_000_000
        request = {
            "chat_id": self.network["chat_id"],
            "msg_id": str(uuid.uuid4()),
            "source_id": self.ids[name],
            "destination_id": self.ids[to],
            "msg": text,
            "header": {
                "stream": {"incarnation": self.views[name]["incarnation"], "random": 7},
                "seq": seq,
                "hlc": {"ms": now_ms},
                "sent_ms": now_ms,
                "epoch": self.network["epoch"],
                "kind": "KIND_TEXT",
            },
            "caller": self.caller(name),
        }
        if more:
            request["more_ids"] = [str(uuid.uuid4()) for _ in more]
            request["more_msgs"] = [*more]
        return self.signed(request, name)

    def signed(self, request: Request, name: str) -> Request:
        """The message with the signature of this member, whoever its author is to be."""
        made = ParseDict(request, node_pb2.MessageRequest())
        self.cluster[name].sign(made, made.chat_id)
        return changed(request, "header.signature", b64encode(made.header.signature).decode())

    def roster(self, name: str, at: str) -> Request:
        """What `at` answers when `name` asks for the roster."""
        request = {"caller": self.caller(name), "roster": {}, "want_roster": True}
        answer = self.ask(name, at, "Node/UpdateMembers", request).answer
        if "sealed" in answer:
            told = ParseDict(answer, node_pb2.UpdateMembersResponse())
            whole = opened(told, self._seals(name, at), int(self.network["chat_id"]), self.ids[at])
            assert whole is not None, f"{at} has not sealed it for {name}"
            answer = MessageToDict(whole, preserving_proto_field_name=True)
        return answer["roster"]  # type: ignore[no-any-return]

    def _seals(self, name: str, at: str) -> Sealer:
        """As `name` has them, for what comes from `at`."""
        own, theirs = (keys.load(self.cluster[one].home / "default") for one in (name, at))
        return Sealer(own, lambda _: theirs.card)

    def record(self, name: str, at: str) -> Request:
        """The record of `name`, as `at` has it."""
        members = self.roster(at if at != name else name, at)["members"]
        return next(one for one in members if int(one["member_id"]) == self.ids[name])

    def join(self, name: str, record: Request) -> Request:
        """The request with which `name` got in, once more."""
        request = {
            "caller": {
                "chat_id": self.network["chat_id"],
                "incarnation": self.views[name]["incarnation"],
            },
            "identity": record["identity"],
            "nick": name,
            "address": self.listen[name],
            "process": self.views[name]["process"],
        }
        return wished(request, self.cluster[name].keys)


def wished(request: Request, own: keys.Keys) -> Request:
    """The request to be let in, signed with these keys."""
    said = wish(get_join(ParseDict(request, node_pb2.JoinNetworkRequest()), Check(Limits())))
    return {**request, "word": b64encode(own.signing.sign(said)).decode()}
