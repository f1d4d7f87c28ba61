"""Passwords as people give them: node/cli/passwords.py, and node/cli/app/asking.py.

tests/e2e/test_passwords.py types them on terminals.
"""

import argparse
import os
import pty
import signal
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.cli import passwords
from node.cli.line import LineMode
from node.cli.output import Output
from node.cli.parser import parse
from node.cli.queries import ask
from node.cli.run import Run
from node.core.access import Terms
from node.errors import BadField, NeedsPassword, OpenPassword, Usage, WeakPassword
from node.places import places
from node.trust.passwords import seed_of
from node.words import PasswordKey
from tests.cli.app_world import World
from tests.cli.fake_node import NDS, NOON_MS, FakeNode
from tests.waiting import LOOK_S, WAIT_S

PASSWORD = "zq7!mv2kd8 hörse"
QUICK = Terms(b"s" * 16, 14)
KEY = PasswordKey(b"s" * 16, 14, 8, 1, seed_of(PASSWORD, QUICK))
LINE = f"{NDS}/vault"


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "password"
    made.touch(0o600)
    return made


def test_the_one_line_of_a_file_is_the_password(file: Path) -> None:
    for end in ("", "\n", "\r\n"):
        file.write_bytes(f"{PASSWORD}{end}".encode())
        assert passwords.from_file(str(file)) == PASSWORD
    file.write_text(" spaces count \n")
    assert passwords.from_file(str(file)) == " spaces count "


@pytest.mark.parametrize("raw", [b"", b"\n", b"one\ntwo\n", b"x" * 5_000])
def test_a_file_without_one_line_has_no_password(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    with pytest.raises(BadField, match="must hold one line with the password"):
        passwords.from_file(str(file))


def test_a_file_that_is_not_there_or_is_not_text_is_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BadField, match=r"password-file: .*/none: No such file"):
        passwords.from_file(str(tmp_path / "none"))
    for place in (tmp_path, Path("/dev/null")):
        with pytest.raises(BadField, match=f"{place} is neither a file nor a pipe"):
            passwords.from_file(str(place))
    file.write_bytes(b"\xff\xfe password\n")
    with pytest.raises(BadField, match="is not UTF-8"):
        passwords.from_file(str(file))


@pytest.mark.timeout(120)
def test_a_pipe_is_read_to_its_end_and_one_that_nobody_writes_to_is_not_waited_for(
    tmp_path: Path,
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    with pytest.raises(BadField, match="must hold one line with the password"):
        passwords.from_file(str(fifo))
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", buffering=0) as end:

        def write() -> None:
            for part in (PASSWORD[:4], PASSWORD[4:], "\n"):
                time.sleep(0.05)
                end.write(part.encode())
            end.close()

        writer = threading.Thread(target=write)
        writer.start()
        assert passwords.from_file(f"/dev/fd/{reading}") == PASSWORD
        writer.join()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_read_is_refused_unread(file: Path, mode: int) -> None:
    file.write_text(PASSWORD)
    file.chmod(mode)
    with pytest.raises(OpenPassword, match=f"mode {mode:04o}") as refused:
        passwords.from_file(str(file))
    assert PASSWORD not in str(refused.value)


def test_of_stdin_one_line_is_taken_and_the_rest_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{PASSWORD}\nthe rest\n".encode())
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert passwords.from_file("-") == PASSWORD
        assert os.read(reading, 100) == b"the rest\n"


# ---- the terminal --------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    own, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield own
    os.close(own)


def echoes(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


async def test_what_is_typed_is_not_echoed_and_all_is_as_before_then(
    terminal: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert echoes(terminal)
    with passwords.unseen(terminal, lambda: None):
        assert not echoes(terminal)
    assert echoes(terminal)
    os.write(terminal, f"{PASSWORD}\n".encode())
    assert await passwords.typed("password of #dev") == PASSWORD
    assert echoes(terminal)
    assert capsys.readouterr().err == "password of #dev: "
    os.write(terminal, b"\n")
    with pytest.raises(Usage, match="no password was given"):
        await passwords.typed("password")


def test_what_is_typed_stays_unseen_when_the_program_was_stopped_meanwhile(terminal: int) -> None:
    asked: list[bool] = []
    usual = signal.getsignal(signal.SIGCONT)
    with passwords.unseen(terminal, lambda: asked.append(echoes(terminal))):
        shown = termios.tcgetattr(terminal)  # as a shell leaves it
        shown[3] |= termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, shown)
        signal.raise_signal(signal.SIGCONT)
        assert not echoes(terminal)
    assert asked == [False, False], "it asks again, when nothing is shown any more"
    assert echoes(terminal)
    assert signal.getsignal(signal.SIGCONT) == usual


def run_of(*arguments: str, home: Path) -> Run:
    args: argparse.Namespace = parse(list(arguments))
    return Run(args, places("p", str(home), {}), Output(False, False))


def test_without_a_terminal_one_names_a_file(file: Path, tmp_path: Path) -> None:
    with open(os.devnull) as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        for verb in ("join", "create"):
            run = run_of(verb, "x", "--password", home=tmp_path)
            with pytest.raises(Usage, match="with --password-file"):
                passwords.given(run) if verb == "join" else passwords.chosen(run, ())
    file.write_text(PASSWORD)
    run = run_of("join", "x", "--password-file", str(file), home=tmp_path)
    assert passwords.given(run) == passwords.chosen(run, ()) == PASSWORD
    assert passwords.given(run_of("join", "x", home=tmp_path)) is None
    with pytest.raises(WeakPassword, match="must not hold the name horse"):
        file.write_text("my kingdom for a horse")
        passwords.chosen(run, ("horse",))


def test_a_chat_is_open_or_has_a_password_and_that_comes_from_one_place() -> None:
    for flags in (["--open", "--password"], ["--password", "--password-file", "x"]):
        with pytest.raises(Usage, match="not allowed with"):
            parse(["create", "dev", *flags])
    with pytest.raises(Usage, match="not allowed with"):
        parse(["password", "dev", "--none", "--password-file", "x"])
    with pytest.raises(Usage, match="must not be empty"):
        parse(["join", "dev", "--password-file", ""])


# ---- joining -------------------------------------------------------------------------------------


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode(lambda: NOON_MS)
    made.key = KEY
    return made


async def test_who_has_a_password_joins_by_it_and_by_nothing_else(node: FakeNode) -> None:
    await ask(node, "join", line=LINE, password=PASSWORD)  # type: ignore[arg-type]
    joins = [args for name, args in node.heard if name == "join"]
    assert [args.get("by_password", False) for args in joins] == [True, True]


async def test_who_has_none_is_asked_once_it_is_needed(node: FakeNode) -> None:
    asked: list[str] = []

    async def asks(what: str) -> str:
        asked.append(what)
        return PASSWORD

    await ask(node, "join", line=LINE, asks=asks)  # type: ignore[arg-type]
    joins = [args for name, args in node.heard if name == "join"]
    assert [args.get("by_password", False) for args in joins] == [False, True]
    assert asked == ["password of #vault"]


async def test_nothing_is_tried_where_nobody_answers(node: FakeNode) -> None:
    async def silent(_: str) -> str:
        return ""

    for asks in (None, silent):
        with pytest.raises(NeedsPassword):
            await ask(node, "join", line=LINE, asks=asks)  # type: ignore[arg-type]
    assert len([name for name, _ in node.heard if name == "join"]) == 2


async def test_a_password_that_was_changed_meanwhile_is_made_anew(node: FakeNode) -> None:
    other = Terms(b"t" * 16, 14)
    real = node.join
    node.key = replace(KEY, salt=other.salt, seed=seed_of(PASSWORD, other))
    terms = [QUICK, other]

    async def changes(*given: Any) -> Any:
        if terms:
            raise NeedsPassword(chat="vault", **terms.pop(0).facts)
        return await real(*given)

    node.join = changes  # type: ignore[method-assign]
    await ask(node, "join", line=LINE, password=PASSWORD)  # type: ignore[arg-type]


async def test_a_new_key_has_a_salt_of_its_own() -> None:
    one, other = await passwords.key_of(PASSWORD), await passwords.key_of(PASSWORD)
    assert one.salt != other.salt
    assert one.seed != other.seed
    assert (one.log_n, one.r, one.p) == (15, 8, 1)
    assert await passwords.key_of(PASSWORD, QUICK) == KEY


# ---- line mode -----------------------------------------------------------------------------------


async def test_line_mode_takes_the_next_line_unseen(terminal: int, node: FakeNode) -> None:
    face = LineMode(node, Output(False, False), commands=True)  # type: ignore[arg-type]
    os.write(terminal, f"{PASSWORD}\n".encode())
    assert await face._asks("password of #vault") == PASSWORD
    assert echoes(terminal)


# ---- the full screen -----------------------------------------------------------------------------


@pytest.fixture
def world() -> Any:
    with World(80, 12) as made:
        made.node.add_chat("dev", "alice", "you", leader="alice")
        made.node.key = KEY
        made.start()
        made.enter(f"/join {LINE}")
        yield made


def until(world: World, text: str) -> None:
    """Scrypt has a thread of its own, which the still loop does not wait for."""
    end = time.monotonic() + WAIT_S
    while text not in " ".join(world.text.split()):
        assert time.monotonic() < end, world.text
        time.sleep(LOOK_S)
        world.passes(10)


def test_the_app_asks_behind_stars_and_recalls_nothing(world: World) -> None:
    assert world.rows[-1].startswith("[password of #vault] ")
    world.type(PASSWORD)
    assert world.rows[-1].rstrip() == f"[password of #vault] {'*' * len(PASSWORD)}"
    assert world.state.secret is not None
    assert PASSWORD not in repr(world.state)
    world.press("Enter")
    until(world, "you are in #vault")
    assert world.state.secret is None
    world.press("Up")
    assert f"/join {LINE}" in world.rows[-1]
    for _ in range(5):
        world.press("Up")
        world.misses("zq7")
    world.press("Ctrl+C", "Ctrl+Y")
    world.misses("zq7")


def test_what_was_cut_out_of_it_cannot_be_pasted_elsewhere(world: World) -> None:
    world.type(PASSWORD)
    world.press("Ctrl+U")
    assert world.rows[-1].rstrip() == "[password of #vault]"
    world.press("Ctrl+Y", "Ctrl+U", "Esc")
    assert world.state.secret is None
    world.press("Ctrl+Y", "Alt+Y")
    world.misses("zq7", "****")


@pytest.mark.parametrize("key", ["Esc", "Ctrl+C", "Ctrl+D"])
def test_who_closes_the_line_does_not_join(world: World, key: str) -> None:
    world.press(key)
    assert world.state.secret is None
    world.sees("#vault asks for a password, and none was", "/join asks")
    world.misses("--password-file", "p2pchat join")
    world.type("and on with the talk")
    world.sees("and on with the talk")


def test_a_password_is_pasted_as_it_is_and_keys_that_open_other_lines_wait(world: World) -> None:
    world.press("Ctrl+G", "Ctrl+S", "Ctrl+R")
    assert world.rows[-1].startswith("[password of #vault]")
    world.paste("two  spaces  \n")
    assert world.rows[-1].rstrip() == f"[password of #vault] {'*' * 13}"
    world.press("Ctrl+U")
    world.paste(f"{PASSWORD}\n")
    world.press("Enter")
    until(world, "you are in #vault")


def test_a_wrong_one_is_said_and_not_shown(world: World) -> None:
    world.enter("something else 77")
    until(world, "#vault did not let you in: the password is")
    world.misses("something else 77")
