"""The files of the scenes and the pictures: where they are, and what should stand in them."""

from functools import cache
from pathlib import Path

from tests.cli.app_world import World
from tests.cli.screens import looks, opened, talk  # noqa: F401 - they fill SCENES
from tests.cli.screens.golden import written
from tests.cli.screens.picture import svg
from tests.cli.screens.stage import SCENES

HERE = Path(__file__).resolve().parent
PICTURES = {  # scene -> size of its picture
    "chat": (110, 19),
    "election": (110, 18),
    "trace": (110, 17),
}


def file_of(name: str) -> Path:
    return HERE / f"{name}.txt"


def picture_of(name: str) -> Path:
    return HERE / f"{name}.svg"


def read(name: str) -> str:
    """What the file of a scene says; empty where there is none."""
    file = file_of(name)
    return file.read_text("utf-8") if file.exists() else ""


@cache
def played(name: str) -> str:
    """What it should say: the scene as it is now, at each of its sizes."""
    scene = SCENES[name]
    parts = [f"{scene.about}\n"]
    for columns, rows in scene.sizes:
        with World(columns, rows) as world:
            scene.play(world)
            parts.append(written(world.display, world.typed, styles=scene.styles))
    return "\n".join(parts)


def drawn(name: str) -> str:
    """The picture of a scene."""
    with World(*PICTURES[name]) as world:
        SCENES[name].play(world)
        return svg(world.display, "p2pchat")
