"""Lines that pour into a chat at a steady rate, while somebody tries to use it."""

import threading
import time
from typing import Self

from tests.e2e.programs import Member

RATE = 200  # lines a second


class Flood:
    """`with Flood(...) as flood:` members say lines in #dev, together `RATE` a second."""

    def __init__(self, *members: Member) -> None:
        self.said = 0
        self._over = threading.Event()
        self._failed: list[BaseException] = []
        rate = RATE / len(members)
        self._threads = [threading.Thread(target=self._pour, args=(m, rate)) for m in members]

    def _pour(self, member: Member, rate: float) -> None:
        began, count = time.monotonic(), 0
        try:
            while not self._over.wait(max(0.0, began + count / rate - time.monotonic())):
                count += 1
                member.post("dev", f"flood {count} of {member.name}, some words to fill the row")
                self.said += 1
        except BaseException as error:
            self._failed.append(error)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self._failed, self._failed

    @property
    def rate(self) -> float:
        return self.said / (time.monotonic() - self._began)
