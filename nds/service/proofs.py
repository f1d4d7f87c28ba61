"""Who calls, and which keys it proves to have.

A proof is a signature over what a request asks for and the certificate of the connection that it
comes on: whoever sees one gains nothing by it, neither there nor anywhere else.
"""

import hashlib
import ssl
from functools import lru_cache
from typing import Any, TypeAlias

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from nds.service.reach import host_of
from p2pchat.v1 import common_pb2, nds_pb2

PURPOSE = b"p2pchat claim 1\0"  # no signature for anything else begins like this
NO_CERTIFICATE = bytes(32)  # its hash, where connections prove nothing

Changing: TypeAlias = (
    nds_pb2.UpdateLeaderRequest | nds_pb2.RenewRequest | nds_pb2.DeleteNetworkRequest
)


class Caller(Struct, frozen=True):
    """Whose call it is."""

    host: str  # its IP address
    certificate: bytes = b""  # that its connection proves, in DER; empty: connections prove nothing


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Who is at the other end."""
    (pem,) = context.auth_context().get("x509_pem_cert", [b""])
    return Caller(host_of(context.peer()), _der(pem) if pem else b"")


def statement(request: Changing, certificate: bytes) -> bytes:
    """What whoever makes this request on a connection with that certificate signs."""
    call, node, epoch, nonce, address, *keys = _parts(request)
    shown = hashlib.sha256(certificate).digest() if certificate else NO_CERTIFICATE
    number = f"{epoch.generation}.{epoch.n}"
    said = (call, request.chat_id, node, number, nonce, address, *(key.hex() for key in keys))
    return PURPOSE + shown + "|".join(map(str, said)).encode()


def proved(request: Changing, certificate: bytes) -> frozenset[bytes]:
    """The keys that have signed it."""
    said = statement(request, certificate)
    return frozenset(one.key for one in request.proofs if is_signed(one.key, one.signature, said))


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
