"""Tries node/core/state.py: the pen for effects, and what is read of all facts together."""

from collections.abc import Callable
from random import Random

import pytest

from node.core import effects as e
from node.core import messages as m
from node.core import state as core_state
from node.core.calls import Outcome, Outstanding
from node.core.clock import MS_MAX, WRITTEN_MS, horizon
from node.core.state import Role, State
from node.core.timing import LAN
from node.core.types import Epoch, Silence

from .cast import CHAT, EPOCH, address, line, person, remembered, setup


def state(*others: m.Member | int, me: int = 3, leader: int = 1) -> State:
    known = [other if isinstance(other, m.Member) else person(other) for other in others]
    log = remembered(person(me), *known, leader=leader, highest_n=9)
    return State(setup(me, chat=CHAT), LAN, Random(1), log)


class Ends:
    """Notes how calls ended."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def __call__(self, _: Outstanding, outcome: Outcome) -> None:
        self.seen.append(outcome)


def end(s: State, call: int, outcome: Outcome) -> None:
    open = s.calls.close(call)
    assert open is not None
    open.then(open, outcome)


def ping(s: State) -> Callable[[int], m.Ping]:
    return lambda member: m.Ping(s.caller(member), s.view())


# ---- the pen -------------------------------------------------------------------------------------


def test_a_call_goes_to_the_member_s_address_with_its_deadline() -> None:
    s = state(1, 2)
    s.call(2, ping(s)(2), 250, Ends())
    (call,) = s.out
    assert isinstance(call, e.Call)
    assert (call.to, call.address, call.deadline_ms) == (2, address(2), 250)
    assert call.request.caller == m.Caller(CHAT, 3, 100, EPOCH, callee=2)


@pytest.mark.parametrize(
    ("home", "how"), [("", Silence.SILENT), (address(3), Silence.REFUSED)], ids=["no", "own"]
)
def test_nobody_is_called_at_no_address_or_at_our_own(home: str, how: Silence) -> None:
    s = state(1, person(2, address=home))
    ends = Ends()
    s.call(2, ping(s)(2), 250, ends)
    assert s.out == []
    (over,) = s.calls.overdue(s.now + 20)
    assert over.silence is how, "where we live nobody else does"
    over.then(over, over.silence)
    assert ends.seen == [how], "it fails as any other, a moment later"


def test_nobody_calls_itself() -> None:
    s = state(1)
    with pytest.raises(AssertionError):
        s.call(3, ping(s)(3), 250, Ends())


def test_several_are_called_side_by_side_and_done_is_said_once() -> None:
    s = state(1, 2, 4)
    each: list[tuple[int, Outcome]] = []
    done: list[int] = []
    s.call_each((4, 2), ping(s), 250, lambda *how: each.append(how), lambda: done.append(1))
    calls = [effect for effect in s.out if isinstance(effect, e.Call)]
    assert [call.to for call in calls] == [2, 4]
    end(s, calls[1].call, Silence.SILENT)
    assert done == []
    end(s, calls[0].call, Silence.REFUSED)
    assert each == [(4, Silence.SILENT), (2, Silence.REFUSED)]
    assert done == [1]


def test_calling_nobody_is_done_at_once() -> None:
    s = state(1)
    done: list[int] = []
    s.call_each((), ping(s), 250, lambda *_: None, lambda: done.append(1))
    assert done == [1]


def test_the_registry_s_answers_and_silences_are_noted_when_they_change() -> None:
    s = state(1)
    told = []
    for outcome in (m.Deleted(), Silence.SILENT, Silence.SILENT, m.Refusal("X"), m.Deleted()):
        s.out.clear()
        s.ask(m.Lookup(CHAT), 250, lambda _: None)
        (ask,) = s.out
        assert isinstance(ask, e.Ask)
        s.out.clear()
        end(s, ask.call, outcome)
        told.append([effect.up for effect in s.out if isinstance(effect, e.NdsChanged)])
    assert told == [[], [False], [], [True], []]


def test_nonsense_is_counted() -> None:
    s = state(1)
    s.drop("why")
    s.drop("why")
    assert s.drops == {"why": 2}
    assert s.out == [e.Dropped("why")] * 2


def test_of_what_lies_beyond_the_horizon_the_nearest_is_noted_until_that_passes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core_state, "BEYOND_MAX", 4)
    s = state(1, 2)
    s.wall = WRITTEN_MS
    end = horizon(s.wall)
    places = [line(2, ms=ms).place for ms in (MS_MAX, end + 9, end + 3, 2 * MS_MAX, end + 5)]
    for place in (line(1).place, *places):
        s.shown_at(place)
    assert s.latest_place == line(1).place
    s.wall += 4
    assert s.latest_place == line(2, ms=end + 3).place
    s.wall += 2
    assert s.latest_place == line(2, ms=end + 5).place
    s.wall = 2 * MS_MAX
    assert s.latest_place == line(2, ms=end + 5).place, "this was one of too many"


def test_what_is_remembered_is_all_that_a_start_reads_back() -> None:
    s = state(1, 2)
    s.causal.below.add(line(1, 4).key)
    s.left_ids, s.leaving, s.partial = (2,), True, True
    s.store_meta()
    (stored,) = s.out
    assert isinstance(stored, e.StoreMeta)
    again = State(setup(3, chat=CHAT), LAN, Random(2), e.Remembered(stored.meta, s.members.roster))
    again.causal.below.update(stored.meta.below)
    again.store_meta()
    assert again.out == [stored]


# ---- reading -------------------------------------------------------------------------------------


def test_the_provisional_leader_is_followed_before_the_certified_one() -> None:
    s = state(1, 2)
    assert s.following == 1
    s.provisional = 2
    assert (s.following, s.leader) == (2, 1)


@pytest.mark.parametrize(
    ("role", "leads"),
    [
        (Role.OUTSIDE, False),
        (Role.FOLLOWER, False),
        (Role.PROVISIONAL, True),
        (Role.LEADER, True),
    ],
)
def test_who_leads(role: Role, leads: bool) -> None:
    s = state(1)
    s.role = role
    assert s.leads is leads


def test_others_are_those_that_belong_without_ourselves() -> None:
    s = state(1, person(2, left=True), person(4, m.Life.DROPPED))
    assert s.others == (1, 4)
    assert s.active_others == (1,)


def test_an_unknown_leader_is_called_where_it_said() -> None:
    s = state(2, leader=77)
    s.leader_address = "m77:9"
    assert [s.address_of(member) for member in (2, 77, 78)] == [address(2), "m77:9", ""]
    assert s.view().leader_address == "m77:9"
    assert s.facts().leader_address == "m77:9"


def test_the_highest_n_known_only_grows() -> None:
    s = state(1)
    s.saw_id(5_000_012)
    s.saw_n(11)
    assert (s.view().highest_n, s.facts().highest_n) == (12, 12)
    assert state(person(3_000_040)).facts().highest_n == 40


def test_a_process_without_a_log_begins_with_its_setup() -> None:
    s = State(setup(9, name="den", chat=5), LAN, Random(1), e.Remembered())
    assert (s.me, s.chat, s.name, s.epoch) == (0, 5, "den", Epoch(0, 0))
    assert s.role is Role.OUTSIDE
