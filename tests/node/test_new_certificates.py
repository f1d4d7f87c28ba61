"""Members that lost their certificates and made new ones, by real nodes: node/core/callers.py."""

import pytest

from node.host import entering
from node.trust import TLS
from node.words import Mode
from tests.node.town import Town, eventually, lines, say


@pytest.mark.parametrize("lost", [("alice",), ("bob",), ("bob", "carol"), ("alice", "bob")])
async def test_whoever_has_a_new_certificate_is_in_touch_again(
    town: Town, lost: tuple[str, ...]
) -> None:
    """Alice leads.  They prove by their identities who they are; nobody else could."""
    names = ("alice", "bob", "carol")
    nodes = {name: await town.start(name) for name in names}
    await entering.create(nodes["alice"], town.chat, "", "", Mode.LOGGED)
    line = (await entering.inviting.invite(nodes["alice"], nodes["alice"].chat(""))).join_line
    for name in names[1:]:
        await entering.join(nodes[name], line, "", "")
    await say(nodes["carol"], "before")
    ids = {name: nodes[name].chat("").group.me for name in names}
    for name in lost:
        await town.stop(name)
        (nodes[name].places.data / TLS).unlink()
    for name in lost:
        nodes[name] = await town.start(name)
    groups = [node.chat("").group for node in nodes.values()]
    await eventually(
        lambda: (
            all(len(group.active) == 3 and group.leader for group in groups)
            and len({group.leader for group in groups}) == 1
            and len({group.roster for group in groups}) == 1
        ),
        20.0,
    )
    assert {name: nodes[name].chat("").group.me for name in names} == ids
    for name in names:
        assert (await say(nodes[name], f"after, by {name}")).complete
    assert all(lines(node)[0] == "before" for node in nodes.values())
    assert len({tuple(lines(node)) for node in nodes.values()}) == 1
