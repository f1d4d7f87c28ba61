"""The table of tests/scenarios.md: each scenario has its row, and what shows it is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LATER = {"W11", "W38", "W43"}  # they come with trust, and with finding one another on a LAN
ROW = re.compile(r"^\| (W\d+) \|.*\| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "tests/scenarios.md").read_text("utf-8"))


def test_every_scenario_has_one_row() -> None:
    wanted = [name for n in range(1, 46) if (name := f"W{n}") not in LATER]
    assert [name for name, _ in ROWS] == wanted


@pytest.mark.parametrize(("name", "shown"), ROWS, ids=[name for name, _ in ROWS])
def test_what_shows_it_is_there(name: str, shown: str) -> None:
    for one in shown.split(", "):
        if one.startswith("story "):
            assert (ROOT / f"tests/sim/stories/{one.removeprefix('story ')}.txt").is_file(), one
            continue
        path, _, test = one.partition("::")
        assert (ROOT / path).exists(), f"{name}: {path}"
        if test:
            assert re.search(rf"def {test}\(", (ROOT / path).read_text("utf-8")), f"{name}: {one}"
