"""A share of the swarm, its determinism, and the planted bugs that must still match."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from nds import record as nds
from node.core.timing import PRESETS, RENEW_MAX_MS

from . import mutants, swarm
from .options import KINDS, draw
from .planted import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
# Lives that broke a promise once, or were wrongly said to.
BROKE = (
    *(202253, 300926, 303540, 303730, 403125, 621232, 701583, 2101975),
    *(1303325, 1404225, 1410189, 1411779, 1515782, 1806304, 1810569, 1906006),
    *(2411706, 2507176, 2507745, 2602102, 2612559, 2914335, 3010275, 3111835),
    *(3400320, 3405883, 3410935, 3601646, 3605196, 3717010, 3802785),
)
SEEDS = (*range(12), *BROKE)
QUICK = {  # bugs that a few seeds find
    "no epoch check",
    "no pre-vote",
    "ids from the roster",
    "highest id wins",
    "acknowledged before stored",
    "a dependency ignored",
    "clock from the wall only",
}


@pytest.mark.parametrize("seed", SEEDS)
def test_life_keeps_every_promise(seed: int) -> None:
    outcome = swarm.live(seed)
    assert not outcome.text, f"seed {seed}: {outcome.text}"


@pytest.mark.parametrize("seed", [1, 2])
def test_seed_gives_the_same_trace_under_any_hash_seed(seed: int) -> None:
    command = [sys.executable, "-m", "tests.sim.swarm", "--fingerprint", "--seed", str(seed)]
    traces = {
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "77")
    }
    assert len(traces) == 1
    assert len(traces.pop().strip()) == 64


def test_seeds_differ() -> None:
    assert swarm.fingerprint(1) != swarm.fingerprint(2)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_planted_bug_still_matches(mutant) -> None:
    assert set(mutants.matches(mutant)) == {1}
    assert all(old != new for old, new in mutant.changes)


def test_there_are_enough_planted_bugs() -> None:
    assert len({mutant.name for mutant in MUTANTS}) >= 25


def test_the_registry_counts_on_the_renewals_of_every_preset() -> None:
    assert nds.RENEWAL_MS == RENEW_MAX_MS
    assert {timing.renew_ms for timing in PRESETS.values()} == {nds.RENEWAL_MS}


def test_seeds_draw_lives_that_differ_in_every_option() -> None:
    drawn = [draw(Random(seed)) for seed in range(100)]
    for name in ("scale", "members", "pace", "talk", "trouble_ms", "kinds"):
        assert len({getattr(options, name) for options in drawn}) > 1, name
    for name in ("page_bytes", "pending_max", "flight_max", "batch_max", "log_max", "members_max"):
        assert len({getattr(options.timing, name) for options in drawn}) > 1, name
    assert len({options.faults.near_ms for options in drawn}) > 4
    assert {kind for options in drawn for kind in options.kinds} == set(KINDS)


def test_quick_ones_are_planted_bugs() -> None:
    assert {mutant.name for mutant in MUTANTS} >= QUICK


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.name in QUICK], ids=lambda mutant: mutant.name
)
def test_planted_bug_is_found(mutant) -> None:
    assert mutants.hunt(mutant, seeds=40)
