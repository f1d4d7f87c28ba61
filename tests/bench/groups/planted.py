"""Contestants that are wrong on purpose: what finds nothing in them finds nothing at all."""

from collections.abc import Callable

from .contestant import Seat
from .ledger import SIZE
from .raw_tcp import AWAY, DEATH, ORDER, PROMISE, RawTcp

__all__ = ["AWAY", "DEATH", "ORDER", "PROMISE", "Damaging", "Doubling", "Losing"]

FAULTY = 2  # the message of a source that is treated badly


class _Faulty(RawTcp):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, self._mistreat)
        self._honest = receive

    def _mistreat(self, message: bytes) -> None:
        if int(message[4:13]) == FAULTY:
            self.spoil(message)
        else:
            self._honest(message)

    def spoil(self, message: bytes) -> None:
        raise NotImplementedError


class Losing(_Faulty):
    def spoil(self, message: bytes) -> None:
        """It never comes."""


class Doubling(_Faulty):
    def spoil(self, message: bytes) -> None:
        self._honest(message)
        self._honest(message)


class Damaging(_Faulty):
    def spoil(self, message: bytes) -> None:
        self._honest(message[: SIZE - 1])
