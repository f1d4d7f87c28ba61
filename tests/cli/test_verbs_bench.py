"""`bench`: what it says, what it counts, and that nobody is told so much by mistake."""

import asyncio
import io
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Self

import pytest
from msgspec.structs import replace

from node.cli.output import Output
from node.cli.run import Run
from node.cli.verbs_bench import VERBS, Measured, Plan, answer, measure, text
from node.errors import DONE, OTHER, PARTIAL, NoSuchChat, Usage
from node.places import places
from tests.cli.fake_node import NOON_MS, FakeNode

PLAN = Plan(count=5, rate=0, size=40)


class Played(FakeNode):
    """A node of three that can be opened as the client of a run is."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON_MS)
        self.add_chat("dev", "alice", "bob", "you", leader="alice")
        self.acknowledges = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def run_of(node: Played, tmp_path: Path, **flags: Any) -> Run:
    given = {"count": 5, "rate": 0, "size": 40, "yes": False, "chat": "dev"} | flags
    run = Run(Namespace(**given), places("default", str(tmp_path), {}), Output())
    run.client = lambda: node  # type: ignore[method-assign, assignment, return-value]
    return run


def said(node: Played) -> list[str]:
    return [one["text"] for one in node.asked("send")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# ---- asking before -------------------------------------------------------------------------------


def test_a_script_must_say_that_it_means_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Played()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(Usage) as told:
        VERBS["bench"](run_of(node, tmp_path))
    wanted = "5 lines of 40 bytes in #dev, which 2 others will see and keep"
    assert str(told.value) == f"this says {wanted}; if you mean it, add --yes"
    assert not said(node)


@pytest.mark.parametrize(
    ("typed", "code", "lines"),
    [("y\n", DONE, 5), ("Yes\n", DONE, 5), ("n\n", OTHER, 0), ("\n", OTHER, 0), ("", OTHER, 0)],
)
def test_people_are_asked(
    typed: str,
    code: int,
    lines: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = Played()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert VERBS["bench"](run_of(node, tmp_path)) == code
    assert len(said(node)) == lines
    out, err = capsys.readouterr()
    assert err.startswith(
        "Say 5 lines of 40 bytes in #dev, which 2 others will see and keep? [y/N]"
    )
    assert ("acknowledged by all 2" in out) == bool(lines)


def test_yes_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = Played()
    assert VERBS["bench"](run_of(node, tmp_path, yes=True)) == DONE
    assert capsys.readouterr().err == ""
    assert said(node) == [text(PLAN, number) for number in range(1, 6)]


# ---- measuring -----------------------------------------------------------------------------------


def test_each_line_is_as_long_as_it_is_to_be() -> None:
    plan = Plan(count=100_000, rate=0, size=32)
    assert text(plan, 7) == "p2pchat bench 7/100000 ........."
    assert {len(text(plan, number)) for number in (1, 99_999, 100_000)} == {32}


async def test_what_nobody_acknowledges_is_not_counted_as_fast() -> None:
    node = Played()
    node.acknowledges = False
    found = await measure(node, "dev", PLAN, 1_000)  # type: ignore[arg-type]
    assert (found.lacking, found.of, found.took_ms, found.rate) == (5, 2, (), 0.0)
    assert answer(found, "dev").exit == PARTIAL


async def test_the_time_is_from_the_call_to_the_last_acknowledgement() -> None:
    node, now = Played(), [0.0]
    answered = node.acked

    def acked(*args: Any) -> None:
        now[0] += 0.003  # each of two members takes so long
        answered(*args)

    node.acked = acked  # type: ignore[method-assign]
    one = Plan(count=1, rate=0, size=40)
    found = await measure(node, "dev", one, 1_000, clock=lambda: now[0])  # type: ignore[arg-type]
    assert found.took_ms == pytest.approx((6.0,))
    assert found.rate == pytest.approx(1000 / 6)


async def test_who_is_not_there_has_acknowledged_nothing() -> None:
    node, send = Played(), Played.send

    async def parted(*args: Any, **flags: Any) -> Any:
        number = len(said(node))
        async for one in send(node, *args, **flags):
            there = {} if number < 3 else {"of": 1, "acked": 1, "later": ()}
            yield replace(one, **({"acked": 1, "later": ("bob",)} | there))

    node.send = parted  # type: ignore[method-assign]
    found = await measure(node, "dev", PLAN, 1_000)  # type: ignore[arg-type]
    assert (found.of, found.later, found.lacking) == (2, {"bob": 3}, 0)
    told = answer(found, "dev")
    assert told.lines[0].startswith("5/5 acknowledged by all but bob, ")
    assert told.notes[0].startswith("bob was not there, or ceased to be: bob gets 3 lines later")
    assert (told.exit, told.rows[0]["of"], told.rows[0]["later"]) == (DONE, 2, ["bob"])


async def test_a_line_that_cannot_be_stored_ends_it_with_its_complaint() -> None:
    node = Played()
    node.answers["send"] = NoSuchChat("dev")
    with pytest.raises(NoSuchChat):
        await measure(node, "dev", PLAN, 1_000)  # type: ignore[arg-type]


async def test_only_so_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.cli.verbs_bench.AT_ONCE", 2)
    node, under_way, most = Played(), [0], [0]
    send = node.send

    async def slow(*args: Any, **flags: Any) -> Any:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await asyncio.sleep(0)
        async for one in send(*args, **flags):
            yield one
        under_way[0] -= 1

    node.send = slow  # type: ignore[method-assign]
    await measure(node, "dev", PLAN, 1_000)  # type: ignore[arg-type]
    assert (most[0], len(said(node))) == (2, 5)


# ---- telling -------------------------------------------------------------------------------------


def test_the_figures_are_those_of_the_lines() -> None:
    took_ms = tuple(float(one) for one in range(1, 101))
    told = answer(Measured(Plan(100, 30, 200), 3, took_ms, 4_000.0, 0), "dev")
    assert told.lines == (
        "100/100 acknowledged by all 3, 25.0 msg/s",
        "ack p50 51.0 ms, p99 100.0 ms, worst 100.0 ms",
    )
    assert told.rows == (
        {
            "chat": "dev",
            "count": 100,
            "size": 200,
            "rate": 30,
            "of": 3,
            "acked": 100,
            "later": [],
            "msg_s": 25.0,
            "p50_ms": 51.0,
            "p99_ms": 100.0,
            "max_ms": 100.0,
        },
    )
    assert (told.exit, told.notes) == (DONE, ())


def test_what_makes_the_figures_worth_less_is_said() -> None:
    told = answer(Measured(Plan(3, 30, 200), 0, (1.0, 1.0), 10.0, 1), "dev")
    assert told.exit == PARTIAL
    assert told.notes[0] == "1 line not acknowledged by all in time"
    assert told.notes[1].startswith("1 line waited: 256 were under way")
    assert told.notes[2].startswith("nobody else was there")
