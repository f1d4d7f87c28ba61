from collections.abc import Iterator
from itertools import count
from typing import Any

from node.core.events import Received, Submitted
from tests.bench.core import Circle
from tests.core.cast import WALL

from .lines import BATCH, TEXT, tell

ROUNDS = 100


def test_64_lines_received(benchmark: Any) -> None:
    group = Circle(4).groups[1]
    numbers = count(1)

    def batch() -> tuple[tuple[list[Received]], dict[str, Any]]:
        return ([Received(n, tell(n)) for n in take(numbers)],), {}

    def receive(events: list[Received]) -> None:
        for event in events:
            group.handle(0, event)

    benchmark.pedantic(receive, setup=batch, rounds=ROUNDS)


def test_64_lines_received_together(benchmark: Any) -> None:
    group = Circle(4).groups[1]
    numbers = count(1)

    def batch() -> tuple[tuple[Received], dict[str, Any]]:
        first, *_ = take(numbers)
        return (Received(first, tell(first, BATCH)),), {}

    benchmark.pedantic(lambda event: group.handle(0, event), setup=batch, rounds=ROUNDS)


def test_64_lines_said_and_acknowledged_by_three(benchmark: Any) -> None:
    circle, numbers = Circle(4), count(1)

    def batch() -> tuple[tuple[list[Submitted]], dict[str, Any]]:
        return ([Submitted(TEXT, f"{n:032x}", WALL + n) for n in take(numbers)],), {}

    def say(events: list[Submitted]) -> None:
        for event in events:
            circle.hand(1, event)

    benchmark.pedantic(say, setup=batch, rounds=ROUNDS)
    assert not circle.groups[1].queue()


def take(numbers: Iterator[int]) -> list[int]:
    return [next(numbers) for _ in range(BATCH)]
