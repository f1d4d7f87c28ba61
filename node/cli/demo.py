"""`p2pchat demo`: an NDS and three peers on this machine as real processes, and you in #demo.

In the app one key kills the leader and another brings it back; in line mode the dead return by
themselves.  With --auto, and without a terminal, it plays the whole story: the members talk, the
leader is killed, the next one is elected, the talk goes on, the dead one returns and catches up.
Its exit code is 0 only if every member ends with the same history and one leader.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from ..errors import DONE, OTHER, Complaint
from ..places import places
from ..words import Leader, Wait
from . import lab as labs
from .company import OPENING
from .output import wants_color
from .render import notices, tables
from .run import Run, wait
from .verbs_ui import has_screen

if TYPE_CHECKING:
    from .client import Client
    from .company import Company
    from .keys import Chords

CHAT = "demo"
PEERS = ("alice", "bob", "carol")
SETTLE_S = 10.0  # for what takes tenths of seconds on an idle machine
POLL_S = 0.02

AFTERWARDS = (
    ("bob", "alice is gone; the lowest id left leads now"),
    ("carol", "and the talk goes on"),
)


class Story(Struct):
    """The story as it goes: the lab, and what is said and measured."""

    run: Run
    lab: labs.Lab
    said: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    line: str = ""  # by which others join
    began: float = field(default_factory=time.monotonic)

    def tell(self, text: str) -> None:
        """One line of the story."""
        if not self.run.output.as_json:
            self.run.output.lines([f"{time.monotonic() - self.began:5.1f} s  {text}"])

    async def say(self, nick: str, text: str) -> None:
        """A member says a line, and everyone who is there has it."""
        node = self.lab.client(nick)
        async for last in node.send(CHAT, text, wait=Wait.ALL):
            if last.done:
                self.said += 1
                self.tell(f"<{nick}> {text}  [{last.acked}/{last.of}]")
                if note := notices.delivered(last.acked, last.of, last.later, last.missing):
                    self.tell(f"        {note}")

    async def led(self, nicks: tuple[str, ...], not_by: str = "") -> Leader:
        """Waits until all of `nicks` name one leader, another one than `not_by`."""
        until = time.monotonic() + SETTLE_S
        while True:
            named = await asyncio.gather(*(self.lab.client(one).leader(CHAT) for one in nicks))
            whom = {(one.leader_id, one.epoch) for one in named}
            first = named[0]
            settled = first.leader_id and not first.provisional and first.nick != not_by
            if len(whom) == 1 and settled:
                return first
            if time.monotonic() > until:
                raise Complaint(text=f"no leader after {SETTLE_S:g} s: {sorted(whom)}")
            await asyncio.sleep(POLL_S)


def _demo(run: Run) -> int:
    auto = run.args.auto or not (sys.stdin.isatty() and sys.stdout.isatty())
    home = Path(tempfile.mkdtemp(prefix="p2pchat-demo-"))
    lab = labs.Lab(home)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return wait(_played(run, lab, _auto if auto else _together))
    finally:
        lab.end()
        shutil.rmtree(home, ignore_errors=True)


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt


async def _played(run: Run, lab: labs.Lab, play: Callable[[Story], Awaitable[int]]) -> int:
    story = Story(run, lab)
    try:
        await _gather_them(story)
        return await play(story)
    finally:
        await lab.close()


async def _gather_them(story: Story) -> None:
    """The NDS, the peers, and the chat that they are all in."""
    lab = story.lab
    await lab.start_nds()
    story.tell(f"NDS at {lab.nds} (pid {lab.pid('nds')})")
    nodes = [await lab.start_node(one) for one in PEERS]
    created = await nodes[0].create(CHAT)
    story.line = created.join_line
    story.tell(f"alice made #{CHAT} and leads it (pid {lab.pid('alice')})")
    story.figures["ready"] = time.monotonic() - story.began
    for nick, node in zip(PEERS[1:], nodes[1:], strict=True):
        joined = await node.join(created.join_line)
        story.tell(f"{joined.nick} joined (pid {lab.pid(nick)}), {joined.chat.known} members")
    await story.led(PEERS)


# ---- by itself ---------------------------------------------------------------------------------


async def _auto(story: Story) -> int:
    lab = story.lab
    for nick, text in OPENING:
        await story.say(nick, text)
    before = await story.led(PEERS)
    story.tell(f"kill -9 {lab.pid(before.nick)}: the leader {before.nick} is dead")
    killed = time.monotonic()
    lab.kill(before.nick)
    rest = tuple(one for one in PEERS if one != before.nick)
    after = await story.led(rest, not_by=before.nick)
    story.figures["failover"] = time.monotonic() - killed
    took = story.figures["failover"]
    story.tell(f"{after.nick} leads now (epoch {after.epoch.n}), {took:.2f} s after the kill")
    for nick, text in AFTERWARDS:
        await story.say(nick, text)
    story.tell(f"{before.nick} is started again")
    returned = time.monotonic()
    node = await lab.start_node(before.nick)
    lines = await _caught_up(story, before.nick)
    story.figures["return"] = time.monotonic() - returned
    status = await node.status()
    missed = lines - len(OPENING)
    story.tell(
        f"{before.nick} is back with the same id {status.chats[0].member_id % 1_000_000}"
        f" and has the {missed} lines it missed, {story.figures['return']:.2f} s after its start"
    )
    await story.say(before.nick, "I am back; somebody else leads, and I follow")
    return await _verdict(story)


async def _caught_up(story: Story, nick: str) -> int:
    """Waits until a member has every line; how many there are."""
    until = time.monotonic() + SETTLE_S
    while True:
        lines = (await story.lab.client(nick).history(CHAT, count=1_000)).lines
        if len(lines) >= story.said or time.monotonic() > until:
            return len(lines)
        await asyncio.sleep(POLL_S)


async def _verdict(story: Story) -> int:
    """One leader, one history: said, and the exit code."""
    leader = await story.led(PEERS)
    checks = await asyncio.gather(*(story.lab.client(one).check(CHAT) for one in PEERS))
    texts = []
    for nick in PEERS:
        lines = (await story.lab.client(nick).history(CHAT, count=1_000)).lines
        texts.append([(line.source_id, line.msg_id, line.text) for line in lines])
    answered = all(row.fingerprint for check in checks for row in check.rows)
    same = answered and all(check.same for check in checks)
    same = same and all(one == texts[0] and len(one) == story.said for one in texts)
    fingerprint = checks[0].rows[0].fingerprint if checks[0].rows else "?"
    total = time.monotonic() - story.began
    figures = story.figures
    row: dict[str, object] = {
        "same": same,
        "members": len(PEERS),
        "messages": story.said,
        "fingerprint": fingerprint,
        "leader": leader.nick,
        "epoch": leader.epoch.n,
        "ready_s": round(figures["ready"], 2),
        "failover_s": round(figures["failover"], 2),
        "return_s": round(figures["return"], 2),
        "total_s": round(total, 1),
    }
    verdict = f"same history {fingerprint}" if same else "HISTORIES DIFFER"
    line = (
        f"demo: {len(PEERS)} members, {story.said} messages, {verdict},"
        f" one leader {leader.nick} (epoch {leader.epoch.n}), ready {figures['ready']:.1f} s,"
        f" failover {figures['failover']:.2f} s, return {figures['return']:.2f} s,"
        f" total {total:.1f} s"
    )
    return story.run.output.answer(tables.Answer((line,), (row,), exit=DONE if same else OTHER))


# ---- with you ----------------------------------------------------------------------------------


async def _together(story: Story) -> int:
    """You in #demo, the peers around you until you leave."""
    from ..config import load
    from ..control.running import running
    from ..profile import login_nick
    from .client import Client
    from .company import Company

    lab = story.lab
    mine = places("you", str(lab.home))
    config = load(mine, {"nick": login_nick(), "nds": [lab.nds]}, None, {})
    async with running(mine, config), contextlib.AsyncExitStack() as stack:
        you = Client(mine.socket, profile="you", log=mine.log, timeout=5.0)
        await stack.enter_async_context(you)
        joined = await you.join(story.line)
        nick, me = joined.nick, joined.chat.member_id
        company = Company(lab, PEERS, you, CHAT, nick, me)
        stack.push_async_callback(company.end)
        if has_screen(story.run):
            company.begin(revive=False)
            return await _on_the_screen(story, you, company)
        company.begin(revive=True)
        return await _in_lines(story, you, nick)


async def _on_the_screen(story: Story, you: "Client", company: "Company") -> int:
    """The app, with a key for the leader's death and one for its return."""
    from .app import Extra, Setup, run
    from .keys import DEMO
    from .settings import Keeper

    mine = places("you", str(story.lab.home))
    keeper = Keeper(mine, story.run.config)  # your own keys and colours, whoever you are here
    kill, revive = DEMO
    setup = Setup(
        log=mine.state / "app.log",
        chat=CHAT,
        greeting=_keys_to_try(keeper.keys),
        keeper=keeper,
        color=wants_color(story.run.config.color),
        extras=(Extra(kill, company.kill_leader), Extra(revive, company.bring_back)),
        owns_node=True,
    )
    return await run(you, setup)


def _keys_to_try(keys: "Mapping[str, Chords]") -> tuple[str, ...]:
    """Each of them fits into the transcript of a screen of 80 columns."""
    from .keys import spelled

    def key(action: str) -> str:
        chords = keys.get(action)
        return spelled(chords[0]) if chords else f"(no key: {action})"

    return (
        f"you are in #{CHAT} with alice, bob and carol.",
        "Three things to try:",
        f"1. write a line, then {key('trace')}: who has it",
        f"2. {key('kill')} kills the leader; {key('elections')}: the election",
        f"3. {key('revive')} brings it back, with what it missed",
        f"{key('help')} helps, /quit ends the demo and all of it",
    )


async def _in_lines(story: Story, you: "Client", nick: str) -> int:
    from .line import LineMode

    story.run.output.lines(_things_to_try(story, nick))
    story.run.output.color = wants_color(story.run.config.color)
    return await LineMode(you, story.run.output, commands=True).run(CHAT)


def program() -> str:
    """How this program is called from another terminal: by its path where PATH does not have it."""
    return "p2pchat" if shutil.which("p2pchat") else str(Path(sys.argv[0]).resolve())


def _things_to_try(story: Story, nick: str) -> tuple[str, ...]:
    lab = story.lab
    return (
        "",
        f"you are in #{CHAT} as {nick}, with alice, bob and carol. Three things to try:",
        "  1. type a line, then /trace: who has it, and after how many ms",
        f"  2. in another terminal: kill -9 {lab.pid('alice')}  (alice leads), then /election",
        f"  3. in another terminal: {program()} join {story.line} --nick guest"
        f" --home {lab.home / 'guest'}",
        "/help lists all commands, /quit ends the demo and every process of it",
        "",
    )


VERBS: dict[str, Callable[[Run], int]] = {"demo": _demo}
