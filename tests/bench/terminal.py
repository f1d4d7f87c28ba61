"""The app as people start it: real processes on a pty, real nodes behind it, this machine's clock.

A pty is drawn by pyte in a thread of this process, which takes its share of the time that is
measured; so what is given is rather too much than too little.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.cluster import Cluster
from tests.e2e.figures import resident_mb, say_all, worked_s
from tests.e2e.flood import Flood
from tests.e2e.programs import Member
from tests.e2e.terminal import Terminal
from tests.waiting import wait_for

from .screen import Gauge, percentiles

STARTS, KEYS, SECONDS, RATE = 10, 200, 15, 10
CHATS, FULL, FEW = 50, 8, 200  # chats, those of them that are full, lines of the others
HELD = 5_000


@contextmanager
def pair(chat: str = "dev") -> Iterator[Cluster]:
    """alice and bob in a chat, their nodes in the background."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-bench-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.nds.start()
            cluster.raise_nodes("alice", "bob")
            cluster.gather(chat, "alice", "bob")
            cluster.settled(chat, "alice", "bob")
            yield cluster
        finally:
            cluster.close()


def opened(member: Member) -> Terminal:
    return Terminal(member.command(), member.environment, columns=110, rows=40)


def seen_after(app: Terminal, holds: Callable[[str], bool]) -> float:
    """Milliseconds from the start of the process until its screen is so."""
    while not holds(app.text):
        assert not app.has_ended(), app.text
        time.sleep(0.002)
    return (time.monotonic() - app.began) * 1000


def starts(cluster: Cluster) -> str:
    painted, ready = [], []
    for _ in range(STARTS):
        with opened(cluster["bob"]) as app:
            painted.append(seen_after(app, lambda text: bool(text.strip())))
            ready.append(seen_after(app, lambda text: "1:#dev 2/2" in text and "L:alice" in text))
            app.press("Ctrl+D")
            app.ended()
    return (
        f"painted {statistics.median(painted):.0f} ms (worst {max(painted):.0f}),"
        f" chat there {statistics.median(ready):.0f} ms"
    )


def first_paint() -> str:
    with pair() as cluster:
        attached = starts(cluster)
        cluster["bob"].down()
        own = starts(cluster)
    return f"own node: {own}; attached: {attached}"


def worked() -> str:
    with pair() as cluster, opened(cluster["bob"]) as app:
        app.until("1:#dev 2/2")
        pid = app.process.pid
        before, began, said = worked_s(pid), time.monotonic(), 0
        while time.monotonic() < began + SECONDS:
            cluster["alice"].post("dev", f"line {said}, and some words to fill the row with")
            said += 1
            time.sleep(max(0.0, began + said / RATE - time.monotonic()))
        used = (worked_s(pid) - before) / (time.monotonic() - began)
    return f"{used * 100:.1f} % of a core for the face alone ({said} lines)"


def typed() -> str:
    """Keystroke to the screen, with 200 lines a second of another member."""
    taken = []
    with pair() as cluster:
        bob = cluster["bob"]
        asyncio.run(say_all(cluster["alice"], HELD))
        bob.down()
        with opened(bob) as app:
            app.until("1:#dev 2/2")
            with Flood(cluster["alice"]) as flood:
                for number in range(KEYS):
                    char = "abcdefghij"[number % 10]
                    wanted = "[#dev] " + "abcdefghij"[: number % 10 + 1]
                    began = time.monotonic()
                    app.type(char)
                    while app.last_row != wanted:
                        time.sleep(0.001)
                    taken.append((time.monotonic() - began) * 1000)
                    if number % 10 == 9:
                        app.press("Ctrl+C")
                    time.sleep(0.03)
                rate = flood.rate
    return f"{percentiles(taken)} at {rate:.0f} lines/s, node in the same process"


def memory() -> str:
    """One process with its node, 50 chats, 8 of them scrolled through."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-bench-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.nds.start()
            cluster.raise_nodes("alice")
            alice = cluster["alice"]
            for number in range(CHATS):
                alice.ask("CreateChat", name=f"chat{number}", nds=cluster.nds.address)
                for line in range(FEW if number >= FULL else HELD):
                    alice.post(f"chat{number}", f"line {line}, and some words to fill the row with")
            alice.down()
            with opened(alice) as app:
                app.until("1:#chat0")
                at_first = resident_mb(app.process.pid)
                for number in range(1, CHATS + 1):
                    app.press("Ctrl+N")
                    app.until(f"[#chat{number % CHATS}]")
                for number in range(1, FULL + 1):
                    for _ in range(HELD // 35):
                        app.press("PgUp")
                    app.until(f"[#chat{number - 1}]")
                    app.press("Alt+End", "Ctrl+N")
                    app.until(f"[#chat{number}]")
                wait_for(lambda: "[#chat8]" in app.text, "it has settled")
                after = resident_mb(app.process.pid)
        finally:
            cluster.close()
    return f"{after:.0f} MB with its node ({at_first:.0f} MB at first)"


GAUGES = [
    Gauge("app, real: first paint", "< 600 ms", first_paint),
    Gauge("app, real: keystroke, 200 lines/s", "< 50 ms p99", typed),
    Gauge("app, real: 10 lines a second", "< 5 % of a core", worked),
    Gauge("app, real: memory, 50 chats", "< 160 MB", memory),
]
