"""The discovery service dies, comes back, forgets everything: the groups go on and repair it."""

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.programs import Leading, digits
from tests.e2e.talk import Talk, all_of, others
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("members")


def nds_states(cluster: Cluster, *names: str) -> set[str]:
    """ "ok" or "down", as each of them says it."""
    found = [cluster[name].ask("GetStatus").nds for name in names]
    return {one.state.split()[0] for services in found for one in services}


def test_talk_and_joining_go_on_without_it_and_it_lists_all_again(square: Cluster) -> None:
    before = square.leader("dev", *SQUARE)
    texts = square["alice"].texts("dev")
    square.nds.end()
    wait_for(lambda: nds_states(square, *SQUARE) == {"down"}, "all notice that the NDS is down")
    erin = square.members.get("erin") or square.add("erin")
    with Talk(square, "dev", list(SQUARE), "no NDS") as talk:
        line = square["dan"].row("invite", "-c", "dev")
        assert line["through"] == "member"
        joined = erin.row("join", line["join"], "--nick", "erin")
        erin.pid = erin.row("status")["pid"]
        assert joined["member"] > max(square[name].id("dev") for name in SQUARE)
        refused = square["bob"].run("create", "later", "--nds", square.nds.address, code=4)
        assert f"No NDS answers at {square.nds.address}" in refused.stderr
        sent = erin.row("send", "-c", "dev", "nobody listed me")
        assert (sent["acked"], sent["of"]) == (4, 4)
    assert {square[name].leading("dev") for name in (*SQUARE, "erin")} == {before}

    square.nds.start()
    five = (*SQUARE, "erin")
    wait_for(lambda: nds_states(square, *five) == {"ok"}, "all notice that the NDS is back")
    texts += [*talk.said, "nobody listed me"]
    assert square.agree("dev", *five, texts=texts) == before
    assert [row["chat"] for row in erin.rows("list")] == ["dev", "ops"]

    erin.run("leave", "dev")
    erin.down()
    square.agree("dev", *SQUARE, texts=texts)
    square.settled("ops", *SQUARE)


def test_without_it_the_lowest_leads_provisionally_until_it_is_back(square: Cluster) -> None:
    before = square.leader("dev", *SQUARE)
    texts = square["bob"].texts("dev")
    dead = next(name for name in SQUARE if square[name].id("dev") == before.member)
    rest = others(SQUARE, dead)
    square.nds.end()
    lowest = square.lowest("dev", *rest)
    standing_in = Leading(square[lowest].id("dev"), before.epoch, provisional=True)
    with Talk(square, "dev", rest, "neither leader nor NDS") as talk:
        square[dead].kill()
        wait_for(
            all_of(rest, lambda name: square[name].leading("dev") == standing_in),
            f"{lowest} leads provisionally for {rest}",
        )
        for name in rest:
            row = square[name].row("leader", "-c", "dev")
            assert (row["member"], row["provisional"]) == (standing_in.member, True)
        wait_for(
            all_of(rest, lambda name: square[name].states("dev")[dead] == "dropped"),
            f"{dead} is shown as gone",
        )
        sent = square[rest[-1]].row("send", "-c", "dev", "we go on")
        assert (sent["acked"], sent["of"]) == (2, 2)
        square.nds.start()
        wait_for(
            all_of(rest, lambda name: _certified(square, name, before)),
            "somebody is certified",
        )
    texts += [*talk.said, "we go on"]
    after = square.agree("dev", *rest, texts=texts, absent=1)
    assert after.member == standing_in.member
    square[dead].up()
    assert square.agree("dev", *SQUARE, texts=texts) == after
    square.settled("ops", *SQUARE)


def _certified(cluster: Cluster, name: str, before: Leading) -> bool:
    seen = cluster[name].leading("dev")
    return seen is not None and seen.epoch > before.epoch and not seen.provisional


def test_one_that_lost_its_disk_is_told_by_the_leaders(square: Cluster) -> None:
    texts = square["carol"].texts("dev")
    before = {chat: square.leader(chat, *SQUARE) for chat in ("dev", "ops")}
    numbers = {chat: square["alice"].chat(chat).chat_id for chat in before}  # type: ignore[union-attr]
    ids = [square[name].id("dev") for name in SQUARE]
    square.nds.end()
    square.nds.wipe()
    square.nds.start()
    with Talk(square, "dev", list(SQUARE), "the NDS forgot us") as talk:
        wait_for(lambda: all(square.nds.network(chat) for chat in before), "both are listed again")
    for chat, number in numbers.items():
        record = square.nds.network(chat)
        assert record is not None
        assert record.chat_id == number
        assert digits(record.epoch) >= before[chat].epoch
    texts += talk.said
    leader = square.agree("dev", *SQUARE, texts=texts)
    square.settled("ops", *SQUARE)

    # What it issues from now on is above all that it ever issued.
    dead = next(name for name in SQUARE if square[name].id("dev") == leader.member)
    rest = others(SQUARE, dead)
    square[dead].kill()
    wait_for(all_of(rest, lambda name: _certified(square, name, leader)), "somebody follows")
    erin = square.members.get("erin") or square.add("erin")
    line = f"{square.nds.address}/dev"
    assert erin.row("join", line, "--nick", "erin")["member"] > max(ids)
    erin.pid = erin.row("status")["pid"]
    square[dead].up()
    square.agree("dev", *SQUARE, "erin", texts=texts)
    erin.run("leave", "dev")
    erin.down()
    square.agree("dev", *SQUARE, texts=texts)
