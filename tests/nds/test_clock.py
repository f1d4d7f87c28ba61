"""The clock, which may be set while somebody waits for it."""

import asyncio

from nds import clock


async def test_waiting_ends_when_the_instant_has_come_and_not_before(monkeypatch):
    now, slept = [1_000], []

    async def sleep(seconds):
        slept.append(seconds)
        now[0] += round(seconds * 1_000)
        if len(slept) == 2:
            now[0] -= 500  # somebody sets the clock back

    monkeypatch.setattr(clock, "unix_ms", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await clock.until_ms(3_250)
    assert now[0] == 3_250
    assert slept == [1.0, 1.0, 0.75]
    await clock.until_ms(3_250)
    assert len(slept) == 3


def test_the_clock_shows_this_century():
    assert 1_700_000_000_000 < clock.unix_ms() < 4_000_000_000_000
