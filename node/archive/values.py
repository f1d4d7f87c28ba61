"""Values of the core as JSON and back, by the types of their fields.

For what is written rarely and read at the start: the roster, and what else a group remembers.  A
field that was added later takes its default when an older log is read.
"""

import json
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

T = TypeVar("T")


def write(value: Any) -> str:
    """A frozen Struct, named tuple or plain value as JSON."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def read(kind: type[T], text: str) -> T:
    """The value of type `kind` that `write` made `text` of.  Raises ValueError for all else."""
    try:
        value: T = _value(kind, json.loads(text))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error
    return value


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case tuple():
            return [_plain(one) for one in value]
        case Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case _:
            return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if plain is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
        return _value(kind, plain)
    if origin is tuple:
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            return tuple(_value(kinds[0], one) for one in plain)
        return tuple(_value(one, part) for one, part in zip(kinds, plain, strict=True))
    if isinstance(kind, type) and issubclass(kind, Struct):
        hints = _hints(kind)
        return kind(**{name: _value(hints[name], part) for name, part in plain.items()})
    if hasattr(kind, "_fields"):
        parts = zip(_hints(kind).values(), plain, strict=True)
        return kind(*(_value(one, part) for one, part in parts))
    if kind is bytes:
        return bytes.fromhex(plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain
