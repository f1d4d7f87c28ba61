"""What people are told when something is in the way.

The docstring of each class is the line that they read, with the facts of the case put in; so it
says what is wrong and what to do.  `exit` is the code that a verb ends with, `reason` is for
programs (the `reason` of the gRPC ErrorInfo), `status` the name of the gRPC status that carries it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    REFUSED: "refused: the chat is full, one was kicked, or speaks another version",
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
        return " ".join((cls.__doc__ or "").split()).format_map(_Facts(facts))


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "" if name == "near" else "?"


class Usage(Complaint):
    """{text}"""

    exit = USAGE
    reason = "USAGE"
    status = "INVALID_ARGUMENT"


class BadField(Complaint):
    """{field}: {text}."""

    exit = USAGE
    reason = "BAD_FIELD"
    status = "INVALID_ARGUMENT"


class BadTiming(Complaint):
    """These timing settings do not fit together: {text}. Change [timing] in {file}, or the --timing
    flags.
    """

    exit = USAGE
    reason = "BAD_TIMING"
    status = "INVALID_ARGUMENT"


class NotListening(Complaint):
    """This node listens on {listen} only, so nobody at {nds} could call it. Say where it is to
    listen: --listen HOST (0.0.0.0 for every address of this machine). Connections are not secured
    yet.
    """

    exit = USAGE
    reason = "NOT_LISTENING"
    status = "FAILED_PRECONDITION"


class AmbiguousChat(Complaint):
    """Which chat? {choices}."""

    exit = USAGE
    reason = "AMBIGUOUS_CHAT"
    status = "FAILED_PRECONDITION"


class AmbiguousMessage(Complaint):
    """Several messages begin with {id}. Give more digits."""

    exit = USAGE
    reason = "AMBIGUOUS_MESSAGE"
    status = "FAILED_PRECONDITION"


class TooLong(Complaint):
    """The text is too long: {size} bytes, the limit is {limit} bytes. Nothing was sent."""

    exit = USAGE
    reason = "TOO_LONG"
    status = "INVALID_ARGUMENT"


class NoChat(Complaint):
    """You are in no chat yet. Make one with 'p2pchat host NAME', or join one with
    'p2pchat join LINE'.
    """

    exit = NOT_FOUND
    reason = "NO_CHAT"
    status = "NOT_FOUND"


class NoSuchChat(Complaint):
    """There is no chat #{name}{where}.{near}"""

    exit = NOT_FOUND
    reason = "UNKNOWN_CHAT"
    status = "NOT_FOUND"

    def __init__(self, name: str, where: str = "", known: Iterable[str] = ()) -> None:
        super().__init__(name=name, where=where, near=nearest(name, known))


class NoSuchMember(Complaint):
    """There is no member {name} in #{chat}.{near}"""

    exit = NOT_FOUND
    reason = "UNKNOWN_MEMBER"
    status = "NOT_FOUND"


class NoSuchMessage(Complaint):
    """There is no message {id} in #{chat}."""

    exit = NOT_FOUND
    reason = "UNKNOWN_MESSAGE"
    status = "NOT_FOUND"


class NameTaken(Complaint):
    """There is a chat #{name} already at {nds}. Join it with 'p2pchat join {nds}/{name}', or choose
    another name.
    """

    reason = "NAME_TAKEN"
    status = "ALREADY_EXISTS"


class NdsUnreachable(Complaint):
    """No NDS answers at {places}. Start one there with 'nds-server --listen {address}', or name
    another with --nds HOST:PORT.
    """

    exit = NO_NDS
    reason = "NDS_UNREACHABLE"
    status = "UNAVAILABLE"

    def __init__(self, address: str, *others: str) -> None:
        super().__init__(address=address, places=" or ".join((address, *others)))


class NdsCannotStore(Complaint):
    """The NDS at {address} cannot store ({text}). Mend that there, or name another NDS with
    --nds HOST:PORT.
    """

    exit = NO_NDS
    reason = "NDS_CANNOT_STORE"
    status = "UNAVAILABLE"


class NoNds(Complaint):
    """No NDS is known, and none answers at {address}. Name one with --nds HOST:PORT, or let
    'p2pchat host NAME' start one.
    """

    exit = NO_NDS
    reason = "NO_NDS"
    status = "UNAVAILABLE"


class NobodyAnswers(Complaint):
    """Nobody answers at {address}, neither an NDS nor a member. Somebody who is in the chat gets a
    line that works now with /invite or 'p2pchat invite'.
    """

    exit = NO_NDS
    reason = "NOBODY_ANSWERS"
    status = "UNAVAILABLE"


class PeerUnreachable(Complaint):
    """{name} does not answer at {address}: {text}."""

    exit = NO_PEER
    reason = "PEER_UNREACHABLE"
    status = "UNAVAILABLE"


class NoLeader(Complaint):
    """#{chat} has no leader that is known here: {text}."""

    exit = NO_PEER
    reason = "NO_LEADER"
    status = "UNAVAILABLE"


class NobodyReachesYou(Complaint):
    """Nobody can reach you at {address}. Listen where the others can call you (--listen HOST:PORT),
    and say the address that they see with --advertise HOST:PORT.
    """

    exit = NO_PEER
    reason = "CANNOT_REACH"
    status = "FAILED_PRECONDITION"


class NotAdmitted(Complaint):
    """#{chat} did not let you in: {text}."""

    exit = NO_PEER
    reason = "NOT_ADMITTED"
    status = "UNAVAILABLE"


class WrongMode(NotAdmitted):
    """#{chat} did not let you in: {text}."""

    reason = "WRONG_MODE"
    status = "FAILED_PRECONDITION"


class NodeDown(Complaint):
    """No node of the profile '{profile}' is running. Start it with 'p2pchat up'."""

    exit = NO_PEER
    reason = "NODE_DOWN"
    status = "UNAVAILABLE"


class NodeLost(NodeDown):
    """The node of the profile '{profile}' has ended. {text} Start it with 'p2pchat up'."""

    reason = "NODE_LOST"


class NodeSilent(Complaint):
    """The node of the profile '{profile}' does not answer in {seconds} s. Its log: {log}"""

    exit = NO_PEER
    reason = "NODE_SILENT"
    status = "UNAVAILABLE"


class NotStarted(Complaint):
    """The node did not start: {text} Its log: {log}"""

    exit = NO_PEER
    reason = "NOT_STARTED"
    status = "UNAVAILABLE"


class NdsNotStarted(Complaint):
    """The NDS of this profile did not start: {text} Its log: {log}"""

    exit = NO_NDS
    reason = "NDS_NOT_STARTED"
    status = "UNAVAILABLE"


class Banned(Complaint):
    """#{chat} refuses you: {text}."""

    exit = REFUSED
    reason = "REFUSED"
    status = "PERMISSION_DENIED"


class GroupFull(Complaint):
    """#{chat} is full: {text}."""

    exit = REFUSED
    reason = "GROUP_FULL"
    status = "RESOURCE_EXHAUSTED"


class VersionMismatch(Complaint):
    """The versions do not fit together: {text}. Bring both programs to one version."""

    exit = REFUSED
    reason = "VERSION_MISMATCH"
    status = "FAILED_PRECONDITION"


class PortInUse(Complaint):
    """{address} is not to be had: {text}. Choose another with --listen HOST:PORT; port 0 takes a
    free one.
    """

    reason = "PORT_IN_USE"
    status = "FAILED_PRECONDITION"


class ProfileInUse(Complaint):
    """Another process (pid {pid}) runs the profile '{profile}'. Use that one, end it with 'p2pchat
    down', or take another profile with --profile NAME.
    """

    reason = "PROFILE_IN_USE"
    status = "FAILED_PRECONDITION"


class OpenKey(Complaint):
    """{file} can be read by others (mode {mode}), so the key in it is not secret. Run
    'chmod 600 {file}', or remove the file to have another made; with another identity.key you are
    another person.
    """

    reason = "OPEN_KEY"
    status = "FAILED_PRECONDITION"


class DamagedFile(Complaint):
    """{file} is damaged: {text}. Nothing was changed. Bring it back from a backup, or move it away
    to begin anew.
    """

    reason = "DAMAGED_FILE"
    status = "FAILED_PRECONDITION"


class DamagedLog(DamagedFile):
    """{file} is damaged: {text}. Nothing was changed. Bring it back from a backup; or move it away
    and start the node again: then the other members give you what they have.
    """

    reason = "DAMAGED_LOG"


class EmptyLog(Complaint):
    """{file} is empty. If it held lines, bring it back from a backup; else start the node: then the
    other members give you what they have.
    """

    reason = "EMPTY_LOG"
    status = "FAILED_PRECONDITION"


class NewerFile(Complaint):
    """{file} was written by a newer p2pchat: {text}. Nothing was changed. Update this one."""

    reason = "NEWER_FILE"
    status = "FAILED_PRECONDITION"


class Unwritable(Complaint):
    """{file} cannot be written: {text}. Choose another place with --home DIR."""

    reason = "UNWRITABLE"
    status = "FAILED_PRECONDITION"


class DiskFailed(Unwritable):
    """The disk fails: {file}: {text}. Nothing of this was sent, and perhaps it is not stored: look
    before you repeat it. Chats go on by themselves once the disk works.
    """

    reason = "DISK_FAILED"
    status = "UNAVAILABLE"
    start = "The disk fails: {file}: {text}. So the node does not start: try again once it works."


class DiskFull(DiskFailed):
    """The disk is full: {file} cannot be written. Nothing of this was stored or sent. Make room:
    chats go on by themselves then.
    """

    reason = "DISK_FULL"
    status = "RESOURCE_EXHAUSTED"
    start = (
        "The disk is full: {file} cannot be written, so the node does not start. Make room first."
    )


class DiskReadOnly(DiskFailed):
    """The disk can only be read: {file} cannot be written. Nothing of this was stored or sent. Make
    it writable: chats go on by themselves then.
    """

    reason = "DISK_READ_ONLY"
    status = "FAILED_PRECONDITION"
    start = (
        "The disk can only be read: {file} cannot be written, so the node does not start. Make it"
        " writable first."
    )


class DiskUnreadable(DiskFailed):
    """The disk fails: {file} cannot be read: {text}. Nothing was changed, so leave the file where
    it is, and try again once the disk works.
    """

    reason = "DISK_UNREADABLE"
    start = ""  # it says so already


class Unreadable(Complaint):
    """{file} cannot be read: {text}. Nothing was changed. Make it readable, and try again."""

    reason = "UNREADABLE"
    status = "FAILED_PRECONDITION"


class OpenDirectory(Complaint):
    """{file} belongs to somebody else or is open to others, so a control socket is not safe in it.
    Remove it, or choose a shorter --home.
    """

    reason = "OPEN_DIRECTORY"
    status = "FAILED_PRECONDITION"


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


@contextmanager
def starting() -> Iterator[None]:
    """What the disk refuses meanwhile is told of a node that does not start: nothing was said yet.

    Raises:
        DiskFailed: of the same kind, in other words.
    """
    try:
        yield
    except DiskFailed as failed:
        if not failed.start:
            raise
        text = failed.start.format_map(_Facts(failed.facts))
        raise retold(failed.reason, text, failed.facts) from failed


NEAR = 0.6  # of difflib's ratio: what is less alike is no slip of the fingers


def nearest(name: str, known: Iterable[str], mark: str = "#") -> str:
    """' Did you mean #dev?', or nothing."""
    spelled = {one.casefold(): one for one in sorted(set(known))}
    near = get_close_matches(name.casefold(), list(spelled), n=3, cutoff=NEAR)
    close = [spelled[one] for one in near]
    return f" Did you mean {' or '.join(mark + one for one in close)}?" if close else ""
