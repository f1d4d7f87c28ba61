"""What is said of files and of the disk that holds them (tests/node/test_errors.py)."""

from collections.abc import Iterator
from contextlib import contextmanager

from .complaints import USAGE, Complaint, Facts, retold


class OpenPassword(Complaint):
    """{file} can be read by others (mode {mode}), so the password in it is not secret. Run
    'chmod 600 {file}' before you write one into it.
    """

    exit = USAGE
    reason = "OPEN_PASSWORD"
    status = "FAILED_PRECONDITION"


class OpenKey(Complaint):
    """{file} can be read by others (mode {mode}), so the key in it is not secret. Run
    'chmod 600 {file}', or remove the file: the next start of the node makes another.
    """

    reason = "OPEN_KEY"
    status = "FAILED_PRECONDITION"


class OpenIdentity(OpenKey):
    """{file} can be read by others (mode {mode}), so the key in it is not secret. Run
    'chmod 600 {file}', and keep the file: it is you in every chat, and alone opens your logs.
    """

    reason = "OPEN_IDENTITY"


class DamagedFile(Complaint):
    """{file} is damaged: {text}. Nothing was changed. Bring it back from a backup, or move it away
    to begin anew.
    """

    reason = "DAMAGED_FILE"
    status = "FAILED_PRECONDITION"


class DamagedKey(DamagedFile):
    """{file} is damaged: {text}. Nothing was changed. Bring it back from a backup; or move it away:
    the next start of the node makes another, and you stay who you are.
    """

    reason = "DAMAGED_KEY"


class DamagedIdentity(DamagedFile):
    """{file} is damaged: {text}. Nothing was changed. Put a copy of it back; or move all of
    {profile} away to begin anew, as another person.
    """

    reason = "DAMAGED_IDENTITY"


class DamagedLog(DamagedFile):
    """{file} is damaged: {text}. Nothing was changed. Bring it back from a backup; or move it away
    and start the node again: then the other members give you what they have.
    """

    reason = "DAMAGED_LOG"


class ForeignLog(DamagedLog):
    """{file} belongs to another identity: put its identity.key back. Nothing was changed. If it is
    the log of this identity, it is damaged: bring it back from a backup; or move it away and start
    the node again: then the other members give you what they have.
    """

    reason = "FOREIGN_LOG"


class MisplacedLog(DamagedLog):
    """{file} holds the log of another chat, not that of #{chat}. Nothing was changed. Put the right
    file back; or move it away and start the node again: then the other members give you what they
    have.
    """

    reason = "MISPLACED_LOG"


class LostIdentity(DamagedFile):
    """{file} is not there, and without it the logs in {logs} cannot be read. Nothing was changed.
    Put it back from a backup; or move that directory away to begin anew, as another person.
    """

    reason = "LOST_IDENTITY"


class EmptyLog(Complaint):
    """{file} is empty. If it held lines, bring it back from a backup; else start the node: then the
    other members give you what they have.
    """

    reason = "EMPTY_LOG"
    status = "FAILED_PRECONDITION"


class MissingLog(EmptyLog):
    """{file} is not there. If you have it elsewhere, put it back; else start the node: it is made
    anew, and the other members give you what they have.
    """

    reason = "MISSING_LOG"


class NotAFile(DamagedLog):
    """{file} is a directory, where the log of a chat belongs. Nothing was changed. Move it away and
    start the node again: then the other members give you what they have.
    """

    reason = "NOT_A_FILE"


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


class OutputFailed(Complaint):
    """stdout cannot be written: {text}. What was asked for may be done all the same."""

    reason = "OUTPUT_FAILED"
    status = "UNAVAILABLE"


class OpenDirectory(Complaint):
    """{file} belongs to somebody else or is open to others, so a control socket is not safe in it.
    Remove it, or choose a shorter --home.
    """

    reason = "OPEN_DIRECTORY"
    status = "FAILED_PRECONDITION"


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
        text = failed.start.format_map(Facts(failed.facts))
        raise retold(failed.reason, text, failed.facts) from failed
