"""One campaign from its building to its report."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from tests.fuzz import limits, noise
from tests.fuzz.campaign import QUIET_S, Campaign, Plan
from tests.fuzz.talkers import STALL_S, Talkers
from tests.fuzz.town import Town

NOISY = 20  # one noisy connection to each server for so many cases of an RPC


def conduct(directory: Path, plan: Plan, *, show: bool = False) -> Campaign:
    """Builds a town, lives the plan in it, prints the report.  `show`: the one case in full."""
    asyncio_log = logging.getLogger("asyncio")
    level = asyncio_log.level
    asyncio_log.setLevel(logging.ERROR)  # It warns of writes to who has hung up.
    town = Town(directory)
    try:
        town.build()
        talk = Talkers(town)
        talk.start()
        try:
            talk.wait_for(2 + int(QUIET_S))
            campaign = asyncio.run(_live(town, plan, talk, show=show))
        finally:
            talk.stop()
        campaign.settle(talk)
        if talk.failed:
            campaign.faults.append(f"{len(talk.failed)} honest lines failed: {talk.failed[:2]}")
        if talk.stall() > STALL_S:
            campaign.faults.append(f"the honest were silenced for {talk.stall():.0f} s")
        plan.say(campaign.report(talk))
        return campaign
    finally:
        asyncio_log.setLevel(level)
        town.close()


async def _live(town: Town, plan: Plan, talk: Talkers, *, show: bool) -> Campaign:
    campaign = Campaign(town, plan)
    campaign.lines = lambda: int(talk.samples[-1][1]["said"])
    quiet = len(talk.samples)
    talk.quiet = talk.rate(1, quiet - 1)
    try:
        if show:
            await _show(campaign)
        if plan.only:
            await campaign.run()
        else:
            parts = (_rattle, limits.all_of_them, noise.strangers, noise.army)
            await campaign.run(_beside(campaign), *parts)
    finally:
        await campaign.close()
    talk.noisy = talk.rate(quiet - 1) if len(talk.samples) > quiet else talk.quiet
    return campaign


@contextlib.asynccontextmanager
async def _beside(campaign: Campaign) -> AsyncIterator[None]:
    """What goes on all the while."""
    async with noise.slow_ones(campaign), noise.deaf_ones(campaign):
        yield


async def _rattle(campaign: Campaign) -> None:
    await noise.rattle(campaign, max(16, campaign.plan.cases // NOISY))


async def _show(campaign: Campaign) -> None:
    await campaign.look()
    case = campaign.draw(campaign.rpcs[campaign.plan.only], campaign.plan.start)
    print(case)
    for payload in case.payloads:
        try:
            kind = message_factory.GetMessageClass(case.rpc.request)
            print(str(kind.FromString(payload))[:4_000])
        except DecodeError:
            print(payload[:2_000].hex())
