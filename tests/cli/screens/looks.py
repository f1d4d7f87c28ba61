"""Scenes of how it all looks: panes, marks, hotlist, themes, small and empty screens."""

from node.cli.app.setup import Forgetful
from node.cli.model import Settings, State
from node.cli.settings import HINT
from node.happenings import ErrorEvent
from tests.cli.app_world import World
from tests.cli.screens.stage import MINUTE_MS, at, cast, elsewhere, failover, scene, told


class Played(Forgetful):
    """What was kept from the last time."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self) -> State:
        return self._state


@scene("110x24 60x12 84x12 200x12")
def _hotlist(world: World) -> None:
    """Chats with unread lines, those that name you first; the muted one is not among them."""
    told(world)
    elsewhere(world)
    world.enter("/mute #old")
    world.node.says("old", "heidi", "nobody minds this")
    world.passes(1_000)


@scene("110x16 200x16")
def _members(world: World) -> None:
    """Marks of members: * leader, ? suspect, - gone; away; a nick that is too long."""
    node = world.node
    node.add_chat(
        "dev", "alice=1", "bob=2", "carol=4", "you=7", "dan=9", "the-longest-nick-there-is=12",
        "漢字=13", leader="bob",
    )  # fmt: skip
    node.set_member("dev", "alice", state="dropped")
    node.set_member("dev", "dan", state="suspect")
    node.set_member("dev", "carol", away="lunch")
    node.set_chat("dev", alive=6)
    world.start()


@scene("84x10 110x10")
def _same_names(world: World) -> None:
    """Two chats of one name, known to two discovery services: each is called by its own."""
    node = world.node
    node.add_chat("dev", "alice", "you", leader="alice")
    other = node.add_chat("dev", "bob", "you", leader="bob")
    node.set_chat(other, nds="10.0.0.6:50050")
    world.start()
    node.says(other, "bob", "which #dev is this?")
    world.passes(500)
    world.press("Alt+2")


@scene("110x12")
def _many_members(world: World) -> None:
    """More members and chats than rows: both panes say how many are not shown."""
    node = world.node
    nicks = [f"member{n}" for n in range(1, 31)]
    node.add_chat("dev", "you", *nicks, leader="you")
    for n in range(2, 21):
        node.add_chat(f"chat{n}", "you", leader="you")
    world.start()


@scene("60x14 110x14")
def _panes_forced(world: World) -> None:
    """F7 and F8 show the panes where they would be hidden, and hide them where they are shown."""
    told(world)
    world.press("F7", "F8")


@scene("110x14")
def _bare(world: World) -> None:
    """Alt+L: the transcript alone, to be selected with the mouse."""
    told(world)
    world.press("Alt+L")


@scene("84x20")
def _empty(world: World) -> None:
    """In no chat yet: what to do first."""
    world.start()


@scene("84x14")
def _first_run(world: World) -> None:
    """The first time: the line that others run, and a hint for newcomers."""
    world.node.add_chat("dev", "you", leader="you")
    greeting = ("others run:  p2pchat join 10.0.0.5:50050/dev",)
    world.start(chat="dev", greeting=greeting, keeper=Played(State(hint=HINT)))


@scene("20x3 30x5 40x4 12x2")
def _tiny(world: World) -> None:
    """Far too small: nothing breaks, the input can be used."""
    told(world)
    world.type("still typing")


@scene("84x14 60x14 110x14")
def _nds_down(world: World) -> None:
    """The discovery service is away; the chat works."""
    told(world)
    world.node.nds_goes(up=False)
    world.passes(42_000)


@scene("84x14 60x14")
def _node_lost(world: World) -> None:
    """The node does not answer: it is said, and typing goes on."""
    told(world)
    world.node.dies()
    world.passes(5_000)
    world.type("I can still write")


@scene("84x14")
def _node_back(world: World) -> None:
    """The node answers again: what was said meanwhile is there."""
    dev = told(world)
    world.node.dies()
    world.passes(5_000)
    world.node.past(dev, "carol", "said while you were away", MINUTE_MS // 60)
    world.node.returns()
    world.passes(2_000)


def _themed(world: World, theme: str, **setup: object) -> None:
    """Something of every class of style, in a theme."""
    state = State(settings=Settings(theme=theme))
    dev = cast(world)
    node = world.node
    node.past(dev, "carol", "freeze is on Friday, mind", 26 * 60 * MINUTE_MS)
    world.start(keeper=Played(state), **setup)
    at(world, "12:01:07")
    node.says(dev, "alice", "who broke the build?")
    world.enter("not me")
    failover(world, dev)
    node.tell(ErrorEvent("DISK_FULL", "the log cannot be written"), dev)
    world.press("Alt+2")
    elsewhere(world)
    node.says(dev, "carol", "@you are you there?", mention=True)
    world.press("Alt+1")
    node.acknowledges = False
    world.enter("deploying now")
    line = node.town(dev).log[-1]
    node.acked(dev, line, "bob", 1, 3)
    world.passes(3_000)


@scene("110x16", styles=True)
def _theme_default(world: World) -> None:
    """Sixteen colours; what they mean is also said in words or marks."""
    _themed(world, "default")


@scene("110x16", styles=True)
def _theme_mono(world: World) -> None:
    """No colours: bold, underline and reverse alone."""
    _themed(world, "mono")


@scene("110x16", styles=True)
def _theme_high_contrast(world: World) -> None:
    """Bright colours, nothing faint."""
    _themed(world, "high-contrast")


@scene("110x16", styles=True)
def _theme_light(world: World) -> None:
    """For dark text on a light terminal."""
    _themed(world, "light")


@scene("110x16", styles=True)
def _no_color(world: World) -> None:
    """NO_COLOR: whatever the theme, no colours."""
    _themed(world, "default", color=False)
