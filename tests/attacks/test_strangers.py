"""tests/attacks/strangers.py itself: it ends when it is told to, whatever it does just then."""

import argparse
import asyncio

import pytest

from tests.attacks.strangers import Crowd
from tests.waiting import CALL_S, WAIT_S


async def _shut_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def test_who_is_told_to_end_while_a_connection_ends_comes_back_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def live() -> None:
        server = await asyncio.start_server(_shut_at_once, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        given = argparse.Namespace(address=f"127.0.0.1:{port}", plain=True, call="ping", chat=1)
        given.rate, given.addresses = 1.0, 0
        crowd, is_shut = Crowd(given), asyncio.Event()

        async def slow(writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.sleep(WAIT_S)
            except asyncio.CancelledError:
                is_shut.set()
                await asyncio.sleep(0)
                raise

        monkeypatch.setattr(crowd, "call", slow)
        one = asyncio.create_task(crowd.live(0, "calling"))
        await is_shut.wait()
        one.cancel()
        ended, _ = await asyncio.wait({one}, timeout=CALL_S)
        assert ended == {one}
        assert one.cancelled()
        server.close()

    asyncio.run(live())
