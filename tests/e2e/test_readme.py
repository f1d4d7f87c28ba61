"""Every command of README.md is run, what it shows is what comes, its tables are the sources'."""

import importlib.util
import json
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.personal import personal
from node.config import load
from node.places import places
from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.cli.screens.kept import PICTURES, picture_of
from tests.e2e.readme import (
    README,
    ROOT,
    Step,
    all_as_shown,
    all_seen,
    as_shown,
    between,
    blocks,
    seen,
    steps,
    tables,
)
from tests.e2e.shells import Shell, Shells, Sieve
from tests.waiting import WAIT_S

pytestmark = pytest.mark.xdist_group("e2e")

TEXT = README.read_text("utf-8")
LANGUAGES = {"console", "toml", "text"}
LONG_MAKE = re.compile(r"make( (run|test|setup|check|proto|sim|chaos|fuzz|bench|screens|lock)\b.*)")
LONG_MODULE = re.compile(r"python -m (tests\.\S+)")
SERVER = "nds-server "


# ---- the commands --------------------------------------------------------------------------------


@pytest.fixture
def shells(tmp_path: Path) -> Iterator[Shells]:
    made = Shells(ROOT, tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.skipif(
    not (shutil.which("bash") and Path(sys.executable).with_name("grpcurl").exists()),
    reason="bash and grpcurl are needed, and grpcurl is packaged for one platform only",
)
def test_every_command_does_what_the_readme_shows(shells: Shells) -> None:
    todo = steps(TEXT)
    busy: set[str] = set()  # shells whose command goes on
    for place, step in enumerate(todo):
        shell = shells[step.shell]
        if step.typed:
            assert step.shell in busy, f"README.md:{step.line}: no app runs in that shell"
            type_into_the_app(shell, step, shells.here(step.text))
            continue
        if step.shell in busy:  # it was told to end, or killed
            shell.wait_ready()
            busy.discard(step.shell)
        if step.text.startswith("p2pchat send "):
            await_everyone(shell)
        shell.run(command(shells.here(step.text)))
        later = next((one for one in todo[place + 1 :] if one.shell == step.shell), None)
        if (later is not None and later.typed) or step.text.startswith(SERVER):
            busy.add(step.shell)
            await_seen(shell, step)
        else:
            check_ended(shell, step)


def type_into_the_app(shell: Shell, step: Step, text: str) -> None:
    if step.key:
        shell.press(step.key)
    elif step.text:
        shell.say(text)
    await_seen(shell, step)


def await_seen(shell: Shell, step: Step) -> None:
    """Waits until each line is seen that is shown, in order; others may be between."""
    told = f"README.md:{step.line}: {step.text}\nis not followed by\n" + "\n".join(step.shown)
    shell.wait(lambda: all_seen(step.shown, shell.seen.splitlines()), told)


def await_everyone(shell: Shell) -> None:
    """Waits, as a person would, until those who were started a moment ago are back."""
    until = time.monotonic() + WAIT_S
    states: set[str] = set()
    while states != {"alive"}:
        assert time.monotonic() < until, f"members are {states}"
        shell.run("p2pchat members -c dev --json")
        states = {json.loads(line)["state"] for line in shell.wait_ready()[0]}


def command(text: str) -> str:
    """What is run: of what takes minutes, whether it is there."""
    if LONG_MAKE.fullmatch(text):
        return text.replace("make", "make --dry-run >/dev/null", 1)
    if long := LONG_MODULE.fullmatch(text):
        assert importlib.util.find_spec(long[1]), f"there is no module {long[1]}"
        return "true"
    return text


def check_ended(shell: Shell, step: Step) -> None:
    printed, code = shell.wait_ready()
    told = f"README.md:{step.line}: {step.text}\nexit {code}\n" + "\n".join(printed)
    fails = any(line.startswith("ERROR:") for line in step.shown)
    assert bool(code) == fails, told
    assert "Traceback" not in told, told
    if step.shown:
        assert all_as_shown(step.shown, printed), (
            told + "\n--- but shown is\n" + "\n".join(step.shown)
        )


# ---- the rest of the page ------------------------------------------------------------------------


def test_every_block_is_of_a_known_language_and_no_command_hides() -> None:
    for language, content, line in blocks(TEXT):
        assert language in LANGUAGES, f"README.md:{line}: what is {language!r}?"
        if language == "text":
            hidden = re.search(r"^\s*(\w*\$|make|p2pchat|nds-server|grpcurl) ", content, re.M)
            assert not hidden, f"README.md:{line}: a command that no test would run: {hidden}"


@pytest.mark.parametrize("name", tables())
def test_a_table_is_as_the_sources_have_it(name: str) -> None:
    assert between(TEXT, name) == tables()[name], "run: python -m tests.e2e.readme"


@pytest.mark.parametrize("proto", [nds_pb2, node_pb2, control_pb2], ids=lambda one: one.__name__)
def test_every_call_is_shown_as_a_grpcurl_line(proto: object) -> None:
    run = [step.text for step in steps(TEXT) if re.search(r"\bgrpcurl -", step.text)]
    for service in proto.DESCRIPTOR.services_by_name.values():  # type: ignore[attr-defined]
        for method in service.methods:
            name = f"{service.full_name}/{method.name}"
            assert any(re.search(rf"{name}\b", line) for line in run), f"{name} is not shown"


def test_every_place_that_is_named_is_there() -> None:
    rooms = [one for _, one, _ in blocks(TEXT) if one.startswith("protos/")]
    assert len(rooms) == 1
    named = re.findall(r"(?:^|(?<= ))((?:protos|generated|nds|node|tests)(?:/[\w.]+)*)", rooms[0])
    named += re.findall(r"`((?:tests|node|nds|protos)/[\w./]+)`", TEXT)
    missing = [one for one in named if not (ROOT / one.rstrip("/")).exists()]
    assert len(named) > 12
    assert not missing


def test_the_pictures_are_those_that_make_screens_and_make_bench_draw() -> None:
    shown = re.findall(r"^!\[.+\]\((\S+)\)$", TEXT, re.MULTILINE)
    drawn = {picture_of(name) for name in PICTURES} | {ROOT / "tests/bench/results.svg"}
    assert {ROOT / one for one in shown} == drawn
    assert all((ROOT / one).read_text("utf-8").startswith("<svg ") for one in shown)


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    (shown,) = (content for language, content, _ in blocks(TEXT) if language == "toml")
    assert tomllib.loads(shown)
    (tmp_path / "config.toml").write_text(shown)
    found = load(places("night", str(tmp_path), {}), environ={})
    assert not found.complaints
    assert not personal(found).complaints
    assert found.log_level == "debug"
    found.build_timing()


def test_the_figures_are_filled_in() -> None:
    rows = [row.split("|") for row in between(TEXT, "figures").splitlines()[2:]]
    assert len(rows) > 12
    assert [row for row in rows if not re.search(r"\d", row[3])] == []


# ---- the reading of the page ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("12:00:01 #dev <bob> hi", "09:15:59 #dev <bob> hi", True),
        ("12:00:01 #dev <bob> hi", "09:15:59 #dev <bob> ho", False),
        ("4f2a 2/2", "00ff 2/2", True),
        ("4f2a 2/2", "00ff 1/2", False),
        ("bob  id 2  127.0.0.1:40861  seen 0s ago", "bob id 2 127.0.0.1:4 seen 12s ago", True),
        ("bob  id 2", "bob  id 3", False),
        ("node 12 has ended", "node 99999 has ended", True),
        ("{…", '{"a": 1}', True),
        ("a … c", "a b c", True),
        ("a … c", "a b d", False),
        ("a.c", "abc", False),
    ],
)
def test_only_what_varies_may_differ(shown: str, printed: str, same: bool) -> None:
    assert as_shown(shown, printed) == same


def test_a_lone_ellipsis_stands_for_lines() -> None:
    assert all_as_shown(["…", "b"], ["a", "a", "b"])
    assert all_as_shown(["a", "…"], ["a"])
    assert not all_as_shown(["…", "b"], ["a", "b", "c"])
    assert not all_as_shown(["a"], ["a", "b"])


def test_what_stands_above_the_first_prompt_is_seen_before() -> None:
    found = steps("```console\nseen\na> typed\n```\n")
    assert [(one.shell, one.text, one.shown) for one in found] == [
        ("a", "", ["seen"]),
        ("a", "typed", []),
    ]


def test_a_name_in_brackets_is_a_key_where_it_is_all_that_is_typed() -> None:
    found = steps("```console\na> [Ctrl+D]\na> [F2]\na> [F2] helps\na> [x]\na$ [F2]\n```\n")
    assert [one.key for one in found] == ["Ctrl+D", "F2", "", "", ""]


ROW = "CHATS           |12:59:43   alice | it was me         2/2  |MEMBERS 3/3"


@pytest.mark.parametrize(
    ("shown", "row", "is_there"),
    [
        ("10:00:00  alice | it was me  2/2", ROW, True),
        ("alice | it was me", ROW, True),
        ("alice | it … 2/2", ROW, True),
        ("MEMBERS 3/3", ROW, True),
        ("alice | it was me  1/2", ROW, False),
        ("alice | it was m", ROW, False),
        ("lice | it was me", ROW, False),
        ("[10:00] [bob] 1:#dev 3/3 L:you e2", " [23:59] [bob] 1:#dev 3/3 L:you e2 NDS:ok", True),
        ("[10:00] [bob] 1:#dev 3/3 L:you e2", " [23:59] [bob] 1:#dev 3/3 L:you e21 NDS:ok", False),
    ],
)
def test_a_row_holds_a_line_between_its_panes(shown: str, row: str, is_there: bool) -> None:
    assert seen(shown, row) == is_there


def test_lines_are_seen_in_their_order() -> None:
    rows = ["|a|", "|b|", "|c|"]
    assert all_seen(["a", "c"], rows)
    assert not all_seen(["c", "a"], rows)
    assert not all_seen(["a", "a"], rows)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_what_an_app_draws_is_not_printed(size: int) -> None:
    came = "one\r\n\x1b[31mred\x1b[0m\x1b]2;a title\x07\x1b[?2004h\x1b[?1049hdrawn\r\n\x1b[2Jmore"
    came += "\x1b[?1049l\x1b7two\r\n\x1b[?1049l<<ready 0>>\r\n"
    sieve = Sieve()
    parts = [sieve.kept(came[at : at + size]) for at in range(0, len(came), size)]
    assert "".join(parts) == "one\nredtwo\n<<ready 0>>\n"


def test_a_command_goes_on_after_a_backslash_and_within_a_quote() -> None:
    text = "```console\na$ one \\\n  two\nshown\n$ '{\n}' three\nb> typed isn't\nend\n```\n"
    found = steps(text)
    assert [one.text for one in found] == ["one \\\n  two", "'{\n}' three", "typed isn't"]
    assert [one.shown for one in found] == [["shown"], [], ["end"]]
    assert [(one.shell, one.typed) for one in found] == [("a", False), ("", False), ("b", True)]
