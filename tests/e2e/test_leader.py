"""Leaders that die, freeze or go: one leader afterwards, one epoch more, every line once."""

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from p2pchat.v1 import control_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.programs import Leading, digits
from tests.e2e.talk import Talk, others
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")

FREEZE_S = 8.0
WATCH_S = 60.0
HAND_OVER_S = 2.0  # the pause is one claim; the rest is room for a busy machine


def leader_name(cluster: Cluster, chat: str, *names: str) -> tuple[str, Leading]:
    leader = cluster.leader(chat, *names)
    return next(name for name in names if cluster[name].id(chat) == leader.member), leader


def succeeded(cluster: Cluster, chat: str, before: Leading, *names: str) -> Leading:
    """The leader after `before`: the lowest of `names`, exactly one epoch later.

    Its generation is that of the NDS, which may have been started anew since.
    """
    number = before.epoch[1] + 1
    lowest = cluster.lowest(chat, *names)
    member = cluster[lowest].id(chat)

    def followed() -> Leading | None:
        seen = {cluster[name].leading(chat) for name in names}
        one = seen.pop()
        if seen or one is None or one.provisional or one.epoch[0] < before.epoch[0]:
            return None
        return one if (one.member, one.epoch[1]) == (member, number) else None

    return wait_for(followed, f"{lowest} leads #{chat} with epoch {number} for {names}")


def test_a_killed_leader_is_followed_by_the_lowest_id_and_no_line_is_lost(square: Cluster) -> None:
    square.settled("ops", *SQUARE)
    texts = square["alice"].texts("dev")
    dead, before = leader_name(square, "dev", *SQUARE)
    rest = others(SQUARE, dead)
    with Talk(square, "dev", rest, f"epoch {before.epoch[1]} ends") as talk:
        square[dead].kill()
        succeeded(square, "dev", before, *rest)
        talk.goes_on(3)
    texts += talk.said
    after = square.agree("dev", *rest, texts=texts, absent=1)
    assert after == succeeded(square, "dev", before, *rest)
    square.settled("ops", *rest, absent=1)

    square[dead].up()
    assert square.agree("dev", *SQUARE, texts=texts) == after, "who returns follows"
    square.settled("ops", *SQUARE)


def test_a_leader_that_was_frozen_follows_and_all_lines_are_there(square: Cluster) -> None:
    texts = square["bob"].texts("dev")
    frozen, before = leader_name(square, "dev", *SQUARE)
    member, rest = square[frozen], others(SQUARE, frozen)
    with Talk(square, "dev", rest, "the leader is frozen") as talk:
        member.post("dev", "last words before the frost")
        member.kill(signal.SIGSTOP)
        thaw_at = time.monotonic() + FREEZE_S
        late = member.start("send", "-c", "dev", "said into the ice", "--timeout", "40", "--json")
        after = succeeded(square, "dev", before, *rest)
        wait_for(lambda: time.monotonic() > thaw_at, "the frost is over")
        assert {square[name].leading("dev") for name in rest} == {after}
        member.kill(signal.SIGCONT)
        wait_for(lambda: member.leading("dev") == after, f"{frozen} follows")
        _, err = late.communicate(timeout=WAIT_S)
        assert late.returncode == 0, err
    texts += [*talk.said, "last words before the frost", "said into the ice"]
    assert square.agree("dev", *SQUARE, texts=texts) == after
    square.settled("ops", *SQUARE)


def test_a_leader_that_leaves_names_its_successor_and_the_last_one_ends_it(
    square: Cluster, record_property: Callable[[str, object], None]
) -> None:
    square.gather("go", *SQUARE)
    gone, before = leader_name(square, "go", *SQUARE)
    rest = others(SQUARE, gone)
    request = control_pb2.WatchRequest(chat="go")
    watches = [square[name].control.Watch(request, timeout=WATCH_S) for name in rest]
    for watch in watches:
        watch.initial_metadata()  # from here on, nothing escapes it
    square[gone].post("go", "who is here?")
    for watch in watches:
        assert first(watch, "message").text == "who is here?"
    with Talk(square, "go", rest, "the leader leaves") as talk:
        began = time.monotonic()
        left = square[gone].ask("LeaveChat", chat="go")
        after = succeeded(square, "go", before, *rest)
        pause = time.monotonic() - began
        talk.goes_on(3)
    assert (left.told, left.untold, left.deleted) == (3, 0, False)
    for watch in watches:
        event = first(watch, "leader")
        assert (event.leader_id, digits(event.epoch)) == after[:2]
        assert event.handed_over_by == gone
        watch.cancel()
    record_property("pause_ms", round(pause * 1000))
    assert pause < HAND_OVER_S
    texts = ["who is here?", *talk.said]
    assert square.agree("go", *rest, texts=texts) == after

    while rest:
        left = square[rest.pop(0)].ask("LeaveChat", chat="go")
        assert (left.told, left.untold, left.deleted) == (len(rest), 0, not rest)
        if len(rest) == 2:
            square.agree("go", *rest, texts=texts)
    assert square.nds.network("go") is None
    assert [row["chat"] for row in square["alice"].rows("list")] == ["dev", "ops"]


def first(watch: Iterator[control_pb2.WatchResponse], kind: str) -> Any:
    """The next happening of a kind."""
    return next(getattr(one, kind) for one in watch if one.WhichOneof("what") == kind)
