"""Requests made from their descriptors, and bytes that are none.

Each message has a mood, the share of its fields that are hostile: at 0 it is as good as we know how
to make one, and gets deep; in between it has one or two things wrong; at most every other field.
"""

from random import Random
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.message import Message

from tests.fuzz import values
from tests.fuzz.values import Facts

MOODS = (0.0, 0.0, 0.03, 0.1, 0.25, 0.6)
TEMPLATE = 0.7  # the share of messages that begin as a true one
PRESENT, WHOLE = 0.9, 0.98  # of the fields of the others; where nothing is to be wrong
DEEP = 8
CROWDS = (16, 17, 100, 512, 513, 4_096, 4_097, 16_385)  # entries of a huge repeated field
SIGNED = {
    "card",
    "admission",
    "affirmation",
    "signature",
}  # only who has the key can make them: what is drawn is wrong
SALT_BYTES = 16  # for each line of a message
CROWD = 0.01  # of hostile repeated fields; each costs as much as a hundred others


class Maker:
    """Makes messages out of one source of chance."""

    def __init__(self, rng: Random, facts: Facts, mood: float | None = None) -> None:
        self._rng, self._facts = rng, facts
        self.mood = rng.choice(MOODS) if mood is None else mood

    def message(self, kind: Descriptor, depth: int = 0) -> Message:
        """A message of this kind; one of mood 0 has its lists in the order that is asked for."""
        rng = self._rng
        made: Message = message_factory.GetMessageClass(kind)()
        known = self._facts.templates.get(kind.full_name, ())
        if known and rng.random() < TEMPLATE:
            made.CopyFrom(rng.choice(known))
            share = self.mood
        else:
            share = PRESENT if self.mood else WHOLE
        chosen = {each.name: rng.choice(each.fields).name for each in kind.oneofs}
        for one in kind.fields:
            oneof = one.containing_oneof
            if oneof is not None and chosen[oneof.name] != one.name:
                continue  # Of several the last would stand.
            if one.name in SIGNED and rng.random() >= self.mood:
                continue
            if rng.random() < share and depth < DEEP:
                self._fill(made, one, depth)
        if rng.random() >= self.mood:
            tidy(made)
        return made

    def _fill(self, made: Message, one: F, depth: int) -> None:
        rng = self._rng
        if not one.is_repeated:
            if one.message_type is not None:
                getattr(made, one.name).CopyFrom(self.message(one.message_type, depth + 1))
            else:
                setattr(made, one.name, self._scalar(one))
            return
        made.ClearField(one.name)
        entries = getattr(made, one.name)
        if rng.random() < self.mood * CROWD and depth < 2:
            first = self._entry(one, depth)
            entries.extend([first] * rng.choice(CROWDS))
            return
        entries.extend([self._entry(one, depth) for _ in range(rng.choice((0, 1, 1, 2, 3)))])

    def _entry(self, one: F, depth: int) -> Any:
        if one.message_type is not None:
            return self.message(one.message_type, depth + 1)
        return self._scalar(one)

    def _scalar(self, one: F) -> Any:
        rng, true = self._rng, self._facts.true(one)
        match one.type:
            case F.TYPE_BOOL:
                return rng.random() < 0.3
            case F.TYPE_STRING:
                return values.text(rng, true, self.mood)
            case F.TYPE_BYTES:
                return values.octets(rng, true, self.mood)
            case F.TYPE_ENUM:
                numbers = [value.number for value in one.enum_type.values]
                return values.integer(rng, one, true or numbers, self.mood)
            case _:
                return values.integer(rng, one, true, self.mood)


def tidy(made: Message) -> None:
    """Lists that must ascend do, where a disorder would be all that is looked at."""
    if made.DESCRIPTOR.name == "Range":
        first, last = sorted((made.first, made.last))  # type: ignore[attr-defined]
        made.first, made.last = first, last  # type: ignore[attr-defined]
    if "more_ids" in made.DESCRIPTOR.fields_by_name:
        _match_lines(made)
    if made.DESCRIPTOR.name == "Messages":
        _number(made)
    if made.DESCRIPTOR.name != "Roster":
        return
    unique = {one.member_id: one for one in made.members}  # type: ignore[attr-defined]
    members = [unique[id] for id in sorted(unique)]
    made.ClearField("members")
    made.members.extend(members)  # type: ignore[attr-defined]


def _match_lines(said: Any) -> None:
    """As many ids as texts, all of them different, and a salt for each or for none."""
    ids = [id for id in dict.fromkeys(said.more_ids) if id != said.msg_id][: len(said.more_msgs)]
    said.more_ids[:], said.more_msgs[:] = ids, said.more_msgs[: len(ids)]
    if salts := said.header.salts:
        size = SALT_BYTES * (1 + len(ids))
        said.header.salts = (salts * size)[:size]


def _number(told: Any) -> None:
    """Messages follow one another in one stream."""
    for n, said in enumerate(told.messages):
        first = told.messages[0]
        said.source_id = first.source_id
        said.header.stream.CopyFrom(first.header.stream)
        said.header.seq = min(first.header.seq + n, 2**64 - 1)


# ---- bytes ---------------------------------------------------------------------------------------


def truncated(rng: Random, good: bytes) -> bytes:
    return good[: rng.randint(0, max(0, len(good) - 1))]


def flipped(rng: Random, good: bytes) -> bytes:
    """A few bits of it are wrong."""
    spoilt = bytearray(good or b"\0")
    for _ in range(rng.randint(1, 4)):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def extended(rng: Random, good: bytes) -> bytes:
    """With fields that no version of ours knows; lengths and groups may lie."""
    tails = (
        b"\xfa\x7f\x03abc",  # field 2047, three bytes
        b"\xf8\x7f\x01",
        b"\xfb\x7f\xf8\x01\x05\xfc\x7f",  # a group
        b"\xfb\x7f" * 120,  # groups that never end
        b"\xfa\x7f\xff\xff\xff\xff\x0f",
        b"\xf9\x7f" + rng.randbytes(8),
        b"\x00",
    )
    return good + rng.choice(tails)


def noise(rng: Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 2, 10, 100, 3_000)))


def swollen(rng: Random, good: bytes) -> bytes:
    """Around the size that a server takes."""
    return padded(good, rng.choice((512 * 1024 - 8, 512 * 1024 + 1, 1_000_000)))


def padded(good: bytes, size: int) -> bytes:
    """Exactly so many bytes, by a field that nobody knows; `size` is far above what there is."""
    room = size - len(good) - 2 - 3
    return good + b"\xfa\x7f" + _varint(room) + b"x" * room


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
