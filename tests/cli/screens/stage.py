"""What the scenes share: who is in which chat, and the story that is told in #dev."""

from collections.abc import Callable

from msgspec import Struct

from node.happenings import ElectionEvent, SuspectEvent
from tests.cli.app_world import World
from tests.cli.fake_node import NOON_MS

SECOND_MS, MINUTE_MS = 1_000, 60_000
NOON = 12 * 3_600 + 60  # second of the day at which a world begins
WIDTHS = "60x24 84x24 110x24 200x24"


class Scene(Struct, frozen=True):
    """How to come to a screen, and the sizes at which it is kept."""

    name: str
    about: str
    play: Callable[[World], None]
    sizes: tuple[tuple[int, int], ...]
    styles: bool


SCENES: dict[str, Scene] = {}


def scene(
    sizes: str, *, styles: bool = False
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Makes a scene of a function; its name names the file, its docstring says what is seen."""

    def register(play: Callable[[World], None]) -> Callable[[World], None]:
        name = play.__name__.strip("_").replace("_", "-")
        assert name not in SCENES, f"two scenes are called {name}"
        about = " ".join((play.__doc__ or "").split())
        assert about, f"{name} does not say what is seen"
        pairs = [size.partition("x") for size in sizes.split()]
        found = tuple((int(columns), int(rows)) for columns, _, rows in pairs)
        SCENES[name] = Scene(name, about, play, found, styles)
        return play

    return register


def at(world: World, clock: str) -> None:
    """Lets time go by until the clock of the world shows this."""
    hours, minutes, seconds = map(int, clock.split(":"))
    wanted = NOON_MS + (hours * 3_600 + minutes * 60 + seconds - NOON) * SECOND_MS
    assert wanted >= world.now(), f"{clock} has gone by"
    world.passes(wanted - world.now())


def cast(world: World) -> int:
    """#dev with five members whom alice leads, and #ops, #lab and #old; the number of #dev."""
    node = world.node
    dev = node.add_chat("dev", "alice=1", "bob=2", "carol=4", "you=7", "dan=9", leader="alice")
    node.add_chat("ops", "you=1", "erin=2", "frank=3", leader="you")
    node.add_chat("lab", "grace=1", "you=2", leader="grace")
    node.add_chat("old", "you=3", "heidi=5", leader="heidi")
    node.set_chat(dev, topic="release train, freeze on Friday", topic_by="alice")
    return dev


def failover(world: World, chat: int) -> None:
    """alice dies, bob leads; from 12:02:40 to 12:02:46."""
    node = world.node
    at(world, "12:02:40")
    node.set_member(chat, "alice", state="suspect")
    node.tell(SuspectEvent(1, "alice"), chat)
    at(world, "12:02:43")
    node.tell(ElectionEvent(2, "bob", "started", "leader silent"), chat)
    at(world, "12:02:44")
    node.led(chat, "bob", 12, took_ms=900)
    at(world, "12:02:46")
    node.changed(chat, "alice", "dropped", "no answer for 6 s")


def told(world: World) -> int:
    """The story of #dev up to the failover, alice gone and dan suspect; the number of #dev."""
    dev = cast(world)
    node = world.node
    node.past(dev, "carol", "freeze is on Friday, mind", 26 * 60 * MINUTE_MS)
    world.start()
    at(world, "12:01:07")
    node.says(dev, "alice", "who broke the build?")
    at(world, "12:01:22")
    node.says(dev, "bob", "looking\nsecond line of a pasted block")
    failover(world, dev)
    at(world, "12:02:58")
    node.set_member(dev, "dan", state="suspect")
    node.tell(SuspectEvent(9, "dan"), dev)
    return dev


def elsewhere(world: World) -> None:
    """Lines in the other chats: three in #ops, a mention and four more in #lab."""
    node = world.node
    for text in ("disk is at 91 %", "rotating the logs", "done"):
        node.says("ops", "erin", text)
    for text in ("hello", "@you have a look?", "run 7 is through", "run 8 too", "lunch"):
        node.says("lab", "grace", text)
    world.passes(SECOND_MS)


def long_talk(world: World, chat: int, count: int) -> None:
    """Past lines, a minute apart, before the app is started."""
    nicks = [member.nick for member in world.node.town(chat).members]
    for left in range(count, 0, -1):
        nick = nicks[left % len(nicks)]
        text = f"line {count - left + 1} of {count}" + ", which is longer" * (left % 7 // 2)
        world.node.past(chat, nick, text, left * MINUTE_MS)
