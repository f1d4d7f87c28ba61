"""What came of the groups, as a page of Markdown."""

import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct

from .contest import Plan
from .figures import BASELINE, OURS, Summary, disturbed, faults, ratio, told

Promises = Mapping[str, tuple[str, str, str, str]]  # by contestant: `roll.Entrant.promises`

COLUMNS = (
    "deliveries/s",
    "lowest to highest",
    "ours is × that",
    "CPU ms per 1,000",
    "p50 ms",
    "p99 ms",
    "idle CPU %",
    "RSS MB",
)


class Report(Struct, frozen=True):
    """All that a run found."""

    summaries: Sequence[Summary]
    promises: Promises
    plan: Plan
    broken: Sequence[str] = ()  # contests that did not come to their end
    absent: Sequence[str] = ()  # who did not take part, and why
    killed_ms: Sequence[float] = ()
    frozen_ms: Sequence[float] = ()
    catch_up: str = ""
    surroundings: str = ""


def surroundings() -> str:
    """The machine, and how busy it is with something else."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}; load when it began: {load}"
    )


def written(report: Report, picture: str) -> str:
    """The page; `picture` is the name of the file with the picture."""
    sizes = list(dict.fromkeys(one.size for one in report.summaries))
    parts = [
        "# Groups: ours beside others",
        _method(report),
        f"![deliveries a second and latency of each contestant]({picture})",
    ]
    for size in sizes:
        parts += [f"## {size} members", _table([x for x in report.summaries if x.size == size])]
    parts += ["## What is promised", _promises(report), "## Failover and catch-up", _after(report)]
    if wrong := _wrong(report):
        parts += ["## What went wrong", "\n".join(f"- {one}" for one in wrong)]
    return "\n\n".join(parts) + "\n"


def _runs(report: Report) -> str:
    """How many runs, and where others."""
    most = max((len(one.runs) for one in report.summaries), default=0)
    by_size = {one.size: 0 for one in report.summaries}
    for one in report.summaries:
        by_size[one.size] = max(by_size[one.size], len(one.runs))
    fewer = [f"{runs} with {size} members" for size, runs in by_size.items() if runs < most]
    return ", ".join([f"{most} runs", *fewer])


def _method(report: Report) -> str:
    plan = report.plan
    told_so = disturbed([run for one in report.summaries for run in one.runs])
    return (
        f"Written by `make bench` on {report.surroundings}.\n\n"
        "Each member is a process of its own, all on this machine; messages have 200 bytes, and all"
        " members talk. Every member checks that the numbers of each other member come exactly"
        f" once, at the latest {plan.limit_s:g} s after the last was said."
        f" The contestants take turns; a figure is the median of {_runs(report)}.\n\n"
        f"- **deliveries/s**: all say as much as they can for {plan.flood_s:g} s; a delivery is a"
        " message at one member that is not its author; the time ends with the last one.\n"
        "- **ours is × that**: our deliveries/s as a multiple, the median over the same rounds.\n"
        "- **CPU ms per 1,000**: processor time of all processes, servers too, for 1,000 of these"
        " deliveries.\n"
        f"- **p50, p99**: latency at {plan.rate} messages/s of the whole group, for"
        f" {plan.talk_s:g} s.\n"
        "- **idle CPU**: percent of a core per member, with a server's share, over"
        f" {plan.idle_s:g} s without a word, {plan.calm_s:g} s after the talk; **RSS** likewise,"
        " afterwards.\n\n"
        f"`{BASELINE}` is what Python's gRPC gives at best: bytes without protobuf in streams, 64"
        " messages to a frame, acknowledged in ranges that are held back up to 20 ms. `kept-grpc`"
        " is the same with the least that keeps what ours keeps: each message a row on disk before"
        " it is acknowledged, each frame signed and looked at. `ours-bare` is ours with plain"
        " connections and no signatures." + (f"\n\n{told_so.capitalize()}." if told_so else "")
    )


def _table(rows: Sequence[Summary]) -> str:
    ours = next((one for one in rows if one.contestant == OURS), None)
    lines = ["| | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for one in rows:
        low, high = one.spread("rate")
        cells = (
            f"{one.middle('rate'):,.0f}",
            f"{low:,.0f} to {high:,.0f}",
            told(ratio(ours, one)) if ours is not None and ours is not one else "",
            f"{one.middle('work_ms'):,.1f}",
            f"{one.middle('p50_ms'):,.2f}",
            f"{one.middle('p99_ms'):,.1f}",
            f"{one.middle('idle'):.2f}",
            f"{one.middle('resident_mb'):.0f}",
        )
        lines.append(f"| {one.contestant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _promises(report: Report) -> str:
    lines = [
        "| | a message | order | when something dies | who was away gets |",
        "|---|---|---|---|---|",
    ]
    lines += (f"| {name} | " + " | ".join(said) + " |" for name, said in report.promises.items())
    disordered = [
        f"{one.contestant} at n={one.size}: {one.disordered:,}"
        for one in report.summaries
        if one.disordered
    ]
    seen = "; ".join(disordered) or "none at anybody"
    return "\n".join(lines) + f"\n\nDeliveries before an earlier one of the same author: {seen}."


def _after(report: Report) -> str:
    rows = [
        f"- leader {how}, until all others follow the same next one (ours, 4 members): "
        + (
            f"{median(values):,.0f} ms, median of {len(values)}, worst {max(values):,.0f} ms"
            if values
            else "not measured"
        )
        for how, values in (("killed", report.killed_ms), ("frozen", report.frozen_ms))
    ]
    rows.append(f"- catch-up (ours, 100,000 lines): {report.catch_up or 'not measured'}")
    rows.append(
        "- the meshes have no leader; with a broker, everything stops until the broker is back"
    )
    return "\n".join(rows)


def _wrong(report: Report) -> list[str]:
    told_ = [one.partition("\n")[0] for one in report.broken]
    told_ += faults(run for one in report.summaries for run in one.runs)
    return told_ + [f"{one}, and did not take part" for one in report.absent]
