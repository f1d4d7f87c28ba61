"""`python -m tests.fuzz --cases 20000 --start 0`, or one case: `--rpc Node/Message --seed 7`.

Real processes on loopback, in a directory that is removed when nothing was wrong.  Exits 1 on a
fault; each is printed with the seed that repeats it.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.arguments import seed, some
from tests.fuzz import within
from tests.fuzz.campaign import Plan
from tests.fuzz.conduct import conduct
from tests.fuzz.rpcs import known


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=some, default=300, help="of each RPC")
    parser.add_argument("--start", type=seed, default=0, help="the first seed")
    names = [rpc.name for rpc in known()]
    parser.add_argument(
        "--rpc", default="", choices=["", *names], metavar="RPC", help="only this: Node/Message"
    )
    parser.add_argument("--seed", type=seed, help="only this case, shown in full")
    parser.add_argument("--seconds", type=float, default=0, help="at most, for each RPC")
    parser.add_argument("--within", action="store_true", help="only the core, without processes")
    given = parser.parse_args()
    if given.seed is not None:
        given.cases, given.start = 1, given.seed
    began = time.monotonic()
    found = [str(one) for one in within.run(given.cases, given.start, given.rpc)]
    took = time.monotonic() - began
    print(f"within: {len(found)} faults in {took:.1f} s", *found[:10], sep="\n", flush=True)
    if given.within:
        return bool(found)
    plan = Plan(given.cases, given.start, given.rpc, given.seconds)
    directory = Path(tempfile.mkdtemp(prefix="fuzz"))
    found += conduct(directory, plan, show=given.seed is not None).faults
    print(f"{time.monotonic() - began:.0f} s")
    if found:
        print(f"the logs are in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
