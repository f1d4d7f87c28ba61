"""`python -m tests.bench [WORD ...]`: measure the rows whose names hold one of the words, or all.

Another part's figures are a module with `ROWS` here, and its name below.
"""

import sys

from . import core, simulator
from .measure import ROUNDS, measure, table

ROWS = [*core.ROWS, *simulator.ROWS]


def main(words: list[str]) -> int:
    rows = [row for row in ROWS if not words or any(word in row.name for word in words)]
    if not rows:
        print(f"no row is named like {' or '.join(words)}", file=sys.stderr)
        return 2
    print(f"median of {ROUNDS} rounds; 'x base' is the multiple of the same round's baseline")
    print(table(measure(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
