"""Messages to values and back.  Every field of every request is checked here, and nowhere else.

No signature is: whether one holds is found out when something depends on it.
"""

import base64
import re
import uuid
from collections.abc import Callable

from google.protobuf.message import Message

from nds.record import (
    GENERATION,
    INTEGER_MAX,
    NAME_MAX,
    NO_EPOCH,
    Claim,
    Create,
    Epoch,
    Expelled,
    Facts,
    HandOver,
    Record,
    Removal,
    Renewal,
    Speaker,
    believable,
    is_idle,
)
from nds.service.owning import expelled, is_handed_over
from nds.service.proofs import Caller, Changing, Proved
from p2pchat.v1 import common_pb2, nds_pb2

CHAT_MAX = 2**63 - 1
ADDRESS_MAX = 255
KEY_BYTES, SIGNATURE_BYTES = 32, 64  # of Ed25519
GRANT_MAX = 72  # bytes of a signature of our own
PROOFS_MAX = 8
HAND_OVERS_MAX = 16
REMOVALS_MAX = 2
VALUE_MAX = 300  # characters of a decision
AFTER_MAX, DECISION_BYTES = 512, 16  # decisions that one follows, and of the id of each
PORT_MIN = 1024  # no privileged service is to be called on a stranger's word
VOTES_MAX = 4_096
PAGE_MAX = 1_000
PAGE_DEFAULT = 100

NAME = f"1 to {NAME_MAX} letters, digits, - _ and ."
ADDRESS = f"HOST:PORT of at most {ADDRESS_MAX} characters, port {PORT_MIN} to 65535"
HOST = r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?"
IPV6 = r"\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,32})?\]"
HOST_PORT = re.compile(f"(?P<host>{HOST}|{IPV6}):(?P<port>[0-9]{{4,5}})")
UNSEEN = "\u115f\u1160\u3164\uffa0"  # letters by category that nobody can see
# Where one listens, not where one is called.
EVERYWHERE = {"0.0.0.0", "[::]"}  # noqa: S104  nothing listens here: it is refused


class BadInput(Exception):
    """A request with fields over their limits: pairs of the field and what it must be."""

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        super().__init__(violations)
        self.violations = violations


class Check:
    """Collects what is wrong with a request, so that its sender reads it all at once."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._wrong: list[tuple[str, str]] = []

    def require(self, field: str, limit: str, *, holds: bool) -> None:
        if not holds:
            self._wrong.append((field, limit))

    def done(self) -> None:
        """Raises `BadInput` if anything was wrong."""
        if self._wrong:
            raise BadInput(self._wrong)

    def integer(self, field: str, value: int, low: int, high: int) -> int:
        self.require(field, f"an integer of {low} to {high}", holds=low <= value <= high)
        return value

    def name(self, field: str, value: str) -> str:
        self.require(field, NAME, holds=_is_name(value))
        return value

    def address(self, field: str, value: str) -> str:
        match = HOST_PORT.fullmatch(value) if len(value) <= ADDRESS_MAX else None
        callable_ = match is not None and match["host"] not in EVERYWHERE
        fits = match is not None and PORT_MIN <= int(match["port"]) <= 65535
        self.require(field, ADDRESS, holds=callable_ and fits)
        return value

    def mode(self, field: str, value: int) -> int:
        known = (
            common_pb2.MODE_UNSPECIFIED,
            common_pb2.MODE_LOGGED,
            common_pb2.MODE_TRANSIENT,
        )
        self.require(field, "a mode that this service knows, 0 to 2", holds=value in known)
        return value or common_pb2.MODE_LOGGED

    def epoch(self, field: str, parent: Message, *, required: bool = True) -> Epoch:
        """The epoch in the last part of `field`; `NO_EPOCH` where it is missing and may be."""
        sent = getattr(parent, field.rpartition(".")[2])
        epoch = Epoch(sent.generation, sent.n)
        if epoch == NO_EPOCH:
            self.require(field, "required: generation and n", holds=not required)
            return epoch
        self.integer(f"{field}.generation", epoch.generation, 1, INTEGER_MAX // GENERATION)
        self.integer(f"{field}.n", epoch.n, 1, INTEGER_MAX)
        limit = "at most an hour ahead of this service's clock, in unix seconds"
        self.require(f"{field}.generation", limit, holds=believable(epoch, self._now_ms))
        return epoch

    def key(self, field: str, value: bytes) -> bytes:
        self.require(field, f"{KEY_BYTES} bytes, or empty", holds=len(value) in {0, KEY_BYTES})
        return value

    def speaker(
        self, request: nds_pb2.UpdateLeaderRequest | nds_pb2.RenewRequest, caller: Caller
    ) -> Speaker:
        chat, signatures = request.chat_id, caller.signatures
        return Speaker(
            self.key("claim_key", request.claim_key),
            self.key("owner", request.owner),
            self.proofs(request, caller),
            caller.certificate,
            caller.host,
            self.handovers(request),
            lambda step: is_handed_over(chat, step, signatures),
        )

    def handovers(
        self, request: nds_pb2.UpdateLeaderRequest | nds_pb2.RenewRequest
    ) -> tuple[HandOver, ...]:
        limit = (
            f"at most {HAND_OVERS_MAX}, each with two identities of {KEY_BYTES} bytes"
            f" and a signature of {SIGNATURE_BYTES}"
        )
        sizes = {(len(one.by), len(one.owner), len(one.signature)) for one in request.handovers}
        fits = sizes <= {(KEY_BYTES, KEY_BYTES, SIGNATURE_BYTES)}
        fits = fits and len(request.handovers) <= HAND_OVERS_MAX
        self.require("handovers", limit, holds=fits)
        return tuple(HandOver(one.by, one.owner, one.signature) for one in request.handovers)

    def removals(
        self, request: nds_pb2.UpdateLeaderRequest, by: Speaker, caller: Caller
    ) -> Expelled:
        """Whom they show to be removed, on the word of the owner that is named or one before."""
        limit = (
            f"at most {REMOVALS_MAX} decisions, each with a person of {KEY_BYTES} bytes or none, a"
            f" value of {VALUE_MAX} characters, at most {AFTER_MAX} ids of {DECISION_BYTES} bytes"
            f" that it follows, and a signature of {SIGNATURE_BYTES}"
        )
        fits = len(request.removals) <= REMOVALS_MAX and all(map(_is_decision, request.removals))
        self.require("removals", limit, holds=fits)
        owners = {by.owner, *(step.by for step in by.handovers)}
        return expelled(request.chat_id, list(request.removals), owners, caller.signatures)

    def proofs(self, request: Changing, caller: Caller) -> Proved:
        """The keys by which the request is signed; what is not by the key that it names is none."""
        limit = (
            f"at most {PROOFS_MAX} proofs, each with a key of {KEY_BYTES} bytes"
            f" and a signature of {SIGNATURE_BYTES}"
        )
        sizes = {(len(one.key), len(one.signature)) for one in request.proofs}
        fits = len(request.proofs) <= PROOFS_MAX and sizes <= {(KEY_BYTES, SIGNATURE_BYTES)}
        self.require("proofs", limit, holds=fits)
        return Proved(request, caller)

    def facts(self, sent: nds_pb2.Facts) -> Facts:
        if sent.name:
            self.name("facts.name", sent.name)
        if sent.leader_address:
            self.address("facts.leader_address", sent.leader_address)
        hash, key, signature = map(
            len, (sent.grant.certificate_hash, sent.grant.claim_key, sent.grant.signature)
        )
        limit = f"a hash and a key of {KEY_BYTES} bytes each, and at most {GRANT_MAX} of signature"
        fits = hash in {0, KEY_BYTES} and key in {0, KEY_BYTES} and signature <= GRANT_MAX
        self.require("facts.grant", limit, holds=fits)
        return Facts(
            name=sent.name,
            mode=self.mode("facts.mode", sent.mode),
            created_ms=self.integer("facts.created_ms", sent.created_ms, 0, INTEGER_MAX),
            epoch=self.epoch("facts.epoch", sent, required=False),
            leader=self.integer("facts.leader_id", sent.leader_id, 0, INTEGER_MAX),
            address=sent.leader_address,
            highest_n=self.integer("facts.highest_n", sent.highest_n, 0, GENERATION - 1),
        )


def _is_decision(sent: common_pb2.Decision) -> bool:
    after = len(sent.after) <= AFTER_MAX and {len(id) for id in sent.after} <= {DECISION_BYTES}
    person = len(sent.person) in {0, KEY_BYTES} and len(sent.value) <= VALUE_MAX
    return after and person and len(sent.signature) == SIGNATURE_BYTES


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= NAME_MAX and all(map(_is_wordly, text))


def _is_wordly(char: str) -> bool:
    return char in "-_." or (char.isalpha() and char not in UNSEEN) or char.isdecimal()


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def creation(
    sent: nds_pb2.CreateNetworkRequest, now_ms: int, draw: Callable[[], int], caller: Caller
) -> Create:
    """A request for a network; `draw` gives its number.  Raises `BadInput`."""
    check = Check(now_ms)
    uuid_ = "a UUID in its usual 36 characters"
    check.require("request_id", uuid_, holds=_is_uuid(sent.request_id))
    create = Create(
        chat=draw(),
        request=sent.request_id.lower(),
        name=check.name("name", sent.name),
        address=check.address("leader_address", sent.leader_address),
        mode=check.mode("mode", sent.mode),
        by=Speaker(
            check.key("claim_key", sent.claim_key),
            check.key("owner", sent.owner),
            certificate=caller.certificate,
            host=caller.host,
        ),
    )
    known = bool(sent.claim_key) or not sent.owner
    check.require("owner", "empty where claim_key is", holds=known)
    check.done()
    return create


def claim(sent: nds_pb2.UpdateLeaderRequest, now_ms: int, caller: Caller) -> Claim:
    """A claim on the leadership.  Raises `BadInput`."""
    check = Check(now_ms)
    by = check.speaker(sent, caller)
    claimed = Claim(
        chat=check.integer("chat_id", sent.chat_id, 1, CHAT_MAX),
        node=check.integer("node_id", sent.node_id, 1, INTEGER_MAX),
        address=check.address("address", sent.address),
        expected=check.epoch("expected_epoch", sent),
        nonce=check.integer("nonce", sent.nonce, 1, 2**64 - 1),
        votes=tuple(sent.votes),
        electorate=check.integer("electorate", sent.electorate, 0, VOTES_MAX),
        only_fate=sent.only_fate,
        facts=check.facts(sent.facts),
        by=by,
        expelled=check.removals(sent, by, caller),
    )
    members = all(1 <= vote <= INTEGER_MAX for vote in sent.votes)
    limit = f"at most {VOTES_MAX} member ids of 1 to {INTEGER_MAX}"
    check.require("votes", limit, holds=len(sent.votes) <= VOTES_MAX and members)
    check.done()
    return claimed


def renewal(sent: nds_pb2.RenewRequest, now_ms: int, caller: Caller) -> Renewal:
    """A leader's sign of life.  Raises `BadInput`."""
    check = Check(now_ms)
    renewed = Renewal(
        chat=check.integer("chat_id", sent.chat_id, 1, CHAT_MAX),
        node=check.integer("node_id", sent.node_id, 1, INTEGER_MAX),
        epoch=check.epoch("epoch", sent),
        address=check.address("address", sent.address),
        want_ids=sent.want_ids,
        facts=check.facts(sent.facts),
        by=check.speaker(sent, caller),
    )
    check.done()
    return renewed


def removal(sent: nds_pb2.DeleteNetworkRequest, now_ms: int, caller: Caller) -> Removal:
    """The end of a network.  Raises `BadInput`."""
    check = Check(now_ms)
    removed = Removal(
        chat=check.integer("chat_id", sent.chat_id, 1, CHAT_MAX),
        epoch=check.epoch("epoch", sent),
        by=Speaker(proved=check.proofs(sent, caller), certificate=caller.certificate),
    )
    check.done()
    return removed


def reading(sent: nds_pb2.GetNetworkInformationRequest, now_ms: int) -> tuple[str, int]:
    """The name after which a listing goes on, and its length.  Raises `BadInput`."""
    check = Check(now_ms)
    check.integer("chat_id", sent.chat_id, 0, CHAT_MAX)
    if sent.name:
        check.name("name", sent.name)
        check.require("name", "not together with chat_id", holds=not sent.chat_id)
    check.integer("page_size", sent.page_size, 0, PAGE_MAX)
    after = _token_name(sent.page_token)
    check.require("page_token", "empty, or next_page_token of the page before", holds=after != " ")
    check.done()
    return after, sent.page_size or PAGE_DEFAULT


def page_token(last: Record) -> str:
    """What asks for the page after the one that ends with this network."""
    return base64.urlsafe_b64encode(last.name.encode()).decode()


def _token_name(token: str) -> str:
    """The name in a page token; a blank, which no name has, if it is none of ours."""
    if not token:
        return ""
    try:
        name = base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        return " "
    return name if _is_name(name) else " "


def network_of(
    record: Record, now_ms: int, grant: common_pb2.Grant | None = None
) -> nds_pb2.NetworkInformation:
    """A record as callers see it."""
    return nds_pb2.NetworkInformation(
        chat_id=record.chat,
        name=record.name,
        epoch=common_pb2.Epoch(generation=record.epoch.generation, n=record.epoch.n),
        leader_id=record.leader,
        leader_address=record.address,
        mode=common_pb2.Mode.ValueType(record.mode),
        seen_ms=record.seen_ms,
        idle=is_idle(record, now_ms),
        created_ms=record.created_ms,
        claim_key=record.claim_key,
        grant=grant,
    )
