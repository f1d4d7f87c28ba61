"""What one must be able to rely on, whatever happens meanwhile, tried at random: what is typed goes
whole to the chat in which it was typed, what is unread is told, and no complaint is told for ever.
"""

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from node.cli.model import Reply
from tests.cli.tried import CHATS, LAWS, NICKS, Tried, happened, shaken

MINUTE_MS = 60_000
FIRST, SECOND = "first half, ", "second half"

steps = st.lists(st.one_of(happened, shaken.filter(lambda step: step[0] != "command")), max_size=12)
said = st.one_of(
    st.tuples(
        st.just("says"),
        st.sampled_from(CHATS),
        st.sampled_from(NICKS),
        st.sampled_from(("talk", "@you look")),
    ),
    st.tuples(st.just("lost"), st.booleans()),
    st.tuples(st.just("dropped")),
    st.tuples(st.just("press"), st.sampled_from(("Alt+1", "Alt+2", "Alt+3", "PgUp", "Alt+End"))),
    st.tuples(st.just("passes"), st.just(700)),
)


def front(world: Tried) -> int:
    return world.state.current


@LAWS
@given(taken=steps, chat=st.sampled_from(CHATS))
def test_what_is_typed_goes_whole_to_the_chat_in_which_it_was_typed(
    taken: list[tuple[Any, ...]], chat: int
) -> None:
    with Tried(90, 20) as world:
        world.started()
        world.press(f"Alt+{chat}")
        assert front(world) == chat
        world.type(FIRST)
        for step in taken:
            note(str(step))
            world.does(step)
        world.node.answers.clear()
        world.type(SECOND)
        world.press("Enter")
        world.passes(3_000)
        world.node.returns()
        world.passes(3_000)
        sent = [(int(one["chat"], 16), one["text"]) for one in world.node.asked("send")]
        assert set(sent) <= {(chat, FIRST + SECOND)}, sent
        if chat in world.node.towns and not any(step[0] in ("lost", "forgets") for step in taken):
            assert sent, "it was not sent at all"


@LAWS
@given(taken=st.lists(said, max_size=25))
def test_what_is_unread_is_told_as_the_node_counts_it(taken: list[tuple[Any, ...]]) -> None:
    with Tried(110, 24) as world:
        world.started()
        world.passes(2_000)
        for step in taken:
            note(str(step))
            world.does(step)
        world.node.returns()
        world.press("Alt+End")
        world.passes(8_000)
        for view in world.state.views:
            number = view.chat.chat_id
            known = world.node.town(number).chat
            counted = (view.unread, view.mentions)
            assert counted == (known.unread, known.mentions), view.name
            if number == front(world):
                assert counted == (0, 0), "it is looked at"


@LAWS
@given(
    method=st.sampled_from(("history", "members", "mark_read", "status")),
    rate=st.sampled_from((1, 10, 60)),
)
def test_a_complaint_is_told_once_and_not_for_ever(method: str, rate: int) -> None:
    with Tried(90, 20) as world:
        world.started()
        world.does(("fails", method, True))
        world.press("Alt+Home", "Alt+2", "Alt+1")
        for number in range(rate):
            world.node.says(1 + number % 2, "bob", f"line {number}")
            world.passes(MINUTE_MS / rate)
        told = [
            entry.lines
            for view in world.state.views
            for entry in (item.entry for item in view.items)
            if isinstance(entry, Reply)
        ]
        assert len(told) <= 4, f"{len(told)} times in a minute"
