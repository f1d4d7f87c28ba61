"""Where a node listens, and what it tells others to call: node/host/listening.py.

What counts as another machine here is 127.0.0.3, and the way there begins at 127.0.0.2 (`abroad`).
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.config import Config, load
from node.core.types import Silence
from node.errors import NotListening, PlainConnections, PortInUse
from node.host import checks, entering
from node.host import listening as module
from node.host.listening import Listening
from node.limits import split_address
from node.names import route_to
from node.places import places
from node.rpc.options import grpc
from node.rpc.transport import PLAIN, Transport, shown
from node.service import build_server
from node.words import Mode
from tests.node.holder import Holder
from tests.node.town import Town

LOCAL = "127.0.0.1:50050"


class House:
    """What listens, and with which settings."""

    def __init__(self, directory: Path) -> None:
        self.spot = places("default", str(directory), {})
        self.holder = Holder()
        self.built: list[str] = []
        self._opened: list[Listening] = []

    def config(self, kept: dict[str, object] | None = None, **flags: object) -> Config:
        return load(self.spot, flags, kept or {}, {})

    def listening(self, kept: dict[str, object] | None = None, **flags: object) -> Listening:
        config = self.config(kept, **flags)
        transport = PLAIN if config.insecure == "on" else self.holder.transport
        made = Listening(config, lambda address: self._build(address, transport))
        self._opened.append(made)
        return made

    async def _build(self, address: str, transport: Transport) -> tuple[grpc.aio.Server, int]:
        built = await build_server(address, [], transport)
        self.built.append(address)
        return built

    async def started(self, kept: dict[str, object] | None = None, **flags: object) -> Listening:
        made = self.listening(kept, **flags)
        await made.open()
        await made.start()
        return made

    async def answers(self, address: str) -> bool:
        """Is it we who listen there, and to calls?"""
        return await shown(address, 5.0) == self.holder.certificate

    async def close(self) -> None:
        for one in self._opened:
            await one.stop(0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.close()


# ---- where it listens --------------------------------------------------------------------------


async def test_a_node_listens_on_this_machine_alone_if_nobody_says_more(house: House) -> None:
    listening = await house.started()
    assert house.built == ["127.0.0.1:0"]
    assert (listening.host, listening.address) == ("127.0.0.1", f"127.0.0.1:{listening.port}")
    assert listening.dialled == listening.address
    assert await house.answers(listening.address)
    assert await shown(f"127.0.0.2:{listening.port}", 5.0) is Silence.REFUSED


async def test_a_service_on_this_machine_opens_nothing_more(house: House, abroad: str) -> None:
    listening = await house.started()
    await listening.reach(LOCAL)
    assert house.built == ["127.0.0.1:0"]
    assert listening.advertised(LOCAL) == listening.advertised("") == listening.address


async def test_a_service_elsewhere_opens_the_address_on_the_way_there_with_the_same_port(
    house: House, abroad: str
) -> None:
    listening = await house.started()
    assert listening.advertised(abroad) == listening.address, "as long as it is not open"
    await listening.reach(abroad)
    there = f"127.0.0.2:{listening.port}"
    assert house.built == ["127.0.0.1:0", there]
    assert listening.advertised(abroad) == there
    assert listening.advertised(LOCAL) == listening.address
    for address in (listening.address, there):
        assert await house.answers(address)


async def test_where_that_port_is_taken_another_one_is_drawn(house: House, abroad: str) -> None:
    listening = await house.started()
    with socket.create_server(("127.0.0.2", listening.port)):
        await listening.reach(abroad)
        host, port = split_address(listening.advertised(abroad))
    assert (host, port not in (0, listening.port)) == ("127.0.0.2", True)
    assert await house.answers(f"{host}:{port}")
    assert await house.answers(listening.address)


async def test_what_is_reached_again_is_opened_once(house: House, abroad: str) -> None:
    listening = await house.started()
    await listening.reach(abroad)
    before = listening.advertised(abroad)
    await asyncio.gather(*(listening.reach(abroad) for _ in range(3)))
    assert len(house.built) == 2
    assert listening.advertised(abroad) == before


async def test_of_several_who_want_it_open_at_once_the_first_opens_it(
    house: House, abroad: str
) -> None:
    listening = await house.started()
    await asyncio.gather(*(listening.reach(abroad) for _ in range(3)))
    assert house.built == ["127.0.0.1:0", f"127.0.0.2:{listening.port}"]


async def test_what_is_opened_before_the_start_answers_from_then_on(
    house: House, abroad: str
) -> None:
    listening = house.listening()
    await listening.open()
    await listening.reach(abroad)
    assert await shown(listening.advertised(abroad), 0.1) is Silence.SILENT
    await listening.start()
    assert await house.answers(listening.advertised(abroad))


async def test_nothing_listens_any_more_after_the_end(house: House, abroad: str) -> None:
    listening = await house.started()
    await listening.reach(abroad)
    await listening.stop(0)
    for address in (listening.address, listening.advertised(abroad)):
        assert await shown(address, 5.0) is Silence.REFUSED


async def test_a_machine_without_a_way_there_listens_where_it_did(
    house: House, abroad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "route_to", lambda _: "127.0.0.1")
    listening = await house.started()
    await listening.reach(abroad)
    assert len(house.built) == 1
    assert listening.advertised(abroad) == listening.address


# ---- where people said so ----------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.1"])
async def test_who_said_this_machine_alone_is_told_that_nobody_there_could_call(
    house: House, abroad: str, listen: str
) -> None:
    listening = await house.started(listen=listen)
    with pytest.raises(NotListening) as told:
        await listening.reach(abroad)
    assert str(told.value) == (
        f"This node was told to listen on {listening.address} only, so nobody at {abroad} could"
        " call it. Leave --listen out, or name another address with it (0.0.0.0 for all of this"
        " machine)."
    )
    assert len(house.built) == 1
    await listening.reach(LOCAL)


async def test_where_the_last_run_listened_is_no_word_of_anybody(house: House, abroad: str) -> None:
    listening = await house.started({"listen": "127.0.0.1:0"})
    await listening.reach(abroad)
    assert len(house.built) == 2


async def test_who_said_an_address_of_others_is_called_there(house: House, abroad: str) -> None:
    listening = await house.started(listen="127.0.0.2:0")
    await listening.reach(abroad)
    assert house.built == ["127.0.0.2:0"]
    assert listening.advertised(abroad) == listening.dialled == f"127.0.0.2:{listening.port}"


async def test_who_said_an_address_of_others_tells_it_before_any_service_is_known(
    house: House, abroad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "route_to", route_to)
    listening = await house.started(listen="127.0.0.2:0")
    assert listening.advertised("") == f"127.0.0.2:{listening.port}"


async def test_who_said_what_others_are_to_call_is_believed(house: House, abroad: str) -> None:
    listening = await house.started(listen="127.0.0.1:0", advertise="example.org:5000")
    await listening.reach(abroad)
    assert len(house.built) == 1
    for nds in (LOCAL, abroad, ""):
        assert listening.advertised(nds) == "example.org:5000"


async def test_every_address_is_told_as_the_one_on_the_way(house: House, abroad: str) -> None:
    """Not opened, since no test does; only what is told of it is looked at."""
    listening = house.listening(listen="0.0.0.0:5000")
    await listening.reach(abroad)
    assert house.built == []
    assert listening.advertised(abroad) == "127.0.0.2:5000"
    assert listening.advertised(LOCAL) == listening.dialled == "127.0.0.1:5000"
    assert listening.address == "0.0.0.0:5000"


# ---- ports -------------------------------------------------------------------------------------


async def test_a_port_that_was_asked_for_and_is_taken_is_refused(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortInUse, match=address):
            await house.listening(listen=address).open()


async def test_the_port_of_the_last_run_is_taken_again_or_else_drawn_anew(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        again = await house.started({"listen": f"127.0.0.1:{port}"})
        assert again.port not in (0, port)
    free = await house.started({"listen": f"127.0.0.1:{port}"})
    assert free.port == port


# ---- plain connections -------------------------------------------------------------------------


async def test_plain_connections_stay_on_this_machine(house: House, abroad: str) -> None:
    listening = await house.started(insecure="on")
    assert await shown(listening.address, 5.0) is None
    await listening.reach(LOCAL)
    with pytest.raises(PlainConnections) as told:
        await listening.reach(abroad)
    assert str(told.value) == (
        "With --insecure connections are plain and stay on this machine, and 127.0.0.3:50050 is"
        " reached from others. Leave --insecure out."
    )
    assert len(house.built) == 1


@pytest.mark.parametrize("listen", ["0.0.0.0:5000", "10.0.0.5:5000", "[::]:5000", "host:5000"])
async def test_plain_connections_are_not_for_an_address_of_others(
    house: House, listen: str
) -> None:
    with pytest.raises(PlainConnections, match=r"reached from others\. Leave --insecure out\."):
        await house.listening(insecure="on", listen=listen).open()
    assert house.built == []


async def test_nobody_elsewhere_is_told_where_plain_connections_are(house: House) -> None:
    with pytest.raises(PlainConnections, match=r"10\.0\.0\.5:5000 is reached from others"):
        await house.listening(insecure="on", advertise="10.0.0.5:5000").open()
    assert house.built == []
    here = await house.started(insecure="on", advertise="localhost:5000")
    assert here.advertised("127.0.0.1:50050") == "localhost:5000"


# ---- a node ------------------------------------------------------------------------------------


async def test_who_makes_a_chat_elsewhere_can_be_called_from_there(
    town: Town, abroad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await town.start("alice")
    assert split_address(alice.advertise)[0] == "127.0.0.1"
    (told,) = (row for row in (await checks.diagnose(alice)).rows if row.check == "address")
    assert told.text.endswith("or the node is started with --listen HOST")
    is_here = module.is_loopback
    monkeypatch.setattr(module, "is_loopback", lambda one: one != town.nds and is_here(one))
    created = await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    address = f"127.0.0.2:{alice.listening.port}"
    assert alice.chat("").setup.address == alice.advertise == address
    assert await shown(address, 5.0) == alice.keys.card.certificate
    bob = await town.start("bob")
    await entering.join(bob, created.join_line, "", "")
    members = bob.chat("").group.roster.members
    assert {split_address(one.address)[0] for one in members} == {"127.0.0.2"}
    rows = (await checks.diagnose(bob)).rows
    (row,) = (row for row in rows if row.check == "address")
    how = "the address on the route towards the NDS"
    assert row.text.startswith(f"others call {bob.advertise}: {how}")
    await town.stop("bob")
    again = await town.start("bob")
    await town.stop("alice")
    assert split_address(again.advertise)[0] == "127.0.0.2", "from the start, as it was before"
