from typing import Any

from node import codec
from node.core.messages import Tell
from node.limits import Limits

from .lines import tell

TELL = codec.METHODS[Tell]


def test_a_line_to_bytes(benchmark: Any) -> None:
    assert benchmark(TELL.write_request, tell(1))


def test_a_line_from_bytes(benchmark: Any) -> None:
    written = TELL.write_request(tell(1))
    assert benchmark(TELL.read_request, written, Limits()) == tell(1)
