"""What is wrong with how a call ended, with what a process wrote, with what it holds."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from tests.fuzz.calling import CUT, OK, Case, Ending

DOMAIN = "p2pchat.v1"
DEFINITE = {
    *("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
}
UNKNOWN_FATE = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"}
# Health and reflection, whose code is gRPC's, say these without our details.
STANDARD = {"NOT_FOUND", "INVALID_ARGUMENT", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"}
RECEIVE_MAX = 512 * 1024
STATUS_MAX = 8 * 1024  # bytes; a client takes no larger trailers
SLOW_S = 15.0
INSIDES = re.compile(r"Traceback|Exception\b|Error\(|<class |object at 0x|\bself\b|\.py\b")
LOST = re.compile(r"socket closed|failed to connect|connection reset|recvmsg", re.IGNORECASE)


def fault(case: Case, ending: Ending) -> str:
    """What is wrong with an ending; empty for nothing."""
    if ending.heard:
        return "" if case.may_be_heard else "a caller who may not be heard was answered"
    if ending.took_s > SLOW_S:
        return f"took {ending.took_s:.1f} s"
    told = f"{ending.code} {ending.text[:300]!r}"
    if INSIDES.search(ending.text):
        return f"shows its insides: {told}"
    if any(ord(char) < 32 or ord(char) == 127 for char in ending.text):
        return f"control characters in the text: {told}"
    if len(ending.text.encode()) + len(ending.details) > STATUS_MAX:
        return f"a status of {len(ending.text.encode())} + {len(ending.details)} bytes: {told}"
    if ending.code == "RESOURCE_EXHAUSTED" and _too_large(case):
        return "" if str(RECEIVE_MAX) in ending.text else f"names no limit: {told}"
    if ending.code in DEFINITE:
        return _definite_fault(case, ending, told)
    if ending.code in UNKNOWN_FATE:
        return f"the connection was lost: {told}" if LOST.search(ending.text) else ""
    if ending.code in STANDARD and not case.rpc.ours:
        return ""
    return f"not an allowed status: {told}"


def _too_large(case: Case) -> bool:
    return any(len(payload) > RECEIVE_MAX for payload in case.payloads)


def _definite_fault(case: Case, ending: Ending, told: str) -> str:
    if not ending.details:
        return "" if not case.rpc.ours else f"no ErrorInfo: {told}"
    try:
        status = status_pb2.Status.FromString(ending.details)
    except DecodeError:
        return f"details that are no status: {told}"
    if code_pb2.Code.Name(status.code) != ending.code or status.message != ending.text:
        return f"the details say another status: {told} and {status.code} {status.message!r}"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    found = [_unpacked(status, into) for into in (info, bad)]
    if not found[0] or info.domain != DOMAIN or not info.reason:
        return f"no ErrorInfo of ours: {told}"
    if info.reason == "BAD_FIELD":
        if ending.code != "INVALID_ARGUMENT" or not bad.field_violations:
            return f"BAD_FIELD that names no field: {told}"
        if not all(one.description for one in bad.field_violations):
            return f"a violation that says nothing: {told}"
    return ""


def _unpacked(status: status_pb2.Status, into: Message) -> bool:
    return any(detail.Unpack(into) for detail in status.details)


def reason(ending: Ending) -> str:
    """The reason in a definite ending, else its code."""
    if ending.code in (OK, CUT) or not ending.details:
        return ending.code
    info = error_details_pb2.ErrorInfo()
    _unpacked(status_pb2.Status.FromString(ending.details), info)
    return info.reason or ending.code


# ---- processes -----------------------------------------------------------------------------------

CRIES = re.compile(
    r"Traceback|never retrieved|never awaited|Exception ignored|\b(?:error|critical) |"
    r"Segmentation|core dumped",
)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class Logs:
    """Log files, read from where they ended when it was last asked."""

    def __init__(self, files: list[Path]) -> None:
        self._at = dict.fromkeys(files, 0)

    def cries(self) -> list[str]:
        """New lines that tell of a bug, each with its file."""
        found = []
        for file, at in self._at.items():
            if not file.exists():
                continue
            with file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(at if at <= size else 0)  # It was rotated.
                new = log.read()
                self._at[file] = log.tell()
            for line in new.decode("utf-8", "replace").splitlines():
                if CRIES.search(QUOTED.sub('""', line)[:200]) or "Traceback (most" in line:
                    found.append(f"{file.parent.parent.name}/{file.name}: {line[:1_500]}")
        return found


@dataclass
class Holding:
    """What a process holds: memory and file descriptors, at first and at most."""

    pid: int
    rss_at_first: int = 0  # MiB
    fds_at_first: int = 0
    rss_max: int = 0
    fds_max: int = 0
    history: list[tuple[int, int]] = field(default_factory=list)

    def look(self) -> tuple[int, int]:
        """Memory in MiB and file descriptors now; (0, 0) for a process that is gone."""
        found = holding(self.pid)
        if not self.rss_at_first:
            self.rss_at_first, self.fds_at_first = found
        self.rss_max, self.fds_max = max(self.rss_max, found[0]), max(self.fds_max, found[1])
        return found


def holding(pid: int) -> tuple[int, int]:
    """Resident memory in MiB, and how many file descriptors are open."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20, fds


def cpu_s(pid: int) -> float:
    """Seconds of a core that a process has had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
