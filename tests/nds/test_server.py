"""nds-server as people run it: a process with a port, a file and signals."""

import asyncio
import json
import logging
import random
import re
import resource
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from nds import server as nds_server
from nds.config import Config
from nds.record import Create, Epoch, believable, create
from nds.store import MemoryStore, open_store
from nds.store.sqlite import SCHEMA
from node.trust import certificates
from p2pchat.v1 import common_pb2, nds_pb2
from tests.fuzz import http2
from tests.nds.conftest import LOCAL, until
from tests.nds.programs import claim, client, creation, fails, launched, running
from tests.nds.wire_errors import refusal, taken_apart
from tests.waiting import CALL_S

GRPCURL = Path(sys.executable).with_name("grpcurl")


# --- its life --------------------------------------------------------------------------------


async def test_the_real_address_is_told_in_one_line_once_it_answers():
    async with running() as (process, stub):
        (line,) = process.lines
        told = r" listening address=127\.0\.0\.1:[1-9]\d* key=[0-9a-f]{64}$"
        assert re.search(told, line.rstrip())
        made = await stub.CreateNetwork(creation("tea"))
        # It has served only once its clock had passed the second of its generation.
        assert made.network.seen_ms >= (made.network.epoch.generation + 1) * 1000


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_within_two_seconds_with_watchers_open(sign):
    async with running() as (process, stub):
        watches = [stub.WatchNetworks(nds_pb2.WatchNetworksRequest()) for _ in range(5)]
        for watch in watches:
            assert (await watch.read()).caught_up
        started = time.monotonic()
        process.signal(sign)
        for watch in watches:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await watch.read()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await process.ended() == 0
        assert time.monotonic() - started < 2
        assert "Traceback" not in "".join(process.lines)
        assert process.lines[-1].rstrip().endswith("info stopped")


async def test_it_ends_while_it_waits_for_its_clock(tmp_path):
    store = open_store(tmp_path / "nds.db")
    store.start(time.time_ns() // 1_000_000 + 3_600_000)
    store.close()
    arguments = ("--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp_path / 'nds.db'}")
    async with launched(*arguments) as process:
        assert "clock is behind" in await process.line_with("waiting")
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert not any("listening" in line for line in process.lines)


async def test_the_log_can_be_json():
    async with running("memory:", "--log", "json") as (process, stub):
        await stub.CreateNetwork(creation("tea"))
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    events = [json.loads(line)["event"] for line in process.lines]
    assert events == ["listening", "created", "stopping", "stopped"]
    listening = json.loads(process.lines[0])
    assert (listening["address"], listening["key"]) == (process.address, process.key)


async def test_plain_connections_are_warned_of():
    async with running(secured=False) as (process, stub):
        warning, listening = process.lines
        assert " warning insecure " in warning
        assert "connections are not secured: whoever is on this machine may claim" in warning
        assert listening.rstrip().endswith(f" listening address={process.address} key=none")
        assert (await stub.CreateNetwork(creation("tea"))).network.name == "tea"


async def test_the_clock_of_a_service_never_shows_an_instant_before_its_start(monkeypatch):
    ahead = nds_server.unix_ms() // 1000 + 10_000
    server = nds_server.Server(Config(port=0), MemoryStore(), ahead, "test", None)
    assert believable(Epoch(ahead, 1), server._now()), "its own, the clock set back"
    assert not believable(Epoch(ahead + 10_000, 1), server._now())


async def test_a_clock_that_is_set_back_to_before_the_start_does_not_stand_still(monkeypatch):
    """A leader that was heard just now would be believed for as long."""
    elapsed = [5_000]
    monkeypatch.setattr(nds_server, "elapsed_ms", lambda: elapsed[0])
    ahead = nds_server.unix_ms() // 1000 + 10_000
    server = nds_server.Server(Config(port=0), MemoryStore(), ahead, "test", None)
    before = server._now()
    elapsed[0] += 4_321
    assert server._now() - before == 4_321


async def test_silent_leaders_are_looked_for_even_after_a_failure(monkeypatch, caplog):
    monkeypatch.setattr(nds_server, "SWEEP_S", 0)
    server = nds_server.Server(Config(port=0), MemoryStore(), 1, "test", None)
    server.bind()
    sweeps = []

    async def sweep():
        sweeps.append(1)
        if len(sweeps) == 1:
            raise RuntimeError("once")

    monkeypatch.setattr(server._ledger, "sweep", sweep)
    with caplog.at_level(logging.INFO):
        await server.start()
        await until(lambda: len(sweeps) > 2)
    await server.stop()
    assert "sweep-failed" in caplog.text


# --- what stops it from starting ---------------------------------------------------------------


async def test_a_port_in_use_is_one_line():
    async with running() as (process, _):
        line = await fails("--listen", process.address, "--store", "memory:")
        assert f"cannot listen on {process.address}: Address already in use" in line


async def test_an_address_that_is_not_ours_is_one_line():
    line = await fails("--listen", "192.0.2.1:50050", "--store", "memory:")
    assert "cannot listen on 192.0.2.1:50050: Cannot assign requested address" in line


async def test_a_store_in_use_is_one_line(tmp_path):
    store = f"sqlite:{tmp_path / 'nds.db'}"
    async with running(store):
        assert "in use" in await fails("--listen", "127.0.0.1:0", "--store", store)


async def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    line = await fails("--listen", "127.0.0.1:0", "--store", f"sqlite:{tmp_path}/file/nds.db")
    assert "cannot write the store" in line


async def test_a_directory_that_is_not_there_is_not_made_but_at_the_usual_place(tmp_path):
    store = tmp_path / "missing" / "nds.db"
    line = await fails("--listen", "127.0.0.1:0", "--store", f"sqlite:{store}")
    assert f"there is no directory {store.parent}; make it, or name another file" in line
    assert not store.parent.exists()
    open_store(store, make_directory=True).close()
    assert store.exists()


@pytest.mark.parametrize("harm", ["newer", "damaged"])
async def test_a_store_that_cannot_be_read_is_one_line_and_left_alone(tmp_path, harm):
    path = tmp_path / "nds.db"
    open_store(path).close()
    if harm == "newer":
        with sqlite3.connect(path) as db:
            db.execute(f"pragma user_version = {SCHEMA + 1}")
        db.close()
    else:
        path.write_bytes(b"dear diary\n" * 500)
    before = path.read_bytes()
    line = await fails("--listen", "127.0.0.1:0", "--store", f"sqlite:{path}")
    assert ("newer version" if harm == "newer" else "move it away") in line
    assert path.read_bytes() == before


# --- from outside --------------------------------------------------------------------------------


class Grpcurl:
    """The real grpcurl, which knows nothing of us but what it is given."""

    def __init__(self, directory: Path, *, secured: bool) -> None:
        self.flags = ["-plaintext"]
        if secured:
            tls = certificates.make()
            parts = {
                "cacert": certificates.authority(),
                "cert": tls.certificate_pem,
                "key": tls.key_pem,
            }
            self.flags = ["-servername", certificates.HOST]
            for name, pem in parts.items():
                (directory / name).write_bytes(pem)
                self.flags += [f"-{name}", str(directory / name)]

    async def __call__(self, *arguments) -> tuple[int, str]:
        """Exit code and output."""
        made = await asyncio.create_subprocess_exec(
            *(str(GRPCURL), *self.flags, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await made.communicate()
        return made.returncode, output.decode()


@pytest.mark.skipif(not GRPCURL.exists(), reason="grpcurl comes for linux x86-64 alone")
@pytest.mark.parametrize("secured", [True, False])
async def test_reflection_and_health_answer_grpcurl(tmp_path, secured):
    grpcurl = Grpcurl(tmp_path, secured=secured)
    async with running(secured=secured) as (process, _):
        service = "p2pchat.v1.NodeDiscovery"
        code, output = await grpcurl(process.address, "list")
        assert output.split() == [
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
            service,
        ]
        code, output = await grpcurl(process.address, "describe", service)
        assert "rpc WatchNetworks" in output
        for what in ("", f'{{"service": "{service}"}}'):
            code, output = await grpcurl(
                "-d", what or "{}", process.address, "grpc.health.v1.Health/Check"
            )
            assert (code, json.loads(output)) == (0, {"status": "SERVING"})
        code, output = await grpcurl(
            *("-d", '{"name": "x/y"}', process.address, f"{service}/CreateNetwork")
        )
        assert code != 0
        assert "InvalidArgument" in output
        assert "1 to 64 letters" in output
        code, output = await grpcurl(process.address, f"{service}/GetNetworkInformation")
        assert (code, json.loads(output)) == (0, {})


async def throw_noise_at(address):
    """Openings that are none, each on a connection of its own."""
    draw, (host, port) = random.Random(7), address.split(":")
    for opening in (
        b"",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03",
        b"\x16\x03\x01\x0f\xa0\x01",  # a hello of TLS, as far as its length
    ):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(opening + draw.randbytes(4_000))
        writer.write_eof()
        with suppress(ConnectionResetError):  # TLS may end without having read it all
            await reader.read()
        writer.close()


async def test_noise_on_a_secured_port_disturbs_nobody():
    async with running() as (process, stub):
        await throw_noise_at(process.address)
        await stub.CreateNetwork(creation("tea"))
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert all(" info " in line for line in process.lines), process.lines


async def test_noise_on_the_port_disturbs_nobody():
    async with running(secured=False) as (process, stub):
        await throw_noise_at(process.address)
        host, port = process.address.split(":")
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(http2.OPENING + http2.request(1, "", path=b"/\xff\xfe") + http2.data(1, b""))
        await reader.readexactly(9)
        writer.close()
        async with grpc.aio.insecure_channel(process.address, options=LOCAL) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary("/x")(b"", timeout=CALL_S)
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
            for path in (
                "/p2pchat.v1.NodeDiscovery/Nothing",
                "/x",
                "/grpc.health.v1.Health/Check",
                "/grpc.health.v1.Health/Watch",
            ):
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(path)(b"\xff\xff")
            create_network = channel.unary_unary("/p2pchat.v1.NodeDiscovery/CreateNetwork")
            said = await refusal(create_network(b"x" * 600_000))
            assert said.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
            said = await refusal(channel.stream_unary(reflection)(iter([b"\xff\xff"])))
            assert said.reason == "GARBLED"
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary("/grpc.health.v1.Health/List")(b"")
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert raised.value.details() == "this service does not offer that call"
        await stub.CreateNetwork(creation("tea"))
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert all(" info " in line for line in process.lines[1:]), process.lines


def test_the_service_takes_the_files_that_it_may_have():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        nds_server.allow_many_files()
        now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert now == min(hard, 16_384) if hard != resource.RLIM_INFINITY else now > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_call_that_costs_more_than_others_takes_more_of_what_an_address_has():
    async with running() as (_, stub):
        request = nds_pb2.GetNetworkInformationRequest(page_size=1_000)
        done = []
        for _ in range(8):
            calls = [stub.GetNetworkInformation(request) for _ in range(50)]
            done += await asyncio.gather(*calls, return_exceptions=True)
        refused = [taken_apart(one) for one in done if isinstance(one, grpc.aio.AioRpcError)]
        assert 0 < len(refused) < 400
        assert {one.reason for one in refused} == {"TOO_MANY_CALLS"}


# --- under load ------------------------------------------------------------------------------


async def test_of_twenty_claims_at_once_exactly_one_wins(tmp_path):
    async with running(f"sqlite:{tmp_path / 'nds.db'}") as (process, stub):
        network = (await stub.CreateNetwork(creation("tea"))).network

        async def one(number):
            async with client(process.address) as own:
                try:
                    return await own.UpdateLeader(claim(network, 100 + number, 1 + number))
                except grpc.aio.AioRpcError as error:
                    return taken_apart(error)

        done = await asyncio.gather(*(one(number) for number in range(20)))
        won = [one for one in done if isinstance(one, nds_pb2.UpdateLeaderResponse)]
        assert len(won) == 1
        assert {one.reason for one in done if one not in won} == {"STALE_EPOCH"}
        assert {one.network.leader_id for one in done} == {won[0].network.leader_id}


async def test_ten_thousand_networks_are_listed_in_pages(tmp_path):
    path, now_ms = tmp_path / "nds.db", time.time_ns() // 1_000_000
    store = open_store(path)
    store._db.execute("pragma synchronous = off")
    for number in range(1, 10_001):
        wanted = Create(number, f"r{number}", f"n{number:05}", "127.0.0.1:1024")
        store.update(number, lambda kept, wanted=wanted: create(kept, wanted, now_ms))
    store.close()
    async with running(f"sqlite:{path}") as (_, stub):
        names, token, pages = [], "", 0
        while pages == 0 or token:
            request = nds_pb2.GetNetworkInformationRequest(page_size=1_000, page_token=token)
            page = await stub.GetNetworkInformation(request)
            names += [network.name for network in page.networks]
            token, pages = page.next_page_token, pages + 1
        assert (pages, names) == (10, [f"n{number:05}" for number in range(1, 10_001)])
        watch = stub.WatchNetworks(nds_pb2.WatchNetworksRequest())
        told = []
        while not (answer := await watch.read()).caught_up:
            told.append(answer.network.name)
        assert told == names
        watch.cancel()


# --- killed ----------------------------------------------------------------------------------


class Lane:
    """One server's lives, and everything that it answered in them."""

    def __init__(self, path: Path, seed: int) -> None:
        self.store = f"sqlite:{path}"
        self.random = random.Random(seed)
        self.records: dict[int, nds_pb2.NetworkInformation] = {}  # as last answered, by chat
        self.deleted: set[int] = set()
        self.ids: set[tuple[int, int]] = set()  # chat and id
        self.epochs: dict[int, tuple[int, int]] = {}
        self.unanswered: list[nds_pb2.UpdateLeaderRequest] = []
        self.answers = 0
        self.number = 0
        self.keys: set[str] = set()

    def took(self, network, ids) -> None:
        """Check an answer against all earlier ones, and remember it."""
        block = {(network.chat_id, ids.first + k) for k in range(ids.count)}
        assert not block & self.ids, "an id was given twice"
        self.ids |= block
        epoch = (network.epoch.generation, network.epoch.n)
        assert epoch >= self.epochs.get(network.chat_id, (0, 0)), "an epoch went back"
        self.epochs[network.chat_id] = epoch
        self.records[network.chat_id] = network
        self.answers += 1

    async def work(self, stub) -> None:
        """Create, renew, claim and delete until the server dies."""
        while True:
            self.number += 1
            made = await stub.CreateNetwork(creation(f"n{self.number}"))
            self.took(made.network, made.ids)
            renewal = nds_pb2.RenewRequest(
                chat_id=made.network.chat_id,
                node_id=made.network.leader_id,
                epoch=made.network.epoch,
                address="127.0.0.1:1030",
                want_ids=True,
            )
            renewed = await stub.Renew(renewal)
            self.took(renewed.network, renewed.ids)
            request = claim(renewed.network, 7, self.random.getrandbits(63) + 1)
            self.unanswered.append(request)
            won = await stub.UpdateLeader(request)
            self.unanswered.remove(request)
            self.took(won.network, won.ids)
            if self.random.random() < 0.3:
                end = nds_pb2.DeleteNetworkRequest(
                    chat_id=won.network.chat_id, epoch=won.network.epoch
                )
                self.deleted.add(won.network.chat_id)  # asked for: from now on either way
                await stub.DeleteNetwork(end)
                self.records.pop(won.network.chat_id)

    async def check(self, stub) -> None:
        """What was answered before the kill is there; a claim of unknown fate has one fate."""
        for chat, known in list(self.records.items()):
            if chat in self.deleted:
                continue
            request = nds_pb2.GetNetworkInformationRequest(chat_id=chat)
            (found,) = (await stub.GetNetworkInformation(request)).networks
            if (found.epoch, found.seen_ms) == (known.epoch, known.seen_ms):
                assert found == known
            assert found.seen_ms >= known.seen_ms
            assert (found.epoch.generation, found.epoch.n) >= self.epochs[chat]
        gone = [chat for chat in self.deleted if chat not in self.records]
        for chat in gone:
            request = nds_pb2.GetNetworkInformationRequest(chat_id=chat)
            assert (await refusal(stub.GetNetworkInformation(request))).reason == "UNKNOWN_NETWORK"
        for request in self.unanswered:
            again = await stub.UpdateLeader(request)
            self.took(again.network, again.ids)
            assert await stub.UpdateLeader(request) == again
        self.unanswered.clear()

    async def live(self, kills: int) -> None:
        for _ in range(kills):
            async with running(self.store) as (process, stub):
                self.keys.add(process.key)
                await self.check(stub)
                await self.work_to_death(process, stub)
        async with running(self.store) as (process, stub):
            self.keys.add(process.key)
            await self.check(stub)

    async def work_to_death(self, process, stub) -> None:
        """Kill the server while six workers wait for answers of it."""
        deadly = self.answers + self.random.randrange(3, 60)
        workers = [asyncio.ensure_future(self.work(stub)) for _ in range(6)]
        await until(lambda: self.answers >= deadly or any(one.done() for one in workers))
        process.signal(signal.SIGKILL)
        for done in await asyncio.gather(*workers, return_exceptions=True):
            assert isinstance(done, grpc.aio.AioRpcError), done
        assert await process.ended() == -signal.SIGKILL


async def test_kill_9_in_mid_load_again_and_again_loses_no_answered_change(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    lanes = [Lane(tmp_path / f"{number}.db", seed + number) for number in range(5)]
    await asyncio.gather(*(lane.live(kills=5) for lane in lanes))
    answers = sum(lane.answers for lane in lanes)
    print("answers", answers)
    assert answers > 250
    assert all(len(lane.keys) == 1 for lane in lanes), "a server came back as another"
    assert len({key for lane in lanes for key in lane.keys}) == len(lanes)


def test_the_program_is_installed_under_its_name():
    assert shutil.which("nds-server", path=str(Path(sys.executable).parent))


def test_the_modes_of_the_wire_are_those_of_the_record():
    assert Create(1, "r", "n", "a").mode == common_pb2.MODE_LOGGED
