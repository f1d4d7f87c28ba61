"""Both sides of SPAKE2 (Abdalla and Pointcheval 2005), and the codes by which they prove a seed.

What is agreed on hangs on the seed, on both elements, and on the context, which stands for both of
the identities that SPAKE2 knows: another group, person or certificate is another key.
"""

import secrets
from hashlib import blake2b
from typing import Protocol

from node.core.access import Met

SESSION_BITS = 64
CODE_BYTES = 32
_JOINER, _LEADER = b"p2pchat password joiner 1", b"p2pchat password leader 1"


class _Side(Protocol):
    def start(self) -> bytes: ...

    def finish(self, inbound: bytes) -> bytes: ...


class Joiner:
    """The joiner's side, of one exchange."""

    def __init__(self, seed: bytes, context: bytes) -> None:
        from spake2 import SPAKE2_A

        self._side: _Side = SPAKE2_A(seed, context, context)
        self._context = context
        self.element: bytes = self._side.start()

    def proofs(self, element: bytes) -> tuple[bytes, bytes]:
        """What we say, and what the leader has to say then."""
        key = _key(self._side, element)
        said = self._context + self.element + element
        return _code(key, _JOINER, said), _code(key, _LEADER, said)


def meet(seed: bytes, context: bytes, element: bytes) -> Met:
    """The leader's side: the joiner's element has come, and all is known.

    One that is none is met by codes that nobody can say.
    """
    from spake2 import SPAKE2_B

    side: _Side = SPAKE2_B(seed, context, context)
    own = side.start()
    key, said = _key(side, element), context + element + own
    session = secrets.randbits(SESSION_BITS) or 1
    return Met(session, own, _code(key, _JOINER, said), _code(key, _LEADER, said))


def _key(side: _Side, element: bytes) -> bytes:
    from spake2 import SPAKEError
    from spake2.ed25519_basic import NotOnCurve

    try:
        return side.finish(element)
    except (SPAKEError, NotOnCurve, ValueError):
        return secrets.token_bytes(CODE_BYTES)


def _code(key: bytes, purpose: bytes, said: bytes) -> bytes:
    return blake2b(purpose + said, digest_size=CODE_BYTES, key=key).digest()
