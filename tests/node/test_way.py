"""The way to a discovery service, and who is spoken to at its end: node/way.py."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from node import way
from node.core.types import Silence
from node.rpc import SERVER_OPTIONS, Line
from node.rpc.options import grpc
from node.rpc.transport import PLAIN, Transport
from node.runner import Silenced
from node.tasks import Tasks
from node.trust.known import FILE, Known, fingerprint
from node.way import DISTRUSTED, Distrusted, Way
from tests.node.holder import Holder
from tests.node.test_rpc import silent_port, tasks

__all__ = ["silent_port", "tasks"]  # fixtures

CALL, WATCH = "/test/Call", "/test/Watch"
MS = 5_000


class Service:
    """Answers what it hears; `heard` counts."""

    def __init__(self) -> None:
        self.heard = 0
        self.goes_on = asyncio.Event()

    async def answer(self, payload: bytes, _: object) -> bytes:
        self.heard += 1
        return payload

    async def watch(self, payload: bytes, _: object) -> AsyncIterator[bytes]:
        self.heard += 1
        yield payload
        await self.goes_on.wait()


@asynccontextmanager
async def serving(transport: Transport, port: int = 0) -> AsyncIterator[tuple[str, Service]]:
    made, server = Service(), grpc.aio.server(options=SERVER_OPTIONS)
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Call": grpc.unary_unary_rpc_method_handler(made.answer),
        "Watch": grpc.unary_stream_rpc_method_handler(made.watch),
    }
    server.add_registered_method_handlers("test", handlers)
    port = transport.add_port(server, f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", made
    finally:
        await server.stop(None)


class Profile:
    """A node's own key, and the services that it knows."""

    def __init__(self, directory: Path, tasks: Tasks) -> None:
        self.known, self.own = Known(directory), Holder()
        self._tasks, self._ways = tasks, list[Way]()

    def way(self, address: str, transport: Transport | None = None) -> Way:
        """As each run of the node makes it."""
        made = Way(address, self._tasks, transport or self.own.transport, self.known)
        self._ways.append(made)
        return made

    async def close(self) -> None:
        for one in self._ways:
            await one.close()


@pytest.fixture
async def profile(tmp_path: Path, tasks: Tasks) -> AsyncIterator[Profile]:
    made = Profile(tmp_path, tasks)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def first() -> Holder:
    """The service that was there before."""
    return Holder()


@pytest.fixture(scope="module")
def second() -> Holder:
    """The one that is there later."""
    return Holder()


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def distrusted(one: Way) -> str:
    """A call is not made; why."""
    end = await one.call(CALL, b"secret", MS)
    assert isinstance(end, Silenced)
    assert (end.how, end.status) == (Silence.SILENT, f"{DISTRUSTED}{one.distrust}")
    assert one.distrust
    return one.distrust


# ---- the first time and later ------------------------------------------------------------------


async def test_what_a_service_shows_first_is_remembered_and_spoken_to_later(
    profile: Profile, first: Holder
) -> None:
    async with serving(first.transport) as (address, service):
        for _ in range(2):
            one = profile.way(address)
            assert await one.call(CALL, b"hello", MS) == b"hello"
            assert one.distrust == ""
        assert profile.known.certificate(address) == first.certificate
    assert service.heard == 2


async def test_what_is_remembered_is_looked_for_at_its_own_address_alone(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (here, _), serving(second.transport) as (there, _):
        for address in (here, there):
            assert await profile.way(address).call(CALL, b"hello", MS) == b"hello"
        assert profile.known.certificate(here) == first.certificate
        assert profile.known.certificate(there) == second.certificate


async def test_another_key_later_is_not_spoken_to_and_it_is_said_what_to_do(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        await profile.way(address).call(CALL, b"hello", MS)
    async with serving(second.transport, port_of(address)) as (_, service):
        one = profile.way(address)
        assert await distrusted(one) == (
            f"the NDS at {address} shows another key than it had: sha256"
            f" {fingerprint(second.certificate)}, not {fingerprint(first.certificate)}."
            f" If it was set up anew on purpose, remove its line from {profile.known.file}"
        )
        await distrusted(one)
    assert profile.known.file.name == FILE
    assert profile.known.certificate(address) == first.certificate
    assert service.heard == 0


async def test_who_takes_its_place_while_we_speak_is_not_spoken_to(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        await one.call(CALL, b"hello", MS)
    async with serving(second.transport, port_of(address)) as (_, service):
        end = await one.call(CALL, b"secret", MS)
        assert isinstance(end, Silenced)
        assert one.distrust, "as the first call that fails finds"
        assert fingerprint(second.certificate) in await distrusted(one)
    assert service.heard == 0


async def test_who_removes_the_line_has_it_spoken_to_again(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        await profile.way(address).call(CALL, b"hello", MS)
    async with serving(second.transport, port_of(address)):
        one = profile.way(address)
        await distrusted(one)
        profile.known.file.write_text("")
        assert await one.call(CALL, b"hello", MS) == b"hello"
        assert one.distrust == ""
    assert profile.known.certificate(address) == second.certificate


async def test_the_first_one_that_is_back_is_spoken_to_again(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        await one.call(CALL, b"hello", MS)
    async with serving(second.transport, port_of(address)):
        await one.call(CALL, b"secret", MS)
        assert one.distrust
    async with serving(first.transport, port_of(address)):
        assert await one.call(CALL, b"hello", MS) == b"hello"
    assert one.distrust == ""


async def test_a_service_that_was_started_again_is_the_same(
    profile: Profile, first: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        await one.call(CALL, b"hello", MS)
    assert await one.call(CALL, b"hello", MS) != b"hello"
    async with serving(first.transport, port_of(address)):
        assert await one.call(CALL, b"hello", MS) == b"hello"


# ---- who is no such service --------------------------------------------------------------------


@pytest.mark.parametrize("before", [False, True], ids=["unknown", "known"])
async def test_a_plain_service_is_not_spoken_to(
    profile: Profile, first: Holder, *, before: bool
) -> None:
    async with serving(first.transport) as (address, _):
        if before:
            await profile.way(address).call(CALL, b"hello", MS)
    async with serving(PLAIN, port_of(address)) as (_, service):
        assert await distrusted(profile.way(address)) == (
            f"connections to {address} would not be secured: it was started with --insecure,"
            " or is no NDS"
        )
    assert service.heard == 0
    assert profile.known.certificate(address) == (first.certificate if before else b"")


async def test_nobody_there_is_no_reason_for_distrust(profile: Profile, silent_port: int) -> None:
    one = profile.way(f"127.0.0.1:{silent_port}")
    nobody = f"UNAVAILABLE: nobody answers at 127.0.0.1:{silent_port}"
    assert await one.call(CALL, b"hello", MS) == Silenced(Silence.REFUSED, nobody)
    assert one.distrust == ""
    assert not profile.known.file.exists()


async def test_who_is_distrusted_and_goes_away_is_just_not_there(
    profile: Profile, first: Holder, second: Holder
) -> None:
    async with serving(first.transport) as (address, _):
        await profile.way(address).call(CALL, b"hello", MS)
    async with serving(second.transport, port_of(address)):
        one = profile.way(address)
        await distrusted(one)
    end = await one.call(CALL, b"hello", MS)
    assert isinstance(end, Silenced)
    assert (end.how, one.distrust) == (Silence.REFUSED, "")


async def test_who_accepts_and_says_nothing_costs_the_time_of_the_call(profile: Profile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        one = profile.way(f"127.0.0.1:{frozen.getsockname()[1]}")
        async with asyncio.timeout(way.SHOWN_S / 2):
            end = await one.call(CALL, b"hello", 50)
    late = "DEADLINE_EXCEEDED: no connection in time"
    assert end == Silenced(Silence.SILENT, late)
    assert one.distrust == ""


async def test_what_is_closed_opens_no_more(profile: Profile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        one = profile.way(f"127.0.0.1:{frozen.getsockname()[1]}")
        await one.call(CALL, b"hello", 50)
        opening = one._opening
        assert opening is not None
        assert not opening.done()
        await one.close()
        assert opening.cancelled()


async def test_a_connection_is_opened_though_no_call_has_the_time_for_it(
    profile: Profile, first: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is so busy that an exchange of keys takes longer than a call may."""
    looked: list[str] = []
    shown = way.shown

    async def slow(address: str, timeout_s: float) -> Any:
        looked.append(address)
        await asyncio.sleep(0.5)
        return await shown(address, timeout_s)

    monkeypatch.setattr(way, "shown", slow)
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        ends = [await one.call(CALL, b"hello", 100) for _ in range(3)]
        assert all(isinstance(end, Silenced) for end in ends)
        assert await one.call(CALL, b"hello", MS) == b"hello"
    assert looked == [address]


async def test_a_connection_that_is_lost_to_silence_costs_the_time_of_the_call(
    profile: Profile, first: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        await one.call(CALL, b"hello", MS)

    async def lost(*_: object) -> Silenced:
        return Silenced(Silence.SILENT, "UNAVAILABLE: the connection was reset")

    monkeypatch.setattr(Line, "call", lost)
    with socket.create_server(("127.0.0.1", port_of(address))):
        async with asyncio.timeout(way.SHOWN_S / 2):
            assert await one.call(CALL, b"hello", 200) == await lost()


# ---- whom any certificate will do --------------------------------------------------------------


async def test_where_nothing_is_to_be_known_whoever_is_there_is_spoken_to(
    profile: Profile, tasks: Tasks, first: Holder, second: Holder
) -> None:
    port = 0
    for holder in (first, second):
        async with serving(holder.transport, port) as (address, _):
            port = port_of(address)
            one = Way(address, tasks, profile.own.transport, None)
            assert await one.call(CALL, b"hello", MS) == b"hello"
            await one.close()
    assert not profile.known.file.exists()


async def test_where_nothing_is_secured_nothing_is_known(profile: Profile) -> None:
    async with serving(PLAIN) as (address, _):
        one = profile.way(address, PLAIN)
        assert await one.call(CALL, b"hello", MS) == b"hello"
    assert not profile.known.file.exists()


async def test_who_is_plain_is_told_that_the_service_is_secured(
    profile: Profile, first: Holder, silent_port: int
) -> None:
    async with serving(first.transport) as (address, service):
        one = profile.way(address, PLAIN)
        assert await distrusted(one) == (
            f"connections to {address} are secured, and this node's are not: it was started with"
            " --insecure. Leave that out"
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await watch(one)
        assert one.distrust
    assert service.heard == 0
    end = await one.call(CALL, b"hello", MS)
    assert (isinstance(end, Silenced), one.distrust) == (True, ""), "nobody is there"
    async with serving(PLAIN, port_of(address)):
        assert await one.call(CALL, b"hello", MS) == b"hello"
    nobody = profile.way(f"127.0.0.1:{silent_port}", PLAIN)
    end = await nobody.call(CALL, b"hello", MS)
    assert isinstance(end, Silenced)
    assert end.status.startswith("UNAVAILABLE")


# ---- the disk ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
async def test_who_cannot_be_remembered_is_not_spoken_to(
    profile: Profile, first: Holder, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    async with serving(first.transport) as (address, service):
        one = profile.way(address)
        with monkeypatch.context() as broken:
            broken.setattr("node.disk.tempfile.mkstemp", refused)
            said = await distrusted(one)
        assert said.startswith("its key cannot be ")
        assert FILE in said
        assert service.heard == 0
        assert await one.call(CALL, b"hello", MS) == b"hello", "once the disk works"


async def test_where_it_cannot_be_read_who_is_known_nobody_is_spoken_to(
    profile: Profile, first: Holder
) -> None:
    async with serving(first.transport) as (address, service):
        profile.known.file.mkdir()
        said = await distrusted(profile.way(address))
    assert f"{profile.known.file} cannot be read: Is a directory" in said
    assert service.heard == 0


# ---- many at once, and streams -----------------------------------------------------------------


async def test_calls_at_once_look_once(
    profile: Profile, first: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    shown = way.shown

    async def counted(address: str, timeout_s: float) -> Any:
        looked.append(address)
        return await shown(address, timeout_s)

    monkeypatch.setattr(way, "shown", counted)
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        calls = [one.call(CALL, b"hello", MS) for _ in range(10)]
        assert await asyncio.gather(*calls) == [b"hello"] * 10
    assert looked == [address]


async def watch(one: Way) -> bytes:
    """The first message of a stream."""
    messages = one.stream(WATCH, b"hello")
    try:
        return await anext(messages)
    finally:
        await messages.aclose()  # type: ignore[attr-defined]


async def test_a_stream_goes_the_same_way(
    profile: Profile, first: Holder, second: Holder, silent_port: int
) -> None:
    with pytest.raises(Distrusted, match="nobody answers"):
        await watch(profile.way(f"127.0.0.1:{silent_port}"))
    async with serving(first.transport) as (address, _):
        assert await watch(profile.way(address)) == b"hello"
        assert profile.known.certificate(address) == first.certificate
    async with serving(second.transport, port_of(address)) as (_, service):
        one = profile.way(address)
        with pytest.raises(Distrusted, match="shows another key than it had"):
            await watch(one)
    assert service.heard == 0


async def test_a_stream_whose_end_is_another_key_finds_it_out_by_itself(
    profile: Profile, first: Holder, second: Holder
) -> None:
    """Also where nothing is asked beside it."""
    async with serving(first.transport) as (address, _):
        one = profile.way(address)
        assert await watch(one) == b"hello"
    async with serving(second.transport, port_of(address)):
        with pytest.raises(grpc.aio.AioRpcError):
            await watch(one)
        with pytest.raises(Distrusted, match="shows another key than it had"):
            await watch(one)
        profile.known.file.write_text("")
        assert await watch(one) == b"hello"
