"""Holds the Makefile to what it declares and to what the README tells people to type."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_every_declared_target_has_a_rule_and_a_line_of_help() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS
    assert set(re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE)) == TARGETS


def test_every_target_that_the_readme_names_does_something() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", readme, re.MULTILINE))
    assert {"test", "run", "sim", "chaos", "fuzz", "crash", "bench"} <= named <= TARGETS
    for target in sorted(named - {"setup"}):  # which is done by now
        command = ["make", "--dry-run", "SEED=1", target]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
        assert ".venv/bin/" in told.stdout, f"make {target} does nothing"
