"""Who listens to what a node tells its faces."""

import threading
from typing import Any, Self

import grpc

from p2pchat.v1 import control_pb2
from tests.e2e.programs import Member
from tests.waiting import WAIT_S, wait_for


class Ear:
    """Hears everything that a node tells, from its making until `close`."""

    def __init__(self, member: Member) -> None:
        self.name = member.name
        self._heard: list[Any] = []
        self._watch = member.control.Watch(control_pb2.WatchRequest())
        self._watch.initial_metadata()  # it watches
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for happening in self._watch:
                self._heard.append(happening)
        except grpc.RpcError:
            return  # it was closed, or the node is gone

    def heard(self, kind: str) -> list[Any]:
        """What was told so far of that kind, as the field of `WatchResponse` is called."""
        return [getattr(one, kind) for one in self._heard if one.HasField(kind)]

    def nds(self, address: str) -> list[bool]:
        """What was told of a discovery service: True for back, False for away."""
        return [one.up for one in self.heard("nds") if one.address == address]

    def until_nds(self, address: str, *told: bool) -> None:
        """Waits until this, and only this, was told of a discovery service."""
        wait_for(lambda: len(self.nds(address)) >= len(told), f"{self.name} is told {told}")
        assert self.nds(address) == [*told]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._watch.cancel()
        self._thread.join(WAIT_S)
