"""The discovery services that a profile knows, each by the certificate that it showed first.

A line of the file for each: HOST:PORT, the SHA-256 of the certificate for people, and the
certificate.  Whoever removes a line lets the service there show another one.
"""

import base64
import binascii
import hashlib
import re
from pathlib import Path

from node.core.types import Address
from node.disk import replace_file, unread

FILE = "known_nds"
_LINE = re.compile(r"(\S+) sha256:([0-9a-f]{64}) ([A-Za-z0-9+/]+=*)")


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in hex, as other tools show it."""
    return hashlib.sha256(certificate).hexdigest()


class Known:
    """What stands in the file, read whenever it is asked for: people may change it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / FILE

    def certificate(self, address: Address) -> bytes:
        """In DER; empty where none is known.  Raises DiskUnreadable, Unreadable."""
        return self._read().get(address, b"")

    def has(self, certificate: bytes) -> bool:
        """Is it one of theirs?  Raises DiskUnreadable, Unreadable."""
        return certificate in self._read().values()

    def keep(self, address: Address, certificate: bytes) -> None:
        """From now on the service there is known by this certificate.  Raises Unwritable."""
        known = {**self._read(), address: certificate}
        lines = (
            f"{at} sha256:{fingerprint(der)} {base64.b64encode(der).decode()}\n"
            for at, der in sorted(known.items())
        )
        replace_file(self.file, "".join(lines).encode())

    def _read(self) -> dict[Address, bytes]:
        try:
            text = self.file.read_text("utf-8", "replace")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise unread(self.file, error) from error
        found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
        known = {match[1]: (match[2], _decoded(match[3])) for match in found if match}
        return {at: der for at, (hash, der) in known.items() if fingerprint(der) == hash}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
