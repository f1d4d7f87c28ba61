"""What a group asks of the world.  The only way out.

The shell performs the effects of one `handle` call in order.  Every `Store...` is durable before
any later effect is performed.  Nothing else is promised: a call may vanish, and the group has a
deadline for each.
"""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from .access import Terms
from .conversation import ChatMessage, Erased, Kind, Line, Spot
from .messages import NO_GRANT, NOBODY, Grant, NdsRequest, Refusal, Reply, Request, Roster, Synced
from .types import (
    Address,
    CallId,
    Epoch,
    Floor,
    Incarnation,
    Key,
    MemberId,
    Millis,
    Post,
    WallMillis,
    Way,
)


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
    """Answer a `Sync`: `reply` with the messages of `keys`, read from the log in this order; those
    from before `since` without their texts.
    """

    call: CallId
    reply: Synced
    keys: tuple[Key, ...]
    since: WallMillis = 0


class StoreMessages(Struct, frozen=True, gc=False):
    """Append to the log.  Known keys are replaced."""

    messages: tuple[ChatMessage, ...]


class Erase(Struct, frozen=True):
    """Erase these texts and their salts, for good; messages that are not there are passed over.

    Where an edit is named, its text is the line's from now on; where none is, it has none.
    """

    texts: tuple[Erased, ...]


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
    grant: Grant = NO_GRANT  # of the epoch


class Remembered(Struct, frozen=True):
    """What the log kept of an earlier life."""

    meta: Meta | None = None
    roster: Roster = NOBODY
    messages: tuple[ChatMessage, ...] = ()
    posts: tuple[Post, ...] = ()  # those not settled, or settled and lacking somewhere
    floors: tuple[Floor, ...] = ()
    holes: tuple[Key, ...] = ()
    trimmed: tuple[Key, ...] = ()  # the last one of each author that went


class StoreMeta(Struct, frozen=True):
    meta: Meta


class StoreRoster(Struct, frozen=True):
    roster: Roster


class StoreMarks(Struct, frozen=True):
    """Insert or replace the floors of these sources; add these holes."""

    floors: tuple[Floor, ...] = ()
    holes: tuple[Key, ...] = ()


class Trim(Struct, frozen=True):
    """Remove all messages, and their posts, of the sources of these keys up to them; keep these."""

    last: tuple[Key, ...]


# ---- for the people who watch -----------------------------------------------------------------


class Deliver(Struct, frozen=True, gc=False):
    """Show these lines; everything their author had seen has been shown before.

    `late` marks those that belong before one already shown; `hidden` are numbers of lines that were
    shown under another key.
    """

    message: ChatMessage
    way: Way
    late: bool
    hidden: tuple[int, ...] = ()

    @property
    def shown(self) -> list[int]:
        """The numbers of those to be shown."""
        return [at for at in range(len(self.message.ids)) if at not in self.hidden]

    @property
    def lines(self) -> list[Line]:
        """Those to be shown."""
        return [Line(self.message, at) for at in self.shown]


class LineChanged(Struct, frozen=True):
    """A line that is here, and may have been shown, has another text now, or none."""

    spot: Spot
    by: MemberId
    kind: Kind  # EDIT or REDACT; TEXT: it came erased, and now its text has come


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
    terms: Terms | None = None  # of the password that is asked for


class Departed(Struct, frozen=True):
    """Our membership has ended.  `told` members know, `untold` do not yet."""

    told: int
    untold: int
    deleted: bool
    kicked: bool = False


class Reinstated(Struct, frozen=True):
    """What removed us does not count after all.  The log says so by now, and the group is to begin
    anew from it, as after the death of its process.
    """


class Stopped(Struct, frozen=True):
    """Nothing more will come: `Closing` is done, or (`reason`) the group stops by itself."""

    reason: str = ""


class Change(Enum):
    """What became of a member."""

    JOINED = "joined"
    LEFT = "left"
    KICKED = "kicked"
    REINSTATED = "reinstated"  # what removed it does not count after all
    SUSPECT = "suspect"
    CLEARED = "cleared"
    DROPPED = "dropped"
    RETURNED = "returned"
    REFUTED = "refuted"  # ourselves: the others had dropped us, and are told that we live
    RENAMED = "renamed"
    AWAY = "away"
    BACK = "back"
    TOPIC = "topic"
    OWNER = "owner"
    ADMIN = "admin"
    NO_ADMIN = "no_admin"  # nor the owner
    BANNED = "banned"  # who was no member any more
    PARDONED = "pardoned"  # may be let in again
    RIGHTS = "rights"  # who may invite or set the topic; the detail says which, and who


class MemberChanged(Struct, frozen=True):
    """`detail`: the name shown until now (renamed, left, kicked, banned), or why it is gone
    (dropped).  `by`: who decided that; 0 where nobody did.
    """

    member: MemberId
    change: Change
    detail: str = ""
    by: MemberId = 0


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


class Forged(Struct, frozen=True):
    """A member handed on what the one whom it names as the author has not signed; told once."""

    by: MemberId
    source: MemberId


class Dropped(Struct, frozen=True):
    """A peer's nonsense was thrown away and counted."""

    reason: str


Store: TypeAlias = StoreMessages | Erase | StorePost | StoreMeta | StoreRoster | StoreMarks | Trim
Notice: TypeAlias = (
    Deliver
    | LineChanged
    | Acknowledged
    | Settled
    | Joined
    | JoinFailed
    | Departed
    | Reinstated
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
    | Forged
    | Dropped
)
Effect: TypeAlias = Call | Ask | Respond | Serve | Store | Notice
