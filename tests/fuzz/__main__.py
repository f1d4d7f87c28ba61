"""`python -m tests.fuzz --cases 20000 --start 0`, or one case: `--rpc Node/Message --seed 7`.

Real processes on loopback, in a directory that is removed when nothing was wrong.  Exits 1 on a
fault; each is printed with the seed that repeats it.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from tests.fuzz import within
from tests.fuzz.campaign import QUIET_S, Campaign, Plan
from tests.fuzz.talkers import STALL_S, Talkers
from tests.fuzz.town import Town


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=300, help="of each RPC")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--rpc", default="", help="only this one: Node/Message")
    parser.add_argument("--seed", type=int, help="only this case, shown in full")
    parser.add_argument("--seconds", type=float, default=0, help="at most, for each RPC")
    parser.add_argument("--within", action="store_true", help="only the core, without processes")
    given = parser.parse_args()
    if given.seed is not None:
        given.cases, given.start = 1, given.seed
    began = time.monotonic()
    found = [str(one) for one in within.run(given.cases, given.start, given.rpc)]
    print(f"within: {len(found)} faults in {time.monotonic() - began:.1f} s", *found[:10], sep="\n")
    if given.within:
        return bool(found)
    plan = Plan(given.cases, given.start, given.rpc, given.seconds)
    directory = Path(tempfile.mkdtemp(prefix="fuzz"))
    found += conduct(directory, plan, show=given.seed is not None)
    print(f"{time.monotonic() - began:.0f} s")
    if found:
        print(f"the logs are in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


def conduct(directory: Path, plan: Plan, *, show: bool = False) -> list[str]:
    """Builds a town, lives the plan in it, prints the report; its faults."""
    town = Town(directory)
    try:
        town.build()
        talk = Talkers(town)
        talk.start()
        try:
            talk.wait_for(2 + int(QUIET_S))
            campaign = asyncio.run(_campaign(town, plan, talk, show=show))
        finally:
            talk.stop()
        campaign.settle(talk)
        if talk.failed:
            campaign.faults.append(f"{len(talk.failed)} honest lines failed: {talk.failed[:2]}")
        if talk.stall() > STALL_S:
            campaign.faults.append(f"the honest were silenced for {talk.stall():.0f} s")
        plan.say(campaign.report(talk))
        return campaign.faults
    finally:
        town.close()


async def _campaign(town: Town, plan: Plan, talk: Talkers, *, show: bool) -> Campaign:
    campaign = Campaign(town, plan)
    quiet = len(talk.samples)
    talk.quiet = talk.rate(1, quiet - 1)
    if show:
        await campaign.look()
        for rpc in campaign.rpcs.values():
            if rpc.name == plan.only:
                _show(campaign, rpc.name, plan.start)
    await campaign.run()
    talk.noisy = talk.rate(quiet - 1) if len(talk.samples) > quiet else talk.quiet
    await campaign.close()
    return campaign


def _show(campaign: Campaign, rpc: str, seed: int) -> None:
    case = campaign.draw(campaign.rpcs[rpc], seed)
    print(case)
    for payload in case.payloads:
        try:
            kind = message_factory.GetMessageClass(case.rpc.request)
            print(str(kind.FromString(payload))[:4_000])
        except DecodeError:
            print(payload[:2_000].hex())


if __name__ == "__main__":
    sys.exit(main())
