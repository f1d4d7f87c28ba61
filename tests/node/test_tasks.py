"""Tries node/tasks.py: no task dies in silence."""

import asyncio
import logging

import pytest

from node.tasks import Tasks


async def test_a_crash_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    told: asyncio.Future[tuple[str, BaseException]] = asyncio.get_running_loop().create_future()
    tasks = Tasks(lambda name, error: told.set_result((name, error)))

    async def fail() -> None:
        raise ZeroDivisionError("by nothing")

    tasks.spawn(fail(), "sweeper")
    name, error = await told
    assert name == "sweeper"
    assert isinstance(error, ZeroDivisionError)
    assert caplog.records[0].levelno == logging.CRITICAL
    assert "sweeper" in caplog.text
    assert "Traceback" in caplog.text


async def test_an_end_and_a_cancel_are_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    crashes: list[str] = []
    tasks = Tasks(lambda name, _: crashes.append(name))
    ended = tasks.spawn(asyncio.sleep(0), "ends")
    waiting = tasks.spawn(asyncio.Event().wait(), "waits")  # type: ignore[arg-type]
    await ended
    await tasks.close()
    assert waiting.cancelled()
    assert crashes == []
    assert not caplog.records


async def test_closing_waits_for_what_tasks_do_when_cancelled() -> None:
    tasks = Tasks(lambda *_: None)
    cleaned = []

    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    tasks.spawn(careful(), "careful")
    await asyncio.sleep(0)
    await tasks.close()
    assert cleaned == [True]


async def test_a_task_may_close_all_others() -> None:
    tasks = Tasks(lambda *_: None)
    other = tasks.spawn(asyncio.Event().wait(), "other")  # type: ignore[arg-type]

    async def close_all() -> None:
        await tasks.close()

    await tasks.spawn(close_all(), "closer")
    assert other.cancelled()
