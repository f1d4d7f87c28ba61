"""Planted bugs, each of which the swarm must find: `python -m tests.sim.mutants [names]`.

A mutant is a replacement of source text that must match exactly once.  It is applied to a copy of
the tree, where the swarm then looks for a seed that breaks a promise.  A mutant that survives shows
a rule that nothing checks, or that nothing needs.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .planted import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 200


def matches(mutant: Mutant) -> list[int]:
    """How often each text that is to be replaced occurs; once is right."""
    text = (ROOT / mutant.path).read_text("utf-8")
    return [text.count(old) for old, _ in mutant.changes]


def plant(mutant: Mutant, tree: Path) -> None:
    """Copy what the simulator needs to `tree`, with the bug in it."""
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("nds/record", "node/core", "tests/sim"):
        shutil.copytree(ROOT / package, tree / package, ignore=ignore)
    for package in ("nds", "node", "tests"):
        shutil.copy(ROOT / package / "__init__.py", tree / package / "__init__.py")
    shutil.copy(ROOT / "tests/arguments.py", tree / "tests/arguments.py")
    path = tree / mutant.path
    text = path.read_text("utf-8")
    for old, new in mutant.changes:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: matches {text.count(old)} times in {mutant.path}")
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def hunt(mutant: Mutant, seeds: int = SEEDS) -> str:
    """The line with which the swarm reports the bug; empty if it survives."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        tree = Path(directory)
        plant(mutant, tree)
        command = [sys.executable, "-m", "tests.sim.swarm", "--first"]
        command += ["--seeds", str(seeds), "--start", str(mutant.start)]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return (done.stdout or done.stderr.strip().rpartition("\n")[2]).partition("\n")[0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names (default: all)")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    survived = 0
    for mutant in MUTANTS:
        if given.names and not any(name in mutant.name for name in given.names):
            continue
        began = time.perf_counter()
        found = hunt(mutant, given.seeds)
        took = time.perf_counter() - began
        print(f"{mutant.name:40} {took:5.0f} s  {found[:150] or 'SURVIVED'}", flush=True)
        survived += not found
    print(f"{survived} survived")
    return bool(survived)


if __name__ == "__main__":
    sys.exit(main())
