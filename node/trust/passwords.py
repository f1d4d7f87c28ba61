"""Passwords of chats: what a good one is, and the seed that is made of it.

The seed is made where the password is typed; nobody else is told the password.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable

from node.core.access import SALT_BYTES, Terms
from node.limits import SEED_BYTES, line_fault

LENGTH_MIN, LENGTH_MAX = 10, 200
NAME_MIN = 3  # letters of a name, for a password that holds it to be refused
RUN_MIN = 4  # characters, to count as a piece of a row
OTHERS_MIN = 4  # characters that are in no such piece
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
)
_COMMON = """
abc access adam admin administrator andrew angel apple asshole bailey baseball batman blink
buster charlie cheese chelsea chocolate computer cookie daniel default donald dragon eminem
football freedom fuckyou george ginger google guest hannah harley hello hockey hunter iloveu
iloveyou internet jennifer jessica jordan joshua justin killer letmein liverpool login love
lovely maggie master matrix matthew michael michelle monkey mustang nicole ninja pass passpass
passw0rd password passwort pepper pokemon princess qazwsx qwerty ranger robert samsung secret
shadow soccer starwars summer sunshine superman taylor test tester testing thomas thunder
trustno welcome whatever william winter yankees zaq
"""
COMMON = frozenset(_COMMON.split())


def folded(password: str) -> str:
    """The one form of all that looks alike (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def fault(password: str, names: Iterable[str] = ()) -> str:
    """Why nobody should take this one for a chat; `names`: those of the chat and of its members
    that are known.  Empty for a good one.
    """
    text = folded(password)
    if odd := line_fault(text, LENGTH_MAX):
        return odd
    if len(text) < LENGTH_MIN:
        return f"must be {LENGTH_MIN} characters or more, not {len(text)}"
    plain = text.casefold()
    if len(set(plain)) <= 2:
        return "must have more than two different characters"
    if len(plain) - _in_rows(plain) < OTHERS_MIN:
        return "must not be a sequence of letters, digits or keys that are next to each other"
    for name in names:
        known = folded(name).casefold()
        if len(known) >= NAME_MIN and known in plain:
            return f"must not hold the name {name}"
    if plain.strip("0123456789!?.,-_*#$@+ ") in COMMON | {""} or plain in COMMON:
        return "must not be one of the commonest, nor one of those with digits or signs around it"
    return ""


def _in_rows(text: str) -> int:
    """How many of its characters are in pieces of rows, forwards or backwards."""
    rows = [row for one in ROWS for row in (one, one[::-1])]
    at = counted = 0
    while at < len(text):
        longest = max(_begins(text[at:], row) for row in rows)
        counted += longest if longest >= RUN_MIN else 0
        at += longest if longest >= RUN_MIN else 1
    return counted


def _begins(text: str, row: str) -> int:
    """How many characters of its beginning stand so in the row."""
    length = 0
    while length < len(text) and text[: length + 1] in row:
        length += 1
    return length


def drawn() -> Terms:
    """Those of a new password."""
    return Terms(secrets.token_bytes(SALT_BYTES))


def seed_of(password: str, terms: Terms) -> bytes:
    """What the group keeps of it; takes a tenth of a second, and no loop should wait for it."""
    assert not terms.fault, terms.fault
    size = 128 * terms.r << terms.log_n
    return hashlib.scrypt(
        folded(password).encode("utf-8", "surrogatepass"),
        salt=terms.salt,
        n=1 << terms.log_n,
        r=terms.r,
        p=terms.p,
        maxmem=2 * size,
        dklen=SEED_BYTES,
    )
