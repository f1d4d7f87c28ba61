"""The time of day, which this machine's clock tells and which may be set at any moment."""

import asyncio
import time


def unix_ms() -> int:
    """Milliseconds of unix time."""
    return time.time_ns() // 1_000_000


def elapsed_ms() -> int:
    """Milliseconds since some instant, whoever sets the clock."""
    return time.monotonic_ns() // 1_000_000


async def until_ms(instant_ms: int) -> None:
    """Wait until the clock shows at least this instant, in unix milliseconds."""
    while (left_ms := instant_ms - unix_ms()) > 0:  # noqa: ASYNC110 - a clock has no event
        await asyncio.sleep(min(left_ms, 1_000) / 1_000)
