"""The planted bugs, as source text: where, what, and what stands there instead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    path: str
    old: str
    new: str


MUTANTS: list[Mutant] = []
