"""A newcomer among 100,000 lines: two real nodes, real gRPC, this machine's clock.

The log of the first one is written before it starts.  The newcomer is asked on its control socket,
every few ms, for its last page, and how many lines it has is read from its file.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import grpc

from node.archive import SqliteArchive
from node.core.conversation import ChatMessage, statement
from node.core.effects import Meta, StoreMessages
from node.core.types import Hlc, Key, Stream
from tests.e2e.cluster import Cluster
from tests.e2e.figures import resident_mb, worked_s
from tests.e2e.programs import Member
from tests.logs import key_of, looked_into
from tests.waiting import wait_for

from .screen import Gauge

LINES, LIVES, PAGE = 100_000, 5, 35
BEGAN = 1_700_000_000_000
TEXT = "line {}, the quick brown fox jumps over the lazy dog"
WAIT_S = 120


def conversation(count: int, meta: Meta, sign: Callable[[bytes], bytes]) -> Iterator[ChatMessage]:
    """So many lines that a member has signed, 10 ms apart, each after the one before; in turn they
    are of so many lives of it, as if authors answered each other.
    """
    said = dict.fromkeys(range(LIVES), 0)
    before: tuple[Key, ...] = ()
    for n in range(count):
        life = n % LIVES
        said[life] += 1
        at = BEGAN + 10 * n
        key = Key(meta.member, Stream(BEGAN, life), said[life])
        id = str(UUID(int=n + 1))
        message = ChatMessage(key, (id,), (TEXT.format(n),), before, Hlc(at, 0), at, meta.epoch)
        message.sign(sign(statement(meta.chat, message)))
        yield message
        before = (key,)


def filed(member: Member) -> Path:
    """Its only log."""
    (path,) = member.home.rglob("chats/*.db")
    return path


def stored(path: Path) -> int:
    with closing(looked_into(path, key_of(path.parent.parent))) as base:
        return int(base.execute("SELECT count(*) FROM message").fetchone()[0])


@contextmanager
def hall() -> Iterator[Cluster]:
    """alice leads #dev with a full log; bob has a node and is to join."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-bench-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.nds.start()
            cluster.raise_nodes("alice")
            cluster.gather("dev", "alice")
            cluster["alice"].down()
            path = filed(cluster["alice"])
            log = SqliteArchive(path, key_of(path.parent.parent))
            meta = log.load().meta
            assert meta is not None
            sign = cluster["alice"].keys.signing.sign
            log.append([StoreMessages(tuple(conversation(LINES, meta, sign)))])
            log.close()
            cluster.raise_nodes("alice", "bob")
            cluster.settled("dev", "alice")
            yield cluster
        finally:
            cluster.close()


def last_line(member: Member) -> str:
    try:
        lines = member.ask("ReadHistory", chat="dev", count=PAGE).lines
    except grpc.RpcError:
        return ""
    return lines[-1].text if len(lines) == PAGE else ""


def joined() -> str:
    with hall() as cluster:
        bob = cluster["bob"]
        before = resident_mb(bob.pid)
        idle = worked_s(cluster["alice"].pid), worked_s(bob.pid)
        link = f"{cluster.nds.address}/dev"
        join = bob.start("join", link, "--no-ui")
        wait_for(lambda: bob.chat("dev"), "bob is in", WAIT_S)
        began, peak = time.monotonic(), before
        wait_for(lambda: last_line(bob), "bob has the newest page", WAIT_S)
        newest = time.monotonic() - began
        assert last_line(bob) == TEXT.format(LINES - 1)
        while stored(filed(bob)) < LINES:
            assert time.monotonic() < began + WAIT_S, f"{stored(filed(bob)):,} in {WAIT_S} s"
            peak = max(peak, resident_mb(bob.pid))
            time.sleep(0.02)
        took = time.monotonic() - began
        alice_s = worked_s(cluster["alice"].pid) - idle[0]
        bob_s = worked_s(bob.pid) - idle[1]
        join.communicate(timeout=WAIT_S)
        cluster.settled("dev", "alice", "bob")
        return (
            f"newest page after {1000 * newest:.0f} ms, all after {took:.1f} s:"
            f" {LINES / took:,.0f}/s (processor: {alice_s:.1f} s there, {bob_s:.1f} s here);"
            f" {before:.0f} MB grew to {peak:.0f} MB"
        )


def resumed() -> str:
    """Killed half-way: what it has already is not sent again."""
    with hall() as cluster:
        bob = cluster["bob"]
        link = f"{cluster.nds.address}/dev"
        join = bob.start("join", link, "--no-ui")
        wait_for(lambda: bob.chat("dev"), "bob is in", WAIT_S)
        path = filed(bob)
        wait_for(lambda: stored(path) > LINES // 3, "a third is there", WAIT_S)
        bob.kill()
        join.communicate(timeout=WAIT_S)
        had = stored(path)
        began = time.monotonic()
        bob.up()
        wait_for(lambda: stored(path) == LINES, "bob has all", WAIT_S)
        took = time.monotonic() - began
        cluster.settled("dev", "alice", "bob")
        return f"killed with {had:,} lines, back with all {took:.1f} s after its start"


GAUGES = [
    Gauge("catch-up: newcomer, 100,000 lines", "page < 1 s, >= 20,000/s", joined),
    Gauge("catch-up: killed half-way", "goes on where it was", resumed),
]
