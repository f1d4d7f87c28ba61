"""Getting in by a password: the leader's side.

    joiner                                   leader
      | ---- I know the password -------------> |
      | <--- NEEDS_PASSWORD: salt, cost ------- |
      | ---- element -------------------------> |   counts as a wrong guess from here on
      | <--- element, number of the session --- |
      | ---- number, proof -------------------> |   a session is tried once
      | <--- Welcome, with the leader's proof - |

Whatever does not fit is answered alike, so that who guesses learns nothing but that it was wrong.
"""

from .access import Challenge, Knows, Password, context, same
from .clock import tick
from .events import PasswordSet
from .guessing import Guesses, Session
from .messages import Join, Refusal
from .reasons import Reason
from .state import State


class Passwords:
    def __init__(self, s: State) -> None:
        self._s = s
        self._guesses = Guesses()
        self._right: dict[tuple[int, bytes], Session] = {}  # proved, and not yet admitted

    def written(self, event: PasswordSet) -> Password:
        """What the group is to keep from now on."""
        s = self._s
        hlc = tick(event.wall, s.members.password.hlc)
        return Password(event.terms, event.seed, hlc, s.me)

    def needed(self) -> Refusal | None:
        """That one gets in by a password, and how; None: there is none."""
        password, ways = self._s.members.password, self._s.setup
        if password.terms is None or ways.meet is None:
            return None
        text = "it asks for a password"
        return Refusal(Reason.NEEDS_PASSWORD, text, chat=self._s.chat, terms=password.terms)

    def verdict(
        self, request: Join, knows: Knows, certificate: bytes
    ) -> Refusal | Challenge | None:
        """What is said to who comes by a password; None: it has shown that it knows it."""
        if (needed := self.needed()) is None:
            return Refusal(Reason.WRONG_SECRET, "it has no password")
        if knows.proof:
            return None if self._is_right(request, knows, certificate) else _wrong()
        return self._begun(request, knows.element, certificate) if knows.element else needed

    def _begun(self, request: Join, element: bytes, certificate: bytes) -> Refusal | Challenge:
        s, setup, password = self._s, self._s.setup, self._s.members.password
        if wait := self._guesses.wait_ms(s.now):
            text = f"too many wrong passwords were tried; try again in {-(-wait // 1000)} s"
            return Refusal(Reason.TRY_LATER, text, wait=wait)
        about = context(s.chat, request.identity, certificate, setup.card.certificate)
        assert setup.meet is not None, "a password is needed only where it can be proved"
        met = setup.meet(password.seed, about, element)
        self._guesses.begin(Session(met, password, request.identity, certificate, s.now))
        return Challenge(met.session, met.element)

    def _is_right(self, request: Join, knows: Knows, certificate: bytes) -> bool:
        s, key = self._s, (knows.session, certificate)
        session = self._right.get(key)
        if session is None:
            session = self._guesses.end(knows.session, s.now)
            if session is None or not _fits(session, request, certificate):
                return False
            if not same(knows.proof, session.met.joiner):
                return False
            self._guesses.was_right(session)
            self._right[key] = session
        return session.password == s.members.password  # It may have been changed meanwhile.

    def proof(self, request: Join, knows: Knows) -> bytes:
        """That we know it, too, for somebody who has shown it."""
        session = self._right.get((knows.session, request.card.certificate))
        return session.met.leader if session is not None else b""

    def over(self, request: Join) -> None:
        """It has been answered for good."""
        if request.knows is not None:
            self._right.pop((request.knows.session, request.card.certificate), None)


def _fits(session: Session, request: Join, certificate: bytes) -> bool:
    return (session.certificate, session.identity) == (certificate, request.identity)


def _wrong() -> Refusal:
    return Refusal(Reason.WRONG_SECRET, "the password is wrong")
