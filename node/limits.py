"""How long and how large what people and peers say may be, in words that can be shown to them.

Each `..._fault` gives "" for a good value, else what it must be and is not, without the name of
the field: "must be 1 to 24 letters, digits, - _ or ., not 31".  No protobuf here: faces use this
before a node is there, `codec` uses it on everything that arrives.
"""

import re
import unicodedata

from msgspec import Struct

TEXT_MAX = 16_384  # bytes of UTF-8
TEXT_CEILING = 65_536  # what TEXT_MAX may be set to
NICK_MAX = 24
NAME_MAX = 64
ADDRESS_MAX = 255
AWAY_MAX = 200
TOPIC_MAX = 300
DEPS_MAX = 512
MESSAGES_MAX = 1_024  # in one call
PASS_ON_MAX = 256  # members to whom one is to pass on
STORED_MAX = 64  # runs of messages that members have stored, in one call
DIGESTS_MAX = 4_096
HELD_MAX = 16_384
MARKS_MAX = 4_096  # floors or lost messages in one call
ROSTER_MAX = 4_096  # records, those that left included
ENDS_MAX = 4_096  # streams of one member that left
IDENTITY_BYTES = 32
CERTIFICATE_MAX = 1_024  # bytes of DER; one of ours has about 400
SEAL_KEY_BYTES = 32
SIGNATURE_BYTES = 64
PROOF_BYTES = 32
ELEMENT_BYTES = 33  # of SPAKE2 on Ed25519: whose side it is, and the point
SEED_BYTES = 32
INVITES_MAX = 256  # in a roster
DECISIONS_MAX = 512  # likewise
HASH_BYTES = 32  # of SHA-256
GRANT_MAX = 72  # bytes of an ECDSA signature on P-256, in DER
CLAIM_KEYS_MAX = 4  # likewise
CLAIM_KEY_BYTES = 32  # each half of one
HEADS_MAX = 16  # decisions that a message names
DECISION_BYTES = 16  # of the id of one
ACCESS_MAX = 20
NUMBER_MAX = 2**53 - 1  # ids, sequence numbers, instants: exact in JSON, and in SQLite
CHAT_MAX = 2**63 - 1
HLC_MAX = 2**43 - 1  # from 2^42 on it moves no honest clock (core/clock.py)
COUNTER_MAX = 65_535

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,32})?\]")
_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters by category that nobody can see
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Limits(Struct, frozen=True):
    """Those that a node may set."""

    text_max: int = TEXT_MAX

    def __post_init__(self) -> None:
        if not 1 <= self.text_max <= TEXT_CEILING:
            raise ValueError(f"text_max must be 1 to {TEXT_CEILING} bytes, not {self.text_max}")


def nick_fault(value: str) -> str:
    """What is wrong with the name of a member."""
    return _word_fault(value, NICK_MAX)


def name_fault(value: str) -> str:
    """What is wrong with the name of a network."""
    return _word_fault(value, NAME_MAX)


def _word_fault(value: str, most: int) -> str:
    if 1 <= len(value) <= most and (_PLAIN.fullmatch(value) or all(map(_is_wordly, value))):
        return ""
    must = f"must be 1 to {most} letters, digits, - _ or ."
    if not value:
        return f"{must}, not empty"
    if len(value) > most:
        return f"{must}, not {len(value)} characters"
    odd = next(char for char in value if not _is_wordly(char))
    return f"{must}, without {_called(odd)}"


def _is_wordly(char: str) -> bool:
    return char in "-_." or (char.isalpha() and char not in _FILLERS) or char.isdecimal()


def _called(char: str) -> str:
    seen = f"{char!r} " if char.isprintable() else ""
    return f"{seen}U+{ord(char):04X}"


def line_fault(value: str, most: int) -> str:
    """What is wrong with a line of free text, of at most `most` characters; it may be empty."""
    if len(value) > most:
        return f"must be at most {most} characters, not {len(value)}"
    if value.isascii() and value.isprintable():
        return ""
    odd = next((c for c in value if c != "\u200d" and unicodedata.category(c) in _UNSEEN), "")
    return f"must be one line without control characters, not with {_called(odd)}" if odd else ""


def text_fault(value: str, most: int = TEXT_MAX) -> str:
    """What is wrong with the text of a chat message; `most` counts bytes of UTF-8."""
    if not value:
        return f"must be 1 to {most} bytes, not empty"
    if len(value) * 4 <= most:
        return ""
    size = len(value.encode("utf-8", "surrogatepass"))
    return "" if size <= most else f"must be 1 to {most} bytes, not {size}"


def address_fault(value: str) -> str:
    """What is wrong with an address at which a node can be called."""
    must = "must be HOST:PORT"
    if not value:
        return f"{must}, not empty"
    if len(value) > ADDRESS_MAX:
        return f"{must} of at most {ADDRESS_MAX} characters, not {len(value)}"
    host, colon, port = value.rpartition(":")
    if not colon or not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        return f"{must} with a name or address of a machine, IPv6 in [ ]"
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        return f"{must} with a port of 1 to 65535"
    return ""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of a good address; the brackets of IPv6 go."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
