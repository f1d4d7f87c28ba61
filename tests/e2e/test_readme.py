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

from node.config import load
from node.places import places
from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.e2e.readme import (
    README,
    ROOT,
    Step,
    all_as_shown,
    as_shown,
    between,
    blocks,
    steps,
    tables,
)
from tests.e2e.shells import TURN_S, WAIT_S, Shell, Shells

pytestmark = pytest.mark.xdist_group("e2e")

TEXT = README.read_text("utf-8")
LANGUAGES = {"console", "toml", "text"}
LONG_MAKE = re.compile(r"make( (run|test|setup|check|proto|sim|bench|lock)\b.*)")
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


@pytest.mark.timeout(240)
@pytest.mark.skipif(
    not (shutil.which("bash") and Path(sys.executable).with_name("grpcurl").exists()),
    reason="bash and grpcurl are needed, and grpcurl is packaged for one platform only",
)
def test_every_command_does_what_the_readme_shows(shells: Shells) -> None:
    todo = steps(TEXT)
    talking: set[str] = set()  # shells whose command goes on
    for place, step in enumerate(todo):
        shell = shells[step.shell]
        if step.typed:
            assert step.shell in talking, f"README.md:{step.line}: nothing runs in that shell"
            if step.text:
                shell.type(shells.here(step.text))
            await_shown(shell, step)
            continue
        if step.shell in talking:  # it was told to end, or killed
            shell.wait_ready()
            talking.discard(step.shell)
        if step.text.startswith("p2pchat send "):
            await_everyone(shell)
        shell.type(command(shells.here(step.text)))
        later = next((one for one in todo[place + 1 :] if one.shell == step.shell), None)
        if (later is not None and later.typed) or step.text.startswith(SERVER):
            talking.add(step.shell)
            await_shown(shell, step)
        else:
            check_ended(shell, step)


def await_everyone(shell: Shell) -> None:
    """Waits, as a person would, until those who were started a moment ago are back."""
    until = time.monotonic() + WAIT_S
    states: set[str] = set()
    while states != {"alive"}:
        assert time.monotonic() < until, f"members are {states}"
        shell.type("p2pchat members -c dev --json")
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


def await_shown(shell: Shell, step: Step) -> None:
    """Waits for each line that is shown, in order; others may come between."""
    until = time.monotonic() + WAIT_S
    for shown in step.shown:
        while True:
            printed = shell.printed
            lines = printed.splitlines(keepends=True)
            found = next((i for i, one in enumerate(lines) if as_shown(shown, one)), None)
            if found is not None and lines[found].endswith("\n"):
                break
            told = f"README.md:{step.line}: {step.text}\n{shown!r} does not come, but\n{printed}"
            assert time.monotonic() < until, told
            time.sleep(TURN_S)
        shell.take(sum(map(len, lines[: found + 1])))


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


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    (shown,) = (content for language, content, _ in blocks(TEXT) if language == "toml")
    assert tomllib.loads(shown)
    (tmp_path / "config.toml").write_text(shown)
    found = load(places("night", str(tmp_path), {}), environ={})
    assert not found.complaints
    assert found.log_level == "debug"
    found.build_timing()


def test_the_figures_are_filled_in() -> None:
    assert re.search(r"\d", between(TEXT, "figures"))


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


def test_a_command_goes_on_after_a_backslash_and_within_a_quote() -> None:
    text = "```console\na$ one \\\n  two\nshown\n$ '{\n}' three\nb> typed isn't\nend\n```\n"
    found = steps(text)
    assert [one.text for one in found] == ["one \\\n  two", "'{\n}' three", "typed isn't"]
    assert [one.shown for one in found] == [["shown"], [], ["end"]]
    assert [(one.shell, one.typed) for one in found] == [("a", False), ("", False), ("b", True)]
