"""A failing schedule made smaller: faults are left out, and it is tried again, so many times.

After Zeller's delta debugging: first halves are left out, then quarters, down to single faults.  A
try that holds by luck keeps faults that are not needed; it never loses one that is.
"""

from collections.abc import Awaitable, Callable

from tests.chaos.schedule import Schedule


async def shrink(
    schedule: Schedule, fails: Callable[[Schedule], Awaitable[bool]], tries: int
) -> Schedule:
    """The smallest schedule found that fails.

    Args:
        schedule: one that has failed.
        fails: runs one and tells whether it failed again.
        tries: how often that may be asked.
    """
    parts = 2
    while tries > 0 and schedule.faults:
        faults = schedule.faults
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            if tries <= 0:
                break
            tries -= 1
            smaller = schedule.without(faults[start : start + size])
            if await fails(smaller):
                schedule, parts = smaller, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(faults))
    return schedule
