"""Somebody who has a key, for tests of secured connections."""

from node.rpc.transport import Transport
from node.trust import certificates


class Holder:
    """How it makes connections, and the certificate that it shows there, in DER."""

    def __init__(self) -> None:
        self.tls = certificates.make()
        self.transport = Transport(self.tls)
        self.certificate = certificates.der_of(self.tls.certificate_pem)
