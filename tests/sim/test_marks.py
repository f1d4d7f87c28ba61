"""The list of what no life reaches: every entry has a reason, and stands for something there is."""

import subprocess
import sys

import pytest

from . import marks


def test_each_entry_has_a_reason_and_names_what_there_is() -> None:
    known = marks.listed(marks.LISTED.read_text("utf-8"))
    sources = {path.name: marks.Source(path) for path in marks.CORE.glob("*.py")}
    for entry in known:
        path, _, rest = entry.partition(" ")
        source = sources[path.removeprefix("node/core/")]
        function, colon, text = rest.partition(": ")
        wanted = function.removesuffix("*")
        names = [name for _, _, name in source.functions]
        assert any(name.startswith(wanted) if not colon else name == wanted for name in names), (
            entry
        )
        first = text.partition(" -> ")[0].removesuffix("*")
        assert any(line.strip().startswith(first) for line in source.lines), entry


def test_an_entry_without_a_reason_is_refused() -> None:
    assert marks.listed("# why\n# it is so\na b: c\n\n# and\nd e: f*\n") == {
        "a b: c": "why it is so",
        "d e: f*": "and",
    }
    with pytest.raises(ValueError, match="no reason"):
        marks.listed("a b: c\n")


def test_what_begins_like_an_entry_with_a_star_is_listed() -> None:
    known = {"a.py F.g: return": "", "a.py F.h*": ""}
    assert marks.is_listed("a.py F.g: return", known)
    assert marks.is_listed("a.py F.h: if x: -> exit", known)
    assert not marks.is_listed("a.py F.g: return 1", known)


def test_what_lives_do_not_reach_is_printed() -> None:
    command = [sys.executable, "-m", "tests.sim.marks", "--seeds", "2", "--all"]
    done = subprocess.run(command, cwd=marks.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, "two lives are too few"
    assert "2 lives in" in done.stdout
    assert "  node/core/readable.py Readable.trace: " in done.stdout
    assert "said = self._composing.compose(todo)" not in done.stdout
