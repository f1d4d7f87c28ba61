"""The core alone: a request that is refused has left no trace, and nothing that is said throws.

No process, so a case costs a millisecond and is the same for ever.  A group of four (and one that
left, one that was kicked) hears what the case draws, through the codec as on the wire; then two
seconds pass in a world that agrees, in which whatever was planted may go off.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from google.protobuf.message import Message
from msgspec.structs import replace

from node.codec import METHODS, Malformed, Method, conversation, parse, rosters
from node.codec import facts as codec
from node.core import effects as e
from node.core import messages as m
from node.core.events import Received
from node.limits import Limits
from tests.core.cast import CHAT, EPOCH, WALL, line, person
from tests.core.dialogue import Dialogue, follower, leading
from tests.fuzz import callers, messages
from tests.fuzz.callers import Society
from tests.fuzz.rpcs import rpcs_of
from tests.fuzz.town import request_of
from tests.fuzz.values import PASSWORDS, Facts

SERVICE = "p2pchat.v1.Node"
OTHERS, LEFT, KICKED = (1, 3, 4), 5, 6
ME = 2
AFTERWARDS_MS = 2_000
REQUESTS_MAX = 3
BY_NAME: dict[str, type[Any]] = {method.name: kind for kind, method in METHODS.items()}


@dataclass(frozen=True)
class Fault:
    """What was wrong, with what repeats it."""

    rpc: str
    seed: int
    text: str

    def __str__(self) -> str:
        return f"within {self.rpc} SEED={self.seed}: {self.text}"


def group(rng: Random) -> Dialogue:
    """Member 2 of four, following or leading, with something said."""
    others = [person(id) for id in OTHERS]
    others += [person(LEFT, left=True), person(KICKED, kicked=True)]
    lines = [line(1), line(3), line(1, 2, after=(line(3),)), line(ME, 1, ms=5_000)]
    if rng.random() < 0.4:
        return leading(ME, *others, messages=lines)
    return follower(ME, *others, leader=1, messages=lines)


def society(talk: Dialogue) -> Society:
    lives = {id: one.incarnation for id in (ME, *OTHERS) if (one := talk.group.member(id))}
    return Society(CHAT, "den", lives, (LEFT, KICKED), tuple(talk.group.epoch))


def truth(talk: Dialogue) -> Facts:
    """What the group's members know."""
    lives = [one.incarnation for one in talk.group.roster.members]
    said = [line(1), line(3), line(1, 2, after=(line(3),)), line(1, 3, more=("b", "c")), line(4)]
    written = [conversation.put_message(one) for one in said]
    ids = [ME, *OTHERS, LEFT, KICKED, 51]
    pools: dict[str, list[Any]] = {
        "chat_id": [CHAT],
        **dict.fromkeys(
            ("node_id", "member_id", "source_id", "destination_id", "leader_id", "callee_id"), ids
        ),
        **dict.fromkeys(("votes", "left_ids", "sources", "handed_over_by"), ids),
        "provisional_id": [0, 0, 1, 2],
        "incarnation": [*lives, 100, max(lives) + 1],
        "address_incarnation": [*lives, max(lives) + 1],
        "generation": [EPOCH.generation],
        "n": [EPOCH.n - 1, EPOCH.n, EPOCH.n, EPOCH.n + 1],
        **{key: ["m1:7000", "m2:7000", "m3:7000", "m9:1"] for key in ("address", "leader_address")},
        "identity": [person(id).identity for id in ids],
        "name": ["den"],
        **{key: ["user1", "user3", "zoe", "b"] for key in ("nick", "value")},
        **{key: [id for one in said for id in one.ids] for key in ("msg_id", "more_ids")},
        **{key: ["hello", "1.1"] for key in ("msg", "more_msgs")},
        "salts": [b"", b"s" * messages.SALT_BYTES],
        "ms": [1_001, 1_002, 5_000, WALL, WALL + 10],
        **{key: [WALL] for key in ("sent_ms", "created_ms")},
        **{key: [1, 1, 2, 3, 4] for key in ("seq", "first", "last")},
        "random": [1, 1, 2],
        "process": [1, 2, 3, 9],
        "roster_hash": [talk.view().roster_hash, 1],
        "history_hash": [talk.group.history_hash, 0, 1],
        "hash": [b"", bytes(16)],
        "sum": [b"", bytes(128)],
        "protocol": ["", "1.0"],
        "highest_n": [0, 3, 6, 51],
        "kind": [0, 1, 2],
        "life": [1, 2, 3],
    }
    templates: dict[str, list[Message]] = {
        "p2pchat.v1.MemberRecord": [codec.put_member(one) for one in talk.group.roster.members],
        "p2pchat.v1.View": [codec.put_view(talk.view(id)) for id in OTHERS],
        "p2pchat.v1.Header": [one.header for one in written],
        "p2pchat.v1.ChatMessage": written,
        "p2pchat.v1.Roster": [rosters.put_roster(talk.group.roster)],
        "p2pchat.v1.MessageRequest": [
            request_of(one, to) for one in written for to in (ME, ME, *OTHERS, LEFT)
        ],
        **PASSWORDS,
    }
    return Facts(pools, templates)


def lasting(talk: Dialogue, caller: int) -> dict[str, Any]:
    """All that a refused request could have changed.

    But for the caller's own life: whatever a member says tells that it lives, and in which life.
    """
    s = talk.group._s
    alive = {"incarnation": 0, "life": m.Life.ALIVE}
    roster = s.members.roster
    return {
        "members": [replace(one, **alive) if one.id == caller else one for one in roster.members],
        "topic": roster.topic,
        "epoch": (s.epoch, s.leader, s.provisional, s.role),
        "history": (
            s.history.hash,
            len(s.history),
            sorted(s.causal.pending),
            sorted(s.causal.below),
        ),
        "heads": sorted(s.causal.heads),
        "me": (s.me, s.incarnation, s.left_ids, s.leaving, s.stream_seq),
        "ids": (tuple(s.ids), max(s.highest_n, s.members.highest_n)),
        "outbox": sorted(s.outbox.entries),
    }


def gone(talk: Dialogue) -> set[int]:
    """The members that have left for good."""
    members = talk.group._s.members
    return {one.id for one in members.roster.members if not members.belongs(one.id)}


def requests(rng: Random, talk: Dialogue, method: Method) -> Iterator[tuple[str, m.Request]]:
    """Who calls, and what it says; only what the codec lets through."""
    facts, known = truth(talk), society(talk)
    descriptor = method.request.DESCRIPTOR
    for _ in range(rng.randint(1, REQUESTS_MAX)):
        request = messages.Maker(rng, facts).message(descriptor)
        kind = rng.choice([kind for kind in callers.KINDS if kind != "stray"])  # The node's part.
        callers.dress(rng, request, kind, known, ME)
        payload = request.SerializeToString()
        if rng.random() < 0.1:
            kind, payload = "any", messages.flipped(rng, payload)
        try:
            parsed = parse(method.request, payload)
            yield kind, method.decode_request(parsed, Limits())
        except Malformed:
            continue


def fault_of(name: str, seed: int) -> str:
    """Lives one case; what went wrong, or nothing.  `name`: of the method."""
    rng = Random(f"within {name} {seed}")
    talk = group(rng)
    method = METHODS[BY_NAME[name]]
    calls: dict[int, tuple[str, m.Request]] = {}
    try:
        for kind, request in requests(rng, talk, method):
            before = lasting(talk, request.caller.node)
            talk._inbound += 1
            if kind == "stale" and request.caller.node in gone(talk):
                kind = "left"  # by what was asked before
            calls[talk._inbound] = kind, request
            said = talk.hand(Received(talk._inbound, request))
            if text := _traces(talk, calls, said, before):
                return f"{kind} {str(request)[:900]}: {text}"
        for _ in range(4):
            talk.wait(AFTERWARDS_MS // 4)
    except Exception as error:
        return f"{type(error).__name__}: {error} after {str(list(calls.values())[-1:])[:900]}"
    return ""


def _traces(
    talk: Dialogue, calls: dict[int, tuple[str, m.Request]], said: list[e.Effect], before: Any
) -> str:
    replies = [one for one in said if isinstance(one, e.Respond) and one.call in calls]
    heard = [one for one in replies if not isinstance(one.reply, m.Refusal)]
    for one in heard:
        kind, request = calls[one.call]
        if not callers.may_be_heard(kind, METHODS[type(request)].name):
            return f"a caller who may not be heard was answered {one.reply}"
    if not replies or heard or calls[replies[0].call][1].caller.node == ME:
        return ""  # Who calls as we ourselves is a clone, or lies: we say that we live, either way.
    after = lasting(talk, calls[replies[0].call][1].caller.node)
    stored = sorted({type(one).__name__ for one in said if isinstance(one, e.Store)})
    changed = [name for name in after if after[name] != before[name]]
    if changed or set(stored) - {"StoreRoster"}:
        return f"refused ({replies[0].reply}), but stored {stored}, and changed {changed}"
    return ""


def run(cases: int, start: int, only: str = "") -> list[Fault]:
    """The faults of so many cases of each method of the Node service."""
    found = []
    for rpc in rpcs_of([SERVICE]):
        if (only and only != rpc.name) or rpc.method not in BY_NAME:  # Links carry the others.
            continue
        for seed in range(start, start + cases):
            if text := fault_of(rpc.method, seed):
                found.append(Fault(rpc.name, seed, text))
    return found
