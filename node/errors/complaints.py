"""What people are told when something is in the way.

The docstring of each class is the line that they read, with the facts of the case put in; so it
says what is wrong and what to do.  `exit` is the code that a verb ends with, `reason` is for
programs (the `reason` of the gRPC ErrorInfo), `status` the name of the gRPC status that carries it.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

DONE = 0
OTHER = 1
USAGE = 2
NOT_FOUND = 3
NO_NDS = 4
NO_PEER = 5
PARTIAL = 6
REFUSED = 7
INTERRUPTED = 130

EXIT_CODES: Mapping[int, str] = {
    DONE: "done; send: all have acknowledged, but for members that went away meanwhile",
    OTHER: "something else went wrong; the line on stderr says what",
    USAGE: "wrong usage: an unknown flag, a malformed value, an ambiguous name",
    NOT_FOUND: "no such chat, member or message",
    NO_NDS: "the NDS does not answer, or cannot store",
    NO_PEER: "the leader, another member, or the local node does not answer",
    PARTIAL: "partial: stored, but not acknowledged by all in time; check: histories differ, or "
    "one that is not gone does not answer",
    REFUSED: "refused: no or a wrong secret or password, kicked, another version; the chat is full",
    INTERRUPTED: "ended by Ctrl+C",
}


def shown(text: str) -> str:
    """The text with what a terminal would obey, or nobody sees, spelled out as Python does."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


class Complaint(Exception):
    """{text}"""

    exit = OTHER
    reason = "FAILED"
    status = "INTERNAL"

    def __init__(self, **facts: object) -> None:
        self.facts = {name: shown(str(value)) for name, value in facts.items()}
        super().__init__(self.line(self.facts))

    @classmethod
    def line(cls, facts: Mapping[str, str]) -> str:
        """The docstring with the facts put in; a fact that is not there is left out."""
        return " ".join((cls.__doc__ or "").split()).format_map(Facts(facts))


class Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "" if name == "near" else "?"


def catalogue() -> list[type[Complaint]]:
    """Every complaint there is, in order of exit code and reason."""
    found: list[type[Complaint]] = []
    waiting: list[type[Complaint]] = [Complaint]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return sorted(set(found), key=lambda kind: (kind.exit, kind.reason))


def retold(reason: str, text: str, facts: Mapping[str, str] | None = None) -> Complaint:
    """The complaint that came over the wire: its kind by `reason`, its words as they were said."""
    kind = next((kind for kind in catalogue() if kind.reason == reason), Complaint)
    told = kind.__new__(kind)
    told.facts = dict(facts or {})
    Exception.__init__(told, text)
    return told


NEAR = 0.6  # of difflib's ratio: what is less alike is no slip of the fingers


def nearest(name: str, known: Iterable[str], mark: str = "#") -> str:
    """' Did you mean #dev?', or nothing."""
    spelled = {one.casefold(): one for one in sorted(set(known))}
    near = get_close_matches(name.casefold(), list(spelled), n=3, cutoff=NEAR)
    close = [spelled[one] for one in near]
    return f" Did you mean {' or '.join(mark + one for one in close)}?" if close else ""
