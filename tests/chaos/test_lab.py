"""The lab: what the switch decides; real hosts talk, are cut off, and leave nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.chaos.lab import CALM, Namespaces, Rules, Weather, build, small_disks
from tests.chaos.lab.hosts import ROOT, sweep
from tests.chaos.lab.rules import apart
from tests.chaos.lab.switch import Fabric
from tests.chaos.processes import forbid_writing
from tests.chaos.trouble import fill
from tests.waiting import WAIT_S

pytestmark = pytest.mark.xdist_group("chaos")

A, B, C = b"\x02aaaaa", b"\x02bbbbb", b"\x02ccccc"
ALL = b"\xff" * 6


def fabric(rules: Rules = CALM) -> Fabric:
    """A switch that knows where A, B and C are."""
    made = Fabric(("a", "b", "c"), Random(1))
    for host, address in (("a", A), ("b", B), ("c", C)):
        made.route(host, ALL + address)
    made.rules = rules
    made.counts.clear()
    return made


def test_frames_go_to_their_host_and_strange_ones_to_all_others() -> None:
    assert fabric().route("a", B + A) == [(0.0, "b")]
    assert fabric().route("a", A + A) == []
    assert fabric().route("a", ALL + A) == [(0.0, "b"), (0.0, "c")]
    assert fabric().route("a", b"\x02ddddd" + A) == [(0.0, "b"), (0.0, "c")]


def test_a_cut_is_one_way() -> None:
    one = fabric(Rules(cuts=frozenset({("a", "b")})))
    assert one.route("a", B + A) == []
    assert one.route("b", A + B) == [(0.0, "a")]
    assert one.route("a", ALL + A) == [(0.0, "c")]
    assert one.counts == Counter(cut=2, passed=2)


def test_loss_repeats_and_delays_are_as_often_as_said() -> None:
    one = fabric(Rules(Weather(loss=0.2, repeat=0.1, delay_ms=20, jitter_ms=10)))
    copies = [one.route("a", B + A) for _ in range(10_000)]
    counts = Counter(map(len, copies))
    assert 0.18 < counts[0] / 10_000 < 0.22
    assert 0.07 < counts[2] / 10_000 < 0.09
    delays = [delay for copy in copies for delay, _ in copy]
    assert min(delays) >= 0.02
    assert max(delays) <= 0.03
    assert max(delays) - min(delays) > 0.009


def test_rules_survive_the_way_to_the_switch() -> None:
    rules = Rules(Weather(0.1, 0.2, 3.0, 4.0), frozenset(apart(["a"], ["b", "c"])))
    assert Rules.load(rules.dump()) == rules


def test_weathers_add_up() -> None:
    both = Weather(loss=0.5, delay_ms=10).and_(Weather(loss=0.5, delay_ms=5, repeat=0.1))
    assert both == Weather(loss=0.75, delay_ms=15, repeat=0.1)


# ---- real hosts ----------------------------------------------------------------------------------

LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], 4000))
print("ready", flush=True)
while True:
    call, _ = server.accept()
    while data := call.recv(65536):
        call.sendall(data)
    call.close()
"""
CALL = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], 4000), float(sys.argv[2])) as call:
        call.sendall(b"x" * 100_000 + b"!")
        while not call.recv(65536).endswith(b"!"):
            pass
    print("heard")
except OSError as error:
    print("silent", error)
"""
PYTHON = [sys.executable, "-S", "-c"]


def ours() -> list[str]:
    """Namespaces and ends of cables that this process has made and not removed."""
    names = [name for name in netns() if f"-{os.getpid()}-" in name]
    if shutil.which("ip"):
        shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
        names += re.findall(rf"c{os.getpid()}[nf]\d+", shown.stdout)
    return names


def test_hosts_talk_until_a_cut_and_again_after_it_and_nothing_stays() -> None:
    before = ours()
    lab = build(("a", "b"))
    if not lab.network:  # here only the fall-back can be had: it says why, and has one host
        assert lab.why
        assert lab.address("a") == lab.address("b") == "127.0.0.1"
        return
    assert len(ours()) == len(before) + 3, "two hosts and the hub"
    server = subprocess.Popen(
        [*lab.inside("b"), *PYTHON, LISTEN, "0.0.0.0"], stdout=subprocess.PIPE
    )
    try:

        def said(wait_s: float) -> str:
            command = [*lab.inside("a"), *PYTHON, CALL, lab.address("b"), str(wait_s)]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=WAIT_S, check=True
            )
            return done.stdout.split()[0]

        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        assert said(20) == "heard"
        for cut in (("a", "b"), ("b", "a")):
            lab.obey(Rules(cuts=frozenset({cut})))
            assert said(0.4) == "silent"
        counts = lab.obey(Rules(Weather(loss=0.05, repeat=0.05, delay_ms=5, jitter_ms=5)))
        assert counts["cut"] > 0
        assert said(20) == "heard"
    finally:
        server.kill()
        server.communicate()
        lab.close()
    assert ours() == before


def netns() -> list[str]:
    directory = Path("/run/netns")
    return sorted(os.listdir(directory)) if directory.exists() else []


MAKER = """
import time
from tests.chaos.lab import build
lab = build(("a", "b"))
print(type(lab).__name__, flush=True)
time.sleep(600)
"""


def test_what_a_killed_maker_left_is_removed_by_the_next_and_others_stay() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as maker:
        assert maker.stdout is not None
        kind = maker.stdout.readline().strip()
        mine = f"-{maker.pid}-"
        made = [name for name in netns() if mine in name]
        sweep()
        assert [name for name in netns() if mine in name] == made, "its maker lives"
        maker.send_signal(signal.SIGKILL)
    assert len(made) == (3 if kind == Namespaces.__name__ else 0)
    until = time.monotonic() + 20
    while [name for name in netns() if mine in name]:
        sweep()
        assert time.monotonic() < until, netns()


# ---- small disks ---------------------------------------------------------------------------------


def test_a_full_disk_has_no_room_and_its_files_stay_when_it_goes(tmp_path: Path) -> None:
    disks = small_disks()
    if disks is None:  # what stands in for them is in the next test
        return
    home = tmp_path / "home"
    disks.mount(home)
    try:
        (home / "before").write_text("kept")
        fill(home / "ballast")
        with pytest.raises(OSError, match="No space left"):
            (home / "after").write_text("x" * 10_000)
        (home / "ballast").unlink()
        (home / "after").write_text("x" * 10_000)
    finally:
        disks.close()
    assert not os.path.ismount(home)
    assert (home / "before").read_text() == "kept"
    assert len((home / "after").read_text()) == 10_000


WRITER = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    try:
        with open(line.strip(), "w") as file:
            file.write("x")
        print("written", flush=True)
    except OSError:
        print("refused", flush=True)
"""


def test_a_process_may_be_forbidden_to_write(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for forbidden, said in ((True, "refused"), (False, "written"), (True, "refused")):
            forbid_writing(writer.pid, forbidden)
            writer.stdin.write(f"{tmp_path / 'file'}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == f"{said}\n"
