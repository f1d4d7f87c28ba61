"""Values for fields: true ones by the field's name, one off, at the ends of the type, hostile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import Message

from p2pchat.v1 import common_pb2, node_pb2

_TERMS = common_pb2.PasswordTerms(salt=b"s" * 16, log_n=15, r=8, p=1)
_HLC = common_pb2.Hlc(ms=1_001)
# Whole messages of the kinds that say something of passwords: drawn ones would never be good.
PASSWORDS: dict[str, list[Message]] = {
    "p2pchat.v1.PasswordTerms": [_TERMS],
    "p2pchat.v1.PasswordRecord": [
        common_pb2.PasswordRecord(hlc=_HLC, source_id=1),
        common_pb2.PasswordRecord(terms=_TERMS, seed=b"k" * 32, hlc=_HLC, source_id=3),
    ],
    "p2pchat.v1.PasswordStep": [
        node_pb2.PasswordStep(),
        node_pb2.PasswordStep(element=b"A" * 33),
        node_pb2.PasswordStep(session=1, proof=b"p" * 32),
    ],
}

EDGES = (0, 1, 2, 24, 25, 63, 64, 255, 256, 65_535, 65_536, 999_999, 1_000_000, 2**31 - 1, 2**31)
EDGES += (2**32 - 1, 2**32, 2**42 - 1, 2**42, 2**43 - 1, 2**43, 2**53 - 1, 2**53, 2**63 - 1, 2**63)
EDGES += (2**64 - 1,)
WIDTHS = {
    F.TYPE_UINT32: (0, 2**32 - 1),
    F.TYPE_FIXED32: (0, 2**32 - 1),
    F.TYPE_UINT64: (0, 2**64 - 1),
    F.TYPE_FIXED64: (0, 2**64 - 1),
    F.TYPE_INT32: (-(2**31), 2**31 - 1),
    F.TYPE_SINT32: (-(2**31), 2**31 - 1),
    F.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    F.TYPE_ENUM: (-(2**31), 2**31 - 1),
    F.TYPE_INT64: (-(2**63), 2**63 - 1),
    F.TYPE_SINT64: (-(2**63), 2**63 - 1),
    F.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
}

HOSTILE = (
    "",
    " ",
    "\0",
    "a\nb",
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egpj.exe",
    "\u200b\u200b\u200b",
    "\u3164",
    "e\u0301" * 40,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u0661\u0662\u0663:\u0665\u0660\u0660\u0660",
    "{field} {0} %s %n $(id) `id`",
    "'; DROP TABLE networks; --",
    "../../../etc/passwd",
    "unix:/tmp/x.sock",
    "dns:///localhost:1",
    "@" * 30,
    "#",
    "#den@127.0.0.1:1",
    "f" * 16,
    "-1",
    "1.2.3.4.5.6.7",
    "999999999999999999999999.1.1.1.1.1.1",
    "None",
    "\ufeff\ufffe\uffff",
)
LENGTHS = (24, 25, 64, 65, 200, 201, 255, 256, 300, 301, 320, 321, 4_096)
LONG = (16_384, 16_385, 65_536, 65_537)
ADDRESSES = (
    *("127.0.0.1:1", "127.0.0.1:80", "127.0.0.1:1024", "localhost:1025", "[::1]:1026"),
    *("127.0.0.1:65535", "0.0.0.0:5000", "[::]:5000", "[::1%lo]:5000", "[:::::]:5000"),
    *("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1", "nowhere", "a b:1", "1e3:5000", "-:5000"),
)


@dataclass(frozen=True)
class Facts:
    """What is true: values by the name of a field (`Message.field` first), and whole messages."""

    pools: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    templates: Mapping[str, Sequence[Message]] = field(default_factory=dict)  # by full name

    def true(self, one: F) -> Sequence[Any]:
        """Values that a field of the living group has."""
        special = f"{one.containing_type.name}.{one.name}"
        return self.pools.get(special) or self.pools.get(one.name) or ()


def integer(rng: Random, one: F, true: Sequence[int], hostility: float) -> int:
    """A value that fits the type of an integer field."""
    low, high = WIDTHS[one.type]
    if rng.random() >= hostility:
        value = int(rng.choice(true)) if true else min(high, rng.randrange(4))
        return max(low, min(high, value))  # Of that name there may be signed fields, too.
    match rng.randrange(4):
        case 0 if true:
            value = int(rng.choice(true)) + rng.choice((-1, 1))
        case 1:
            value = rng.choice(EDGES) * rng.choice((1, 1, 1, -1))
        case 2:
            value = rng.choice(EDGES) + rng.choice((-1, 1))
        case _:
            value = rng.getrandbits(rng.randint(1, 64))
    return value if low <= value <= high else rng.randint(low, high)


def text(rng: Random, true: Sequence[str], hostility: float) -> str:
    """A text; mostly a true one."""
    if rng.random() >= hostility:
        return rng.choice(true) if true else f"w{rng.randrange(10)}"
    match rng.randrange(8):
        case 0 | 1 | 2:
            return rng.choice(HOSTILE)
        case 3:
            return rng.choice(ADDRESSES)
        case 4:
            return rng.choice("xé\u4e2d") * rng.choice(LENGTHS)
        case 5 if rng.random() < 0.2:
            return "x" * rng.choice(LONG)
        case 6 if true:
            spoilt = rng.choice(true)
            at = rng.randint(0, len(spoilt))
            return spoilt[:at] + rng.choice(HOSTILE) + spoilt[at + 1 :]
        case _:
            return "".join(chr(_scalar(rng)) for _ in range(rng.randrange(40)))


def _scalar(rng: Random) -> int:
    """A code point that UTF-8 can carry."""
    point = rng.choice(
        (rng.randrange(0x80), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))
    )
    return point


def octets(rng: Random, true: Sequence[bytes], hostility: float) -> bytes:
    if rng.random() >= hostility and true:
        return rng.choice(true)
    return rng.randbytes(rng.choice((0, 1, 31, 32, 32, 32, 33, 64, 5_000)))
