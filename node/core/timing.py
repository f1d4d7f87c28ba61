"""Every duration and bound of the protocol, with the reason for its size.  All in ms unless named.

A leader that stalls for one second must cost a pre-vote, not the leader: the silence that makes a
member stand (two ping deadlines), the votes, and the question of the discovery service together
last longer than that: 2 x 250 + 150 + 400 > 1,000.
"""

from msgspec import Struct
from msgspec.structs import replace

from .types import Millis

RENEW_MIN_MS = 1_000
TIMES_MAX = 4  # as long as usual, at most, a call has from one who is late
RENEW_MAX_MS = 3_000  # what the discovery service counts on


class Timing(Struct, frozen=True):
    t1_ms: Millis = 500  # the liveness timer is drawn from t1 ... t2
    t2_ms: Millis = 1_000
    ping_ms: Millis = 250  # deadline of one ping
    ping_tries: int = 2
    elect_ms: Millis = 150  # answers to ELECTION; a silent lower id gets a ping's time beside
    wait_ms: Millis = 1_000  # a lower id's COORDINATOR; covers its claim
    grace_ms: Millis = 400  # elect + lookup: a lower id, blind of late, may find the NDS again
    claim_ms: Millis = 1_000  # includes the question to the old leader (400)
    lookup_ms: Millis = 250  # reading the record
    renew_ms: Millis = 3_000  # the leader's sign of life to the discovery service, which counts on
    # it in every preset: a leader that it cannot call is believed for two of these
    record_ms: Millis = 10_000  # everyone reads the record this often
    ack_ms: Millis = 600  # deadline of one chat message to one member
    late_ms: Millis = 10_000  # an acknowledgement counts that comes within so long
    relay_ms: Millis = 30_000  # a relay sticks to a broken link this long
    retry_min_ms: Millis = 200  # back-off of one member's queue: doubles ...
    retry_max_ms: Millis = 1_500  # ... up to this
    spread_above: int = 16  # members: in a larger group lines are passed on, not told to each
    spread_again_ms: Millis = 5_000  # to whom passing on came to nothing all is told for so long
    acks_ms: Millis = 20  # who has stored what was passed on is told together
    sync_ms: Millis = 5_000  # anti-entropy with one random member, +-20 %
    sync_call_ms: Millis = 2_000  # deadline of one page
    poll_all_max: int = 8  # of so many others an election asks all, of more some first: ...
    poll: int = 3  # ... so many of the lowest ids, and of the others
    suspect_ms: Millis = 5_000  # suspect to dropped at least, times 4/5 log10(n + 1) above it
    probe_members: int = 3  # asked to probe on our behalf
    reprobe_fast_ms: Millis = 600_000  # dropped members are probed with back-off this long ...
    reprobe_slow_ms: Millis = 1_000  # ... then one a second, in turn
    hole_ms: Millis = (
        10_000  # waited for so long a message may be lost: 2 x 4 x ack_ms, the longest
    )
    # deadline (by relay, after slow round trips), and 2 x sync_call_ms, must have passed
    absent_ms: Millis = 600_000  # a dropped member may still bring a lost message for so long
    roster_ms: Millis = 250  # rosters are exchanged with one member at most this often
    join_ms: Millis = 2_000  # deadline of JoinNetwork; covers three calls back
    leave_ms: Millis = 2_000  # a leaver offers its outbox for this long
    hint_rank_ms: Millis = 8  # after a broken link the lowest id moves first, the next 8 ms later
    hint_jitter_ms: Millis = 2
    ids_low: int = 8  # ask for another block of ids below this
    members_max: int = 256
    pending_max: int = 1_000  # messages of one source that wait for a predecessor
    pending_bytes_max: int = 8 * 2**20
    page_bytes: int = 256 * 1024  # of one page of catch-up
    quick_ms: Millis = 100  # an answer that takes longer has waited behind what else is under way:
    # less of it then, and more where answers are quick
    flight_max: int = 4  # unanswered calls with messages to one member ...
    batch_max: int = 64  # ... each with at most so many lines, as a message has at most ...
    flight_chars: int = 32_768  # ... and, beside its first message, so much text: 128 KiB at most
    log_max: int = 100_000  # lines of a log; the oldest go first
    log_bytes_max: int = 256 * 2**20

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.t1_ms >= self.t2_ms:
            raise ValueError(f"t1_ms ({self.t1_ms}) must be below t2_ms ({self.t2_ms})")
        if self.ping_ms * self.ping_tries > self.t2_ms:
            raise ValueError(
                f"ping_ms x ping_tries ({self.ping_ms} x {self.ping_tries}) "
                f"must not exceed t2_ms ({self.t2_ms})"
            )
        if self.wait_ms < self.elect_ms + self.lookup_ms:
            raise ValueError(f"wait_ms ({self.wait_ms}) is too short for a claim to be made in it")
        if not RENEW_MIN_MS <= self.renew_ms <= RENEW_MAX_MS:
            raise ValueError(
                f"renew_ms must be within {RENEW_MIN_MS} and {RENEW_MAX_MS}, not {self.renew_ms}"
            )
        longest_ms = 8 * self.ack_ms + 2 * self.sync_call_ms
        if self.hole_ms < longest_ms:
            raise ValueError(
                f"hole_ms ({self.hole_ms}) must not be below "
                f"8 x ack_ms + 2 x sync_call_ms ({longest_ms})"
            )

    @property
    def heard_ms(self) -> Millis:
        """So long an answer of the leader counts: the next ping goes out within t2, and has its way
        there and back.
        """
        return self.t2_ms + self.ping_ms // 4

    def scaled(self, factor: int) -> "Timing":
        """Every duration `factor` times as long, but for renewals; bounds stay."""
        return replace(
            self,
            **{
                name: getattr(self, name) * factor
                for name in self.__struct_fields__
                if name.endswith("_ms") and name != "renew_ms"
            },
        )


LAN = Timing()
WAN = LAN.scaled(4)
PRESETS = {"lan": LAN, "wan": WAN}
