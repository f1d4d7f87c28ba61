"""What a failure needs: a life's commands, with those left out that make no difference.

Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input": halves are left
out, then quarters, down to single commands, until none can go.  Each try is a whole life, so their
number is bounded.  What the dice of the network do changes with each command that is left out: a
try counts as the same failure if it breaks the same promise in the same words, but for numbers.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from .lives import Steps

if TYPE_CHECKING:
    from .swarm import Outcome

TRIES = 200
NEEDED = ("registry up", "new ", "found ")  # without these there is no world


class NoSchedule(ValueError):
    """The text is no schedule, and why."""


class Schedule(Struct, frozen=True):
    """A life as text: its seed, what was done at which instant, and as comments what came of it."""

    seed: int
    steps: Steps
    about: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [f"# {line}".rstrip() for line in self.about]
        lines += [f"seed {self.seed}"]
        lines += [f"{at:>7} {step}" for at, step in self.steps]
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Raises NoSchedule if it is none."""
        about = [line.removeprefix("#").strip() for line in text.splitlines() if line[:1] == "#"]
        rows = [line.strip() for line in text.splitlines() if line.strip() and line[:1] != "#"]
        if not rows or not rows[0].startswith("seed "):
            raise NoSchedule("a schedule begins with its seed")
        steps = []
        try:
            seed = int(rows[0].removeprefix("seed "))
            for row in rows[1:]:
                at, _, step = row.partition(" ")
                steps.append((int(at), step))
        except ValueError as error:
            raise NoSchedule(str(error)) from error
        return cls(seed, tuple(steps), tuple(about))


def shrink(
    broken: "Outcome",
    live: Callable[..., "Outcome"],
    say: Callable[[str], object],
    tries: int = TRIES,
) -> Schedule:
    """The least that was found to break the same promise.

    Args:
        broken: a life that broke one.
        live: lives a life: seed, a watcher, steps.
        say: is told now and then how far this is.
        tries: lives at most.
    """
    steps, last = list(broken.steps), broken
    parts = 2
    while tries > 0 and len(steps) > 1:
        size = max(1, len(steps) // parts)
        for begin in range(0, len(steps), size):
            left = _without(steps, begin, size)
            if len(left) == len(steps):
                continue
            tries -= 1
            outcome = live(broken.seed, steps=tuple(left))
            if kind(outcome) == kind(broken):
                steps, last = left, outcome
                parts = max(parts - 1, 2)
                break
            if tries <= 0:
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(steps))
            say(f"{len(steps)} of {len(broken.steps)} commands are left, {tries} tries")
    about = (last.text, last.options, f"{len(steps)} of {len(broken.steps)} commands")
    return Schedule(broken.seed, tuple(steps), about)


def kind(outcome: "Outcome") -> tuple[str, str]:
    """What a failure is known by."""
    return outcome.promise, re.sub(r"[\[({'].*|\d+", "", outcome.text)


def _without(steps: list[tuple[int, str]], begin: int, size: int) -> list[tuple[int, str]]:
    """The steps without some of them; what a world needs stays."""
    gone = range(begin, begin + size)
    return [step for k, step in enumerate(steps) if k not in gone or step[1].startswith(NEEDED)]
