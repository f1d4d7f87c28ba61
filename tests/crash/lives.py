"""Lives of a member that end at a given point, among members that go on; and what must hold then.

`Theatre` has alice and bob in #dev, and carol, whose node is the one that kills itself.  A life of
hers goes through all that is stored or sent: talking and being talked to in #dev, leading a chat of
her own, joining one, leaving it, and the end of the node.  Wherever it ends, her next life must
find what she was told to be stored, and nothing twice.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from msgspec import Struct, field

from node.background import is_running
from p2pchat.v1 import control_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.programs import CALL_S, Member
from tests.logs import key_of, looked_into
from tests.waiting import WAIT_S, wait_for

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("alice", "bob")
DEAD = (  # what somebody hears whose node dies under the call
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


class Life(Struct):
    """What carol was told in a life that ended somewhere, and what the others said meanwhile."""

    stored: list[str] = field(default_factory=list)  # her lines in #dev that were acknowledged
    doubtful: list[str] = field(default_factory=list)  # those that may be, or not
    heard: list[str] = field(default_factory=list)
    solo: list[str] = field(default_factory=list)  # acknowledged in the chat of her own
    points: list[str] = field(default_factory=list)

    @property
    def ended_at(self) -> str:
        return self.points[-1] if self.points else "before the first point"


class Theatre:
    """A cluster that is used for many lives."""

    def __init__(self, directory: Path) -> None:
        self.cluster = Cluster(directory)
        self._count = 0
        self.texts: list[str] = []  # what must be in #dev
        self.solo: list[str] = []
        self.numbers: dict[tuple[int, ...], str] = {}  # every key that was given, and its texts

    @property
    def carol(self) -> Member:
        return self.cluster["carol"]

    def open(self) -> None:
        """alice leads #dev, bob and carol are in it; carol has #solo to herself."""
        cluster = self.cluster
        cluster.nds.start()
        cluster.raise_nodes(*OTHERS, "carol")
        cluster.gather("dev", *OTHERS, "carol")
        cluster.gather("solo", "carol")
        cluster.gather("guests", "alice")
        cluster.settled("dev", *OTHERS, "carol")
        self.carol.down()

    def close(self) -> None:
        self.cluster.close()

    # ---- a life

    def play(self, point: str, plant: str = "") -> Life:
        """carol's next life, up to `point`, or to its end where it does not come to that.

        `plant`: a defect of her node, see `tests.crash.node`.
        """
        self._count += 1
        life, trace = Life(), self.cluster.directory / f"trace{self._count}"
        command = [sys.executable, "-m", "tests.crash.node", "--home", str(self.carol.home)]
        environment = {
            **self.cluster.environment,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'generated'}",
            "P2PCHAT_CRASH_AT": point,
            "P2PCHAT_CRASH_TRACE": str(trace),
            "P2PCHAT_CRASH_PLANT": plant,
        }
        with (
            (self.carol.home / "crash.out").open("ab") as out,
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out) as node,
        ):
            try:
                self._act(life, lambda: node.poll() is not None)
            finally:
                node.kill()
                node.wait(WAIT_S)
        ends = 0, -signal.SIGKILL
        assert node.returncode in ends, f"she ended by herself, with {node.returncode}: crash.out"
        life.points = trace.read_text().split() if trace.exists() else []
        trace.unlink(missing_ok=True)
        return life

    def _act(self, life: Life, ended: Callable[[], bool]) -> None:
        """Each step of a life; it may end in any."""
        carol, n = self.carol, self._count
        wait_for(lambda: ended() or carol.chat("dev"), "carol is up, or dead")
        steps = [
            lambda: self._says(life, "dev", f"{n} first"),
            lambda: self._hears(life, "alice", f"{n} to her"),
            lambda: carol.ask("SetTopic", chat="dev", topic=f"topic {n}"),
            lambda: self._says(life, "solo", f"{n} alone"),
            lambda: self._says(life, "dev", f"{n} second"),
            lambda: self._hears(life, "bob", f"{n} to her too"),
            lambda: carol.ask("SetNick", nick=f"carol{n}"),
            lambda: self._enters(n),
            lambda: self._says(life, "dev", f"{n} third"),
            lambda: carol.ask("StopNode"),
        ]
        for step in steps:
            if ended():
                return
            try:
                step()
            except grpc.RpcError as error:
                if error.code() not in DEAD:  # type: ignore[attr-defined]
                    raise
        wait_for(ended, "carol has ended")

    def _says(self, life: Life, chat: str, text: str) -> None:
        told: list[Any] = []
        request = control_pb2.SendRequest(chat=chat, text=text, wait=control_pb2.WAIT_NONE)
        try:
            for progress in self.carol.control.Send(request, timeout=CALL_S):
                told.append(progress)
        finally:
            if chat == "solo":
                life.solo += [text] if told else []
            else:
                (life.stored if told else life.doubtful).append(text)

    def _hears(self, life: Life, name: str, text: str) -> None:
        self.cluster[name].post("dev", text)
        life.heard.append(text)

    def _enters(self, n: int) -> None:
        """Makes a chat and leaves it, joins one of alice's."""
        made = self.carol.ask("CreateChat", name=f"hers{n}", nds=self.cluster.nds.address)
        self.carol.ask("LeaveChat", chat=made.chat.name)
        self.carol.ask("JoinChat", line=f"{self.cluster.nds.address}/guests")

    # ---- and what must hold after it

    def check(self, life: Life) -> None:
        """carol comes back: nothing acknowledged is lost, nothing is there twice."""
        cluster, carol = self.cluster, self.carol
        before = self._incarnation()
        carol.up()
        try:
            cluster.settled("dev", *OTHERS, "carol")
            histories = {name: cluster[name].texts("dev") for name in (*OTHERS, "carol")}
            self.texts += [*life.stored, *life.heard]
            found = histories["alice"]
            assert histories["bob"] == histories["carol"] == found, "histories differ"
            assert len(set(found)) == len(found), "a line is there twice"
            missing = [text for text in self.texts if text not in found]
            assert not missing, f"acknowledged and lost: {missing}"
            more = set(found) - {*self.texts}
            assert more <= {*life.doubtful}, f"never said: {more}"
            self.texts += sorted(more)
            self.solo += life.solo
            wait_for(lambda: carol.chat("solo"), "carol is in #solo")
            assert {*self.solo} <= {*carol.texts("solo")}, "lost from a chat of one's own"
            self._check_keys()
            assert self._incarnation() > before, "no life has the incarnation of another"
        finally:
            carol.down()
            wait_for(lambda: not is_running(carol.pid), "carol is down")

    def _check_keys(self) -> None:
        for name in (*OTHERS, "carol"):
            for *key, texts in keys(self.cluster[name]):
                assert self.numbers.setdefault(tuple(key), texts) == texts, f"{key} was given twice"

    def _incarnation(self) -> int:
        """The highest that any of her logs knows, as a reader of the files sees it."""
        return max(
            (value for (value,) in _rows(self.carol, INCARNATION) if value is not None), default=0
        )


INCARNATION = "SELECT json_extract(value, '$.incarnation') FROM state WHERE name = 'meta'"
KEYS = "SELECT source, incarnation, random, seq, texts FROM message"


def keys(member: Member) -> list[tuple[Any, ...]]:
    """(source, incarnation, random, seq, texts) of all that its logs hold."""
    return _rows(member, KEYS)


def _rows(member: Member, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for log in sorted((member.home / member.profile / "chats").glob("*.db")):
        base = looked_into(log, key_of(member.home / member.profile))
        try:
            if base.execute("SELECT 1 FROM sqlite_schema WHERE name = 'state'").fetchone():
                rows += base.execute(query)
        finally:
            base.close()
    return rows
