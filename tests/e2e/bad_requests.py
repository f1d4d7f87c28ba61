"""Tables of bad requests: each differs from a good one in one thing, and says what must be told.

A row is (where in the request, the value there, what the refusal names): a field, then the status
is INVALID_ARGUMENT and BadRequest names it with its limit, or a reason in capitals.
"""

import base64
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from node.trust import keys
from tests.e2e.grpcurl import Calls, Request, changed, wished

Row: TypeAlias = tuple[str, Any, str]

INTEGER = 2**53
CHAT = 2**63
NOWHERE = "127.0.0.1:1024"  # a port that is allowed, and where nobody listens
ODD_ADDRESSES = ("nowhere", "127.0.0.1:0", "127.0.0.1:99999", "a b:5000", "x" * 260 + ":5000")
ODD_NAMES = ("x" * 65, "two words", "esc\x1b[2J", "bidi\u202e", "line\nbreak")
_STREAM = {"source_id": "1", "stream": {"incarnation": "1", "random": 1}}
_FLOOR = {**_STREAM, "seq": "1"}
_RUN = {**_STREAM, "first": "1", "last": "1"}


@dataclass(frozen=True)
class Case:
    """One bad request and the refusal it must get."""

    method: str
    request: Request
    names: str  # a field, or a reason in capitals
    what: str


def cases(method: str, good: Request, rows: Iterable[Row]) -> Iterator[Case]:
    for path, value, names in rows:
        shown = repr(value)[:40]
        yield Case(method, changed(good, path, value), names, f"{method} {path}={shown}")


def every(path: str, values: Iterable[object], names: str) -> list[Row]:
    return [(path, value, names) for value in values]


def without(rows: Iterable[Row], path: str, value: object) -> list[Row]:
    """The rows but one, for a call that has a reason to take it."""
    return [row for row in rows if row[:2] != (path, value)]


# ---- the discovery service -----------------------------------------------------------------------


def of_discovery(network: Request, ids: int) -> Iterator[Case]:
    """Against a network that exists; `ids`: its leader's id."""
    create = {"request_id": str(uuid.uuid4()), "name": "fresh", "leader_address": NOWHERE}
    yield from cases(
        "NodeDiscovery/CreateNetwork",
        create,
        [
            *every("request_id", (None, "", "no uuid", "x" * 5_000), "request_id"),
            *every("name", (None, "", *ODD_NAMES), "name"),
            ("name", network["name"], "NAME_TAKEN"),
            *every("leader_address", (None, "", "127.0.0.1:80", *ODD_ADDRESSES), "leader_address"),
            ("mode", 9, "mode"),
            ("mode", -1, "mode"),
        ],
    )
    yield from cases(
        "NodeDiscovery/GetNetworkInformation",
        {},
        [
            *every("name", ODD_NAMES, "name"),
            ("name", "nobody", "UNKNOWN_NETWORK"),
            ("chat_id", str(CHAT), "chat_id"),
            ("chat_id", "4711", "UNKNOWN_NETWORK"),
            ("page_size", 1_001, "page_size"),
            *every("page_token", ("noise", "x" * 5_000, "AAAA"), "page_token"),
        ],
    )
    place = {"chat_id": network["chat_id"], "node_id": str(ids), "address": NOWHERE}
    common: list[Row] = [
        *every("chat_id", (None, str(CHAT)), "chat_id"),
        *every("node_id", (None, str(INTEGER)), "node_id"),
        *every("address", (None, "", "0.0.0.0:5000", *ODD_ADDRESSES), "address"),
        ("facts", {"name": "x" * 65}, "facts.name"),
        ("facts", {"leader_address": "nowhere"}, "facts.leader_address"),
        ("facts", {"highest_n": str(INTEGER)}, "facts.highest_n"),
    ]
    far = {"generation": "999999999999", "n": "1"}
    old = {"generation": "1", "n": "1"}
    claim = {**place, "expected_epoch": network["epoch"], "nonce": "5"}
    yield from cases(
        "NodeDiscovery/UpdateLeader",
        claim,
        [
            *common,
            ("chat_id", "4711", "UNKNOWN_NETWORK"),
            *every("expected_epoch", (None, {"n": "0"}), "expected_epoch"),
            ("expected_epoch", far, "expected_epoch.generation"),
            ("expected_epoch", old, "WRONG_CLAIM_KEY"),
            ("claim_key", "YQ==", "claim_key"),
            ("owner", "YQ==", "owner"),
            ("proofs", [{"key": "YQ=="}], "proofs"),
            ("facts", {"grant": {"claim_key": "YQ=="}}, "facts.grant"),
            ("nonce", None, "nonce"),
            ("electorate", 5_000, "electorate"),
            *every("votes", (["0"], ["1"] * 4_097), "votes"),
            ("node_id", str(ids + 500), "WRONG_CLAIM_KEY"),
        ],
    )
    renew = {**place, "epoch": network["epoch"]}
    yield from cases(
        "NodeDiscovery/Renew",
        renew,
        [
            *common,
            ("epoch", None, "epoch"),
            ("epoch", far, "epoch.generation"),
            ("node_id", str(ids + 500), "WRONG_CLAIM_KEY"),
        ],
    )
    yield from cases(
        "NodeDiscovery/DeleteNetwork",
        {"chat_id": network["chat_id"], "epoch": network["epoch"]},
        [
            *every("chat_id", (None, str(CHAT)), "chat_id"),
            ("chat_id", "4711", "UNKNOWN_NETWORK"),
            ("epoch", None, "epoch"),
            ("epoch", old, "WRONG_CLAIM_KEY"),
        ],
    )


# ---- a node --------------------------------------------------------------------------------------


def _callers(stranger: str, chat: str = "caller.chat_id") -> list[Row]:
    """What every call between members refuses."""
    return [
        ("caller", None, "caller"),
        *every(chat, (None, str(CHAT)), chat),
        (chat, "4711", "UNKNOWN_CHAT" if chat == "caller.chat_id" else "caller.chat_id"),
        *every("caller.node_id", (None, str(INTEGER)), "caller.node_id"),
        ("caller.node_id", stranger, "UNKNOWN_MEMBER"),
        ("caller.incarnation", str(INTEGER), "caller.incarnation"),
        ("caller.incarnation", "1", "OLD_INCARNATION"),
        ("caller.callee_id", stranger, "WRONG_MEMBER"),
        ("caller.epoch", {"n": str(INTEGER)}, "caller.epoch.n"),
        ("caller.protocol", "9.0", "VERSION_MISMATCH"),
        ("caller.protocol", "\x1b[2J", "VERSION_MISMATCH"),
    ]


def _views() -> list[Row]:
    return [
        ("view", None, "view"),
        *every("view.leader_address", ODD_ADDRESSES, "view.leader_address"),
        ("view.leader_id", str(INTEGER), "view.leader_id"),
        ("view.provisional_id", str(INTEGER), "view.provisional_id"),
        ("view.highest_n", "1000000", "view.highest_n"),
        ("view.incarnation", str(INTEGER), "view.incarnation"),
        ("view.epoch", {"generation": str(INTEGER)}, "view.epoch.generation"),
    ]


def _records(at: str) -> list[Row]:
    """What is refused in a member's record."""
    short = base64.b64encode(b"x" * 31).decode()
    return [
        *every(f"{at}.member_id", (None, str(INTEGER)), f"{at}.member_id"),
        *every(f"{at}.identity", (None, "", short), f"{at}.identity"),
        *every(f"{at}.card.certificate", (None, short), f"{at}.card"),
        *every(f"{at}.card.seal_key", (None, "", short), f"{at}.card"),
        *every(f"{at}.card.signature", (None, short), f"{at}.card"),
        *every(f"{at}.life", (None, 9), f"{at}.life"),
        *every(f"{at}.address", (None, "", "nowhere"), f"{at}.address"),
        *every(f"{at}.nick.value", ("", "x" * 25, "b\u202eob", "\x1b[2J"), f"{at}.nick.value"),
        *every(
            f"{at}.away", ({"value": "x" * 201}, {"value": "a\nb"}, {"value": "\x1b"}),
            f"{at}.away.value",
        ),
        (f"{at}.ends", [{"seq": "1"}], f"{at}.ends[0].stream.incarnation"),
    ]  # fmt: skip


def of_node(calls: Calls, *, by: str, to: str) -> Iterator[Case]:
    """Said to the leader as if by another member."""
    ping, record = calls.ping(by), calls.record(by, to)
    stranger = str(calls.ids[by] + 500)
    free = without(_callers(stranger), "caller.node_id", None)
    yield from cases(
        "Node/LivenessPing",
        ping,
        [
            *free,
            *_views()[1:],
            ("votes", ["0"], "votes[0]"),
            ("votes", ["1"] * 4_097, "votes"),
            ("destination_id", str(INTEGER), "destination_id"),
            ("destination_id", stranger, "UNKNOWN_MEMBER"),
            ("asks_leading", {"n": str(INTEGER)}, "asks_leading.n"),
        ],
    )
    yield from cases("Node/Election", ping, [*_callers(stranger), *_views()])
    # A leader may be unknown yet: what it says counts, and who it is will be asked.
    led = without(_callers(stranger), "caller.node_id", stranger)
    yield from cases("Node/Coordinator", ping, [*led, *_views()])
    sync: list[Row] = [
        ("digests", [{"source_id": "1"}] * 4_097, "digests"),
        ("digests", [{}], "digests[0].source_id"),
        ("digests", [{"source_id": "1", "hash": "AAAA"}], "digests[0].hash"),
        ("floors", [{**_FLOOR, "sum": "AAAA"}], "floors[0].sum"),
        ("held", [{**_RUN, "hash": "AAAA"}], "held[0].hash"),
        ("sources", ["1"] * 4_097, "sources"),
        ("held", [{}] * 16_385, "held"),
        ("held", [{"source_id": "1", "first": "1"}], "held[0].stream.incarnation"),
        ("held", [{**_RUN, "first": "5", "last": "4"}], "held[0].last"),
    ]
    yield from cases("Node/Sync", ping, [*_callers(stranger), *_views(), *sync])
    update = {"caller": calls.caller(by), "roster": {"members": [record]}}
    yield from cases(
        "Node/UpdateMembers",
        update,
        [
            # Facts are welcome from a life that is over.
            *without(_callers(stranger), "caller.incarnation", "1"),
            *(
                (path.replace("[0]", ".0"), value, names)
                for path, value, names in _records("roster.members[0]")
            ),
            ("roster.members", [record, record], "roster.members[1].member_id"),
            *every(
                "roster.topic", ({"value": "x" * 301}, {"value": "\x1b[2J"}), "roster.topic.value"
            ),
        ],
    )
    leave = {"caller": calls.caller(by), "record": record}
    yield from cases(
        "Node/LeaveNetwork",
        leave,
        [
            *_callers(stranger),
            ("record", None, "record"),
            *_records("record"),
            ("record.member_id", str(calls.ids[to]), "UNKNOWN_MEMBER"),
        ],
    )
    yield from _of_join(calls.join(by, record))
    yield from _of_message(calls.message(by, to, "never to be seen", seq=99), stranger)


def _of_join(join: Request) -> Iterator[Case]:
    own, short = keys.make(), base64.b64encode(b"x" * 31).decode()
    new = base64.b64encode(own.identity).decode()
    yield from cases(
        "Node/JoinNetwork",
        wished({**join, "identity": new, "address": NOWHERE}, own),
        [
            ("caller", None, "caller"),
            ("caller.chat_id", None, "name"),
            ("caller.chat_id", str(CHAT), "caller.chat_id"),
            ("caller.chat_id", "4711", "UNKNOWN_CHAT"),
            ("caller.protocol", "9.0", "VERSION_MISMATCH"),
            *every("name", ODD_NAMES, "name"),
            *every("identity", (None, "", base64.b64encode(b"x" * 33).decode()), "identity"),
            ("card", {"seal_key": short}, "card"),
            *every("nick", (None, "", "x" * 25, "b\u202eob", "two words"), "nick"),
            *every("address", (None, "", *ODD_ADDRESSES), "address"),
            ("address", NOWHERE, "CANNOT_REACH"),
            ("left_ids", ["0"], "left_ids[0]"),
            ("left_ids", ["1"] * 4_097, "left_ids"),
        ],
    )


def _of_message(good: Request, stranger: str) -> Iterator[Case]:
    dep = {"source_id": "1", "stream": {"incarnation": "1"}, "seq": "1"}
    short = base64.b64encode(b"x" * 15).decode()
    yield from cases(
        "Node/Message",
        good,
        [
            *_callers(stranger, "chat_id"),
            *every("msg_id", (None, "", "nope", "x" * 5_000), "msg_id"),
            *every("source_id", (None, str(INTEGER)), "source_id"),
            *every("destination_id", (None, str(INTEGER)), "destination_id"),
            ("destination_id", stranger, "UNKNOWN_MEMBER"),
            *every("msg", (None, "", "x" * 16_385), "msg"),
            ("more_ids", ["nope"], "more_ids"),
            ("more_ids", [str(uuid.uuid4())], "more_ids"),
            ("more_msgs", ["more"], "more_ids"),
            ("more_msgs", ["x"] * 64, "more_msgs"),
            ("header.salts", short, "header.salts"),
            ("header.signature", short, "header.signature"),
            ("header", None, "header"),
            ("header.stream", None, "header.stream.incarnation"),
            *every("header.seq", (None, str(INTEGER)), "header.seq"),
            ("header.hlc", None, "header.hlc"),
            ("header.hlc.ms", str(2**43), "header.hlc.ms"),
            ("header.hlc.counter", 65_536, "header.hlc.counter"),
            ("header.deps", [dep] * 513, "header.deps"),
            ("header.deps", [{"source_id": "1"}], "header.deps[0].seq"),
            ("header.sent_ms", str(INTEGER), "header.sent_ms"),
            ("header.epoch", {"n": str(INTEGER)}, "header.epoch.n"),
            *every("header.kind", (9, -1), "header.kind"),
        ],
    )


# ---- the control service -------------------------------------------------------------------------

WHICH_CHAT = (
    *("LeaveChat", "ListMembers", "Send", "ReadHistory", "GetLeader", "PingMembers"),
    *("TraceMessage", "MarkRead", "Invite", "ListElections", "StartElection", "CheckHistory"),
    *("SetTopic", "SetPassword", "Decide", "Redact"),
)
IN_CHAT = (*WHICH_CHAT, "Watch", "ListPeers", "GetUnread", "ListQueue", "SetNick", "SetAway")
KEY = {"salt": "A" * 22 + "==", "log_n": 15, "r": 8, "p": 1, "seed": "a" * 43 + "="}
ODD_KEYS = ({**KEY, "salt": "c2FsdA=="}, {**KEY, "log_n": 30}, {**KEY, "p": 0}, {"r": 8})
ODD_CHATS = ("f" * 16, "two words", "\x1b[2J", "dev@127.0.0.1:1")


def of_control(nds: str) -> Iterator[Case]:
    """Said to the node of a member of #dev and #ops."""
    needed = {"text": "never to be seen"}
    for method in IN_CHAT:
        good = {"chat": "dev"} | (needed if method == "Send" else {})
        good |= {"nick": "fine"} if method == "SetNick" else {}
        yield from cases(
            f"Control/{method}",
            good,
            [
                ("chat", "nobody", "UNKNOWN_CHAT"),
                ("chat", "x" * 5_000, "chat"),
            ],
        )
    yield from cases("Control/GetLeader", {}, every("chat", ODD_CHATS, "UNKNOWN_CHAT"))
    for method in WHICH_CHAT:
        good = needed if method == "Send" else {}
        yield Case(f"Control/{method}", good, "AMBIGUOUS_CHAT", f"{method} with no chat")
    yield from cases(
        "Control/CreateChat",
        {"name": "fresh", "nds": nds},
        [
            *every("name", (None, "", *ODD_NAMES), "name"),
            ("name", "dev", "NAME_TAKEN"),
            *every("nds", ODD_ADDRESSES, "nds"),
            ("nds", NOWHERE, "NDS_UNREACHABLE"),
            *every("nick", ("x" * 25, "b\u202eob", "two words"), "nick"),
            *every("mode", (9, -1), "mode"),
            *every("password", ODD_KEYS, "password"),
            ("password", {**KEY, "seed": "a2V5"}, "password.seed"),
        ],
    )
    yield from cases(
        "Control/SetPassword", {"chat": "dev"}, every("password", ODD_KEYS, "password")
    )
    yield from cases(
        "Control/JoinChat",
        {"line": f"{nds}/dev"},
        [
            *every("line", (None, "", *ODD_NAMES, "a:1/b/c", "x" * 5_000), "line"),
            ("line", f"{nds}/nobody", "UNKNOWN_CHAT"),
            ("line", f"{NOWHERE}/dev2", "NOBODY_ANSWERS"),
            ("nick", "two words", "nick"),
        ],
    )
    yield from cases("Control/ListNetworks", {}, every("nds", ODD_ADDRESSES, "nds"))
    send = {"chat": "dev", **needed}
    yield from cases(
        "Control/Send",
        send,
        [
            *every("text", (None, "", "x" * 16_385), "text"),
            ("wait_ms", 3_600_001, "wait_ms"),
            *every("kind", (9, -1), "kind"),
            *every("wait", (9, -1), "wait"),
        ],
    )
    history = {"chat": "dev"}
    yield from cases(
        "Control/ReadHistory",
        history,
        [
            ("count", 1_001, "count"),
            *every(
                "before",
                ("noise", "1.2.3", "x" * 5_000, "1.2.3.4.5.6", "1.2.3.4.5.6.7.8"),
                "before",
            ),
            ("since_ms", str(2**64 - 1), "since_ms"),
        ],
    )
    yield from cases("Control/Watch", history, [("history", 1_001, "history")])
    yield from cases("Control/ListCalls", {}, [("count", 201, "count")])
    yield from cases(
        "Control/PingMembers", history, every("member", ("nobody", "\x1b"), "UNKNOWN_MEMBER")
    )
    yield from cases(
        "Control/Redact",
        history,
        [
            *every("id", ("xyz!", "abc", "0" * 33), "id"),
            ("id", "00000000000000000000000000000000", "UNKNOWN_MESSAGE"),
        ],
    )
    yield from cases(
        "Control/Edit", {**history, "text": "x"}, every("text", ("", "x" * 16_385), "text")
    )
    yield from cases(
        "Control/TraceMessage",
        history,
        [
            *every("id", ("xyz!", "abc", "0" * 33), "id"),
            ("id", "00000000000000000000000000000000", "UNKNOWN_MESSAGE"),
        ],
    )
    yield from cases(
        "Control/SetNick",
        {"chat": "dev"},
        every("nick", (None, "", "x" * 25, "b\u202eob", "two words"), "nick"),
    )
    yield from cases("Control/SetAway", history, every("away", ("x" * 201, "a\nb", "\x1b"), "away"))
    yield from cases(
        "Control/Decide",
        {"chat": "dev", "act": "ACT_KICK", "member": "bob"},
        [
            *every("act", (None, "ACT_TITLE", 99, -1), "act"),
            *every("member", (None, "nobody", "\x1b", "x" * 5_000), "UNKNOWN_MEMBER"),
        ],
    )
    for setting in ("ACT_INVITES", "ACT_TOPIC"):
        yield from cases(
            "Control/Decide",
            {"chat": "dev", "act": setting, "value": "admins"},
            every("value", (None, "nobody", "ADMINS"), "value"),
        )
    yield from cases(
        "Control/SetTopic", history, every("topic", ("x" * 301, "a\nb", "\x1b"), "topic")
    )
