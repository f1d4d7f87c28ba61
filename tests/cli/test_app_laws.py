"""Whatever happens and whatever is pressed: laws of the running app, tried at random."""

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, note
from hypothesis import strategies as st

from tests.cli.tried import LAWS, SIZES, Tried, happened, steps

FORGOTTEN = [("press", "PgUp"), ("elected", 3, "carol"), ("forgets", True), ("merged", 1)]


@LAWS
@example(size=(60, 12), taken=FORGOTTEN, chats=True)  # The node is asked what it has every 5 s.
@given(size=st.sampled_from(SIZES), taken=steps, chats=st.sampled_from((True, True, False)))
def test_laws_of_the_screen(
    size: tuple[int, int], taken: list[tuple[Any, ...]], chats: bool
) -> None:
    with Tried(*size, chats=chats) as world:
        world.started()
        for step in taken:
            note(str(step))
            if world.has_ended:
                break
            world.does(step)
        else:
            world.drawn_anew()


@LAWS
@given(
    taken=st.lists(happened, min_size=1, max_size=40),
    up=st.lists(st.sampled_from(("PgUp", "PgUp", "Alt+Home", "PgDn")), min_size=1, max_size=8),
)
def test_a_view_that_is_scrolled_up_stays(taken: list[tuple[Any, ...]], up: list[str]) -> None:
    with Tried(90, 20) as world:
        world.started()
        for key in up:
            world.press(key)
        world.passes(500)
        for step in taken:
            world.does(step)
        world.node.returns()
        world.passes(1_000)
        world.press("Alt+End")
        world.passes(500)
        assert world.state.front is not None
        assert world.state.front.at_end
        world.drawn_anew()


def test_what_the_laws_look_at_can_be_broken() -> None:
    broken: list[Callable[[Tried], object]] = [
        lambda world: world._stays(["something else"]),
        lambda world: (world.sink.write("\x9b31m"), world.check()),
        lambda world: (world.sink.write("\x1b[1;1H"), world.check()),
        lambda world: (world._is_looked_at(2), world.check()),
        lambda world: (world.sink.write("\x1b[3;3Hrubbish\x1b[20;8H"), world.drawn_anew()),
    ]
    for number, breach in enumerate(broken):
        with Tried(90, 20) as world:
            world.started()
            world.press("PgUp")
            world.check()
            try:
                breach(world)
            except AssertionError:
                continue
            raise AssertionError(f"breach {number} was not seen")
