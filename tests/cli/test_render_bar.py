"""The status bar, and what it gives up first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import words as w
from node.cli.model import Anchor, Level, State
from node.cli.render.bar import status
from node.cli.render.rows import Row, plain
from tests.cli.drawn import DEV, EPOCH, NOW, STATE, G, chat, columns_of, looks, showing

FULL = (
    " [12:03] [you] 1:#dev 4/5 L:bob e12 NDS:ok out:1 7c3e [Act: 3:#lab(1,5) 2:#ops(3)] -- more --"
)


def row(state: State = STATE, columns: int = 200) -> Row:
    drawn = status(state, columns, NOW)
    assert columns_of([drawn]) == {columns}
    return drawn


def bar(state: State = STATE, columns: int = 200) -> str:
    return plain(row(state, columns)).rstrip()


UP = showing(replace(DEV, scroll=Anchor(2)))


ACT = " [Act: 3:#lab(1,5) 2:#ops(3)]"
STEPS = (
    FULL,
    f" [12:03] [you] 1:#dev 4/5 L:bob e12 NDS:ok out:1{ACT} -- more --",
    f" [12:03] [you] 1:#dev 4/5 L:bob e12 NDS:ok{ACT} -- more --",
    f" [12:03] [you] 1:#dev 4/5 L:bob e12{ACT} -- more --",
    " [12:03] [you] 1:#dev 4/5 L:bob e12 [Act: 3:#lab(1,5) +1] -- more --",
    " [12:03] [you] 1:#dev 4/5 L:bob e12 [Act: 3:#lab(1,5) +1]",
    " [12:03] [you] L:bob e12 [Act: 3:#lab(1,5) +1]",
    " [12:03] L:bob e12 [Act: 3:#lab(1,5) +1]",
    " L:bob e12 [Act: 3:#lab(1,5) +1]",
    " L:bob e12",
)


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_parts_are_dropped_from_the_right_but_leader_and_activity_last(step: int) -> None:
    columns = len(STEPS[step])
    assert bar(UP, columns) == STEPS[step]
    narrower = STEPS[step + 1] if step + 1 < len(STEPS) else STEPS[step][: columns - 1]
    assert bar(UP, columns - 1) == narrower


def test_more_is_said_while_the_present_is_not_shown() -> None:
    assert not bar().endswith("-- more --")
    assert bar(UP).endswith("-- more --")
    assert bar(showing(replace(DEV, cut_off=True))).endswith("-- more --")


def about(**more: object) -> State:
    return showing(replace(DEV, chat=replace(DEV.chat, **more)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "part"),
    [
        (about(leader_id=G + 7, leader_nick="me"), " L:you e12 "),
        (about(leader_id=0, leader_nick=""), " L:? e12 "),
        (about(provisional=True), " L:bob? e12+ "),
        (about(leader_nick="b\x1bo\u202eb"), " L:bob e12 "),
        (about(leader_nick="christopher-ro"), " L:christopher~ e12 "),
        (about(outbox=0), " out:0 "),
        (about(halt="stalled", halt_reason="DISK_FULL"), " 1:#dev ?/5 stalled: disk full NDS:"),
        (about(halt="stopped", halt_reason="\x1b[0m"), " 1:#dev 4/5 L:bob "),
        (about(member_id=0), " 1:#dev joining [Act"),
        (about(fingerprint=""), " out:1 [Act"),
        (about(name="字" * 40), " 1:#" + "字" * 11 + "~ 4/5 "),
        (replace(STATE, nick="m\x1be\u200b"), " [me] "),
        (about(nick="bob2"), " [bob2] "),
        (replace(STATE, nds=()), " e12 out:1 "),
        (
            replace(STATE, nds=(w.DiscoveryService("10.0.0.5:50050", "", NOW - 40_000),)),
            " NDS:down 40s ",
        ),
        (
            replace(
                STATE,
                nds=(
                    w.DiscoveryService("other:1", "", NOW - 40_000),
                    w.DiscoveryService("10.0.0.5:50050", "ok"),
                ),
            ),
            " NDS:ok ",
        ),
        (
            replace(STATE, nds=(w.DiscoveryService("10.0.0.5:50050", "", 0, "STORE_FULL"),)),
            " NDS:full ",
        ),
        (
            replace(STATE, nds=(w.DiscoveryService("10.0.0.5:50050", "", 0, "STORE_FAILED"),)),
            " NDS:failing ",
        ),
        (
            replace(STATE, nds=(w.DiscoveryService("other:1", "", NOW - 40_000),)),
            " NDS:down 40s ",
        ),
        (State(nick="me"), " [me] no chat"),
    ],
)
def test_a_part(state: State, part: str) -> None:
    assert part in plain(row(state))


def test_an_nds_that_is_down_and_activity_have_looks_of_their_own() -> None:
    down = replace(STATE, nds=(w.DiscoveryService("10.0.0.5:50050", "", NOW - 40_000),))
    assert looks(row(down), "NDS:down 40s") == "status.warn"
    assert looks(row(down), "[Act:") == "status.act"


def test_a_chat_that_is_closed_has_no_number() -> None:
    assert " #dev 4/5 " in bar(showing(replace(DEV, closed=True)))


def test_muted_chats_and_the_front_are_not_in_the_activity() -> None:
    views = (
        DEV,
        chat(2, "a", 1, muted=True),
        chat(3, "b", 2, level=Level.NONE),
        chat(4, "c", 3, level=Level.MENTIONS),
        chat(5, "d", 4, 1, level=Level.MENTIONS),
    )
    state = replace(STATE, views=(replace(DEV, unread=9), *views[1:]))
    assert "[Act: 5:#d(1,4)]" in bar(state)


def test_much_activity_does_not_push_the_rest_away() -> None:
    views = (DEV, *(chat(n, f"chat{n}", n) for n in range(2, 60)))
    shown = bar(replace(STATE, views=views), 110)
    assert " 7c3e [Act: 2:#chat2(2) 3:#chat3(3) 4:#chat4(4)" in shown
    assert shown.endswith(" +55]")


def test_two_of_the_active_chats_stay_as_long_as_the_rest_does() -> None:
    views = (DEV, *(chat(n, f"c{n}", n) for n in range(2, 5)))
    state = replace(STATE, views=views)
    rest = " [12:03] [you] 1:#dev 4/5 L:bob e12 NDS:ok out:1 7c3e"
    assert bar(state, 84) == f"{rest} [Act: 2:#c2(2) 3:#c3(3) +1]"
    assert bar(state, 80) == f"{rest.removesuffix(' 7c3e')} [Act: 2:#c2(2) 3:#c3(3) +1]"


def test_nothing_active_says_nothing() -> None:
    assert "Act" not in bar(replace(STATE, views=(DEV,)))


@given(
    st.integers(1, 250),
    st.text(max_size=30),
    st.integers(0, 70),
    st.booleans(),
    st.sampled_from([0, G + 7, G + 2]),
)
def test_it_is_always_as_wide_as_the_screen(
    columns: int, name: str, active: int, scrolled: bool, leader: int
) -> None:
    about = replace(DEV.chat, name=name, leader_id=leader, leader_nick=name, epoch=EPOCH)
    front = replace(DEV, chat=about, scroll=Anchor(1) if scrolled else None)
    views = (front, *(chat(n, name, n, n % 2) for n in range(2, active + 2)))
    state = replace(STATE, views=views, nick=name)
    drawn = row(state, columns)
    assert plain(drawn).isprintable()
