"""The oracle: each planted bug is found, and a sound server has none.

The discovery service runs in this process with its methods patched; the core is patched where it
decides.  A fuzzer that finds nothing anywhere would look just like a program without bugs.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec.structs import asdict, replace

from nds.ledger import Ledger
from nds.record import Create, create
from nds.service import NodeDiscovery, listener, wire
from nds.service.grants import Grants
from nds.service.noise import Noise
from nds.service.questions import Questions
from nds.service.statuses import unary
from nds.store import MemoryStore
from nds.watchers import Watchers
from node.core.belonging import Belonging
from node.core.talking import Talking
from p2pchat.v1 import nds_pb2, nds_pb2_grpc
from tests.fuzz import limits, oracle, within
from tests.fuzz.callers import Society
from tests.fuzz.calling import Case, Ending
from tests.fuzz.campaign import Campaign, Plan, TooMany
from tests.fuzz.drawing import Living
from tests.fuzz.oracle import Logs
from tests.fuzz.rpcs import rpcs_of
from tests.fuzz.town import NOWHERE, Town
from tests.fuzz.values import Facts
from tests.waiting import CALL_S

CASES = 120
NOW_MS = 1_795_000_000_000
Patch = Callable[[pytest.MonkeyPatch], None]


class Stage(Town):
    """A town that is a discovery service in this process, and nothing else."""

    def __init__(self, store: MemoryStore, log: Path) -> None:
        self.store, self.log = store, log
        self.nds_address, self.pits, self.ups, self.listen = "", [], 0, {}
        self.spared: set[int] = set()
        self._channels: dict[str, grpc.Channel] = {}
        self.cluster: Any = self

    def logs(self) -> list[Path]:
        return [self.log]

    def pids(self) -> dict[str, int]:
        return {}

    def honest_state(self) -> dict[str, Any]:
        return {}

    def nds_state(self) -> dict[str, Any]:
        return {str(one.chat): {**asdict(one), "seen_ms": 0} for one in self.records()}

    def records(self) -> list[Any]:
        return [self.store.get(chat) for chat in sorted(self.store._records)]

    @property
    def nds(self) -> Any:
        return self

    def ask(self, method: str, **fields: Any) -> Any:
        stub = nds_pb2_grpc.NodeDiscoveryStub(self.channel(self.nds_address))
        request = getattr(nds_pb2, f"{method}Request")(**fields)
        return getattr(stub, method)(request, timeout=CALL_S)


class Play(Campaign):
    """A campaign on a stage."""

    def _look(self) -> Living:
        nobody = Society(1, "town", {1: 1}, (), (1, 1))
        town = (nobody, Facts())
        return Living({"town": town, "pit": town}, {}, self.town.nds_facts(), Facts(), (1, 1))


@asynccontextmanager
async def stage(directory: Path, *, guarded: bool = True) -> AsyncIterator[Stage]:
    """The service with a few networks, and a log that the oracle reads."""
    log = directory / "nds.log"
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    store = MemoryStore()
    generation = store.start(NOW_MS)
    for i in range(4):
        wanted = Create(100 + i, f"{i}", f"paper{i}", NOWHERE)
        store.update(wanted.chat, lambda kept, w=wanted: create(kept, w, NOW_MS), request=f"{i}")
    found = Stage(store, log)
    found.paper = [100, 101, 102, 103]
    watchers, questions = Watchers(), Questions("test", None)
    ledger = Ledger(store, watchers, lambda: NOW_MS + generation * 0)
    service = NodeDiscovery(ledger, watchers, questions, lambda: NOW_MS, Grants(None))
    limit = [("grpc.max_receive_message_length", 512 * 1024)]
    server = listener.make_server([Noise()] if guarded else [], limit)
    nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(service, server)
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection(
        ["p2pchat.v1.NodeDiscovery", reflection.SERVICE_NAME], server
    )
    found.nds_address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with AsyncExitStack() as exits:
        logging.getLogger().addHandler(handler)
        exits.callback(handler.close)
        exits.callback(logging.getLogger().removeHandler, handler)
        exits.callback(ledger.close)
        exits.push_async_callback(server.stop, 0)
        exits.push_async_callback(questions.close)
        exits.callback(watchers.close)
        yield found
        for channel in found._channels.values():
            channel.close()


async def faults(directory: Path, *, guarded: bool = True, only: str = "") -> list[str]:
    """What a campaign against the service, as it is patched, finds."""
    async with stage(directory, guarded=guarded) as found:
        plan = Plan(CASES, only=only, say=lambda _: None)
        play = await asyncio.to_thread(Play, found, plan, ("nds",))
        try:
            await play.nds()
            if not only:
                for limit in await asyncio.to_thread(list, limits.of_discovery(play)):
                    await limits.attempt(play, limit, found.nds_state)
            gc.collect()
            await play.inspect("at the end")
        except TooMany:
            pass
        finally:
            await play.close()
    return play.faults


async def test_a_sound_service_has_no_faults(tmp_path: Path) -> None:
    assert await faults(tmp_path) == []


# ---- planted -------------------------------------------------------------------------------------


def raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that a certain request throws out of its way."""
    sound = NodeDiscovery.GetNetworkInformation

    async def unsound(self: Any, request: Any, context: Any) -> Any:
        if request.include_hidden and request.page_size == 1:
            return await unary(_fails)(self, request, context)
        return await sound(self, request, context)

    async def _fails(self: Any, request: Any) -> Any:
        raise KeyError(request.page_size)

    monkeypatch.setattr(NodeDiscovery, "GetNetworkInformation", unsound)


def leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused deletion that has moved the leader's address."""
    sound = Ledger.change

    async def unsound(self: Any, chat: int, decide: Any, *, request: str = "") -> Any:
        changed = await sound(self, chat, decide, request=request)
        if type(changed.reply).__name__ == "Refused" and changed.before is not None:
            moved = replace(changed.before, address="127.0.0.1:4444")
            self._store._records[chat] = moved
        return changed

    monkeypatch.setattr(Ledger, "change", unsound)


def forgets_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that nobody waits for, which fails."""
    sound = wire.removal

    def unsound(sent: Any, now_ms: int, caller: Any) -> Any:
        async def fails() -> None:
            raise RuntimeError("nobody hears this")

        asyncio.get_running_loop().create_task(fails())
        return sound(sent, now_ms, caller)

    monkeypatch.setattr(wire, "removal", unsound)


def says_nothing_definite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status without details."""

    async def bare(context: Any, error: Any) -> None:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)

    monkeypatch.setattr("nds.service.statuses.refuse", bare)


def is_one_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is one higher than it says."""
    monkeypatch.setattr(wire, "PAGE_MAX", wire.PAGE_MAX + 1)


def names_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that keeps the limit to itself."""
    monkeypatch.setattr(wire, "NAME", "a name that is not so long")


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (raises, "INTERNAL"),
        (leaks, "but changed"),
        (forgets_a_task, "never retrieved"),
        (says_nothing_definite, "no ErrorInfo"),
        (is_one_off, "not refused past it"),
        (names_no_limit, "the limit is not named"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_planted_bug_of_the_service_is_found(
    plant: Patch, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    found = await faults(tmp_path)
    assert any(told in fault for fault in found), found


async def test_a_service_without_its_guard_shows_its_insides(tmp_path: Path) -> None:
    found = await faults(tmp_path, guarded=False, only="NodeDiscovery/Renew")
    assert any("UNKNOWN" in fault or "insides" in fault for fault in found), found


def heard_without_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at who calls."""
    monkeypatch.setattr(Belonging, "refusal", lambda self, node, incarnation: None)


def stored_though_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is taken in before it is found to be for nobody."""
    sound = Talking._take_all

    def unsound(self: Any, call: int, request: Any) -> None:
        if not self._s.members.belongs(request.to):
            self._s.history.add(request.messages[0])
        sound(self, call, request)

    monkeypatch.setattr(Talking, "_take_all", unsound)


def throws_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a record says goes off when people are told of it."""
    sound = Belonging._tell_people

    def unsound(self: Any, before: Any, after: Any, shown: str, gone: str) -> None:
        assert not (before and after.incarnation > before.incarnation), after
        sound(self, before, after, shown, gone)

    monkeypatch.setattr(Belonging, "_tell_people", unsound)


@pytest.mark.parametrize(
    ("plant", "method", "told"),
    [
        (heard_without_right, "Election", "was answered"),
        (stored_though_refused, "Message", "and changed ['history']"),
        (throws_later, "UpdateMembers", "AssertionError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_bug_of_the_core_is_found(
    plant: Patch, method: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert any(told in within.fault_of(method, seed) for seed in range(600))


NODE = rpcs_of(["p2pchat.v1.Node"])


# ---- endings, logs, processes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending("OK"), "may not be heard"),
        (Ending("INTERNAL", "bug"), "not an allowed status"),
        (Ending("UNKNOWN", "bug"), "not an allowed status"),
        (Ending("NOT_FOUND", "<class 'KeyError'>"), "insides"),
        (Ending("NOT_FOUND", "no \x1b[2J"), "control characters"),
        (Ending("NOT_FOUND", "x" * 9_000), "a status of"),
        (Ending("UNAVAILABLE", "Socket closed"), "connection was lost"),
        (Ending("RESOURCE_EXHAUSTED", "too much"), "no ErrorInfo"),
        (Ending("DEADLINE_EXCEEDED", "", took_s=20), "took 20.0 s"),
        (Ending("INVALID_ARGUMENT", "bad", b"\xff\xff"), "details that are no status"),
    ],
    ids=lambda value: value.code if isinstance(value, Ending) else "",
)
def test_an_ending_that_must_not_be_is_told(ending: Ending, told: str) -> None:
    case = Case(NODE[0], 0, "alice", (b"",), may_be_heard=False)
    assert told in oracle.fault(case, ending)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node.log"


@pytest.mark.parametrize(
    ("line", "cries"),
    [
        ("2026-11-20T15:39:21.040Z critical #pit3 failed: UnicodeError", True),
        ('2026-11-20T15:33:00Z error bug trace="Traceback (most recent call last)"', True),
        ("Task exception was never retrieved", True),
        ("2026-11-20T15:39:21.560Z info     #pit3 id=1 e=1 member 2 left", False),
        ('2026-11-20T15:33:00Z info created name="error "', False),
        ("2026-11-20T15:39:21.560Z warning  #pit3 id=1 e=1 dropped an epoch", False),
    ],
)
def test_a_log_cries_or_does_not(file: Path, line: str, cries: bool) -> None:
    logs = Logs([file])
    assert logs.cries() == []
    file.write_text(f"fine\n{line}\n")
    assert bool(logs.cries()) is cries
    assert logs.cries() == [], "the same line is told once"
