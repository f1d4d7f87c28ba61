"""What a node tells its faces, as plain values: the messages of control.proto, field by field.

The host makes them, `control` turns them into protobuf and the client back, by their fields' names;
nothing else in the faces knows protobuf.  What each field means stands in control.proto.
"""

from enum import IntEnum

from msgspec import Struct


class Epoch(Struct, frozen=True, order=True):
    """A term of leadership; people see `n`."""

    generation: int = 0
    n: int = 0


NO_EPOCH = Epoch()


class Kind(IntEnum):
    """What kind of line a message is."""

    TEXT = 1
    ACTION = 2


class Mode(IntEnum):
    """How a chat keeps what is said."""

    LOGGED = 1
    TRANSIENT = 2


class Wait(IntEnum):
    """Whose acknowledgement a sender waits for."""

    NONE = 1
    LEADER = 2
    ALL = 3


class Chat(Struct, frozen=True):
    """A chat as lists show it."""

    name: str = ""
    chat_id: int = 0
    member_id: int = 0
    epoch: Epoch = NO_EPOCH
    leader_id: int = 0
    leader_nick: str = ""
    provisional: bool = False
    alive: int = 0
    known: int = 0
    unread: int = 0
    mentions: int = 0
    outbox: int = 0
    fingerprint: str = ""
    nds: str = ""
    topic: str = ""
    topic_by: str = ""
    mode: int = 0
    lost: int = 0
    halt: str = ""
    halt_reason: str = ""
    nick: str = ""


NO_CHAT = Chat()


class DiscoveryService(Struct, frozen=True):
    """A discovery service as a node sees it."""

    address: str = ""
    state: str = ""
    down_since_ms: int = 0
    fault: str = ""


class Status(Struct, frozen=True):
    """The node's state."""

    pid: int = 0
    listen: str = ""
    advertise: str = ""
    control: str = ""
    nds: tuple[DiscoveryService, ...] = ()
    chats: tuple[Chat, ...] = ()
    nick: str = ""
    identity: str = ""
    version: str = ""
    log: str = ""
    started_ms: int = 0
    problems: tuple[str, ...] = ()
    durability: str = ""
    ended: str = ""
    certificate: str = ""  # SHA-256 in hex


class Created(Struct, frozen=True):
    """The new chat."""

    chat: Chat = NO_CHAT
    join_line: str = ""


class Admitted(Struct, frozen=True):
    """The chat joined."""

    chat: Chat = NO_CHAT
    nick: str = ""
    already: bool = False


class Departure(Struct, frozen=True):
    """The membership is over."""

    told: int = 0
    untold: int = 0
    deleted: bool = False


class Network(Struct, frozen=True):
    """A network in a list."""

    name: str = ""
    chat_id: int = 0
    leader_id: int = 0
    address: str = ""
    state: str = ""
    nds: str = ""
    seen_ms: int = 0
    epoch: Epoch = NO_EPOCH
    mode: int = 0


class Networks(Struct, frozen=True):
    """The networks, in order of name."""

    networks: tuple[Network, ...] = ()
    unreachable: tuple[str, ...] = ()
    distrusted: tuple[str, ...] = ()  # why others are not trusted, a sentence each


class Member(Struct, frozen=True):
    """A member as lists show it."""

    member_id: int = 0
    nick: str = ""
    state: str = ""
    address: str = ""
    leader: bool = False
    self: bool = False
    acked: int = 0
    lacking: int = 0
    seen_ms: int = 0
    away: str = ""
    identity: str = ""
    certificate: str = ""  # SHA-256 in hex; empty for one who has left or has not said
    role: str = ""
    removed_by: str = ""  # while it is kept out; of one who may be let in again nothing


class Members(Struct, frozen=True):
    """The members, in order of id."""

    chat: str = ""
    members: tuple[Member, ...] = ()
    mode: int = 0
    halt: str = ""
    halt_reason: str = ""
    admins_invite: bool = False
    admins_topic: bool = False


class Progress(Struct, frozen=True):
    """How far the line has come.  The first answer comes when it is stored, the last has `done`."""

    id: str = ""
    msg_id: str = ""
    acked: int = 0
    of: int = 0
    missing: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    done: bool = False
    complete: bool = False


class Line(Struct, frozen=True, gc=False):
    """A chat message as it is shown."""

    msg_id: str = ""
    id: str = ""
    source_id: int = 0
    nick: str = ""
    text: str = ""
    kind: int = 0
    sent_ms: int = 0
    epoch: Epoch = NO_EPOCH
    backlog: bool = False
    own: bool = False
    acked: int = 0
    of: int = 0
    mention: bool = False
    place: str = ""
    edited: bool = False
    erased: bool = False
    redacted_by: str = ""


class Changed(Struct, frozen=True):
    """The line as it is now."""

    line: Line = Line()


class Page(Struct, frozen=True):
    """A page of history in display order."""

    lines: tuple[Line, ...] = ()
    cursor: str = ""
    after_cursor: str = ""


class Leader(Struct, frozen=True):
    """Who leads."""

    chat: str = ""
    leader_id: int = 0
    nick: str = ""
    epoch: Epoch = NO_EPOCH
    provisional: bool = False
    address: str = ""
    seen_ms: int = 0
    halt: str = ""
    halt_reason: str = ""


class Peer(Struct, frozen=True):
    """A link to another node."""

    chat: str = ""
    member_id: int = 0
    nick: str = ""
    address: str = ""
    link: str = ""
    rtt_us: int = 0
    calls: int = 0
    failures: int = 0
    last_error: str = ""
    state: str = ""
    in_flight: int = 0
    watch: str = ""
    held_ms: int = 0


class Peers(Struct, frozen=True):
    """The links."""

    peers: tuple[Peer, ...] = ()


class PingRow(Struct, frozen=True):
    """One ping."""

    member_id: int = 0
    nick: str = ""
    answered: bool = False
    rtt_us: int = 0
    said: str = ""
    epoch: Epoch = NO_EPOCH


class Pings(Struct, frozen=True):
    """The pings."""

    chat: str = ""
    rows: tuple[PingRow, ...] = ()


class TraceRow(Struct, frozen=True):
    """One member's part in the way of a message."""

    member_id: int = 0
    nick: str = ""
    state: str = ""
    took_ms: int = 0
    way: str = ""
    last_status: str = ""
    next_try_ms: int = 0
    tries: int = 0


class Tracing(Struct, frozen=True):
    """Where a message is."""

    line: Line = Line()
    leader_nick: str = ""
    rows: tuple[TraceRow, ...] = ()
    follows: tuple[str, ...] = ()
    stored_ms: int = 0
    provisional: bool = False


class Unread(Struct, frozen=True):
    """Unread counts."""

    unread: int = 0
    mentions: int = 0


class Invitation(Struct, frozen=True):
    """The join line, and the invitation in it where it has one."""

    join_line: str = ""
    through: str = ""
    id: str = ""
    expires_ms: int = 0  # 0: never
    once: bool = False


class PasswordKey(Struct, frozen=True):
    """What a node is told of a password: what was made of it, and how; empty for none."""

    salt: bytes = b""
    log_n: int = 0
    r: int = 0
    p: int = 0
    seed: bytes = b""


class InviteRow(Struct, frozen=True):
    """An invitation, without its secret."""

    id: str = ""
    by: str = ""
    by_id: int = 0
    made_ms: int = 0
    expires_ms: int = 0  # 0: never
    once: bool = False
    state: str = ""  # good, revoked, expired, used, void
    used: int = 0  # how many came by it


class Invites(Struct, frozen=True):
    """The invitations of a chat, the newest first."""

    chat: str = ""
    open: bool = False  # whoever asks is let in
    invites: tuple[InviteRow, ...] = ()
    password: bool = False  # who knows the chat's password is let in, too
    hides_history: bool = False  # who comes is given no text of what was said before


class ElectionStep(Struct, frozen=True):
    """One step of an election as this node saw it."""

    at_ms: int = 0
    text: str = ""


class Election(Struct, frozen=True):
    """One election as this node saw it."""

    began_ms: int = 0
    took_ms: int = 0
    winner: str = ""
    epoch: Epoch = NO_EPOCH
    steps: tuple[ElectionStep, ...] = ()
    under_way: bool = False
    provisional: bool = False


class Elections(Struct, frozen=True):
    """The last elections, oldest first, at most 20."""

    elections: tuple[Election, ...] = ()


class Outcome(Struct, frozen=True):
    """How it ended."""

    outcome: str = ""
    leader: Leader = Leader()


class Compared(Struct, frozen=True):
    """One member's history."""

    member_id: int = 0
    nick: str = ""
    fingerprint: str = ""
    same: bool = False
    self: bool = False


class Lost(Struct, frozen=True):
    """Lost messages of one member."""

    member_id: int = 0
    nick: str = ""
    messages: int = 0


class Comparison(Struct, frozen=True):
    """The comparison."""

    chat: str = ""
    same: bool = False
    rows: tuple[Compared, ...] = ()
    lost: tuple[Lost, ...] = ()
    halt: str = ""
    halt_reason: str = ""

    @property
    def differ(self) -> bool:
        """Whether a member that answers has another history."""
        return any(row.fingerprint and not row.same and not row.self for row in self.rows)

    @property
    def unanswered(self) -> tuple[Compared, ...]:
        """Those that gave no answer."""
        return tuple(row for row in self.rows if not row.fingerprint)


class CallMade(Struct, frozen=True):
    """One call that this node made."""

    at_ms: int = 0
    method: str = ""
    address: str = ""
    request_json: str = ""
    status: str = ""
    took_ms: int = 0


class Calls(Struct, frozen=True):
    """The last calls, oldest first."""

    calls: tuple[CallMade, ...] = ()
    keys: str = ""  # the directory of the keys to repeat them with; empty: connections are plain


class QueueRow(Struct, frozen=True):
    """An own line that somebody lacks."""

    chat: str = ""
    line: Line = Line()
    missing: tuple[str, ...] = ()
    next_try_ms: int = 0


class Queue(Struct, frozen=True):
    """The outbox."""

    rows: tuple[QueueRow, ...] = ()


class NickSet(Struct, frozen=True):
    """The name as it is shown."""

    nick: str = ""


class Finding(Struct, frozen=True):
    """One check."""

    check: str = ""
    ok: bool = False
    text: str = ""


class Diagnosis(Struct, frozen=True):
    """The checks."""

    rows: tuple[Finding, ...] = ()


class Stopping(Struct, frozen=True):
    """It is ending."""

    pid: int = 0
    nds_pid: int = 0


class Nothing(Struct, frozen=True):
    """An answer that says only that it was done."""
