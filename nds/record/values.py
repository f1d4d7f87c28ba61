"""What the decisions are made of: the record, requests, replies, and the limits between them."""

from collections.abc import Callable, Container
from enum import Enum, StrEnum, auto
from itertools import pairwise
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct

NAME_MAX = 64  # characters of a name
GENERATION = 1_000_000  # a member id is generation * GENERATION + n
BLOCK = 8  # ids in a block
INTEGER_MAX = 2**53 - 1  # exact in JSON; nodes read no number above it
RENEWAL_MS = 3_000  # how often a leader renews
SILENCE_MS = 2 * RENEWAL_MS  # how long a leader that we never reached is believed by its renewals
STALL_MS = RENEWAL_MS + 1_000  # how long one that we reached is, against a vote that nobody seconds
IDLE_MS = 60_000  # without renewal: listed as idle
HIDDEN_MS = 24 * 3_600_000  # without renewal: listed no more
OWNERS_MAX = 16  # that are remembered, the present one among them
AHEAD_S = 3_600  # generations further ahead of the clock than this are nobody's honest memory


class Epoch(NamedTuple):
    """A term of leadership; later ones compare greater, whatever the service forgot."""

    generation: int
    n: int


NO_EPOCH = Epoch(0, 0)


class IdBlock(Struct, frozen=True):
    """Member ids to give out: `first`, `first + 1`, ... (`count` of them)."""

    first: int
    count: int


NO_IDS = IdBlock(0, 0)


class HandOver(NamedTuple):
    """An owner has handed a network on, and signed that."""

    by: bytes
    owner: bytes  # from then on
    signature: bytes = b""


class Expelled(NamedTuple):
    """A member was removed, on the word of who owned the network, or of its admin."""

    member: int
    person: bytes  # its identity
    by: Container[bytes]  # the owners on whose word; a signature is looked at when it is asked


NOBODY_EXPELLED = Expelled(0, b"", ())


def holds(step: HandOver) -> bool:
    """Of a world where every hand-over is signed by who hands on."""
    return True


class Speaker(Struct, frozen=True):
    """For what a caller speaks, and what it has proved.

    A signature costs time: it is looked at when a decision asks for it, and not before.
    """

    claim_key: bytes = b""  # to be registered; empty: as it is
    owner: bytes = b""  # of the network, to be registered where none is
    proved: Container[bytes] = frozenset()  # the public keys by which the request is signed
    certificate: bytes = b""  # of its connection, in DER; empty: that proves none
    host: str = ""  # the IP address that it comes from
    handovers: tuple[HandOver, ...] = ()  # that it shows, in their order
    holds: Callable[[HandOver], bool] = holds  # whether one of these is signed by who hands on


NOBODY = Speaker()


class Record(Struct, frozen=True):
    """All that is kept of a network.  A deleted one stays as a tombstone."""

    chat: int
    name: str
    mode: int
    created_ms: int  # unix time
    epoch: Epoch
    leader: int  # member id; 0: unknown, or nobody
    address: str  # where the leader can be called, HOST:PORT; empty with leader 0
    next_n: int  # the n of the next id to give out
    seen_ms: int  # when the leader was last heard in this epoch, unix time; 0: never
    nonce: int = 0  # of the claim that won this epoch; 0: it was not won by a claim here
    ids: IdBlock = NO_IDS  # the block that came with this epoch
    answered: bool = False  # whether the leader has answered a question of ours in this epoch
    request: str = ""  # the id of the request that created the network
    deleted: bool = False
    claim_key: bytes = b""  # public; who has proved it speaks for the network; empty: anybody does
    owner: bytes = b""  # so does who has proved this identity
    certificate: bytes = b""  # that the leader's connection proved, in DER; empty: it proved none
    host: str = ""  # the IP address from which `address` was named
    former: tuple[bytes, ...] = ()  # who owned it before `owner`, in their order

    def is_spoken_for(self, by: Speaker) -> bool:
        """May this caller change it?"""
        if not self.claim_key:
            return True
        owner = self.owners(by)[-1]
        return self.claim_key in by.proved or bool(owner and owner in by.proved)

    def owners(self, by: Speaker = NOBODY) -> tuple[bytes, ...]:
        """Who owned it, the last one now, by what this caller shows, too.

        From one to another it goes once: whoever had it and gave it back takes it by no old word.
        """
        owners = [*self.former, self.owner]
        for step in by.handovers:
            is_next = step.by == owners[-1] and (step.by, step.owner) not in pairwise(owners)
            if is_next and by.holds(step):
                owners.append(step.owner)
        return tuple(owners[-OWNERS_MAX:])


class Facts(Struct, frozen=True):
    """What a caller knows of a network."""

    name: str = ""
    mode: int = 1
    created_ms: int = 0
    epoch: Epoch = NO_EPOCH
    leader: int = 0  # of that epoch; 0: unknown
    address: str = ""
    highest_n: int = 0  # of any member id ever given
    is_sworn: bool = True  # false: this service would have signed it, and has not
    claim_key: bytes = b""  # of the network, as this service has signed; empty: it has said nothing


class Create(Struct, frozen=True):
    """Asks for a network; `chat` is a fresh random 63-bit number."""

    chat: int
    request: str  # a repeated request gets the same answer
    name: str
    address: str
    mode: int = 1
    by: Speaker = NOBODY


class Claim(Struct, frozen=True):
    """Asks to lead the epoch after `expected`."""

    chat: int
    node: int
    address: str
    expected: Epoch  # or later than the record's, where we never issued that
    nonce: int  # not 0; repeated with a repeated claim
    votes: tuple[int, ...] = ()  # members that found the leader unreachable
    electorate: int = 0  # members that could have voted
    only_fate: bool = False  # only: did this nonce win?
    facts: Facts = Facts()
    by: Speaker = NOBODY  # its claim key is for a network that has none
    expelled: Expelled = NOBODY_EXPELLED  # whom it has shown to be a member no longer


class Renewal(Struct, frozen=True):
    """The leader's sign of life."""

    chat: int
    node: int
    epoch: Epoch
    address: str
    want_ids: bool = False
    facts: Facts = Facts()
    by: Speaker = NOBODY


class Removal(Struct, frozen=True):
    """Asks to end a network."""

    chat: int
    epoch: Epoch  # that the caller knows
    by: Speaker = NOBODY


class Reason(StrEnum):
    """Why a request was refused; the record is as it was, apart from what facts repaired."""

    UNKNOWN_NETWORK = "UNKNOWN_NETWORK"
    NAME_TAKEN = "NAME_TAKEN"
    REQUEST_REUSED = "REQUEST_REUSED"  # one request id, two different requests
    STALE_EPOCH = "STALE_EPOCH"  # the record's epoch is not the expected one; or the nonce lost
    LEADER_ALIVE = "LEADER_ALIVE"
    NOT_LEADER = "NOT_LEADER"  # somebody else leads that very epoch
    WRONG_CLAIM_KEY = "WRONG_CLAIM_KEY"  # the caller has not proved that it speaks for the network


class Ask(Struct, frozen=True):
    """A question to put: `LivenessPing(asks_leading=epoch, votes)` to `address`."""

    leader: int
    address: str
    epoch: Epoch
    votes: tuple[int, ...] = ()
    certificate: bytes = b""  # of whom alone is asked; empty: of whoever is there
    host: str = ""  # from where the address was named


class Word(Enum):
    """What came back from a question."""

    LEADING = auto()
    NOT_LEADING = auto()  # any other answer that is none of these
    YIELD = auto()
    SILENT = auto()  # no answer in time
    REFUSED = auto()  # nobody listens there


class Answer(Struct, frozen=True):
    """The answer to an `Ask`: the word, and with it the epoch and leader that it is about."""

    word: Word
    epoch: Epoch = NO_EPOCH
    leader: int = 0
    is_sworn: bool = True  # false: this service would have signed it, and has not


class Granted(Struct, frozen=True):
    """The caller leads `record.epoch` and may give out `ids`."""

    record: Record
    ids: IdBlock
    ask: Ask | None = None  # call it back once; None where this repeats an earlier answer


class Refused(Struct, frozen=True):
    """No.  `record` is what stands instead, where there is one to show."""

    reason: Reason
    record: Record | None = None


class Renewed(Struct, frozen=True):
    """The record as it is: the caller leads only if this is still its epoch."""

    record: Record
    ids: IdBlock = NO_IDS
    ask: Ask | None = None  # we never reached this leader: try again


class Noted(Struct, frozen=True):
    """The answer of a leader has been taken down."""


class Removed(Struct, frozen=True):
    """The network has ended."""

    record: Record


def nobody(name: str) -> bool:
    """The `taken` of a world with one network."""
    return False


class Kept(Struct, frozen=True):
    """What a decision starts from, read in the same atomic step that keeps its outcome."""

    record: Record | None
    generation: int
    taken: Callable[[str], bool] = nobody  # whether another living network has that name


Reply_co = TypeVar("Reply_co", covariant=True)


class Decision(Struct, Generic[Reply_co], frozen=True):
    """What to keep, and what to say once it is kept."""

    record: Record | None
    generation: int
    reply: Reply_co


Begun: TypeAlias = Granted | Refused | Ask  # what claim_begin says
Ending: TypeAlias = Removed | Refused | Ask  # what remove_begin says
