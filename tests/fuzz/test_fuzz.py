"""A share of `make fuzz`: every RPC of every server, noise, limits, a thousand connections."""

import subprocess
import sys
from pathlib import Path

import pytest

from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.fuzz import within
from tests.fuzz.campaign import Plan
from tests.fuzz.conduct import conduct
from tests.fuzz.rpcs import rpcs_of

CASES = 30
SECONDS = 0.05  # for each RPC: what is slow by nature gets fewer


@pytest.mark.xdist_group("processes")
def test_nothing_dies_and_nothing_that_is_refused_counts(tmp_path: Path) -> None:
    plan = Plan(CASES, seconds=SECONDS)
    campaign = conduct(tmp_path, plan)
    assert not campaign.faults
    ours = [module.DESCRIPTOR for module in (control_pb2, nds_pb2, node_pb2)]
    services = [one.full_name for file in ours for one in file.services_by_name.values()]
    names = {rpc.name for rpc in rpcs_of(services)}
    assert names <= campaign.tallies.keys(), "an RPC was left out"
    assert all(campaign.tallies[name].cases for name in names)


def test_a_refused_request_leaves_no_trace_in_the_core() -> None:
    assert within.run(40, 0) == []


@pytest.mark.parametrize("seed", [1000498, 1010879])
def test_who_has_left_by_what_was_asked_before_is_no_stale_caller(seed: int) -> None:
    assert within.fault_of("LeaveNetwork", seed) == ""


def test_an_rpc_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--within", "--cases", "1", "--rpc"]
    done = subprocess.run(
        [*command, "Node/Nonsense"], capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 2
    assert "invalid choice: 'Node/Nonsense'" in done.stderr
    for name in ("Node/Message", "Control/Send", "NodeDiscovery/Renew", "Health/Check"):
        assert f"'{name}'" in done.stderr
    done = subprocess.run(
        [*command, "Node/Message"], capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
