"""Members that die, freeze, come and go: they keep their ids and end with the same history."""

import signal

import pytest

from node.core.types import GENERATION
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.programs import at_once
from tests.e2e.talk import Talk, all_of, others
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")


def follower(cluster: Cluster, chat: str) -> str:
    """A member that does not lead, nor would next."""
    leader = cluster.leader(chat, *SQUARE).member
    return max(
        (name for name in SQUARE if cluster[name].id(chat) != leader),
        key=lambda name: cluster[name].id(chat),
    )


def test_a_killed_member_comes_back_with_its_id_and_catches_up(square: Cluster) -> None:
    before = square.leader("dev", *SQUARE)
    texts = square["carol"].texts("dev")
    dead = follower(square, "dev")
    rest, id = others(SQUARE, dead), square[dead].id("dev")
    square[dead].post("dev", "said a moment before the end")
    with Talk(square, "dev", rest, f"{dead} is dead") as talk:
        square[dead].kill()
        wait_for(
            all_of(rest, lambda name: square[name].states("dev")[dead] == "dropped"),
            f"{dead} is shown as gone",
        )
        sent = square[rest[0]].row("send", "-c", "dev", "who was dropped is not waited for")
        assert (sent["acked"], sent["of"], sent["missing"]) == (2, 2, [])
        square[dead].up()
        talk.goes_on(6)
    texts += [
        "said a moment before the end", "who was dropped is not waited for", *talk.said
    ]  # fmt: skip
    assert square.agree("dev", *SQUARE, texts=texts) == before
    assert square[dead].id("dev") == id
    square.settled("ops", *SQUARE)


def test_a_member_that_was_frozen_and_dropped_returns_by_itself(square: Cluster) -> None:
    before = square.leader("dev", *SQUARE)
    texts = square["alice"].texts("dev")
    cold = follower(square, "dev")
    member, rest, id = square[cold], others(SQUARE, cold), square[cold].id("dev")
    with Talk(square, "dev", rest, f"{cold} is frozen") as talk:
        member.kill(signal.SIGSTOP)
        late = member.start("send", "-c", "dev", "said into the ice", "--timeout", "40", "--json")
        wait_for(
            all_of(rest, lambda name: square[name].states("dev")[cold] == "dropped"),
            f"{cold} is shown as gone",
        )
        member.kill(signal.SIGCONT)
        wait_for(
            all_of(list(SQUARE), lambda name: square[name].states("dev")[cold] == "alive"),
            f"{cold} is back",
        )
        _, err = late.communicate(timeout=WAIT_S)
        assert late.returncode == 0, err
    texts += [*talk.said, "said into the ice"]
    assert square.agree("dev", *SQUARE, texts=texts) == before, "nobody else had to give way"
    assert member.id("dev") == id
    square.settled("ops", *SQUARE)


@pytest.mark.parametrize("how", ["down", "kill"])
def test_a_whole_group_returns_from_disk(square: Cluster, how: str) -> None:
    before = square.leader("dev", *SQUARE)
    ids = {name: square[name].id("dev") for name in SQUARE}
    with Talk(square, "dev", list(SQUARE), f"before the night ({how})") as talk:
        talk.goes_on(8)
    texts = square["dan"].texts("dev")
    texts += [text for text in talk.said if text not in texts]  # stored by now, but not at him
    at_once(lambda name: getattr(square[name], how)(), SQUARE)
    wait_for(lambda: not any(square[name].is_up() for name in SQUARE), "all are down")
    at_once(lambda name: square[name].up(), SQUARE)
    after = square.agree("dev", *SQUARE)
    assert after.epoch > before.epoch, "no life goes on leading where another ended"
    assert {name: square[name].id("dev") for name in SQUARE} == ids
    square["bob"].run("send", "-c", "dev", f"good morning ({how})")
    assert set(talk.said) <= set(square["alice"].texts("dev"))
    square.agree("dev", *SQUARE, texts=[*texts, f"good morning ({how})"])
    square.settled("ops", *SQUARE)


def test_one_joins_at_a_member_that_does_not_lead(square: Cluster) -> None:
    before = square.leader("dev", *SQUARE)
    texts = square["bob"].texts("dev")
    door = square[follower(square, "dev")].row("status")["listen"]
    erin = square.members.get("erin") or square.add("erin")
    joined = erin.row("join", f"{door}/dev", "--nick", "erin")
    erin.pid = erin.row("status")["pid"]
    ids = [square[name].id("dev") for name in SQUARE]
    assert (joined["nick"], joined["already"]) == ("erin", False)
    assert joined["member"] > max(ids)
    assert joined["id"] == joined["member"] % GENERATION
    (service,) = erin.row("status")["nds"]
    assert service == {"address": square.nds.address, "state": "ok", "fault": None}, "at the door"
    sent = erin.row("send", "-c", "dev", "I came in by the side door")
    assert (sent["acked"], sent["of"]) == (4, 4)
    texts.append("I came in by the side door")
    assert square.agree("dev", *SQUARE, "erin", texts=texts) == before

    erin.run("leave", "dev")
    erin.down()
    assert square.agree("dev", *SQUARE, texts=texts) == before


def test_two_profiles_of_one_machine_with_one_nick_are_told_apart(cluster: Cluster) -> None:
    one = cluster.add("one", home="shared", profile="one")
    two = cluster.add("two", home="shared", profile="two")
    at_once(lambda member: member.up("--nick", "sam", "--nds", cluster.nds.address), [one, two])
    line = one.row("create", "dev")["join"]
    assert two.row("join", line)["nick"] == "sam2"
    for member in (one, two):
        assert [row["nick"] for row in member.rows("members")] == ["sam", "sam2"]
    one.run("send", "from the first")
    two.run("send", "from the second")
    shown = [line.split(" ", 1)[1] for line in two.run("tail").stdout.splitlines()]
    assert shown == ["#dev <sam> from the first", "#dev <sam2> from the second"]
    cluster.agree("dev", "one", "two", texts=["from the first", "from the second"])
