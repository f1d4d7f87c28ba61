"""The hosts: network namespaces of our own joined by the switch, or this machine's loopback.

Names hold the process id of their maker, so several labs can stand side by side, and what a maker
that was killed has left behind can be told from what is in use: the next lab removes it.
"""

import os
import re
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.chaos.lab.cables import make_plain
from tests.chaos.lab.rules import CALM, Rules

ROOT = Path(__file__).resolve().parents[3]
NETWORK = "10.77.0"
ANSWER_S = 20.0
CHOICE = "CHAOS_LAB"  # in the environment: "loopback" for no namespaces
STEM = "p2pchaos"
NAME = re.compile(rf"{STEM}-(\d+)-\d+-\w+")
CABLE = re.compile(r"^\d+: c(\d+)[nf]\d+", re.MULTILINE)
_numbers = count(1)


class Lab:
    """Hosts by name.  `close` removes all that was made."""

    network = False  # whether links can be cut and worsened
    why = ""  # it has no network of its own

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)

    def address(self, host: str) -> str:
        """The address of a host, without a port."""
        raise NotImplementedError

    def inside(self, host: str) -> list[str]:
        """What a command line begins with that is to run on a host."""
        raise NotImplementedError

    def obey(self, rules: Rules) -> dict[str, int]:
        """New rules for the links; what the switch has counted until they held."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Loopback(Lab):
    """Every host is this machine: nothing can be done to its links."""

    def __init__(self, hosts: Sequence[str], why: str) -> None:
        super().__init__(hosts)
        self.why = why

    def address(self, host: str) -> str:
        return "127.0.0.1"

    def inside(self, host: str) -> list[str]:
        return leashed()

    def obey(self, rules: Rules) -> dict[str, int]:
        assert rules == CALM, "there is no network to worsen"
        return {}

    def close(self) -> None:
        """Nothing was made."""


class Namespaces(Lab):
    """A network namespace for each host; one more holds the switch."""

    network = True

    def __init__(self, hosts: Sequence[str], seed: int = 0, *, neighbours: bool = True) -> None:
        """
        Args:
            hosts: their names.
            seed: of the switch.
            neighbours: whether hosts know each other's hardware addresses for ever; otherwise a
                host that is cut off is found unreachable after a while, and not only silent.
        """
        super().__init__(hosts)
        self._stem = f"{STEM}-{os.getpid()}-{next(_numbers)}"
        self._cable = f"c{os.getpid()}"
        self._switch: subprocess.Popen[bytes] | None = None
        try:
            self._build(neighbours)
            self._start_switch(seed)
        except BaseException:
            self.close()
            raise

    def _name(self, host: str) -> str:
        return f"{self._stem}-{host}"

    def _build(self, neighbours: bool) -> None:
        first = next(_numbers) * 100  # so that two labs of one process have different cables
        near = {host: f"{self._cable}n{first + k}" for k, host in enumerate(self.hosts)}
        far = {host: f"{self._cable}f{first + k}" for k, host in enumerate(self.hosts)}
        self._near = near
        _ip([f"netns add {self._name(host)}" for host in (*self.hosts, "hub")])
        _ip([f"link add {near[h]} type veth peer name {far[h]}" for h in self.hosts])
        for host in self.hosts:
            make_plain(near[host])
            make_plain(far[host])
        _ip([f"link set {near[h]} netns {self._name('hub')}" for h in self.hosts])
        _ip([f"link set {near[h]} addrgenmode none up" for h in self.hosts], self._name("hub"))
        for k, host in enumerate(self.hosts, 1):
            name = self._name(host)
            _ip([f"link set {far[host]} netns {name}"])
            others = [(j, one) for j, one in enumerate(self.hosts, 1) if one != host]
            known = [
                f"neigh replace {NETWORK}.{j} lladdr {_hardware(j)} dev eth0 nud permanent"
                for j, _ in others
            ]
            _ip(
                [
                    "link set lo up",
                    f"link set {far[host]} name eth0",
                    f"link set eth0 addrgenmode none address {_hardware(k)} up",
                    f"addr add {NETWORK}.{k}/24 dev eth0",
                    *(known if neighbours else []),
                ],
                name,
            )

    def _start_switch(self, seed: int) -> None:
        cables = [f"{host}={interface}" for host, interface in self._near.items()]
        command = [sys.executable, "-m", "tests.chaos.lab.switch", str(seed), *cables]
        self._switch = subprocess.Popen(
            [*self.inside("hub"), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._answer()

    def address(self, host: str) -> str:
        return f"{NETWORK}.{self.hosts.index(host) + 1}"

    def inside(self, host: str) -> list[str]:
        return [*leashed(), "ip", "netns", "exec", self._name(host)]

    def obey(self, rules: Rules) -> dict[str, int]:
        assert self._switch is not None, "the lab is closed"
        assert self._switch.stdin is not None, "it was started with a pipe"
        self._switch.stdin.write(rules.dump().encode() + b"\n")
        self._switch.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        import json

        assert self._switch is not None, "the lab is closed"
        assert self._switch.stdout is not None, "it was started with a pipe"
        with selectors.DefaultSelector() as selector:
            selector.register(self._switch.stdout, selectors.EVENT_READ)
            assert selector.select(ANSWER_S), f"the switch did not answer within {ANSWER_S:g} s"
        line = self._switch.stdout.readline()
        assert line, f"the switch has ended with {self._switch.wait()}"
        return {str(key): int(value) for key, value in json.loads(line).items()}

    def close(self) -> None:
        if self._switch is not None:
            self._switch.kill()
            self._switch.communicate()
            self._switch = None
        _remove([name for name in _names() if name.startswith(f"{self._stem}-")])
        _remove_cables([name for name in _cables() if name in self._made()])

    def _made(self) -> set[str]:
        near = getattr(self, "_near", {})
        return {*near.values(), *(one.replace("n", "f", 1) for one in near.values())}


def build(hosts: Sequence[str], seed: int = 0, *, neighbours: bool = True) -> Lab:
    """A lab of namespaces; where they are not to be had, the loopback, which says why."""
    if why := _lacking():
        return Loopback(hosts, why)
    sweep()
    try:
        return Namespaces(hosts, seed, neighbours=neighbours)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return Loopback(hosts, str(said).strip())


def leashed() -> list[str]:
    """What a command line begins with so that the process dies with us, where that can be had.

    The kernel looks at the thread that starts it: start processes from one that stays.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def sweep() -> list[str]:
    """Removes what makers that have died left behind; the names of it."""
    dead = [name for name in _names() if not _lives(int(NAME.fullmatch(name)[1]))]  # type: ignore[index]
    _remove(dead)
    cables = [name for name in _cables() if not _lives(int(re.findall(r"\d+", name)[0]))]
    _remove_cables(cables)
    return [*dead, *cables]


def _lacking() -> str:
    """Why there can be no namespaces here; empty where there can."""
    if os.environ.get(CHOICE) == "loopback":
        return f"{CHOICE} says so"
    if not sys.platform.startswith("linux"):
        return "only Linux has network namespaces"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no `ip` (iproute2)"
    return ""


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _hardware(number: int) -> str:
    return f"02:70:32:70:00:{number:02x}"


def _ip(lines: Sequence[str], inside: str = "") -> None:
    """Runs several `ip` commands as one.  Raises CalledProcessError, OSError."""
    command = ["ip", *(["-n", inside] if inside else []), "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)


def _names() -> list[str]:
    try:
        found = os.listdir("/run/netns")
    except OSError:
        return []
    return sorted(name for name in found if NAME.fullmatch(name))


def _cables() -> list[str]:
    """Ends of cables of any lab that are still in this namespace."""
    shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=False)
    return [m[0].split(": ")[1] for m in CABLE.finditer(shown.stdout)]


def _remove(names: Sequence[str]) -> None:
    """Removes namespaces; a cable goes with the namespace of either end, which takes a moment."""
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    until = time.monotonic() + ANSWER_S
    while left := [name for name in names if name in _names()]:
        assert time.monotonic() < until, f"these namespaces stay: {left}"
        time.sleep(0.02)


def _remove_cables(names: Sequence[str]) -> None:
    for name in names:
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
