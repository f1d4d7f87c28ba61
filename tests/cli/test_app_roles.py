"""Owner and admins in the app: their mark, what they type, and what others see of it.

Tries node/cli/commands/asking.py and node/cli/render/panes.py on a drawn screen.
"""

from collections.abc import Iterator

import pytest

from node.errors import NotAllowed
from node.happenings import ChatEvent, ErrorEvent, MemberEvent
from tests.cli.app_world import World

DEV = 1


@pytest.fixture
def world() -> Iterator[World]:
    """#dev: alice owns it, bob is an admin, we are a member."""
    with World(110, 24) as made:
        made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
        made.node.set_member(DEV, "alice", role="owner")
        made.node.set_member(DEV, "bob", role="admin")
        made.start()
        yield made


def shows(world: World, text: str) -> bool:
    return any(text in row for row in world.rows)


def test_owner_and_admins_are_marked(world: World) -> None:
    assert shows(world, "@alice id 1 *")
    assert shows(world, "@bob   id 2")
    assert shows(world, " you    id 3")


def test_a_command_asks_the_node_and_says_what_came_of_it_in_its_turn(world: World) -> None:
    world.enter("/kick bob")
    world.enter("bob is gone")
    world.passes(1_000)
    done = [name for name, _ in world.node.heard if name in ("decide", "send")]
    assert done == ["decide", "send"]
    (asked,) = world.node.asked("decide")
    assert (asked["act"], asked["member"]) == ("kick", "bob")
    assert shows(world, "bob is removed from #dev")


def test_what_is_refused_says_why(world: World) -> None:
    text = "you are a member, that is for its owner"
    world.node.answers["decide"] = NotAllowed(chat="dev", text=text)
    world.enter("/op bob")
    world.passes(1_000)
    assert shows(world, "That is not yours to do in #dev: you are a member")


def test_rights_are_shown_below_the_conversation(world: World) -> None:
    world.enter("/rights")
    world.passes(1_000)
    assert all(shows(world, said) for said in ("owner: alice", "admins: bob", "topic: every"))
    world.enter("/rights topic admins")
    world.passes(1_000)
    (asked,) = world.node.asked("decide")
    assert (asked["act"], asked["value"]) == ("topic", "admins")


def test_everybody_sees_what_was_decided(world: World) -> None:
    world.node.tell(MemberEvent(3, "you", "admin", by_id=1, by_nick="alice"), DEV)
    world.node.tell(MemberEvent(2, "bob", "kicked", by_id=1, by_nick="alice"), DEV)
    world.passes(3_000)
    assert shows(world, "alice made <you> an admin")
    assert shows(world, "alice removed bob")


def test_who_is_removed_sees_by_whom_and_what_was_said_before(world: World) -> None:
    world.node.says(DEV, "bob", "before that")
    chat = world.node.town(DEV).chat
    text = "#dev: you were removed by bob; what was said until now can still be read"
    world.node.tell(ErrorEvent("REMOVED", text), DEV)
    world.node.set_chat(DEV, halt="stopped", halt_reason="REMOVED")
    world.node.tell(ChatEvent(world.node.town(DEV).chat, "stopped"), DEV)
    world.passes(3_000)
    assert chat.chat_id == DEV
    assert shows(world, "you were removed by bob")
    assert shows(world, "before that")
    assert shows(world, "stopped: removed")
