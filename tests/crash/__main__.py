"""`python -m tests.crash [--start N] [--count N] [--step N]`: every point of a life, one by one.

Each life ends one point later than the one before, until one comes to its own end.  Without
`--count`, logs are torn before that.  Exit 1 at the first loss; its point is printed, and the files
stay.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from tests.arguments import some
from tests.crash.lives import Theatre
from tests.crash.torn import boundaries, check_cut, check_damage, check_half_moved, written

TORN_SEEDS = 5
LIVES = 20  # in one theatre
POINTS_MAX = 10_000  # a life comes to its own end long before


def tear(directory: Path) -> None:
    """Write-ahead logs cut at every boundary of a frame, and spoilt and half moved at random."""
    print("logs cut and spoilt as a loss of power leaves them; about 100 s", flush=True)
    for seed in range(TORN_SEEDS):
        history, chance = written(directory, seed, 5), Random(seed)
        cuts = boundaries(history)
        for cut in cuts:
            check_cut(directory, history, cut)
        for _ in range(300):
            check_damage(directory, history, chance.randrange(len(history.wal)), chance)
            check_half_moved(directory, history, chance)
        print(f"torn: seed {seed}, {len(cuts)} cuts, 300 spoilt, 300 half moved", flush=True)


def crash(directory: Path, start: int, count: int, step: int) -> int:
    """Lives that end at each point; how many there were.

    Each life leaves chats and lines, which the next one reads: in a theatre that is never built
    anew a life has more points each time, and none comes to its own end.
    """
    print("lives, each killed at the next point; some 200 of 1 to 8 s to the end", flush=True)
    points = range(start, start + count * step, step)
    for first in range(0, len(points), LIVES):
        scene = directory / f"theatre{first}"
        scene.mkdir()
        theatre = Theatre(scene)
        try:
            theatre.open()
            for played, point in enumerate(points[first : first + LIVES], first + 1):
                if not end_at(theatre, point):
                    return played
        finally:
            theatre.close()
    return count


def end_at(theatre: Theatre, point: int) -> bool:
    """Whether a life came to a point and was killed there, or else to its own end."""
    began = time.monotonic()
    life = theatre.play(f"any:{point}")
    came = len(life.points)
    try:
        theatre.check(life)
    except BaseException:
        where = theatre.cluster.directory
        print(f"any:{point} ({life.ended_at}) BROKEN; files in {where}", flush=True)
        raise
    print(f"any:{point} {life.ended_at} ({time.monotonic() - began:.1f} s)", flush=True)
    return came >= point


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--start", type=some, default=1, help="the first point")
    parser.add_argument("--count", type=some, help="how many points, and no torn logs; else all")
    parser.add_argument("--step", type=some, default=1, help="how far apart")
    parser.add_argument("--skip-torn", action="store_true", help="no torn logs")
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="p2pchat-crash-"))
    try:
        if not args.skip_torn and args.count is None:
            tear(directory)
        lives = crash(directory, args.start, args.count or POINTS_MAX, args.step)
    except AssertionError:
        traceback.print_exc()
        return 1
    print(f"{lives} lives, each ended at another point: nothing lost, nothing twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
