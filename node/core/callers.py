"""Who may call as whom: the certificate that a connection proved, against the roster.

It is looked up for every request and never remembered: who was removed a moment ago may have
connections that are open still.  Where connections prove nothing, whoever calls is believed.
"""

from .admission import is_proved
from .messages import Coordinator, Join, Member, Ping, Refusal, Request, Update
from .reasons import Reason
from .state import State
from .types import Incarnation, MemberId


def fault(s: State, request: Request, certificate: bytes | None) -> Refusal | None:
    """Why the node with this certificate may not ask this here; None: it may, as far as that goes.

    The registry, which is no member, is known before a request comes here.
    """
    if request.caller.callee not in (0, s.me):
        return Refusal(Reason.WRONG_MEMBER, f"this is {s.me}")
    if certificate is None:
        return None
    node = request.caller.node
    if isinstance(request, Join):
        known = request.card.certificate
    elif not node:
        is_registry = isinstance(request, Ping) and request.asks_leading is not None
        return None if is_registry or s.members.has(certificate) else _no_member()
    elif (record := s.members.get(node)) is None:
        return _stranger(s, request, certificate)
    elif not record.belongs:
        return _gone(record)
    else:
        known = record.card.certificate
        if known != certificate and _renews(request, record, certificate):
            return None
    return None if known == certificate else _wrong(node)


def unheard(
    s: State, record: Member | None, node: MemberId, incarnation: Incarnation
) -> Refusal | None:
    """Why a member of which this record is known is not heard in that life; None: it is."""
    if record is None:
        return Refusal(Reason.UNKNOWN_MEMBER, f"no member {node} here")
    if record.kicked:
        return kicked(node)
    if not s.members.belongs(node):
        return Refusal(Reason.LEFT, f"member {node} has left")
    if incarnation < record.incarnation:
        text = f"member {node} lives on as {record.incarnation}"
        return Refusal(Reason.OLD_INCARNATION, text)
    return None


def kicked(node: MemberId) -> Refusal:
    """What is said to who was removed."""
    return Refusal(Reason.KICKED, f"member {node} was kicked")


def _renews(request: Request, known: Member, certificate: bytes) -> bool:
    """Does a member say, by its identity, that this is its certificate from now on?

    Its card is signed by the identity that it names, which was looked at before.
    """
    if not isinstance(request, Update):
        return False
    own = next((one for one in request.roster.members if one.id == known.id), None)
    return (
        own is not None
        and own.identity == known.identity
        and own.card.certificate == certificate
        and own.address_stamp > known.address_stamp
    )


def _stranger(s: State, request: Request, certificate: bytes) -> Refusal | None:
    """Somebody we have not heard of: who says that it was let in must prove it."""
    node, why = request.caller.node, Refusal(Reason.UNKNOWN_MEMBER, "no such member here")
    if isinstance(request, Coordinator):
        return why
    if not isinstance(request, Update):
        return None  # It is turned away as unknown, and perhaps asked about.
    own = next((record for record in request.roster.members if record.id == node), None)
    if own is None or not own.belongs or not is_proved(s, own):
        return why
    return None if own.card.certificate == certificate else _wrong(node)


def _wrong(node: MemberId) -> Refusal:
    text = f"the certificate of this connection is not the one of member {node}"
    return Refusal(Reason.WRONG_CERTIFICATE, text if node else "the card is of another certificate")


def _no_member() -> Refusal:
    return Refusal(Reason.WRONG_CERTIFICATE, "the certificate of this connection is no member's")


def _gone(record: Member) -> Refusal:
    left = Refusal(Reason.LEFT, f"member {record.id} has left")
    return kicked(record.id) if record.kicked else left
