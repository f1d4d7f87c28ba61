"""Processes in the background: a node of this profile, and the NDS that `host` starts.

They are detached completely: own session, stdin null, output to their log, no inherited descriptor,
so that whoever reads a verb's output sees its end when the verb exits.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .disk import ROOM_MIN, refusal, replace_file, room
from .errors import Complaint, NdsNotStarted, NotStarted
from .errors import retold as retell
from .places import Places

TURN_S = 0.02  # between two looks at something that is about to be there


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours with this interpreter, wherever it is run."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Ours, with the directories from which this program was imported."""
    import importlib.util

    tops = [str(Path(__file__).resolve().parent.parent)]
    spec = importlib.util.find_spec("p2pchat")
    if spec and spec.submodule_search_locations:
        tops.append(str(Path(next(iter(spec.submodule_search_locations))).resolve().parent))
    kept = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(dict.fromkeys([*tops, *filter(None, [kept])]))
    return {**os.environ, "PYTHONPATH": path, "GRPC_VERBOSITY": "NONE"}


class Spawned:
    """A detached process: nobody has to wait for it, but its end can be seen."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self._ended = False
        process.returncode = 0  # so that Popen does not complain that nobody waits

    def has_ended(self) -> bool:
        if not self._ended:
            try:
                self._ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                self._ended = True
        return self._ended


def spawn(command: Sequence[str], output: Path) -> Spawned:
    """Starts a detached process whose stdout and stderr go to the file `output`, made anew.

    Raises:
        Unwritable: `output` cannot be made.
    """
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    except OSError as error:
        raise refusal(output, error) from error
    try:
        return Spawned(
            subprocess.Popen(  # noqa: S603  our own program; no shell reads it
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                close_fds=True,
                cwd="/",
                env=environment(),
            )
        )
    finally:
        os.close(descriptor)


def last_words(output: Path, name: str, log: Path) -> Complaint:
    """Why a process ended at its start: the complaint that it left, or its last line.

    What it printed is named where it printed anything, or never came to write its `log`.
    """
    try:
        lines = output.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    for line in reversed(lines):
        if line.startswith('{"reason"'):
            told = json.loads(line)
            return retell(told["reason"], told["text"], told["facts"])
    why = ": the disk is full" if not lines and room(output) < ROOM_MIN else ""
    text = lines[-1] if lines else f"{name} ended without a word{why}."
    told_in = output if lines or not log.exists() else log
    return NotStarted(text=text.removeprefix(f"{name}: "), log=told_in)


# ---- the NDS of `host` -------------------------------------------------------------------------


def start_nds(places: Places, listen: str, *, insecure: bool, wait_s: float = 10.0) -> str:
    """Starts an NDS that listens at `listen`, keeps its pid, and gives its address when it serves.

    `insecure`: its connections are plain.

    Raises:
        NdsNotStarted: it ended, or did not serve in time; its last line says why.
    """
    flags = ["--insecure"] if insecure else []
    command = python("nds", f"--listen={listen}", f"--store=sqlite:{places.nds_store}", *flags)
    process = spawn(command, places.nds_log)
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        if address := _listening(places.nds_log):
            keep = {"pid": process.pid, "born": _born(process.pid), "address": address}
            replace_file(places.nds_pid, json.dumps(keep).encode())
            return address
        if process.has_ended():
            ended = last_words(places.nds_log, "nds-server", places.nds_log)
            text = str(ended.facts.get("text", ended)).removesuffix(".")
            text = text.replace("with --listen", "with nds_listen in config.toml")
            raise NdsNotStarted(text=f"{text}.", log=places.nds_log)
        time.sleep(TURN_S)
    os.kill(process.pid, signal.SIGTERM)
    raise NdsNotStarted(text=f"it was not ready after {wait_s:g} s.", log=places.nds_log)


def _listening(log: Path) -> str:
    found = re.search(r"\blistening address=(\S+)", log.read_text("utf-8", "replace"))
    return found[1] if found else ""


def own_nds(places: Places) -> tuple[int, str]:
    """Pid (0: it has ended) and address of the NDS that this profile started; (0, "") for none."""
    try:
        kept = json.loads(places.nds_pid.read_text("utf-8"))
        pid, born, address = int(kept["pid"]), str(kept["born"]), str(kept["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""
    return (pid if born and _born(pid) == born and is_running(pid) else 0), address


def stop_nds(places: Places) -> int:
    """Asks the NDS that this profile started to end; its pid, 0 where there is none."""
    pid, _ = own_nds(places)
    if pid:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pid = 0
    return pid


def _born(pid: int) -> str:
    """When a process was started, as the system says it: a pid used again has another."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return stat.rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        asked = subprocess.run(  # noqa: S603  a number is all that is put in
            ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607  it has no one place
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return asked.stdout.strip()


def is_running(pid: int) -> bool:
    """Whether a process exists.

    A zombie counts as ended once all its threads have: until then its files are open, and locked.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        fields = stat.rpartition(")")[2].split()  # from the third one on, see proc(5)
        return fields[0] != "Z" or int(fields[17]) > 1
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return not Path("/proc").is_dir()


def wait_gone(pid: int, wait_s: float) -> bool:
    """Waits until a process has ended; False if it has not in time."""
    until = time.monotonic() + wait_s
    while is_running(pid):
        if time.monotonic() >= until:
            return False
        time.sleep(TURN_S)
    return True
