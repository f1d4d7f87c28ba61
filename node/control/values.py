"""Between the plain values of `node.words` and the messages of control.proto, by field name.

Both ways walk over the value: a field of the proto that the value lacks is left alone, so that
a newer node and an older face understand each other.
"""

from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from msgspec import Struct

from p2pchat.v1 import control_pb2

from ..happenings import KINDS, Happening
from ..words import Epoch

V = TypeVar("V")

FITS_ANY = 2**31  # a number below it fits into any field
RANGES = {
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


class _Shape(Struct, frozen=True):
    name: str
    kind: Any  # a Struct, or None for a plain value
    many: bool


_known: dict[Any, tuple[_Shape, ...]] = {}


def _shapes(kind: Any) -> tuple[_Shape, ...]:
    if kind not in _known:
        _known[kind] = _look(kind)
    return _known[kind]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _look(kind: Any) -> tuple[_Shape, ...]:
    hints = get_type_hints(kind)
    shapes = []
    for name in kind.__struct_fields__:
        hint = hints[name]
        many = get_origin(hint) is tuple
        inner = get_args(hint)[0] if many else hint
        shapes.append(_Shape(name, inner if _is_struct(inner) else None, many))
    return tuple(shapes)


def to_proto(value: Any, message: Message) -> Message:
    """Fills `message` from `value` and returns it.

    Some numbers follow from what others say: of one that its field has no room for, the nearest
    that it has room for is told.
    """
    for shape in _shapes(type(value)):
        held = getattr(value, shape.name)
        target = getattr(message, shape.name)
        if shape.many and shape.kind:
            for one in held:
                to_proto(one, target.add())
        elif shape.many:
            target.extend(held)
        elif shape.kind:
            target.SetInParent()
            to_proto(held, target)
        else:
            if type(held) is int and not 0 <= held < FITS_ANY:
                held = _fitting(held, message, shape.name)
            setattr(message, shape.name, held)
    return message


def _fitting(number: int, message: Message, name: str) -> int:
    low, high = RANGES[message.DESCRIPTOR.fields_by_name[name].cpp_type]
    return max(low, min(number, high))


def from_proto(kind: type[V], message: Message) -> V:
    """A value of `kind` out of `message`."""
    found: dict[str, Any] = {}
    for shape in _shapes(kind):
        held = getattr(message, shape.name)
        if shape.many:
            found[shape.name] = tuple(
                from_proto(shape.kind, one) if shape.kind else one for one in held
            )
        else:
            found[shape.name] = from_proto(shape.kind, held) if shape.kind else held
    return kind(**found)


def happening_to_proto(happening: Happening) -> control_pb2.WatchResponse:
    """A WatchResponse with the one field set that the happening is of."""
    message = control_pb2.WatchResponse(
        chat=happening.chat,
        chat_id=happening.chat_id,
        at_ms=happening.at_ms,
        fingerprint=happening.fingerprint,
    )
    to_proto(happening.epoch, message.epoch)
    name = next(name for name, kind in KINDS.items() if isinstance(happening.what, kind))
    inner = getattr(message, name)
    inner.SetInParent()
    to_proto(happening.what, inner)
    return message


def happening_from_proto(message: control_pb2.WatchResponse) -> Happening | None:
    """None for a kind that this version does not know."""
    name = message.WhichOneof("what")
    if name is None or name not in KINDS:
        return None
    return Happening(
        what=from_proto(KINDS[name], getattr(message, name)),
        chat=message.chat,
        chat_id=message.chat_id,
        epoch=from_proto(Epoch, message.epoch),
        at_ms=message.at_ms,
        fingerprint=message.fingerprint,
    )
