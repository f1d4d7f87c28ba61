"""Real nodes whose logs are bounded: node/core/trimming.py and node/archive in one loop."""

from node.host import entering, views
from node.host.asking import check
from node.words import Mode
from tests.node.town import Town, eventually, say

SMALL = ["log_max=20"]


def texts(node: object) -> list[str]:
    chat = node.chat("")  # type: ignore[attr-defined]
    page = views.page(chat, count=200, since_ms=0, before="", contains="")
    return [line.text for line in page.lines]


async def test_a_chat_keeps_its_last_lines_and_all_agree_on_them(town: Town) -> None:
    alice = await town.start("alice", timing=SMALL)
    bob = await town.start("bob", timing=SMALL)
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    await entering.join(bob, f"{town.nds}/{town.chat}", "", "")
    for n in range(30):
        await say((alice, bob)[n % 2], f"line {n}")
    last = [f"line {n}" for n in range(10, 30)]
    await eventually(lambda: texts(alice) == texts(bob) == last)
    assert (await check(bob, bob.chat(""))).same
    await town.stop("bob")
    for n in range(30, 60):
        await say(alice, f"line {n}")
    bob = await town.start("bob", timing=SMALL)
    # What alice said while nobody else was there she kept until he had it.
    await eventually(lambda: "line 59" in texts(bob))
    assert bob.chat("").lost == {}
    await say(bob, "line 60")
    last = [f"line {n}" for n in range(41, 61)]
    await eventually(lambda: texts(bob) == texts(alice) == last)
    carol = await town.start("carol")
    await entering.join(carol, f"{town.nds}/{town.chat}", "", "")
    await eventually(lambda: texts(carol) == last)
    await eventually(lambda: not carol.chat("").group.partial)
    found = await check(carol, carol.chat(""))
    assert (found.same, found.lost) == (True, ())


async def test_who_was_away_for_longer_than_the_others_keep_is_told_what_is_missing(
    town: Town,
) -> None:
    alice = await town.start("alice", timing=SMALL)
    bob = await town.start("bob", timing=SMALL)
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    carol = await town.start("carol")
    for node in (bob, carol):
        await entering.join(node, f"{town.nds}/{town.chat}", "", "")
    for n in range(5):
        await say(alice, f"line {n}")
    await town.stop("carol")
    await eventually(lambda: len(alice.chat("").group.active) == 2)
    for n in range(5, 55):
        await say(alice, f"line {n}")
    await eventually(lambda: len(texts(bob)) == 20)
    carol = await town.start("carol")
    await eventually(lambda: "line 54" in texts(carol))
    await eventually(lambda: bool(carol.chat("").lost))
    missing = 50 - (len(texts(carol)) - 5)
    assert carol.chat("").lost == {alice.chat("").group.me: missing}
    assert carol.status().chats[0].lost == missing
    found = await check(carol, carol.chat(""))
    assert found.same
    assert [(one.nick, one.messages) for one in found.lost] == [("alice", missing)]
    await town.stop("carol")
    carol = await town.start("carol")
    assert carol.chat("").lost == {alice.chat("").group.me: missing}, "in the next life too"
    await eventually(lambda: bool(carol.chat("").group.leader))
