"""The parts of line mode that need no process; tests/e2e/test_line.py tries the whole."""

from node.cli.line import Burst
from node.happenings import Happening, MemberEvent


def joined(nick: str, id: int, chat: str = "dev", change: str = "joined") -> Happening:
    return Happening(MemberEvent(id, nick, change), chat)


def test_the_first_of_a_burst_is_told_at_once_and_the_rest_together() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert not burst.add(joined("b", 2))
    assert not burst.add(joined("c", 3))
    assert burst.end() == [("b (id 2) and c (id 3) joined", "dev")]


def test_a_burst_of_one_has_nothing_left_to_tell() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert burst.end() == []
    assert burst.add(joined("b", 2)), "after its end, the next one is a first again"


def test_another_chat_or_another_change_is_another_burst() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert burst.add(joined("b", 2, chat="ops"))
    assert burst.add(joined("a", 1, chat="ops", change="left"))
