"""Who calls: puts a caller of a kind into a request between members.

| kind    | who                                     | may be heard by                          |
|---------|-----------------------------------------|------------------------------------------|
| known   | a member, in its present life           | all                                      |
| next    | a member, in a life that nobody knows   | all                                      |
| unknown | an id that nobody was ever given        | Coordinator: a new leader may be unknown |
|         |                                         | UpdateMembers: it brings its own record  |
| left    | one that said good-bye                  | UpdateMembers, LeaveNetwork: facts       |
| stale   | a member, in an earlier life            | UpdateMembers: facts                     |
| wrong   | a member that means another callee      | none                                     |
| nobody  | node_id 0, as the discovery service     | LivenessPing, JoinNetwork                |
| stray   | a member of a chat that is not here     | none                                     |
| any     | whatever the message had                | all                                      |
"""

from dataclasses import dataclass
from random import Random

from google.protobuf.message import Message

from p2pchat.v1 import common_pb2, node_pb2

KINDS = ("known", "known", "next", "unknown", "left", "stale", "wrong", "nobody", "stray", "any")
HEARD = {
    "unknown": {"Coordinator", "UpdateMembers", "JoinNetwork", "Link"},
    "left": {"UpdateMembers", "LeaveNetwork", "JoinNetwork", "Link"},
    "stale": {"UpdateMembers", "JoinNetwork", "Link"},
    "wrong": set(),
    "nobody": {"LivenessPing", "JoinNetwork", "Link"},
    "stray": set(),
}


@dataclass(frozen=True)
class Society:
    """A group as its callers know it: ids in order, and the lives that they live."""

    chat: int
    name: str
    members: dict[int, int]  # member id -> incarnation
    left: tuple[int, ...]
    epoch: tuple[int, int]

    @property
    def nobody(self) -> int:
        """An id that nobody has, nor will have soon."""
        return max((*self.members, *self.left, 1_000_000)) + 700


def may_be_heard(kind: str, method: str) -> bool:
    """Whether a caller of this kind may get anything but a refusal."""
    return kind not in HEARD or method in HEARD[kind]


def dress(
    rng: Random,
    request: Message,
    kind: str,
    society: Society,
    callee: int,
    *,
    steady: bool = True,
) -> None:
    """Put the caller in, for a frame into each call in it.

    A request without that field (not between members) stays as it is.  Where the society is not
    `steady`, another may live at an address before the call is made: whom one means by mistake is
    nobody then.
    """
    if isinstance(request, node_pb2.Frame):
        for ask in request.asks:
            if field := ask.WhichOneof("request"):
                dress(rng, getattr(ask, field), kind, society, callee, steady=steady)
    if kind == "any" or "caller" not in request.DESCRIPTOR.fields_by_name:
        return
    caller: common_pb2.Caller = request.caller  # type: ignore[attr-defined]
    others = [id for id in society.members if id != callee] or [callee]
    node = rng.choice(others)
    life = society.members.get(node, 1)
    caller.Clear()
    caller.chat_id = society.chat
    caller.node_id, caller.incarnation = node, life
    caller.epoch.generation, caller.epoch.n = society.epoch
    caller.protocol = rng.choice(("", "1.0", "1.7"))
    caller.callee_id = rng.choice((0, callee))
    match kind:
        case "next":
            caller.incarnation = life + rng.choice((1, 1, 1_000))
        case "unknown":
            caller.node_id = society.nobody
        case "left":
            caller.node_id = rng.choice(society.left or (society.nobody,))
            caller.incarnation = 2**53 - 1
        case "stale":
            caller.incarnation = rng.choice((0, 1, life - 1))
        case "wrong":
            wrong = (*others, callee + 1) if steady else ()
            # Not an id that records tell of: members of a pit take those that are theirs there.
            caller.callee_id = rng.choice((society.nobody + 1, *wrong))
            if caller.callee_id == callee:
                caller.callee_id += 1
        case "nobody":
            caller.node_id = 0
        case "stray":
            caller.chat_id = society.chat ^ 0xFFFF
    if "chat_id" in request.DESCRIPTOR.fields_by_name:
        request.chat_id = caller.chat_id  # type: ignore[attr-defined]
