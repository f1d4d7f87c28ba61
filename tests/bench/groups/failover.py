"""How long a group of four is without its leader, when that is killed or frozen."""

import signal
from time import monotonic_ns
from typing import Any

from .contest import Failed, Group, Process
from .figures import OURS

SIZE = 4
WAIT_S = 60.0


def succession_ms(number: signal.Signals) -> float:
    """From the signal to the leader until the last of the others follows the same new one."""
    with Group(OURS, SIZE) as group:
        first = group.all("follow") and [one.answer() for one in group.members]
        (struck,) = (one for one, told in zip(group.members, first, strict=True) if told["leads"])
        old = tuple(first[struck.index]["leader"])
        others = [one for one in group.members if one is not struck]
        began = monotonic_ns()
        struck.send_signal(number)
        return (_followed_at(others, old) - began) / 1e6


def _followed_at(others: list[Process], old: tuple[int, ...]) -> int:
    """When the last of them began to follow the leader whom all of them follow."""
    latest: dict[Process, dict[str, Any]] = {one: {"leader": old, "at": 0} for one in others}
    until = monotonic_ns() + int(WAIT_S * 1e9)
    while True:
        followed = {tuple(told["leader"]) for told in latest.values()}
        if len(followed) == 1 and not followed & {old, ()}:
            return max(told["at"] for told in latest.values())
        # Who is furthest behind has something to tell yet: nobody goes back to an older epoch.
        behind = min(latest, key=lambda one: tuple(latest[one]["leader"]))
        left_s = (until - monotonic_ns()) / 1e9
        if left_s <= 0:
            raise Failed(f"after {WAIT_S:g} s they follow {followed}")
        latest[behind] = behind.answer(left_s)
