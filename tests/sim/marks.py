"""Which branches of the core no life has reached: `python -m tests.sim.marks --seeds 100`.

A branch that no life reaches is one that no fault exercises: then a fault is missing, or the branch
is dead, or a sentence in `unreached.txt` says why not.  What is listed nowhere fails the run.

    # the reason for all that follows, up to the next reason
    node/core/FILE.py FUNCTION: TEXT OF THE LINE            the line was never run
    node/core/FILE.py FUNCTION: TEXT OF THE LINE -> TEXT    it never went on there (exit: it left)
    node/core/FILE.py FUNCTION*                             all that begins so
"""

import argparse
import ast
import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import coverage

from tests.arguments import seed, some

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "node" / "core"
LISTED = Path(__file__).with_name("unreached.txt")
EXCLUDED = ("case _:", "assert_never(", "if TYPE_CHECKING:", "raise NotImplementedError")


def measured(seeds: range) -> tuple[coverage.Coverage, list[str]]:
    """Live these lives in this process, the core loaded anew so that nothing of it is missed."""
    measuring = coverage.Coverage(
        branch=True, source=[str(CORE)], data_file=None, config_file=False, messages=False
    )
    for name in [name for name in sys.modules if name.startswith(("node.core", "tests.sim."))]:
        del sys.modules[name]
    measuring.start()
    swarm = importlib.import_module("tests.sim.swarm")
    broken = [outcome.text for outcome in map(swarm.live, seeds) if outcome.promise]
    rulings = importlib.import_module("tests.sim.rulings")
    for number in seeds:
        rulings.live(number)
    measuring.stop()
    return measuring, broken


class Source:
    """One file of the core, as its lines are named to people."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(ROOT).as_posix()
        text = path.read_text("utf-8")
        self.lines = text.splitlines()
        self.functions = sorted(_functions(ast.parse(text)), reverse=True)  # innermost first

    def function(self, line: int) -> str:
        """The function that a line is of; empty where it is of none."""
        return next((name for first, last, name in self.functions if first <= line <= last), "")

    def text(self, line: int) -> str:
        return self.lines[line - 1].strip() if line > 0 else "exit"


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[int, int, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = f"{within}.{node.name}" if within else node.name
            if isinstance(node, ast.FunctionDef):
                yield node.lineno, node.end_lineno or node.lineno, name
            yield from _functions(node, name)
        else:
            yield from _functions(node, within)


def unreached(measuring: coverage.Coverage) -> list[str]:
    """What no life reached, named as in the list, in the order of the files."""
    found = []
    for path in sorted(CORE.glob("*.py")):
        source = Source(path)
        analysis = measuring._analyze(str(path))  # the one way to the branches without a file
        missing = sorted(analysis.missing)
        for line in missing:
            if source.function(line) and not source.text(line).startswith(EXCLUDED):
                found.append(f"{source.name} {source.function(line)}: {source.text(line)}")
        for line, ends in sorted(analysis.missing_branch_arcs().items()):
            if line in missing or not source.function(line):
                continue
            for end in sorted(ends):
                if end in missing or source.text(end).startswith(EXCLUDED):
                    continue  # Said already.
                where = f"{source.name} {source.function(line)}: {source.text(line)}"
                found.append(f"{where} -> {source.text(end)}")
    return found


def listed(text: str) -> dict[str, str]:
    """Each entry of the list with its reason.  Raises ValueError where one has none."""
    reason: list[str] = []
    entries: dict[str, str] = {}
    after_entry = True
    for row in text.splitlines():
        if row.startswith("#"):
            reason = ([] if after_entry else reason) + [row.removeprefix("#").strip()]
            after_entry = False
        elif row.strip():
            if not reason:
                raise ValueError(f"no reason for {row}")
            entries[row.strip()] = " ".join(reason)
            after_entry = True
    return entries


def is_listed(entry: str, known: dict[str, str]) -> bool:
    """Whether the list has it, or something that it begins with."""
    return entry in known or any(
        entry.startswith(start.removesuffix("*")) for start in known if start.endswith("*")
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.marks", description=__doc__)
    parser.add_argument("--seeds", type=some, default=100, help="how many lives")
    parser.add_argument("--start", type=seed, default=0, help="the first seed")
    parser.add_argument("--all", action="store_true", help="print what is listed, too")
    given = parser.parse_args()
    began = time.perf_counter()
    measuring, broken = measured(range(given.start, given.start + given.seeds))
    found = unreached(measuring)
    known = listed(LISTED.read_text("utf-8"))
    fresh = [entry for entry in dict.fromkeys(found) if not is_listed(entry, known)]
    print(f"{given.seeds} lives in {time.perf_counter() - began:.0f} s; {len(broken)} failed")
    print(f"{len(set(found))} lines and branches of the core were not reached,", end=" ")
    print(f"{len(fresh)} of them for no reason that is written down")
    for entry in found if given.all else fresh:
        print(f"  {entry}")
    if given.all:
        for entry in known:
            if not entry.endswith("*") and entry not in found:
                print(f"listed, and reached by these lives: {entry}")
    return bool(fresh or broken)


if __name__ == "__main__":
    sys.exit(main())
