"""What is said of commands, chats, members and services (tests/node/test_errors.py)."""

import re
from collections.abc import Iterable

from .complaints import NO_NDS, NO_PEER, NOT_FOUND, OTHER, REFUSED, USAGE, Complaint, nearest


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
    """This node was told to listen on {listen} only, so nobody at {nds} could call it. Leave
    --listen out, or name another address with it (0.0.0.0 for all of this machine).
    """

    exit = USAGE
    reason = "NOT_LISTENING"
    status = "FAILED_PRECONDITION"


class PlainConnections(Complaint):
    """With --insecure connections are plain and stay on this machine, and {address} is reached from
    others. Leave --insecure out.
    """

    exit = USAGE
    reason = "PLAIN_CONNECTIONS"
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


class AmbiguousMember(Complaint):
    """{name} could be several members of #{chat}. Say which: {choices}."""

    exit = USAGE
    reason = "AMBIGUOUS_MEMBER"
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
    """No NDS answers at {places}. {advice}, or name another with --nds HOST:PORT."""

    exit = NO_NDS
    reason = "NDS_UNREACHABLE"
    status = "UNAVAILABLE"

    def __init__(self, address: str, *others: str) -> None:
        advice = f"Start one there with 'nds-server --listen {address}'"
        if not re.match(r"localhost:|[0-9.]+:|\[", address):  # a name, of whatever machine
            advice = "See that the name is right and nds-server runs there"
        places = " or ".join((address, *others))
        super().__init__(address=address, places=places, advice=advice)


class NdsDistrusted(Complaint):
    """{text}."""

    exit = NO_NDS
    reason = "NDS_DISTRUSTED"
    status = "UNAVAILABLE"


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


class WrongNds(NotAdmitted):
    """#{chat} cannot be joined: {text}."""

    exit = REFUSED
    reason = "WRONG_NDS"
    status = "PERMISSION_DENIED"


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


class NotAllowed(Complaint):
    """That is not yours to do in #{chat}: {text}."""

    exit = REFUSED
    reason = "NOT_ALLOWED"
    status = "PERMISSION_DENIED"


class Redacted(Complaint):
    """That line of #{chat} was redacted."""

    exit = REFUSED
    reason = "REDACTED"
    status = "FAILED_PRECONDITION"


class Removed(Complaint):
    """You are no member of #{chat} any more: {text}. What was said until then can be read here, and
    'p2pchat leave' lets go of it. Once the removal is taken back, an invitation lets you in again.
    """

    exit = REFUSED
    reason = "REMOVED"
    status = "PERMISSION_DENIED"


class NotInvited(Complaint):
    """#{chat} lets in who is invited. Ask somebody who is in it for a line ('p2pchat invite', or
    /invite in the app).
    """

    exit = REFUSED
    reason = "NOT_INVITED"
    status = "PERMISSION_DENIED"


class WrongSecret(Complaint):
    """#{chat} did not let you in: {text}. Ask for a new line ('p2pchat invite', or /invite)."""

    exit = REFUSED
    reason = "WRONG_SECRET"
    status = "PERMISSION_DENIED"


class NeedsPassword(Complaint):
    """#{chat} asks for a password, or a line from somebody who is in it. 'p2pchat join' asks for it
    on a terminal; elsewhere name a file that has it, with --password-file.
    """

    exit = REFUSED
    reason = "NEEDS_PASSWORD"
    status = "PERMISSION_DENIED"


class TryLater(Complaint):
    """#{chat} did not let you in: {text}. A line from somebody who is in it works now ('p2pchat
    invite', or /invite).
    """

    exit = REFUSED
    reason = "TRY_LATER"
    status = "RESOURCE_EXHAUSTED"


class WeakPassword(Complaint):
    """The password {text}."""

    exit = USAGE
    reason = "WEAK_PASSWORD"
    status = "INVALID_ARGUMENT"


class OpenToAll(Complaint):
    """#{chat} lets in whoever asks: a password would keep nobody out."""

    exit = USAGE
    reason = "OPEN_TO_ALL"
    status = "FAILED_PRECONDITION"


class WrongService(Complaint):
    """Who answers at {address} is not the NDS that the line is for: it shows {key}, and the line
    says {meant}. It was told nothing. Ask who gave you the line for a new one ('p2pchat invite').
    """

    exit = REFUSED
    reason = "WRONG_SERVICE"
    status = "PERMISSION_DENIED"


class NoSuchInvite(Complaint):
    """Not one invitation of #{chat} begins with {id!r}; there are: {known}."""

    exit = NOT_FOUND
    reason = "NO_SUCH_INVITE"
    status = "NOT_FOUND"


class TooManyInvites(Complaint):
    """#{chat} has {most} invitations of yours that can be used. Revoke some first ('p2pchat invite
    --list', --revoke ID).
    """

    exit = OTHER
    reason = "TOO_MANY_INVITES"
    status = "RESOURCE_EXHAUSTED"


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
