"""What is known of the election under way: Bully, lowest id, with the registry as referee.

Garcia-Molina 1982.  The rounds, the votes and the claim are facts here; what follows from them is
the flow of `leading`.

          stand              nobody lower            the registry grants
    IDLE ------> ASKING ----------------> CLAIMING --------------------> IDLE, leading
      ^            |  somebody lower: OK      ^   |
      |            v                          |   | its fate is unknown: repeated with its nonce
      |         WAITING -- no COORDINATOR ----+   |
      |            |                              |
      +------------+------------------------------+   an ALIVE vote, LEADING, a later epoch: over

"Nobody lower" means that no lower id says OK, though one that is silent is asked twice.  WAITING is
long for one that takes over, longer where it has yet to miss the leader, short for one that did not
reach the registry when it was last asked.
"""

from collections.abc import Iterable
from enum import Enum, auto
from random import Random

from msgspec import Struct, field
from msgspec.structs import replace

from .messages import Elected, Vote
from .timing import TIMES_MAX, Timing
from .types import Epoch, MemberId, Millis


class Stage(Enum):
    IDLE = auto()
    PINGING = auto()  # the leader, before anything else
    LOOKING = auto()  # at the registry's record
    ASKING = auto()  # ELECTION is out
    WAITING = auto()  # a lower id took over
    CLAIMING = auto()


class Round(Struct):
    """One ELECTION: whom we asked, what they said."""

    epoch: Epoch
    following: MemberId
    unasked: list[MemberId]  # of a large group, as long as those asked first may do
    expected: set[MemberId] = field(default_factory=set)  # active, asked, and have not answered
    answers: dict[MemberId, Elected] = field(default_factory=dict)
    again: set[tuple[MemberId, bool]] = field(default_factory=set)  # asked; was it told of us?


class Pending(Struct, frozen=True):
    """A claim whose fate is not known for certain."""

    nonce: int
    expected: Epoch
    votes: tuple[MemberId, ...]
    electorate: int
    made_at: Millis
    only_fate: bool = False


class Election:
    def __init__(self, timing: Timing, rng: Random) -> None:
        self._timing, self._rng = timing, rng
        self.stage = Stage.IDLE
        self.round: Round | None = None
        self.claim: Pending | None = None
        self.refused = ""  # why the registry takes no claim of ours; empty: it does
        self.claiming = False  # a call to the registry is out
        self.hinted = False  # look at the leader as soon as the present step ends
        self.summoned = False  # a higher id asked: stand, whatever the back-off
        self.claim_anew = False  # the record names us, in an earlier life
        self.defer_until: Millis = 0  # a lower id holds a round of its own
        self.next_round_at: Millis = 0
        self.poll_all = False  # the votes of some led to nothing
        # Whose rounds we agreed to, at which epoch and about which leader; not known to be over.
        self.of_others: dict[MemberId, tuple[Epoch, MemberId]] = {}
        self._rounds = 0  # that ended with the old leader, in a row

    @property
    def again(self) -> bool:
        """Has a round ended with the old leader, and nothing changed since?"""
        return self._rounds > 0

    def forget_back_off(self) -> None:
        self._rounds, self.next_round_at, self.poll_all = 0, 0, False

    def back_off(self, now: Millis) -> None:
        """The round ended with the old leader: the next waits for a fresh timer, doubling."""
        t1, t2 = self._timing.t1_ms, self._timing.t2_ms
        self.next_round_at = now + min(self._rng.randint(t1, t2) << min(self._rounds, 6), 8 * t2)
        self._rounds += 1

    def agree(self, holder: MemberId, epoch: Epoch, following: MemberId) -> bool:
        """We voted that the leader is silent.  True: that is news, for this round."""
        news = self.of_others.get(holder) != (epoch, following)
        self.of_others[holder] = epoch, following
        return news

    def disagree(self, epoch: Epoch, following: MemberId) -> list[MemberId]:
        """The leader is there after all: whose rounds about it are over by that."""
        over = sorted(h for h, about in self.of_others.items() if about == (epoch, following))
        self.of_others.clear()
        return over

    def ready_claim(
        self,
        now: Millis,
        epoch: Epoch,
        votes: tuple[MemberId, ...] | None,
        electorate: int,
        stale: bool,
        fate: bool,
    ) -> Pending:
        """The claim to make now: the pending one with its nonce, or a new one.

        `votes` None repeats it, without its votes where they are stale; `fate`: it may then only
        ask what became of it.
        """
        claim = self.claim
        if claim is not None and claim.expected == epoch:
            if votes is not None:
                claim = replace(
                    claim, votes=votes, electorate=electorate, made_at=now, only_fate=False
                )
            elif stale:
                claim = replace(claim, votes=(), only_fate=fate)
        else:
            nonce = self._rng.getrandbits(63) | 1
            claim = Pending(nonce, epoch, votes or (), electorate, now)
        self.claim = claim
        return claim


def wait_ms(timing: Timing, lower: Iterable[Elected]) -> Millis:
    """How long lower ids are waited for that gave these answers.

    One that still hears the leader has its look at it before it, and is perhaps late itself.
    """
    unaware = any(answer.vote is Vote.ALIVE for answer in lower)
    more = (TIMES_MAX - 1) * timing.ping_tries * timing.ping_ms
    return timing.wait_ms + (more if unaware else 0)


def unreachable(round: Round, active: tuple[MemberId, ...], me: MemberId) -> tuple[MemberId, ...]:
    """Active members, oneself included, that do not reach the leader, as they say."""
    said = {m for m, answer in round.answers.items() if answer.vote is Vote.UNREACHABLE}
    return tuple(m for m in active if m in said or m == me)
