"""The mesh of gRPC streams with the least that keeps what ours keeps: what storing and proof cost.

Each frame is signed once by its author, and looked at once by each member; each message, own or
another's, is one row of a log on disk, a frame one transaction, before it is acknowledged.  There
is no order between authors, no catch-up, no leader and no encryption: whatever keeps messages of
several authors apart on disk, in this Python and over gRPC, is slower than this.
"""

import sqlite3
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .batching import messages_in
from .contestant import Seat
from .raw_grpc import AWAY, DEATH, ORDER, RawGrpc

__all__ = ["AWAY", "DEATH", "ORDER", "PROMISE", "KeptGrpc"]

PROMISE = "signed, acknowledged by every member once it is on disk there; nothing is sent again"

SEED = b"a contestant's key: of everybody"  # one key for all: they need not be handed around
SIGNATURE = 64
TABLE = "CREATE TABLE line (at INTEGER PRIMARY KEY, said BLOB NOT NULL)"
KEEP = "INSERT INTO line (said) VALUES (?)"


class KeptGrpc(RawGrpc):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._key = Ed25519PrivateKey.from_private_bytes(SEED)
        self._public: Ed25519PublicKey = self._key.public_key()
        self._base = sqlite3.connect(seat.directory / "log.db", isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(TABLE)

    def take(self, frame: bytes) -> int:
        """Hands on what was signed and is stored.  Raises InvalidSignature."""
        signature, said = frame[1 : 1 + SIGNATURE], frame[1 + SIGNATURE :]
        self._public.verify(signature, said)
        messages = self._keep(said)
        for message in messages:
            self.receive(message)
        return len(messages)

    def _write(self, frame: bytes) -> None:
        self._keep(frame)
        super()._write(self._key.sign(frame) + frame)

    def _keep(self, said: bytes) -> list[bytes]:
        messages = list(messages_in(said))
        self._base.execute("BEGIN")
        self._base.executemany(KEEP, [(message,) for message in messages])
        self._base.execute("COMMIT")
        return messages
