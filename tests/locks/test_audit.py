"""Every fault that a lock file may have is found, and ours have none."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.locks import __main__ as program
from tests.locks.audit import Advisory, Installed, Pin, complaints, declared, elsewhere, pins_of

HASH = "--hash=sha256:" + "0123456789abcdef" * 4
BAD = Advisory("tea", "GHSA-tea", "CVE-tea", ("<1.5", ">=2.0rc1,<2.1"), "it burns")
WORLD = {
    "tea": Installed(Version("2.5"), ("water>=1", "milk; extra == 'white'")),
    "water": Installed(Version("1.0"), ("ice; sys_platform == 'mars'",)),
    "milk": Installed(Version("3.0"), ()),
}


def lock(*lines: str) -> str:
    return "".join(f"{line} \\\n    {HASH}\n" for line in lines)


def audited(text: str, *asked: str) -> list[str]:
    pins, wrong = pins_of(text)
    assert not wrong
    return list(complaints(pins, [Requirement(one) for one in asked], WORLD.get, [BAD]))


def test_a_good_lock_file_is_let_through() -> None:
    assert audited(lock("tea==2.5", "water==1.0"), "tea>=2") == []
    assert audited(lock("tea==2.5", "water==1.0", "milk==3.0"), "tea[white]>=2") == []
    away = lock("tea==2.5", "water==1.0", "ice==1 ; sys_platform == 'mars'")
    assert audited(away, "tea") == []
    assert elsewhere(pins_of(away)[0]) == ["ice"]


@pytest.mark.parametrize(
    ("lines", "asked", "fault"),
    [
        (["water==1.0"], ["tea", "water"], "tea is not pinned, and pyproject.toml needs it"),
        (["tea==2.5"], ["tea"], "water is not pinned, and tea needs it"),
        (["tea==2.5", "water==1.0"], ["tea<2"], "tea==2.5 is not within <2"),
        (["tea==2.5", "water==1.0"], ["tea[white]"], "milk is not pinned, and tea needs it"),
        (["tea==2.5", "water==0.9"], ["tea"], "water==0.9 is not within >=1, which tea needs"),
        (["tea==2.5", "water==0.9"], ["tea"], "water is locked at 0.9 and installed at 1.0"),
        (["tea==2.5", "water==1.0", "milk==3.0"], ["tea"], "milk is needed by nothing"),
        (["tea==2.0", "water==1.0"], ["tea"], "tea==2.0 is known to be bad: it burns (GHSA-tea"),
        (["tea==1.4", "water==1.0"], ["tea"], "tea==1.4 is known to be bad"),
        (["tea==2.5", "water==1.0", "ice==1"], ["tea"], "ice is locked and not installed here"),
    ],
)
def test_a_fault_is_named(lines: Sequence[str], asked: Sequence[str], fault: str) -> None:
    assert any(one.startswith(fault) for one in audited(lock(*lines), *asked))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tea==2.5\n", "tea has no hash"),
        (f"tea==2.5 {HASH[:-1]}\n", "tea: '" + HASH[:-1] + "' is no sha256"),
        (f"tea==2.5 {HASH.replace('sha256', 'md5')}\n", "is no sha256"),
        (f"tea>=2.5 {HASH}\n", "tea must be pinned as tea==version"),
        (f"tea==2.* {HASH}\n", "tea must be pinned as tea==version"),
        (f"tea @ https://example.org/tea.whl {HASH}\n", "tea must be pinned as tea==version"),
        ("-e .\n", "'-e .' is no pin of one release"),
        ("--index-url https://example.org\n", "is no pin of one release"),
        (lock("tea==2.5", "Tea==2.4"), "tea is pinned twice"),
    ],
)
def test_a_line_that_pins_nothing_is_named(text: str, fault: str) -> None:
    _, wrong = pins_of(text)
    assert any(fault in one for one in wrong), wrong


def test_what_a_group_includes_is_declared() -> None:
    project = {
        "project": {"dependencies": ["tea"]},
        "dependency-groups": {"dev": ["milk", {"include-group": "lint"}], "lint": ["ruff"]},
    }
    assert [one.name for one in declared(project)] == ["tea"]
    assert [one.name for one in declared(project, "dev")] == ["tea", "milk", "ruff"]


def test_every_advisory_can_be_looked_up_and_concerns_a_pin() -> None:
    """A specifier that holds for nothing would look just like a hole that is closed."""
    pins, _ = pins_of((program.ROOT / "requirements-dev.lock").read_text("utf-8"))
    for one in program.known():
        assert one.id.startswith("GHSA-"), one
        assert one.alias.startswith("CVE-"), one
        assert one.package in pins, one
        for line in one.affected:
            below = line.rpartition("<")[2]
            major, *_ = below.split(".")
            old = pins[one.package]
            tried = [f"{major}.{minor}.0" for minor in range(100)] + [f"{int(major) - 1}.0"]
            pinned = [Pin(old.name, Version(text), "", 1) for text in tried]
            assert any(map(one.concerns, pinned)), one


def test_the_program_says_what_it_looked_at_and_fails_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main() == 0
    told = capsys.readouterr()
    assert "no advisory service was asked" in told.out
    assert not told.err
    for name in ("pyproject.toml", *program.LOCKS):
        shutil.copy(program.ROOT / name, tmp_path)
    file = tmp_path / "requirements.lock"
    text, count = re.subn(r"^grpcio==\S+", "grpcio==1.55.2", file.read_text("utf-8"), flags=re.M)
    assert count == 1
    file.write_text(text, "utf-8")
    assert program.main(tmp_path) == 1
    told = capsys.readouterr()
    assert "grpcio==1.55.2 is known to be bad" in told.err
    assert "GHSA-p25m-jpj4-qcrr" in told.err
    assert "grpcio is locked at 1.55.2 and at" in told.err
