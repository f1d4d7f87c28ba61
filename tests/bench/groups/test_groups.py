"""The comparison itself: what is lost or doubled is found, and figures become what is read."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from . import __main__ as program
from .contest import Failed, Group, Plan
from .contestant import IN_FLIGHT, Seat
from .figures import Outcome, percentile, ratio_lines, summaries
from .kept import Kept
from .ledger import SIZE, Ledger, payload
from .mosquitto import length_at, packet, varied
from .picture import svg
from .report import Report, written
from .roll import contestant
from .window import Accounts, Window

SHORT = Plan(flood_s=0.2, talk_s=0.2, idle_s=0.1)
IMPATIENT = replace(SHORT, patience_s=2.0)


def ledger(*numbers: int) -> Ledger:
    """Member 0 of two, who has heard these numbers of member 1."""
    made = Ledger(0, 2)
    for number in numbers:
        made.note(payload(1, number, 0))
    return made


@pytest.mark.parametrize(
    ("numbers", "lost", "doubled", "disordered"),
    [
        ((1, 2, 3), 0, 0, 0),
        ((1, 3), 1, 0, 1),
        ((1, 2), 1, 0, 0),
        ((), 3, 0, 0),
        ((1, 2, 3, 2), 0, 1, 0),
        ((1, 3, 3, 2), 0, 1, 1),
        ((2, 3, 1), 0, 0, 2),
    ],
)
def test_a_ledger_names_what_is_lost_doubled_and_out_of_order(
    numbers: tuple[int, ...], lost: int, doubled: int, disordered: int
) -> None:
    kept = ledger(*numbers)
    assert (kept.lost([0, 3]), kept.doubled, kept.disordered) == (lost, doubled, disordered)
    assert kept.delivered == len(set(numbers))


def test_a_ledger_notices_a_message_of_another_length() -> None:
    kept = ledger(1)
    kept.note(payload(1, 2, 0)[:-1])
    assert (kept.damaged, len(payload(1, 2, 0))) == (1, SIZE)


def test_own_messages_are_not_waited_for() -> None:
    assert ledger(1).lost([500, 1]) == 0


@pytest.mark.parametrize(
    ("name", "fault"),
    [("losing", "lost, or not there in time"), ("doubling", "doubled"), ("damaging", "damaged")],
)
def test_a_contestant_that_goes_wrong_ends_with_1(
    name: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes, broken = program.compete([contestant(name)], {2: 1}, IMPATIENT, Kept())
    assert not broken
    report = Report(summaries(outcomes), {}, SHORT)
    assert program.concluded(report, outcomes) == 1
    # Each of the two members misses, or has twice, one of the other's messages.
    assert f"FAULT {name} n=2: 2 {fault}\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["raw-tcp", "raw-grpc", "kept-grpc"])
def test_an_honest_contestant_ends_with_0(name: str) -> None:
    outcomes, broken = program.compete([contestant(name)], {3: 1}, SHORT, Kept())
    assert not broken
    assert program.concluded(Report(summaries(outcomes), {}, SHORT), outcomes) == 0
    (outcome,) = outcomes
    assert outcome.rate > 0 < outcome.p50_ms <= outcome.p99_ms


def test_a_contestant_that_does_not_finish_ends_with_1_and_is_out() -> None:
    nobody = replace(contestant("losing"), name="nobody")
    outcomes, broken = program.compete([nobody], {2: 3}, SHORT, Kept())
    assert not outcomes
    assert len(broken) == 1
    assert re.search("nobody, member [01], ended", broken[0]), "whichever ends first"
    assert program.concluded(Report([], {}, SHORT, broken), outcomes) == 1


class Waiting:
    """A member that waits for another; or one that is no more."""

    def __init__(self, ended: bool) -> None:
        self._ended = ended

    def order(self, do: str, **_: object) -> None: ...

    def answer(self, _: float) -> object:
        raise self.fault("does not answer in time")

    def has_ended(self) -> bool:
        return self._ended

    def fault(self, what: str) -> Failed:
        return Failed(f"{'gone' if self._ended else 'waiting'}: {what}")


@pytest.mark.parametrize(("ended", "named"), [(True, "gone: ended"), (False, "waiting: does not")])
def test_who_ended_is_named_and_not_who_waits_for_it(ended: bool, named: str) -> None:
    group = Group("nobody", 2)
    group.members = [Waiting(False), Waiting(ended)]  # type: ignore[list-item]
    with pytest.raises(Failed, match=named):
        group.all("meet")


# ---- figures -------------------------------------------------------------------------------------


def outcome(name: str, rate: float, *, size: int = 4, **changes: int) -> Outcome:
    counts = {"lost": 0, "doubled": 0, "damaged": 0, "disordered": 0, "unsettled": 0} | changes
    return Outcome(
        contestant=name,
        size=size,
        said=100,
        rate=rate,
        work_ms=1e5 / rate,
        p50_ms=1.25,
        p99_ms=20.5,
        idle=0.5,
        resident_mb=61.0,
        **counts,
    )


RUN = [
    outcome("ours", 630.0),
    outcome("raw-grpc", 1_000.0),
    outcome("raw-tcp", 9_000.0, disordered=7),
    outcome("ours", 100.0),
    outcome("raw-grpc", 50.0),
    outcome("raw-tcp", 10_000.0),
    outcome("ours", 100.0),
    outcome("raw-grpc", 1_000.0),
    outcome("raw-tcp", 10_000.0),
    outcome("ours", 80.0, size=10),
    outcome("raw-grpc", 2_000.0, size=10),
]


def test_the_ratio_is_the_median_of_what_stood_side_by_side() -> None:
    assert ratio_lines(summaries(RUN)) == [
        "ratio raw-tcp n=4 0.01",
        "ratio raw-grpc n=4 0.63",
        "ratio raw-grpc n=10 0.04",
    ]


def test_the_last_lines_are_the_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.concluded(Report(summaries(RUN), {}, Plan()), RUN) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ratio raw-grpc n=10 0.04"


@pytest.mark.parametrize("fault", ["lost", "doubled", "damaged", "unsettled"])
def test_each_fault_of_one_run_is_the_exit_code(fault: str) -> None:
    run = [*RUN, outcome("raw-tcp", 1.0, size=10, **{fault: 1})]
    assert program.concluded(Report(summaries(run), {}, Plan()), run) == 1


def test_the_page_holds_each_figure_with_its_promise() -> None:
    report = Report(
        summaries=summaries([*RUN, outcome("raw-tcp", 5.0, size=10, lost=3)]),
        promises={"raw-tcp": ("nothing", "of each author", "on", "none")},
        plan=Plan(),
        broken=["mosquitto n=50: does not finish: member 3 ended\nTraceback"],
        absent=["nats: nats-server is not installed"],
        killed_ms=(30.0, 20.0, 90.0),
        frozen_ms=(1_500.0,),
    )
    page = written(report, "results.svg")
    assert "| ours | 100 | 100 to 630 |  | 1,000.0 | 1.25 | 20.5 | 0.50 | 61 |" in page
    assert "| raw-grpc | 1,000 | 50 to 1,000 | 0.63 |" in page
    assert "| raw-tcp | nothing | of each author | on | none |" in page
    assert "raw-tcp at n=4: 7" in page
    assert "30 ms, median of 3, worst 90 ms" in page
    assert "1,500 ms, median of 1, worst 1,500 ms" in page
    assert "- raw-tcp n=10: 3 lost, or not there in time" in page
    assert "- mosquitto n=50: does not finish: member 3 ended\n" in page
    assert "- nats: nats-server is not installed, and did not take part" in page
    assert "(results.svg)" in page
    assert "the median of 3 runs, 1 with 10 members.\n" in page


def test_the_picture_shows_each_contestant_and_its_figures() -> None:
    root = ElementTree.fromstring(svg(summaries(RUN)))  # noqa: S314  our own text
    told = ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("text")]
    assert {"4 members", "10 members", "ours", "raw-grpc", "raw-tcp"} <= set(told)
    assert "10,000" in told
    assert "1.2 / 20.5" in told
    bars = [one for one in root.iter() if one.tag.endswith("rect")][1:]
    assert len(bars) == 3 * 5
    widths = [float(one.attrib["width"]) for one in bars]
    assert all(0 < width <= 300 for width in widths)
    assert widths[0] < widths[6], "more deliveries, a longer bar"


def test_a_picture_of_one_and_of_nothing_said_can_be_drawn() -> None:
    ElementTree.fromstring(svg(summaries([outcome("ours", 5.0)])))  # noqa: S314  our own text
    silent = [outcome("ours", 5.0), outcome("raw-grpc", 5e-324)]
    ElementTree.fromstring(svg(summaries(silent)))  # noqa: S314  our own text


@pytest.mark.parametrize(("percent", "value"), [(50, 6), (99, 10), (0, 1)])
def test_percentiles(percent: int, value: int) -> None:
    assert percentile(range(1, 11), percent) == value


def test_what_is_given_wrong_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--only", "irc"], ["--sizes", "1"], ["--sizes", "x"]):
        with pytest.raises(SystemExit):
            program.main(wrong)
    assert "irc is none of ours, ours-bare, raw-grpc" in capsys.readouterr().err


# ---- parts of contestants ------------------------------------------------------------------------


async def test_an_account_frees_a_window_when_all_have_come_so_far() -> None:
    def member(index: int) -> tuple[Accounts, Window, list[bytes]]:
        window, told = Window(4), list[bytes]()
        return Accounts(Seat(index, 3, Path(), ""), window, told.append), window, told

    _, window, _ = mine = member(0)
    window.said = 2
    for index in (1, 2):
        theirs, _, told = member(index)
        for number in range(IN_FLIGHT // 3 * 3 // 2):  # so many are told of at once
            assert not told, number
            theirs.came(payload(0, number + 1, 0))
        (account,) = told
        assert window.everywhere == 0
        assert mine[0].take(account)
    assert window.everywhere > 2
    assert not mine[0].take(payload(1, 1, 0))


@pytest.mark.parametrize("length", [0, 127, 128, 16_383, 16_384, 2_097_152])
def test_mqtt_lengths_come_back_as_they_were(length: int) -> None:
    assert length_at(varied(length), 0) == (length, len(varied(length)))
    assert length_at(varied(length)[:-1], 0) == (-1, 0) if length > 127 else True
    assert re.fullmatch(rb"\x30\x02ab", packet(0x30, b"ab"))
