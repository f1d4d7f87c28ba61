"""Members who go on talking while something happens to the others."""

import threading
from collections.abc import Callable
from typing import Self

import grpc

from tests.e2e.cluster import Cluster
from tests.waiting import wait_for

PACE_S = 0.2


class Talk:
    """`with Talk(...) as talk:` each of `names` says lines until the block ends.

    `said` is what was stored: no line of it may be missing at the end, none may be there twice.
    """

    def __init__(self, cluster: Cluster, chat: str, names: list[str], about: str) -> None:
        self.said: list[str] = []
        self._cluster, self._chat, self._about = cluster, chat, about
        self._failed: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._speak, args=[name]) for name in names]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.goes_on(len(self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self._failed, self._failed

    def goes_on(self, count: int) -> None:
        """Waits until this many more lines were said."""
        wanted = len(self.said) + count
        wait_for(lambda: self._failed or len(self.said) >= wanted, "the talk goes on")

    def _speak(self, name: str) -> None:
        member, count = self._cluster[name], 0
        while not self._over.wait(PACE_S):
            count += 1
            text = f"{self._about}: {name} {count}"
            try:
                member.post(self._chat, text)
            except (grpc.RpcError, AssertionError) as error:
                self._failed.append(f"{name}: {error}")
                return
            self.said.append(text)


def others(names: tuple[str, ...], *without: str) -> list[str]:
    """The names that are not in `without`."""
    return [name for name in names if name not in without]


def all_of(names: list[str], holds: Callable[[str], bool]) -> Callable[[], bool]:
    """Whether something holds for each name, to be waited for."""
    return lambda: all(holds(name) for name in names)
