"""How often the password of a group may be guessed, and the exchanges under way.

An exchange that was begun counts as a wrong guess until it ends with the right proof.  Five a
minute and thirty an hour are free; then one at a time, after a wait that doubles with each:

    free ---- five in a minute, thirty in an hour ----> waiting 1, 2, 4 ... 60 minutes
      ^                                                    |
      +------------- nothing wrong for six hours ----------+
"""

from collections import deque

from msgspec import Struct

from .access import Met, Password
from .types import Millis

SESSIONS_MAX = 32
SESSION_MS = 10_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
FREE_A_MINUTE, FREE_AN_HOUR = 5, 30
WAIT_MS, WAIT_MAX_MS = MINUTE_MS, HOUR_MS
FORGOTTEN_MS = 6 * HOUR_MS
SOON_MS = 1_000  # where all that one has to wait for is how those under way end


class Session(Struct, frozen=True):
    """An exchange under way, with the joiner of this identity and certificate."""

    met: Met
    password: Password
    identity: bytes
    certificate: bytes
    began_at: Millis


class Guesses:
    """Those that were wrong, as far as is known."""

    def __init__(self) -> None:
        self._wrong: deque[Millis] = deque(maxlen=FREE_AN_HOUR)  # when they were begun
        self._waits = 0  # how often one had to wait since all was quiet
        self._sessions: dict[int, Session] = {}
        self._lengthened: set[int] = set()  # those sessions that made others wait longer

    def wait_ms(self, now: Millis) -> Millis:
        """How long until one may be begun; 0 for now."""
        self._look(now)
        if len(self._sessions) >= SESSIONS_MAX:
            return min(one.began_at for one in self._sessions.values()) + SESSION_MS - now
        if not self._waits:
            return 0
        wait = min(WAIT_MAX_MS, WAIT_MS << (self._waits - 1))
        left = max(0, self._wrong[-1] + wait - now) if self._wrong else 0
        undecided = self._waits == len(self._lengthened)  # Many come at once, and may be right.
        return min(left, SOON_MS) if undecided else left

    def begin(self, session: Session) -> None:
        """It counts as wrong from now on."""
        now = session.began_at
        self._wrong.append(now)
        self._sessions[session.met.session] = session
        if self._is_too_often(now):
            self._waits += 1
            self._lengthened.add(session.met.session)

    def end(self, number: int, now: Millis) -> Session | None:
        """The session of this number, which is over; None where there is none any more."""
        self._look(now)
        return self._sessions.pop(number, None)

    def was_right(self, session: Session) -> None:
        """What this one counted is taken back, and nothing else."""
        if session.began_at in self._wrong:
            self._wrong.remove(session.began_at)
        if session.met.session in self._lengthened:
            self._waits -= 1

    def _is_too_often(self, now: Millis) -> bool:
        """Whether the next one has to wait, with what was begun now."""
        minute = sum(now - at < MINUTE_MS for at in self._wrong)
        hour = sum(now - at < HOUR_MS for at in self._wrong)
        return bool(self._waits) or minute >= FREE_A_MINUTE or hour >= FREE_AN_HOUR

    def _look(self, now: Millis) -> None:
        """Lets go of what is over."""
        ended = [n for n, one in self._sessions.items() if now - one.began_at >= SESSION_MS]
        for number in ended:
            del self._sessions[number]
        self._lengthened &= self._sessions.keys()
        if self._wrong and now - self._wrong[-1] >= FORGOTTEN_MS:
            self._wrong.clear()
            self._waits = 0
