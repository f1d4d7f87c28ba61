"""Sums of hashes: over what a set holds, whatever the order in which it came, and so that nobody
finds two sets with one sum.

An exclusive or of hashes tells faults apart, and no lies: whoever chooses what is hashed solves a
few linear equations, and two logs look alike.  So each hash is spread over 1,024 bits, and these
are added (AdHash: Bellare and Micciancio 1997).  Of n chosen contents two sets with one sum cost
about 2**(1024 / (1 + log2 n)) steps (Wagner 2002).
"""

from hashlib import blake2b, shake_128

SUM_BYTES = 128
SHORT_BYTES = 16  # of what tells of a sum elsewhere
_MASK = (1 << 8 * SUM_BYTES) - 1


def term(hash: bytes) -> int:
    """What stands for one member of a set, by its hash."""
    return int.from_bytes(shake_128(hash).digest(SUM_BYTES))


def plus(total: int, more: int) -> int:
    """Of two sets, or of a set and a term, the sum."""
    return total + more & _MASK


def minus(total: int, less: int) -> int:
    """What is left where that goes."""
    return total - less & _MASK


def short(total: int, size: int = SHORT_BYTES) -> int:
    """A hash of a sum, of so many bytes; 0 of the empty set."""
    if not total:
        return 0
    return int.from_bytes(blake2b(total.to_bytes(SUM_BYTES), digest_size=size).digest())
