"""Every story is played again and must go as it is written down."""

import pytest

from .transcript import STORIES, play

PATHS = sorted(STORIES.glob("*.txt"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_story_goes_as_it_is_told(path) -> None:
    told = path.read_text("utf-8").splitlines()
    assert play(told) == told


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_story_says_what_it_shows_and_checks_it(path) -> None:
    told = path.read_text("utf-8").splitlines()
    assert told[0].startswith("#")
    assert any(line.startswith("$ expect") for line in told)


def test_there_are_stories() -> None:
    assert len(PATHS) >= 15
