"""Collects what is wrong with a message while it is decoded, so that one answer names all of it."""

from collections.abc import Callable, Iterable, Sized
from enum import IntEnum
from typing import TypeVar

from node.codec.sealing import Seals
from node.limits import NUMBER_MAX, Limits, address_fault

Option = TypeVar("Option", bound=IntEnum)
Part = TypeVar("Part")
Value = TypeVar("Value")

VIOLATIONS_MAX = 16


class Malformed(Exception):
    """A message that means nothing: `violations` are (field, what it must be and is not)."""

    def __init__(self, violations: tuple[tuple[str, str], ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{field} {fault}" for field, fault in violations))


class Check:
    """Takes down violations.  What it returns after one is of the right type and never used.

    `seals` opens what is said, where that must be sealed.
    """

    __slots__ = ("limits", "seals", "violations")

    def __init__(self, limits: Limits, seals: Seals | None = None) -> None:
        self.limits, self.seals = limits, seals
        self.violations: list[tuple[str, str]] = []

    def done(self) -> None:
        """Raise `Malformed` if anything was wrong."""
        if self.violations:
            raise Malformed(tuple(self.violations))

    def fail(self, field: str, fault: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append((field, fault))

    def note(self, field: str, fault: str) -> None:
        """Take `fault` down unless it is empty."""
        if fault:
            self.fail(field, fault)

    def number(self, value: int, field: str, low: int = 0, high: int = NUMBER_MAX) -> int:
        if not low <= value <= high:
            if low and not value:
                self.fail(field, f"is required: {low} to {high}")
            else:
                self.fail(field, f"must be {low} to {high}, not {value}")
        return value

    def size(self, values: Sized, field: str, most: int) -> bool:
        """Whether there are few enough to go through them."""
        if len(values) <= most:
            return True
        self.fail(field, f"must have at most {most} entries, not {len(values)}")
        return False

    def address(self, value: str, field: str, *, required: bool = False) -> str:
        if value or required:
            self.note(field, address_fault(value))
        return value

    def each(
        self, get: Callable[[Part, "Check", str], Value], parts: Iterable[Part], field: str
    ) -> tuple[Value, ...]:
        """The values of some parts.  Once enough of them are wrong, the others are not looked at:
        what is wrong costs more than what is right.
        """
        found = list[Value]()
        for i, part in enumerate(parts):
            if self.is_full:
                break
            found.append(get(part, self, f"{field}[{i}]"))
        return tuple(found)

    @property
    def is_full(self) -> bool:
        """Are no more violations taken down?"""
        return len(self.violations) >= VIOLATIONS_MAX

    def option(self, kind: type[Option], value: int, field: str) -> Option:
        """A value of an enumeration that has no meaning for 0."""
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(f"{option.name} ({option.value})" for option in kind)
            self.fail(field, f"must be one of {names}, not {value}")
            return next(iter(kind))

    def required(self, present: bool, field: str) -> bool:
        if not present:
            self.fail(field, "is required")
        return present
