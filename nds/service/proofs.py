"""Who calls, and which keys it proves to have.

A proof is a signature over what a request asks for and the certificate of the connection that it
comes on: whoever sees one gains nothing by it, neither there nor anywhere else.
"""

import hashlib
import ssl
import time
from collections.abc import Callable, Container
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct, field

from nds.budget import Budget, Exceeded
from nds.service.reach import host_of
from p2pchat.v1 import common_pb2, nds_pb2

PURPOSE = b"p2pchat claim 1\0"  # no signature for anything else begins like this
SIGNATURES_FREE = 2  # of a member: by the claim key, and one more
NO_CERTIFICATE = bytes(32)  # its hash, where connections prove nothing

Changing: TypeAlias = (
    nds_pb2.UpdateLeaderRequest | nds_pb2.RenewRequest | nds_pb2.DeleteNetworkRequest
)


class Signatures:
    """Those that one call shows: each is looked at once, when something depends on it.

    `SIGNATURES_FREE` of them are in the price of the call; for each further one `spend` is called,
    which raises where its caller has nothing left.
    """

    def __init__(self, spend: Callable[[], None] = lambda: None) -> None:
        self._spend = spend
        self._looked_at: dict[tuple[bytes, bytes, bytes], bool] = {}

    def hold(self, key: bytes, signature: bytes, said: bytes) -> bool:
        """Has the owner of this Ed25519 key said that?"""
        one = key, signature, said
        if one not in self._looked_at:
            if len(self._looked_at) >= SIGNATURES_FREE:
                self._spend()
            self._looked_at[one] = is_signed(*one)
        return self._looked_at[one]


class Caller(Struct, frozen=True):
    """Whose call it is."""

    host: str  # its IP address
    certificate: bytes = b""  # that its connection proves, in DER; empty: connections prove nothing
    spend: Callable[[], None] = lambda: None  # for what costs more than a call; may raise Exceeded
    signatures: Signatures = field(default_factory=Signatures)


def caller_of(context: grpc.aio.ServicerContext[Any, Any], budget: Budget | None) -> Caller:
    """Who is at the other end.  `budget`: of what all is paid that costs more than a call."""
    (pem,) = context.auth_context().get("x509_pem_cert", [b""])
    peer = context.peer()

    def spend() -> None:
        excess = budget.call(peer, time.monotonic()) if budget is not None else None
        if excess is not None:
            raise Exceeded(excess)

    return Caller(host_of(peer), _der(pem) if pem else b"", spend, Signatures(spend))


def statement(request: Changing, certificate: bytes) -> bytes:
    """What whoever makes this request on a connection with that certificate signs."""
    call, node, epoch, nonce, address, *keys = _parts(request)
    shown = hashlib.sha256(certificate).digest() if certificate else NO_CERTIFICATE
    number = f"{epoch.generation}.{epoch.n}"
    said = (call, request.chat_id, node, number, nonce, address, *(key.hex() for key in keys))
    return PURPOSE + shown + "|".join(map(str, said)).encode()


class Proved(Container[bytes]):
    """The keys that have signed it; only those are tried that one asks for."""

    def __init__(self, request: Changing, caller: Caller) -> None:
        self._request, self._caller = request, caller

    def __contains__(self, key: object) -> bool:
        hold = self._caller.signatures.hold
        by_key = (one for one in self._request.proofs if one.key == key)
        return any(hold(one.key, one.signature, self._said) for one in by_key)

    @cached_property
    def _said(self) -> bytes:
        return statement(self._request, self._caller.certificate)


def _parts(request: Changing) -> tuple[str, int, common_pb2.Epoch, int, str, bytes, bytes]:
    match request:
        case nds_pb2.UpdateLeaderRequest():
            keys = request.claim_key, request.owner
            epoch, nonce = request.expected_epoch, request.nonce
            return "UpdateLeader", request.node_id, epoch, nonce, request.address, *keys
        case nds_pb2.RenewRequest():
            keys = request.claim_key, request.owner
            return "Renew", request.node_id, request.epoch, 0, request.address, *keys
        case _:
            return "DeleteNetwork", 0, request.epoch, 0, "", b"", b""


def is_signed(key: bytes, signature: bytes, said: bytes) -> bool:
    """Has the owner of this Ed25519 key said that?"""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4_096)
def _der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())
