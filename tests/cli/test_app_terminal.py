"""The terminal is treated well: titles, clipboard, stderr, signals, and when it stands still.

Tries node/cli/app/terminal.py, node/cli/app/tty.py, and the ends of node/cli/app/app.py.
"""

import asyncio
import errno
import os
import pty
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from node.cli.app import app as app_module
from node.cli.app import tty as tty_module
from node.cli.app.app import is_ours
from node.cli.app.bindings import REFUSED
from node.cli.app.setup import Extra
from node.cli.app.terminal import Screen, note_crash, signals, stderr_in
from node.cli.app.tty import Tty, is_foreground, is_gone, opened
from node.cli.keys import DEMO
from node.cli.render import screen
from node.errors import Complaint, ProfileInUse
from tests.cli.app_world import Sink, World
from tests.display import Display


@pytest.fixture
def world() -> Iterator[World]:
    with World(80, 12) as made:
        made.node.add_chat("dev", "alice", "you", leader="alice")
        yield made


def drawing(term: str) -> tuple[Screen, Sink]:
    sink = Sink(Display(80, 24))
    output = Vt100_Output(sink, lambda: Size(rows=24, columns=80), term=term)  # type: ignore[arg-type]
    return Screen(output, term), sink


# ---- what is sent beside rows


def test_the_title_that_was_there_comes_back() -> None:
    shown, sink = drawing("xterm")
    shown.entitle("#dev - p2pchat")
    shown.entitle("#dev - p2pchat")
    shown.entitle("(1) #dev - p2pchat")
    shown.give_back()
    assert sink.raw == (
        "\x1b[22;2t\x1b]2;#dev - p2pchat\x07\x1b]2;(1) #dev - p2pchat\x07\x1b]2;\x07\x1b[23;2t"
    )


def test_a_terminal_without_titles_and_clipboard_is_sent_neither() -> None:
    shown, sink = drawing("linux")
    shown.entitle("#dev")
    shown.copy("text")
    shown.give_back()
    assert sink.raw == ""


def test_a_copied_text_cannot_end_its_own_sequence() -> None:
    shown, sink = drawing("xterm")
    shown.copy("a\x07b\x1b\\c")
    assert sink.raw == "\x1b]52;c;YQdiG1xj\x07"


def test_a_very_long_text_is_copied_in_part() -> None:
    shown, sink = drawing("xterm")
    shown.copy("x" * 1_000_000)
    assert len(sink.raw) < 100_000


def test_stderr_is_a_file_and_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "app.log"
    log.write_text("before\n", "utf-8")
    with stderr_in(log):
        os.write(2, b"from a library\n")
    os.write(2, b"afterwards\n")
    assert log.read_text("utf-8") == "before\nfrom a library\n"
    assert capfd.readouterr().err == "afterwards\n"


def test_without_a_file_stderr_goes_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with stderr_in(tmp_path / "missing" / "app.log"):
        os.write(2, b"across the screen\n")
    note_crash(tmp_path / "missing" / "app.log", ValueError("x"), reticent=False)
    assert capfd.readouterr().err == ""


def test_a_reticent_crash_is_told_without_its_words(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    for reticent, told in ((False, True), (True, False)):
        log.unlink(missing_ok=True)
        try:
            raise ValueError("a secret")
        except ValueError as error:
            note_crash(log, error, reticent=reticent)
        assert ("ValueError: a secret" in log.read_text("utf-8")) is told
        assert "test_app_terminal.py" in log.read_text("utf-8")


async def test_signals_are_given_back() -> None:
    heard: list[str] = []
    app = asyncio.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append("before"))
    try:
        with signals({signal.SIGUSR1: app.set}):
            signal.raise_signal(signal.SIGUSR1)
            await app.wait()
        assert not heard
        signal.raise_signal(signal.SIGUSR1)
        assert heard == ["before"]
    finally:
        signal.signal(signal.SIGUSR1, before)


# ---- a terminal that stands still


async def test_nobody_waits_for_a_terminal_that_takes_nothing() -> None:
    ours, theirs = pty.openpty()
    drained = asyncio.Event()
    sent = "0123456789" * 20_000
    try:
        with opened(theirs, drained.set) as tty:
            assert tty is not None
            tty.write(sent)
            tty.flush()
            assert tty.is_behind
            tty.write("end")
            tty.flush()
            got = b""
            os.set_blocking(ours, False)
            while not drained.is_set() or not got.endswith(b"end"):
                try:
                    got += os.read(ours, 65_536)
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert got.decode() == sent + "end"
            assert not tty.is_behind
            assert os.get_blocking(theirs), "it is the shell's terminal too"
            tty.write("more")
            tty.flush()
            assert os.read(ours, 100) == b"more"
    finally:
        os.close(ours)
        os.close(theirs)


async def test_nothing_is_sent_to_a_terminal_that_is_somebody_elses() -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    try:
        tty = Tty(theirs, lambda: None)
        tty.is_muted = True
        tty.write("across the shell")
        tty.flush()
        with pytest.raises(BlockingIOError):
            os.read(ours, 100)
        tty.is_muted = False
        tty.write("ours")
        tty.flush()
        assert os.read(ours, 100) == b"ours"
        tty.close()
        assert is_foreground(theirs), "it is nobody's controlling terminal"
    finally:
        os.close(ours)
        os.close(theirs)


async def test_the_end_does_not_wait_long_for_it() -> None:
    ours, theirs = pty.openpty()
    loop = asyncio.get_running_loop()
    try:
        tty = Tty(theirs, lambda: None)
        tty.write("x" * 1_000_000)
        tty.flush()
        assert tty.is_behind
        tty.close()
        assert not loop.remove_writer(tty._own)
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_slow_terminal_gets_all_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tty_module, "LAST_S", 0.2)
    ours, theirs = pty.openpty()
    got = bytearray()

    def read() -> None:
        while not got.endswith(b"end"):
            time.sleep(0.05)  # far more of these than the patience for one
            got.extend(os.read(ours, 1000))

    reader = threading.Thread(target=read, daemon=True)
    try:
        tty = Tty(theirs, lambda: None)
        tty.write("x" * 30_000 + "end")
        tty.flush()
        assert tty.is_behind
        reader.start()
        tty.close()
        reader.join(10)
        assert not reader.is_alive()
        assert len(got) == 30_003
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_terminal_that_has_gone_is_an_error_once() -> None:
    ours, theirs = pty.openpty()
    tty = Tty(theirs, lambda: None)
    os.close(ours)
    tty.write("x")
    with pytest.raises(OSError) as gone:
        tty.flush()
    assert is_gone(gone.value)
    tty.flush()
    tty.close()
    os.close(theirs)


def test_what_is_no_terminal_is_left_as_it_is() -> None:
    read, write = os.pipe()
    with opened(write, lambda: None) as tty:
        assert tty is None
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (EOFError(), True),
        (OSError(errno.EIO, "hung up"), True),
        (OSError(errno.ENOSPC, "full"), False),
        (ValueError(), False),
        (None, False),
    ],
)
def test_which_errors_mean_that_the_terminal_is_gone(error: Any, gone: bool) -> None:
    assert is_gone(error) is gone


# ---- how the app ends


def is_restored(world: World) -> bool:
    display = world.display
    return not display.is_alternate and not display.takes_pastes and display.shows_cursor


def test_the_terminal_is_given_back_at_the_end(world: World) -> None:
    world.start()
    assert world.display.is_alternate
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert is_restored(world)


def test_it_asks_once_where_lines_have_not_reached_everyone(world: World) -> None:
    world.node.set_chat("dev", outbox=2)
    world.start()
    world.press("Ctrl+D")
    world.sees("2 of your lines in #dev", "[y/n]")
    world.press("n")
    world.misses("[y/n]")
    world.press("Ctrl+D", "Ctrl+D")
    assert world.ended() == 0


def test_a_typed_quit_is_meant(world: World) -> None:
    world.node.set_chat("dev", outbox=2)
    world.start()
    world.enter("/quit")
    assert world.ended() == 0


def test_what_is_typed_ahead_of_the_end_is_neither_sent_nor_obeyed(world: World) -> None:
    world.start()
    world.type_ahead("before\r/quit\rfor the shell\r/leave dev\r")
    assert world.ended() == 0
    assert [sent["text"] for sent in world.node.asked("send")] == ["before"]
    assert not world.node.asked("leave")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it(world: World, number: signal.Signals, code: int) -> None:
    world.start(owns_node=True)
    signal.raise_signal(number)
    assert world.ended() == code
    assert is_restored(world)


def test_the_terminal_is_given_back_by_whoever_cancels_the_app(world: World) -> None:
    world.start()
    assert world.task is not None
    world.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        world.ended()
    assert is_restored(world)


def test_it_is_not_suspended(world: World) -> None:
    world.start()
    signal.raise_signal(signal.SIGTSTP)
    world.passes(100)
    assert world.text.count("not suspended") == 1
    world.press("Ctrl+Z")
    assert world.text.count("not suspended") == 2
    assert REFUSED[:10] in world.text


def test_after_a_stop_all_is_drawn_again(world: World) -> None:
    world.start()
    before = world.rows
    world.display.feed("\x1b[?1049l\x1b[2J\x1b[Hshell$ fg")
    signal.raise_signal(signal.SIGCONT)
    world.passes(100)
    assert world.display.is_alternate
    assert world.rows == before


def test_ctrl_l_draws_all_again(world: World) -> None:
    world.start()
    before = world.rows
    world.display.feed("\x1b[5;5Hnoise from elsewhere")
    world.press("Ctrl+L")
    assert world.rows == before
    assert world.display.is_alternate


def test_a_lost_terminal_is_no_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()

    def lost(_: str) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(world.sink, "write", lost)
    world.node.says("dev", "alice", "hello")
    assert world.ended() == 0
    assert not world.log.exists()


def test_an_input_that_ends_ends_the_app(world: World) -> None:
    world.start()
    world._input.close()
    world.loop.call_soon(lambda: None)
    assert world.ended() == 0


@pytest.mark.parametrize("where", ["draw", "key", "task"])
def test_a_crash_leaves_the_terminal_and_one_line(
    world: World, where: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    world.may_crash = True
    world.start()

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("planted\nhere")

    if where == "draw":
        monkeypatch.setattr(screen, "draw", broken)
        world.node.says("dev", "alice", "hello")
    elif where == "key":
        monkeypatch.setattr(screen, "prompt", broken)
        world.press("x")
    else:
        world.node.members = broken  # type: ignore[method-assign]
        world.node.changed("dev", "bob", "joined")
    assert world.ended() == 1
    assert is_restored(world)
    told = capfd.readouterr().err
    assert told == (
        f"p2pchat: the app has crashed (ZeroDivisionError: planted here); see {world.log}\n"
    )
    assert "in broken" in world.log.read_text("utf-8")


def test_what_fails_elsewhere_on_the_loop_ends_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.start()
    foreign = eval("lambda: 1 / 0", {"__name__": "grpc.aio"})  # noqa: S307  a constant
    world.loop.call_soon(foreign)
    world.passes(100)
    assert not world.has_ended
    assert "ZeroDivisionError" in caplog.text


def test_errors_are_ours_by_the_way_they_came() -> None:
    with pytest.raises(AttributeError) as raised:
        is_ours(None)  # type: ignore[arg-type]
    assert is_ours(raised.value)
    assert not is_ours(ValueError("never raised"))


# ---- a node that is opened behind the first frame


class Opening:
    """Opens the played node when the test lets it."""

    def __init__(self, world: World, fault: Complaint | None = None) -> None:
        self.world, self.fault, self.closed = world, fault, False
        self.gate = asyncio.Event()

    async def __aenter__(self) -> Any:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        return self.world.node

    async def __aexit__(self, *_: object) -> None:
        assert is_restored(self.world), "the terminal comes first"
        self.closed = True


def started(world: World, opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts the app without a node."""
    monkeypatch.setattr(world, "node", None)
    world.start(opens=lambda: opening, owns_node=True)
    monkeypatch.undo()


def test_the_screen_is_there_before_its_node(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(world)
    started(world, opening, monkeypatch)
    assert world.display.is_alternate
    world.enter("typed early")
    world.enter("/topic tea")
    world.enter("and another")
    world.sees("the node is starting")
    assert not world.node.asked("send")
    opening.gate.set()
    world.passes(100)
    world.sees("[#dev]")
    assert [call["text"] for call in world.node.asked("send")] == ["typed early", "and another"]
    assert [call["topic"] for call in world.node.asked("set_topic")] == ["tea"]
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert opening.closed


def test_a_node_that_does_not_start_is_complained_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Opening(world, ProfileInUse(pid=7, profile="default"))
    started(world, opening, monkeypatch)
    opening.gate.set()
    with pytest.raises(ProfileInUse):
        world.ended()
    assert is_restored(world)
    world.task = None


def test_one_may_leave_before_the_node_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opening = Opening(world)
    started(world, opening, monkeypatch)
    world.enter("never said")
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert "1 line could not be stored any more" in capfd.readouterr().err
    assert not opening.closed


def test_extra_keys_do_their_work_and_tell(world: World) -> None:
    async def killed() -> str:
        return "alice (pid 7) is dead"

    async def failing() -> str:
        raise Complaint(text="nobody leads")

    kill, revive = DEMO
    world.start(extras=(Extra(kill, killed), Extra(revive, failing)))
    world.press("F9", "F10")
    world.sees("alice (pid 7) is dead", "nobody leads")
    world.enter("/keys")
    world.press(*["PgDn"] * 6)
    world.sees("F9", "kill the leader")


def test_no_frame_is_drawn_while_the_terminal_takes_nothing() -> None:
    frames: list[int] = []
    app = SimpleNamespace(invalidate=lambda: frames.append(1))
    run = SimpleNamespace(_tty=SimpleNamespace(is_behind=True), _app=app, _rest=lambda: None)
    app_module._Run._frame(run)  # type: ignore[arg-type]
    assert not frames
    run._tty.is_behind = False
    app_module._Run._frame(run)  # type: ignore[arg-type]
    assert frames


def test_the_toolkit_is_not_asked_to_handle_crashes() -> None:
    """It would wait for Enter on a screen that is broken."""
    source = Path(app_module.__file__).read_text("utf-8")
    assert "set_exception_handler=False" in source
    assert "patch_stdout" not in source
