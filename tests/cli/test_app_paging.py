"""A long log through a small window: any part of it is reached, and nothing is asked twice.

Tries node/cli/app/paging.py and node/cli/app/searching.py.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from node.cli.model import LINES_MAX
from node.errors import NodeSilent
from node.happenings import ChatEvent
from tests.cli.app_world import World

DEV, OPS = 1, 2
LOGGED = 2_000


@pytest.fixture
def world() -> Iterator[World]:
    """#dev with 2,000 lines, in front."""
    with World(90, 20) as made:
        made.node.add_chat("dev", "alice", "you", leader="alice")
        made.node.add_chat("ops", "alice", "you", leader="alice")
        for number in range(1, LOGGED + 1):
            mention = number in (40, 700, 1_990)
            more = " @you" if mention else " needle" if number in (3, 900, 1_950) else ""
            text = f"line {number:04}{more}"
            made.node.past(DEV, "alice", text, (LOGGED - number + 1) * 1_000, mention=mention)
        made.start(chat="dev")
        yield made


def lines(world: World) -> list[int]:
    """The numbers of the lines on the screen."""
    found = [row.partition("| line ")[2][:4] for row in world.rows if "| line " in row]
    found += [row.partition("> line ")[2][:4] for row in world.rows if "> line " in row]
    return sorted(map(int, found))


def held(world: World) -> list[int]:
    """The numbers of the lines in memory, in order."""
    assert world.state.front is not None
    return [int(line.text[5:9]) for line in world.state.front.lines if line.text[:5] == "line "]


def asks(world: World) -> int:
    return len(world.node.asked("history"))


def test_a_chat_is_opened_with_its_last_lines_by_one_question(world: World) -> None:
    assert asks(world) == 1
    assert lines(world)[-1] == LOGGED
    world.press("Ctrl+N", "Ctrl+P")
    assert asks(world) == 2, "one for each chat, and none again"


def test_older_lines_are_there_before_they_are_scrolled_to(world: World) -> None:
    before = lines(world)
    for _ in range(60):
        world.press("PgUp")
        now = lines(world)
        assert now == list(range(now[0], now[-1] + 1)), "no gap"
        assert now[-1] == before[0] + 1 or now[0] == 1, "two rows stay in sight"
        before = now
    assert held(world) == sorted(set(held(world)))
    assert len(held(world)) > 800


def test_the_first_unread_line_is_found_though_the_window_begins_after_it(world: World) -> None:
    world.node.says(OPS, "alice", "this was read")
    world.press("Ctrl+N", "Ctrl+P")
    for number in range(1, 301):
        world.node.says(OPS, "alice", f"line {number:04}")
    world.passes(100)
    for number in range(3, 14):  # so many that #ops was not looked at lately
        world.node.add_chat(f"c{number}", "you", leader="you")
    world.node.tell(ChatEvent(world.node.town("c3").chat, "opened"), "c3")
    world.passes(6_000)
    for _ in range(12):
        world.press("Ctrl+P")
    world.press("Alt+2")
    world.passes(200)
    world.press("Alt+U")
    world.passes(200)
    world.sees("[#ops]", "this was read", " new ", "line 0001")


def unread_world(read: int, unread: int) -> World:
    """#dev with so many lines that were read, and so many that came while no face was there."""
    made = World(90, 20)
    made.node.add_chat("dev", "alice", "you", leader="alice", unread=unread)
    made.node.add_chat("ops", "alice", "you", leader="alice", unread=7)
    for number in range(1, read + unread + 1):
        ago_ms = (read + unread - number + 1) * 1_000
        made.node.past(DEV, "alice", f"line {number % 10_000:04}", ago_ms)
    return made


@pytest.mark.parametrize("unread", [900, 1_000, 3_000, 12_000])
def test_however_many_are_unread_the_first_of_them_is_a_key_away(unread: int) -> None:
    with unread_world(300, unread) as world:
        world.start(chat="dev")
        world.passes(500)
        world.sees("[Act: 2:#ops(7)]")
        world.press("Alt+U")
        world.passes(500)
        rows = world.rows
        new = next(at for at, row in enumerate(rows) if " new -" in row)
        assert "line 0300" in rows[new - 1]
        assert "line 0301" in rows[new + 1]
        view = world.state.front
        assert view is not None
        assert len(view.items) <= LINES_MAX
        world.press("Alt+End")
        world.passes(500)
        assert lines(world)[-1] == (300 + unread) % 10_000
        assert asks(world) < 8 + unread // 1_000, "each page is counted once"


def test_who_scrolls_up_through_all_that_is_unread_comes_to_its_beginning() -> None:
    with unread_world(300, 6_000) as world:
        world.start(chat="dev")
        world.passes(500)
        for _ in range(6_010 // 15):
            world.press("PgUp")
            if any(" new -" in row for row in world.rows):
                break
        rows = world.rows
        new = next(at for at, row in enumerate(rows) if " new -" in row)
        assert "line 0301" in rows[new + 1]
        view = world.state.front
        assert view is not None
        assert len(view.items) <= LINES_MAX


def test_who_asks_before_it_is_known_where_is_led_there_once_it_is() -> None:
    with unread_world(300, 3_000) as world:
        ask, gate = world.node.history, asyncio.Event()

        async def waits(chat: str = "", **more: Any) -> Any:
            if more.get("before"):
                await gate.wait()
            return await ask(chat, **more)

        world.node.history = waits  # type: ignore[method-assign]
        world.start(chat="dev")
        world.press("Alt+U")
        assert lines(world)[-1] == 3_300, "nowhere yet"
        gate.set()
        world.passes(500)
        world.sees(" new -", "line 0301")


def test_a_chat_of_which_nothing_was_read_is_new_from_its_first_line() -> None:
    with unread_world(0, 3_000) as world:
        world.start(chat="dev")
        world.passes(500)
        world.press("Alt+U")
        world.passes(500)
        rows = world.rows
        new = next(at for at, row in enumerate(rows) if " new -" in row)
        assert "line 0001" in rows[new + 1]


def test_a_count_that_fails_is_tried_again() -> None:
    with unread_world(300, 3_000) as world:
        ask, failed = world.node.history, []

        async def fails(chat: str = "", **more: Any) -> Any:
            if more.get("before") and not failed:
                failed.append(more["before"])
                raise NodeSilent(control="node.sock")
            return await ask(chat, **more)

        world.node.history = fails  # type: ignore[method-assign]
        world.start(chat="dev")
        world.press("Alt+U")
        world.passes(5_000)
        world.sees(" new -", "line 0301")
        assert failed


def test_every_line_is_reached_and_asked_for_once(world: World) -> None:
    for _ in range(150):
        world.press("PgUp")
    assert lines(world)[0] == 1
    assert held(world) == list(range(1, LOGGED + 1))
    assert asks(world) == 5, "200, and four times 500 of which the last has what is left"
    for _ in range(3):
        world.press("PgUp")
    assert asks(world) == 5, "nothing is before the first line"


@pytest.mark.parametrize("rows", [110, 230, 420])
def test_a_tall_terminal_is_filled_and_scrolled(rows: int) -> None:
    with World(90, rows) as tall:
        tall.node.add_chat("dev", "alice", "you", leader="alice")
        for number in range(1, LOGGED + 1):
            tall.node.past(DEV, "alice", f"line {number:04}", (LOGGED - number + 1) * 1_000)
        tall.start()
        body = rows - 3
        assert lines(tall) == list(range(LOGGED - body + 1, LOGGED + 1))
        for _ in range(6):
            tall.press("PgUp")
        first = LOGGED - body + 1 - 6 * (body - 2)
        assert lines(tall)[0] == max(1, first)


def test_lines_that_are_hidden_do_not_bar_the_way(world: World) -> None:
    for number in range(LOGGED + 1, LOGGED + 301):
        world.node.past(DEV, "bob", f"line {number:04}", 0)
    world.press("Ctrl+N")
    world.enter("/ignore bob")
    world.node.dies()
    world.passes(1_000)
    world.node.returns()
    world.passes(2_000)
    world.press("Ctrl+P", "PgUp", "PgUp", "PgUp")
    world.passes(100)
    world.press("PgUp")
    assert lines(world), "older ones are found"
    assert lines(world)[-1] <= LOGGED


def test_far_places_are_reached_at_once_and_the_way_back_has_no_gap(world: World) -> None:
    world.press("Alt+Home")
    assert lines(world)[0] == 1
    assert held(world)[-1] == 500, "what is between is not read"
    world.node.says(DEV, "alice", "line 2001")
    world.passes(100)
    assert lines(world)[0] == 1
    before = lines(world)
    for _ in range(200):
        world.press("PgDn")
        now = lines(world)
        assert now == list(range(now[0], now[-1] + 1))
        assert now[0] <= before[-1] + 1
        before = now
    assert lines(world)[-1] == 2_001
    assert "more" not in world.status


def test_the_end_is_one_key_away_from_anywhere(world: World) -> None:
    world.press("Alt+Home", "Alt+End")
    assert lines(world)[-1] == LOGGED
    assert "more" not in world.status
    world.press("PgUp")
    assert lines(world)[-1] < LOGGED
    assert held(world)[-1] == LOGGED


def test_memory_is_bounded(world: World) -> None:
    for number in range(LOGGED + 1, LOGGED + LINES_MAX):
        world.node.says(DEV, "alice", f"line {number:04}")
    world.passes(1_000)
    assert world.state.front is not None
    assert LINES_MAX - 500 < len(world.state.front.items) <= LINES_MAX
    world.press("PgUp")
    assert world.state.front.older


def test_the_wheel_scrolls_where_the_mouse_is_on(world: World) -> None:
    world.click(30, 5, 64)
    assert lines(world)[-1] == LOGGED
    world.press("Alt+M")
    world.click(30, 5, 64)
    world.click(30, 5, 64)
    assert LOGGED - 6 <= lines(world)[-1] < LOGGED
    world.click(30, 5, 65)
    world.click(30, 5, 65)
    assert lines(world)[-1] == LOGGED
    world.click(3, 3)
    world.sees("[#ops]")


def test_a_page_that_does_not_come_is_complained_of_and_tried_again(world: World) -> None:
    silent = NodeSilent(profile="default", seconds="10", log="node.log")
    world.node.answers["history"] = silent
    for _ in range(12):
        world.press("PgUp")
    world.press("Alt+End")
    world.sees("10")
    complaints = asks(world)
    world.passes(20_000)
    assert asks(world) == complaints, "nobody asks on and on"
    del world.node.answers["history"]
    for _ in range(13):
        world.press("PgUp")
    world.passes(30_000)
    world.press("PgUp")
    assert len(held(world)) > 200


def test_an_answer_of_a_node_that_went_meanwhile_is_not_taken(world: World) -> None:
    history, gates = world.node.history, [asyncio.Event()]

    async def slow(*args: Any, **more: Any) -> Any:
        page = await history(*args, **more)
        if gates:
            await gates.pop().wait()
        return page

    gate = gates[0]
    world.node.history = slow  # type: ignore[method-assign]
    world.press("Ctrl+N")
    world.node.dies()
    world.passes(100)
    world.node.past(OPS, "alice", "line 0001", 0)
    world.node.returns()
    world.passes(600)
    assert lines(world) == [1]
    gate.set()
    world.passes(100)
    assert lines(world) == [1]
    assert world.text.count("No node") == 0


def test_what_goes_on_failing_is_told_once(world: World) -> None:
    silent = NodeSilent(profile="default", seconds="10", log="node.log")
    world.node.answers |= {"history": silent, "mark_read": silent}
    world.press("Ctrl+N")
    asked = asks(world)
    for number in range(60):
        world.node.says(OPS, "alice", f"live {number}")
        world.passes(1_000)
    told = [
        i for v in world.state.views for i in v.items if "10" in str(getattr(i.entry, "lines", ""))
    ]
    assert len(told) == 2, "one for the log, one for the marker"
    assert asks(world) - asked <= 7, "less and less often"
    world.node.answers.clear()
    world.passes(31_000)
    world.node.says(OPS, "alice", "after all")
    world.passes(100)
    assert world.state.front is not None
    assert world.state.front.older == ""


# ---- looking for something


def test_a_search_goes_through_the_window_and_then_through_the_log(world: World) -> None:
    world.press("Ctrl+S")
    world.type("needle")
    assert 1_950 in lines(world)
    asked = asks(world)
    world.press("Enter")
    assert 900 in lines(world)
    assert asks(world) > asked
    world.press("Up")
    assert 3 in lines(world)
    world.press("Up")
    world.sees("no older line")
    assert 3 in lines(world)
    for wanted in (900, 1_950):
        world.press("Down")
        assert wanted in lines(world)
    world.press("Esc")
    world.sees("[#dev]", "more")
    assert 1_950 in lines(world), "the view stays"


def test_a_search_by_command_shows_its_last_match(world: World) -> None:
    world.enter("/search line 0009")
    assert 9 in lines(world)
    world.sees("[search] line 0009")
    world.press("Ctrl+C")
    world.sees("[#dev]")


def test_a_search_for_nothing_says_so(world: World) -> None:
    world.enter("/search nowhere")
    world.sees("nothing holds")


def test_nothing_newer_is_not_nothing_older(world: World) -> None:
    world.press("Alt+Home", "Ctrl+S")
    world.type("line 0001")
    world.press("Down")
    world.passes(100)
    assert world.state.search is not None
    assert not world.state.search.exhausted


def test_a_match_that_comes_too_late_moves_no_other_chat(world: World) -> None:
    history, gate = world.node.history, asyncio.Event()
    world.node.past(OPS, "alice", "needle here too", 0)
    world.press("Alt+2", "Alt+1")

    async def slow(*args: Any, **more: Any) -> Any:
        if more.get("contains"):
            await gate.wait()
        return await history(*args, **more)

    world.node.history = slow  # type: ignore[method-assign]
    world.press("Ctrl+S")
    world.type("needle")
    world.press("Enter", "Alt+2", "Ctrl+S")
    world.type("needle")
    before = world.state.views
    world.loop.call_soon(gate.set)
    world.passes(200)
    assert world.state.views == before


def test_another_chat_ends_the_search(world: World) -> None:
    world.press("Ctrl+S")
    world.type("needle")
    world.press("Alt+2")
    world.sees("[#ops]")
    world.type("x")
    assert world.rows[-1].rstrip() == "[#ops] x"


def test_mentions_are_gone_through_one_by_one(world: World) -> None:
    world.press("Alt+P")
    assert 1_990 in lines(world)
    world.press("Alt+P")
    assert 700 in lines(world), "beyond the window"
    world.press("Alt+P")
    assert 40 in lines(world)
    world.press("Alt+P")
    world.passes(200)
    assert 40 in lines(world)
    world.press("Alt+N")
    assert 700 in lines(world)


def test_a_new_mention_is_found_first(world: World) -> None:
    world.press("Alt+P")
    world.node.says(DEV, "alice", "line 2001 @you", mention=True)
    world.press("Alt+End", "Alt+P")
    assert 2_001 in lines(world)
    world.press("Alt+P")
    assert 1_990 in lines(world)


@pytest.mark.parametrize("key", ["Alt+End", "PgUp"])
def test_who_moves_on_while_a_mention_is_looked_for_stays_there(world: World, key: str) -> None:
    world.press("Alt+Home")
    assert 1 in lines(world)
    read = world.node.history
    gate = asyncio.Event()

    async def slow(*args: Any, **more: Any) -> Any:
        if more.get("contains"):
            await gate.wait()
        return await read(*args, **more)

    world.node.history = slow  # type: ignore[method-assign]
    world.press("Alt+N", "Alt+N")  # 40 is held, 700 is not
    world.press(key)
    world.passes(100)
    before = lines(world)
    gate.set()
    world.passes(300)
    assert lines(world) == before
    assert (LOGGED in before) is (key == "Alt+End")


def test_the_newest_line_of_another_is_answered_wherever_one_has_scrolled(world: World) -> None:
    world.press("Alt+Home")
    assert LOGGED not in held(world)
    world.enter("/reply yes")
    world.passes(100)
    (sent,) = world.node.asked("send")
    assert sent["text"] == f"> alice: line {LOGGED}\nyes"


def test_lines_of_ones_own_and_of_the_ignored_are_gone_past_to_the_newest_of_another(
    world: World,
) -> None:
    world.node.says(DEV, "alice", "the last of another")
    for number in range(60):
        world.node.says(DEV, "you", f"mine {number}", own=True)
    world.press("Alt+Home")
    world.enter("/reply yes")
    world.passes(100)
    assert world.node.asked("send")[-1]["text"] == "> alice: the last of another\nyes"
    world.enter("/ignore alice")
    world.enter("/reply no")
    world.press("Alt+End")
    world.sees("there is nothing to answer here")


def test_a_line_that_one_has_not_scrolled_to_is_answered_and_copied_by_its_id(
    world: World,
) -> None:
    first = world.node.town(DEV).log[0]
    assert 1 not in held(world)
    world.enter(f"/copy {first.msg_id[:8]}")
    world.sees("copied the line of alice: line 0001")
    world.enter(f"/reply {first.msg_id[:8]} yes")
    world.enter("and more")
    world.passes(100)
    assert [sent["text"] for sent in world.node.asked("send")] == [
        "> alice: line 0001\nyes",
        "and more",
    ]
    world.enter("/reply ffff0 yes")
    world.sees("There is no message ffff0 in #dev.")


def test_an_answer_is_said_before_what_is_entered_after_it_and_before_the_end(
    world: World,
) -> None:
    first = world.node.town(DEV).log[0]
    trace, gate = world.node.trace, asyncio.Event()

    async def slow(chat: str, id: str = "") -> Any:
        await gate.wait()
        return await trace(chat, id)

    world.node.trace = slow  # type: ignore[method-assign]
    world.enter(f"/reply {first.msg_id[:8]} yes")
    world.enter("and more")
    world.enter("/quit")
    gate.set()
    world.passes(100)
    assert [sent["text"] for sent in world.node.asked("send")] == [
        "> alice: line 0001\nyes",
        "and more",
    ]
    assert world.ended() == 0
