"""Saying things: in two groups at once, too long, full of escapes, and from three terminals."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.programs import at_once
from tests.e2e.shells import Shells
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")

TEXT_MAX = 16_384

# What a terminal would obey: ESC, C0 but newline, DEL, C1.
OBEYED = [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)]
HOSTILE = {
    "title": "\x1b]0;owned\x07 after the title",
    "clear": "\x1b[2J\x1b[H\x1b[31mred",
    "csi": "eight-bit \x9b31m and \x90device\x9c",
    "bell": "ding\x07 back\x08space \x7fdel nul\x00",
    "return": "harmless\rovertyped",
    "forged": "first\n12:00:00 #dev <alice> I never said that",
    "invisible": "joi\u200dner \u2028 separator",
}


def test_who_loses_its_node_while_it_sends_is_told_what_became_of_each_line(
    square: Cluster,
) -> None:
    alice, bob = square["alice"], square["bob"]
    texts = alice.texts("dev")
    said = ["the first", "the second", "the one under way"]
    sending = alice.start("send", "-c", "dev", "-", "--timeout", "30", stdin=subprocess.PIPE)
    assert sending.stdin is not None
    assert sending.stdout is not None
    for text in said[:2]:
        sending.stdin.write(f"{text}\n")
        sending.stdin.flush()
        assert sending.stdout.readline()
    bob.kill(signal.SIGSTOP)
    sending.stdin.write(f"{said[2]}\nnever sent\n")
    sending.stdin.flush()
    wait_for(lambda: said[2] in square["carol"].texts("dev"), "carol has it")
    # Asked after carol has it, alice's node has told who sends that it is stored.
    assert said[2] in alice.texts("dev")
    alice.kill()
    _, told = sending.communicate(timeout=WAIT_S)
    bob.kill(signal.SIGCONT)
    assert sending.returncode == 5
    assert "lines stored before line 3: 2; those after it are not sent" in told
    assert "The node of the profile 'default' has ended. It has stored the line (" in told
    alice.run("send", "-c", "dev", "and now?", code=5)
    alice.up()
    square.agree("dev", *SQUARE, texts=[*texts, *said])
    square.settled("ops", *SQUARE)


def test_two_groups_talk_at_once(square: Cluster) -> None:
    before = {chat: square.leader(chat, *SQUARE) for chat in ("dev", "ops")}
    texts = {chat: square["alice"].texts(chat) for chat in before}

    def talk(both: tuple[str, str]) -> list[str]:
        name, chat = both
        said = [f"{name} in {chat}, line {i}" for i in range(8)]
        sent = square[name].run("send", "-c", chat, "-", stdin="\n".join(said))
        receipts = sent.stdout.splitlines()
        assert [line.split()[1] for line in receipts] == ["3/3"] * len(said), receipts
        return said

    pairs = [(name, chat) for name in SQUARE for chat in before]
    for (_, chat), said in zip(pairs, at_once(talk, pairs), strict=True):
        texts[chat] += said
    for chat, leader in before.items():
        assert square.agree(chat, *SQUARE, texts=texts[chat]) == leader
        for name in SQUARE:
            own = [text for text in square[name].texts(chat) if text.startswith("dan in")]
            assert own[-8:] == [f"dan in {chat}, line {i}" for i in range(8)], "in his order"


def test_how_fast_a_chat_is_can_be_asked(square: Cluster) -> None:
    texts = square["carol"].texts("dev")
    refused = square["carol"].run("bench", "-c", "dev", code=2)
    assert "which 3 others will see and keep; if you mean it, add --yes" in refused.stderr
    flags = ("--count", "20", "--rate", "100", "--size", "64", "--yes")
    row = square["carol"].row("bench", "-c", "dev", *flags)
    assert (row["chat"], row["acked"], row["of"]) == ("dev", 20, 3)
    assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
    assert 0 < row["msg_s"] < 110, "no faster than it was to be"
    said = square["bob"].texts("dev")[len(texts) :]
    assert [len(one) for one in said] == [64] * 20
    square.agree("dev", *SQUARE, texts=[*texts, *said])


def test_a_line_that_is_too_long_is_refused_with_the_limit(square: Cluster) -> None:
    texts = square["bob"].texts("dev")
    for name in ("alice", "bob"):
        longer = "ü" * (TEXT_MAX // 2) + "!"
        refused = square[name].run("send", "-c", "dev", "-", stdin=longer, code=2)
        told = "The text is too long: 16385 bytes, the limit is 16384 bytes. Nothing was sent."
        assert told in refused.stderr
        assert refused.stdout == ""
    huge = square["bob"].run("send", "-c", "dev", "--whole", "-", stdin="x" * 5_000_000, code=2)
    told = "The text is too long: 5000000 bytes, the limit is 16384 bytes. Nothing was sent."
    assert huge.stderr == f"p2pchat: {told}\n"
    longest = "ü" * (TEXT_MAX // 2)
    square["bob"].run("send", "-c", "dev", "-", stdin=longest)
    square.agree("dev", *SQUARE, texts=[*texts, longest])


def test_hostile_text_is_never_printed_raw(square: Cluster) -> None:
    texts = square["alice"].texts("dev")
    faces = (["tail", "-c", "dev", "-f", "-n", "1", "--events"], ["--plain"], ["watch"])
    readers = [Reader(square["carol"].start(*face, stdin=subprocess.PIPE)) for face in faces]
    try:
        while not all("are you there?" in reader.printed for reader in readers):
            square["dan"].run("send", "-c", "dev", "are you there?")
            texts.append("are you there?")
            assert all(reader.process.poll() is None for reader in readers)
        for text in HOSTILE.values():
            square["dan"].post("dev", text)
        square["dan"].post("dev", "that was all")
        texts += [*HOSTILE.values(), "that was all"]
        for reader in readers:
            wait_for(lambda one=reader: "that was all" in one.printed, "all is printed")  # type: ignore[misc]
    finally:
        for reader in readers:
            reader.end()
    together = " ".join(HOSTILE.values())
    square["carol"].run("send", "-c", "dev", "--whole", "-", stdin=together)
    texts.append(together)
    verbs = ("tail", "tail --json", "search e", "trace", "trace --json", "members", "leader")
    printed = [square["carol"].run(*verb.split(), "-c", "dev").stdout for verb in verbs]
    for out in [*printed, *(reader.printed for reader in readers)]:
        raw = [f"U+{code:04X}" for code in OBEYED if chr(code) in out]
        assert not raw, f"{raw} in {out!r}"
    for out in (printed[0], readers[0].printed, readers[1].printed):
        forged = [line for line in out.splitlines() if "I never said that" in line]
        assert forged
        assert not any(line.startswith("12:00:00") for line in forged), forged
    square.agree("dev", *SQUARE, texts=texts)


class Reader:
    """Reads what a process prints, as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.printed = process, ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line

    def end(self) -> None:
        self.process.kill()
        self._thread.join()
        self.process.communicate()


@pytest.mark.parametrize("mark", ["\u202e", "\u200d", "\x1b"])
def test_names_that_trick_the_eye_are_refused(square: Cluster, mark: str) -> None:
    for verb in (
        ["create", f"de{mark}v"],
        ["join", f"{square.nds.address}/de{mark}v"],
        ["up", "--nick", f"al{mark}ice"],
        ["members", "-c", f"de{mark}v"],
    ):
        refused = square["alice"].run(*verb, code=None)
        assert refused.returncode in (2, 3), refused
        assert refused.stdout == ""
        assert mark not in refused.stderr, repr(refused.stderr)


# ---- three terminals -----------------------------------------------------------------------------


@pytest.fixture
def shells(tmp_path: Path) -> Iterator[Shells]:
    made = Shells(Path(__file__).resolve().parents[2], tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_three_terminals_and_a_leader_that_is_killed(shells: Shells, empty: Cluster) -> None:
    names = ("alice", "bob", "carol")
    for name in names:
        empty.add(name, home="homes", profile=name)

    def types(name: str, text: str) -> None:
        shells[name].run(text)

    def sees(name: str, text: str) -> None:
        shell = shells[name]
        wait_for(lambda: text in shell.printed or shell.printed == text, f"{name} reads {text!r}")

    types("alice", "p2pchat host dev --open --nick alice --plain")
    sees("alice", f"others run:  p2pchat join {shells.local}/dev")
    sees("alice", "type to talk")
    for number, name in ((2, "bob"), (3, "carol")):
        types(name, f"p2pchat join {shells.local}/dev --nick {name} --plain")
        sees(name, f"you are in #dev as {name} (id {number})")
        sees(name, "type to talk")
    for name in names:
        types(name, f"hello from {name}")
        for reader in names:
            if reader != name:
                sees(reader, f"#dev <{name}> hello from {name}")
    types("bob", "/laeder")
    sees("bob", "/leader")

    empty.nds.follow(shells.local)
    os.kill(empty["alice"].ask("GetStatus").pid, signal.SIGKILL)
    assert shells["alice"].wait_ready()[1] == 128 + signal.SIGKILL
    sees("bob", "you lead #dev now (epoch 2")
    sees("carol", "bob (id 2) leads now (epoch 2")
    for name in ("bob", "carol"):
        told = shells[name].printed
        assert told.count("leader alice (id 1) is silent") == 1, told
        assert told.index("is silent") < told.index("election started by") < told.index("(epoch 2")
    types("carol", "still here")
    sees("bob", "#dev <carol> still here")

    types("alice", "p2pchat --plain")
    sees("alice", "#dev <carol> still here")
    types("alice", "back again")
    sees("carol", "#dev <alice> back again")
    texts = [*(f"hello from {name}" for name in names), "still here", "back again"]
    leader = empty.agree("dev", *names, texts=texts)
    assert leader.member == empty["bob"].id("dev")
    for name in names:
        types(name, "/quit")
        assert shells[name].wait_ready()[1] == 0
    wait_for(lambda: not any(empty[name].socket.exists() for name in names), "all ended", WAIT_S)
