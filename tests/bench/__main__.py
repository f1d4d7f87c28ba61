"""`python -m tests.bench`: groups of processes, ours beside others (`tests.bench.groups`).

`python -m tests.bench rows` measures all rows of single parts, `python -m tests.bench WORD ...`
those whose names hold one of the words, `python -m tests.bench micro` single steps of codec, core
and archive (`tests.bench.micro`), `python -m tests.bench crowd` groups of up to 200 members.

Another part's figures are a module with `ROWS` here, or with `GAUGES` where each figure has a goal
of its own, and its name below.
"""

import subprocess
import sys

from . import archive, attacked, catchup, core, disk, model, screen, simulator, terminal
from .groups import __main__ as groups
from .groups import crowd
from .measure import ROUNDS, measure, table

ROWS = [*archive.ROWS, *core.ROWS, *disk.ROWS, *model.ROWS, *simulator.ROWS]
MICRO = [
    *(sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-n0"),
    *("-o", "python_files=measure_*.py", "--benchmark-enable", "--benchmark-disable-gc"),
    *("--benchmark-columns=median,iqr,ops,rounds", "--benchmark-sort=name", "tests/bench/micro"),
]
GAUGES = [*attacked.GAUGES, *catchup.GAUGES, *screen.GAUGES, *terminal.GAUGES]


def main(words: list[str]) -> int:
    if not words or words[0].startswith("-"):
        return groups.main(words)
    if words[0] == "crowd":
        return crowd.main(words[1:])
    if words[0] == "micro":
        return subprocess.run([*MICRO, *words[1:]], check=False).returncode
    if words == ["rows"]:
        words = []
    rows, gauges = ([one for one in all_ if wanted(one.name, words)] for all_ in (ROWS, GAUGES))
    if not rows and not gauges:
        print(f"no row is named like {' or '.join(words)}", file=sys.stderr)
        return 2
    if rows:
        print(f"median of {ROUNDS} rounds; 'x base' is the multiple of the same round's baseline")
        print(table(measure(rows)))
    for gauge in gauges:
        print(
            f"{gauge.name:<{max(len(one.name) for one in gauges)}}  {gauge.run()}  [{gauge.goal}]"
        )
    return 0


def wanted(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
