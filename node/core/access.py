"""What a group keeps of who is let in and who may claim; what is said by who comes by a password.

A password itself stands nowhere.  A seed is made of it by scrypt, on the joiner's machine; the
group keeps the same seed, and both sides show by SPAKE2 (Abdalla and Pointcheval 2005) that they
have it, without saying it.  The joiner shows it first.
"""

from collections.abc import Mapping
from hashlib import blake2b

from msgspec import Struct

from .types import NO_HLC, ChatId, Hlc, MemberId, WallMillis

SALT_BYTES = 16
LOG_N, R, P = 15, 8, 1  # of scrypt: 32 MiB, a tenth of a second
LOG_N_MIN, LOG_N_MAX, P_MAX = 14, 17, 4  # what members and joiners put up with; R is always 8
_PURPOSE = b"p2pchat password 1\0"
_INVITED = b"p2pchat invite 1\0"  # no signature for anything else begins like this


class Invite(Struct, frozen=True):
    """Whoever proves that it knows the secret behind `check` is let in."""

    id: int  # 64 bits, drawn
    check: bytes
    by: MemberId
    made: WallMillis
    expires: WallMillis = 0  # 0: never
    once: bool = False
    revoked: bool = False
    used: tuple[MemberId, ...] = ()  # by whom, in ascending order
    signature: bytes = b""  # of `statement`, by the identity of who made it


def statement(chat: ChatId, invite: Invite) -> bytes:
    """What is signed by who makes an invitation."""
    numbers = chat, invite.id, invite.by, invite.made, invite.expires, int(invite.once)
    return _INVITED + b"".join(number.to_bytes(8) for number in numbers) + invite.check


class Terms(Struct, frozen=True):
    """How a seed is made of a password: by scrypt, with N = 2 to the power of `log_n`."""

    salt: bytes
    log_n: int = LOG_N
    r: int = R
    p: int = P

    @property
    def fault(self) -> str:
        """Why nobody computes with these; empty where one does."""
        if len(self.salt) != SALT_BYTES:
            return f"the salt must be {SALT_BYTES} bytes, not {len(self.salt)}"
        if not (LOG_N_MIN <= self.log_n <= LOG_N_MAX and self.r == R and 1 <= self.p <= P_MAX):
            return (
                f"scrypt must have N = 2^{LOG_N_MIN} to 2^{LOG_N_MAX}, r = {R} and p = 1 to"
                f" {P_MAX}, not N = 2^{self.log_n}, r = {self.r} and p = {self.p}"
            )
        return ""

    @property
    def facts(self) -> dict[str, str]:
        """As errors tell them."""
        numbers = {"log_n": self.log_n, "r": self.r, "p": self.p}
        return {"salt": self.salt.hex()} | {name: str(one) for name, one in numbers.items()}

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> "Terms | None":
        """Those that an error tells; None where there are none that one would compute with."""
        try:
            numbers = (int(facts[name]) for name in ("log_n", "r", "p"))
            terms = cls(bytes.fromhex(facts["salt"]), *numbers)
        except (KeyError, ValueError):
            return None
        return None if terms.fault else terms


class Password(Struct, frozen=True):
    """What a group keeps of its password; of two writers the later by (hlc, source) stands.

    Without terms and seed: it has none.
    """

    terms: Terms | None = None
    seed: bytes = b""
    hlc: Hlc = NO_HLC
    source: MemberId = 0

    @property
    def rank(self) -> tuple[Hlc, MemberId, bytes, bytes, int, int]:
        terms = self.terms or Terms(b"", 0, 0, 0)
        return self.hlc, self.source, self.seed, terms.salt, terms.log_n, terms.p


NO_PASSWORD = Password()


class ClaimKey(Struct, frozen=True):
    """A key with which members claim leadership at the registry; the one with the highest number is
    the one to be registered there, or was registered last.
    """

    number: int  # one more than that of the key before
    secret: bytes  # of which the pair is made
    gone: int  # a hash of who had gone when it was made

    @property
    def rank(self) -> tuple[int, bytes, int]:
        return self.number, self.secret, self.gone


class Knows(Struct, frozen=True):
    """One who wants in says that it knows the password.

    First with nothing else: to be told the terms.  Then with its element; then, in the session that
    this began, with the code that proves it.
    """

    element: bytes = b""
    session: int = 0
    proof: bytes = b""


class Challenge(Struct, frozen=True):
    """The answer to `Join` with an element: ours, and the number of the session."""

    session: int
    element: bytes


class Met(Struct, frozen=True):
    """What comes of the leader's side of SPAKE2: its element, and the codes that prove the seed."""

    session: int  # drawn, 64 bits
    element: bytes
    joiner: bytes  # what the joiner must say ...
    leader: bytes  # ... and what the leader says to it then


def context(chat: ChatId, identity: bytes, joiner: bytes, leader: bytes) -> bytes:
    """All that an exchange is about: the group, who wants in, and both certificates."""
    said = b"".join(blake2b(part, digest_size=32).digest() for part in (identity, joiner, leader))
    return blake2b(_PURPOSE + chat.to_bytes(8) + said, digest_size=32).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether they are equal; the time it takes says nothing of where they differ."""
    return blake2b(one, key=_PURPOSE).digest() == blake2b(other, key=_PURPOSE).digest()
