"""How the connections of a program are made, and who is at their other end.

Secured, both ends show a certificate: the caller takes one and no other, or, of a stranger, any;
who is called takes every caller's and looks at each call whose it is.  Without that (`--insecure`,
on one machine) nothing is hidden and nothing is proved.
"""

import asyncio
import ssl
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from node.core.types import Address, Silence
from node.limits import split_address
from node.names import is_loopback
from node.rpc.options import CHANNEL_OPTIONS, grpc, target
from node.trust.certificates import HOST, Tls, authority, pem_of

Options = Sequence[tuple[str, Any]]

CONNECTED_S = 2.0  # for a connection, without its keys


class Transport:
    """Connections secured by the key of `tls`, or, where that is None, not secured."""

    def __init__(self, tls: Tls | None) -> None:
        self._tls = tls

    @property
    def is_secured(self) -> bool:
        return self._tls is not None

    @property
    def shows(self) -> bytes:
        """The certificate that our connections prove, in DER; empty where they prove nothing."""
        return ssl.PEM_cert_to_DER_cert(self._tls.certificate_pem.decode()) if self._tls else b""

    def fault(self, address: Address) -> str:
        """Why nobody is called at `address`; empty: somebody is.  Plain connections do not leave
        this machine.
        """
        if self.is_secured or is_loopback(address):
            return ""
        return "with --insecure connections are plain, and stay on this machine"

    def add_port(self, server: grpc.aio.Server, address: Address) -> int:
        """Have `server` listen at HOST:PORT; the port.  Raises RuntimeError."""
        if self._tls is None:
            return server.add_insecure_port(address)
        own = (self._tls.key_pem, self._tls.certificate_pem)
        credentials = grpc.ssl_server_credentials(
            [own], root_certificates=authority(), require_client_auth=True
        )
        return server.add_secure_port(address, credentials)

    def channel(self, address: Address, certificate: bytes = b"") -> grpc.aio.Channel:
        """A channel to the node there that has this certificate (DER); empty: to whoever it is."""
        if self._tls is None:
            return grpc.aio.insecure_channel(target(address), options=CHANNEL_OPTIONS)
        credentials = grpc.ssl_channel_credentials(
            pem_of(certificate) if certificate else authority(),
            self._tls.key_pem,
            self._tls.certificate_pem,
        )
        options = (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", HOST))
        return grpc.aio.secure_channel(target(address), credentials, options=options)

    def caller(self, context: grpc.aio.ServicerContext[Any, Any]) -> bytes | None:
        """The certificate of who calls, in DER; None where connections are not secured."""
        if self._tls is None:
            return None
        (pem,) = context.auth_context()["x509_pem_cert"]
        return _der(pem)


async def shown(address: Address, timeout_s: float) -> bytes | Silence | None:
    """The certificate, in DER, that is shown at `address`; else how nobody does.

    Whoever does not take the connection within `CONNECTED_S` is silent: asked anew it may do so at
    once, where TCP would wait longer each time.

    None: somebody is there whose connections are not secured.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, port = split_address(address)
    try:
        async with asyncio.timeout(timeout_s):
            async with asyncio.timeout(CONNECTED_S):
                _, writer = await asyncio.open_connection(host, port)
            try:
                await writer.start_tls(context)
            except BaseException:
                writer.transport.abort()
                raise
    except ConnectionRefusedError:
        return Silence.REFUSED
    except ssl.SSLError as error:  # Cut off in the middle it says nothing.
        return None if error.reason == "WRONG_VERSION_NUMBER" else Silence.SILENT
    except (OSError, TimeoutError, UnicodeError):
        return Silence.SILENT
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True)
    writer.close()
    return certificate


@lru_cache(maxsize=1_024)
def _der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


PLAIN = Transport(None)
