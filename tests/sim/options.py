"""What one life is like: drawn from its seed, so that each life stresses other paths than the next.

A swarm whose members all have every fault at once finds less than one whose members have a few each
(Groce et al. 2012, "Swarm testing").
"""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from node.core.timing import LAN, Timing

from .network import Faults

# Each kind of fault with its weight.
KINDS = {
    "kill": 3,
    "kill leader": 1,
    "crash": 4,
    "start": 8,
    "wipe": 1,
    "lose": 3,
    "away": 2,
    "backup": 2,
    "restore": 4,
    "move": 1,
    "swap": 2,
    "clone": 2,
    "log without profile": 1,
    "disk full": 2,
    "disk empty": 4,
    "freeze": 2,
    "freeze leader": 1,
    "thaw": 5,
    "stall all": 1,
    "restart all": 1,
    "cut one way": 2,
    "block": 1,
    "bad link": 2,
    "halves": 2,
    "two sides": 1,
    "admitted twice": 2,
    "flap": 2,
    "bridge": 1,
    "isolate": 1,
    "isolate leader": 1,
    "leader and registry alone": 1,
    "registry cut": 1,
    "heal": 6,
    "registry down": 1,
    "registry up": 4,
    "registry wiped": 2,
    "registry backup": 1,
    "registry rolled back": 2,
    "registry frozen": 1,
    "clock jump": 1,
    "false hint": 1,
    "leave": 1,
    "close": 1,
    "newcomer": 2,
    "challenge": 1,
}
ALWAYS = {"start", "thaw", "heal", "registry up", "disk empty"}
SCALES = (1, 1, 1, 2, 4)  # of the LAN's durations; 4 is the WAN's preset
NEAR_MS = {  # what a leg of a call takes: within a house, across a country, across the world
    1: [(1, 2), (1, 2), (2, 12), (5, 40)],
    2: [(1, 2), (5, 40), (20, 60)],
    4: [(1, 2), (20, 60), (40, 120)],
}


class Options(Struct, frozen=True):
    """All that is drawn once for a life."""

    timing: Timing
    scale: int  # of its durations, against the LAN's
    faults: Faults  # what the network does while there is trouble
    kinds: tuple[str, ...]  # of faults
    members: int  # who join before there is trouble
    pace: float  # how long one waits between two faults, against the LAN's durations
    talk: int  # lines for each fault, at most
    trouble_ms: int

    def __str__(self) -> str:
        """The options that are not as usual, in one line."""
        timing = [
            f"{name}={getattr(self.timing, name)}"
            for name in (
                "page_bytes",
                "pending_max",
                "flight_max",
                "batch_max",
                "log_max",
                "members_max",
                "poll_all_max",
                "poll",
                "spread_above",
            )
            if getattr(self.timing, name) != getattr(LAN, name)
        ]
        faults = [
            f"{name}={getattr(self.faults, name)}"
            for name in ("loss", "lost_reply", "repeat", "spike", "spike_ms", "lost_failure")
            if getattr(self.faults, name)
        ]
        near = "{}..{} ms".format(*self.faults.near_ms)
        return (
            f"{self.members} members, durations x {self.scale}, {near} away"
            f"{'' if self.faults.hints else ', no hints'}; {' '.join(faults)}; {' '.join(timing)};"
            f" {self.trouble_ms} ms of {', '.join(self.kinds)}; pace {self.pace}, talk {self.talk}"
        )


def draw(rng: Random) -> Options:
    scale = rng.choice(SCALES)
    return Options(
        timing=_timing(rng, scale),
        scale=scale,
        faults=_faults(rng, scale),
        kinds=tuple(kind for kind in KINDS if kind in ALWAYS or rng.random() < 0.4),
        members=rng.randint(3, 9),
        pace=rng.choice([1, 1, scale]),
        talk=rng.choice([0, 2, 2, 6]),
        trouble_ms=rng.choice([8_000, 20_000, 40_000]),
    )


def _faults(rng: Random, scale: int) -> Faults:
    return Faults(
        loss=rng.choice([0, 0, 0.01, 0.05, 0.3]),
        lost_reply=rng.choice([0, 0, 0.05, 0.3]),
        repeat=rng.choice([0, 0, 0.05, 0.2]),
        spike=rng.choice([0, 0, 0.02, 0.1]),
        spike_ms=rng.choice([100, 600, 2_500]),
        lost_failure=rng.choice([0, 0, 0.3]),
        hints=rng.random() < 0.7,
        near_ms=rng.choice(NEAR_MS[scale]),
    )


def _timing(rng: Random, scale: int) -> Timing:
    """Bounds that small worlds would never reach are pulled down at times."""
    return replace(
        LAN.scaled(scale),
        page_bytes=rng.choice([1_100, 5_000, LAN.page_bytes]),
        pending_max=rng.choice([3, LAN.pending_max, LAN.pending_max]),
        flight_max=rng.choice([1, LAN.flight_max]),
        batch_max=rng.choice([1, 3, LAN.batch_max, LAN.batch_max]),
        log_max=rng.choice([5, 12, 50, LAN.log_max, LAN.log_max, LAN.log_max]),
        members_max=rng.choice([4, 6, LAN.members_max, LAN.members_max, LAN.members_max]),
        absent_ms=5_000 * scale,
        poll_all_max=rng.choice([1, 2, LAN.poll_all_max]),
        poll=rng.choice([2, LAN.poll]),  # one alone may be wrong in calm weather too
        spread_above=rng.choice([2, 3, LAN.spread_above]),
    )
