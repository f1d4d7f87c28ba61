"""What a group asks of the world.  The only way out.

The shell performs the effects of one `handle` call in order.  Every `Store...` is durable before
any later effect is performed.  Nothing else is promised: a call may vanish, and the group has a
deadline for each.
"""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from .messages import NOBODY, ChatMessage, NdsRequest, Refusal, Reply, Request, Roster, Synced
from .types import Address, CallId, Epoch, Floor, Incarnation, Key, MemberId, Millis, Post, Way


class Call(Struct, frozen=True, gc=False):
    """Call the node at `address`; `to` is its member id, 0 when that is unknown.

    Only the node with this certificate is meant; empty: whoever listens there.
    """

    call: CallId
    to: MemberId
    address: Address
    request: Request
    deadline_ms: Millis
    certificate: bytes = b""


class Ask(Struct, frozen=True):
    """Call the discovery service."""

    call: CallId
    request: NdsRequest
    deadline_ms: Millis


class Respond(Struct, frozen=True, gc=False):
    """Answer a request that came in as `Received(call, ...)`."""

    call: CallId
    reply: Reply | Refusal


class Serve(Struct, frozen=True):
    """Answer a `Sync`: `reply` with the messages of `keys`, read from the log in this order."""

    call: CallId
    reply: Synced
    keys: tuple[Key, ...]


class StoreMessages(Struct, frozen=True, gc=False):
    """Append to the log.  Known keys are replaced."""

    messages: tuple[ChatMessage, ...]


class StorePost(Struct, frozen=True, gc=False):
    """Insert or replace an entry of the outbox."""

    post: Post


class Meta(Struct, frozen=True):
    """All else that a group must remember, in one value."""

    member: MemberId  # 0 before admission
    incarnation: Incarnation
    epoch: Epoch
    leader: MemberId
    name: str
    chat: int
    mode: int
    created: int
    nds: Address
    left_ids: tuple[MemberId, ...]
    leaving: bool
    highest_n: int
    partial: bool  # a newcomer that has not yet got the oldest messages ...
    below: tuple[Key, ...]  # ... and dependencies that it takes for delivered


class Remembered(Struct, frozen=True):
    """What the log kept of an earlier life."""

    meta: Meta | None = None
    roster: Roster = NOBODY
    messages: tuple[ChatMessage, ...] = ()
    posts: tuple[Post, ...] = ()  # those not settled, or settled and lacking somewhere
    floors: tuple[Floor, ...] = ()
    holes: tuple[Key, ...] = ()


class StoreMeta(Struct, frozen=True):
    meta: Meta


class StoreRoster(Struct, frozen=True):
    roster: Roster


class StoreMarks(Struct, frozen=True):
    """Insert or replace the floors of these sources; add these holes."""

    floors: tuple[Floor, ...] = ()
    holes: tuple[Key, ...] = ()


class Trim(Struct, frozen=True):
    """Remove all messages, and their posts, of the sources of these keys up to them."""

    last: tuple[Key, ...]


# ---- for the people who watch -----------------------------------------------------------------


class Deliver(Struct, frozen=True, gc=False):
    """Show this line; everything its author had seen has been shown before.

    `late` marks a line that belongs before one already shown.
    """

    message: ChatMessage
    way: Way
    late: bool


class Acknowledged(Struct, frozen=True, gc=False):
    """A member holds our message; `acked` and `of` are about those that count."""

    key: Key
    by: MemberId
    way: Way
    acked: int
    of: int


class Settled(Struct, frozen=True, gc=False):
    """Nobody alive or suspect is waited for any more (`missing`: counted, dropped since)."""

    key: Key
    missing: tuple[MemberId, ...]


class Joined(Struct, frozen=True):
    """We are a member now."""

    member: MemberId


class JoinFailed(Struct, frozen=True):
    reason: str
    text: str


class Departed(Struct, frozen=True):
    """Our membership has ended.  `told` members know, `untold` do not yet."""

    told: int
    untold: int
    deleted: bool
    kicked: bool = False


class Stopped(Struct, frozen=True):
    """Nothing more will come: `Closing` is done, or (`reason`) the group stops by itself."""

    reason: str = ""


class Change(Enum):
    """What became of a member."""

    JOINED = "joined"
    LEFT = "left"
    KICKED = "kicked"
    SUSPECT = "suspect"
    CLEARED = "cleared"
    DROPPED = "dropped"
    RETURNED = "returned"
    REFUTED = "refuted"  # ourselves: the others had dropped us, and are told that we live
    RENAMED = "renamed"
    AWAY = "away"
    BACK = "back"
    TOPIC = "topic"


class MemberChanged(Struct, frozen=True):
    """`detail`: the name shown until now (renamed, left, kicked), or why it is gone (dropped)."""

    member: MemberId
    change: Change
    detail: str = ""


class LeaderChanged(Struct, frozen=True):
    """Whom we follow (`leader` 0: nobody known)."""

    leader: MemberId
    epoch: Epoch
    provisional: bool
    took_ms: Millis
    handed_over_by: MemberId = 0
    handed_over_leaving: bool = False  # for good, and not only for a restart


class Phase(Enum):
    """A step of an election, as this node saw it."""

    STARTED = "started"
    ASKED = "asked"  # `whom`
    ANSWERED = "answered"  # by `whom`; what it said is the detail
    SILENT = "silent"  # `whom` did not answer
    ENDED = "ended"  # with the old leader
    WAITING = "waiting"
    CLAIMING = "claiming"
    WON = "won"
    REFUSED = "refused"


class ElectionMoved(Struct, frozen=True):
    """`by` holds the round: this node, or whoever asked it.

    `about`: the leader whose silence started it; 0 for none.
    """

    by: MemberId
    phase: Phase
    detail: str = ""
    whom: MemberId = 0
    about: MemberId = 0


class NdsChanged(Struct, frozen=True):
    """The discovery service stopped answering, or answers again."""

    up: bool


class ListedAs(Struct, frozen=True):
    """The registry lists our network under another name: ours was taken in the meantime."""

    name: str


class Merged(Struct, frozen=True):
    """Catch-up brought messages."""

    count: int
    source: MemberId


class SplitHealed(Struct, frozen=True):
    """Another side, which had a leader of its own, is one with ours again."""

    messages: int
    leader: MemberId
    epoch: Epoch


class HolesDeclared(Struct, frozen=True):
    """Messages are lost: others answer or follow them, and nobody here has them."""

    source: MemberId
    count: int


class Jumped(Struct, frozen=True):
    """Messages never came here: whoever was there has trimmed them.  At least so many; those of
    streams of which nothing is known are not counted.
    """

    source: MemberId
    count: int


class HolesFilled(Struct, frozen=True):
    """Messages that were declared lost have turned up after all."""

    source: MemberId
    count: int


class Dropped(Struct, frozen=True):
    """A peer's nonsense was thrown away and counted."""

    reason: str


Store: TypeAlias = StoreMessages | StorePost | StoreMeta | StoreRoster | StoreMarks | Trim
Notice: TypeAlias = (
    Deliver
    | Acknowledged
    | Settled
    | Joined
    | JoinFailed
    | Departed
    | Stopped
    | MemberChanged
    | LeaderChanged
    | ElectionMoved
    | NdsChanged
    | ListedAs
    | Merged
    | SplitHealed
    | HolesDeclared
    | HolesFilled
    | Jumped
    | Dropped
)
Effect: TypeAlias = Call | Ask | Respond | Serve | Store | Notice
