from typing import Any

from node import codec
from node.codec.frames import AskWriter, read_frame
from node.core.messages import Tell
from node.limits import Limits

from .lines import BATCH, tell

TELL = codec.METHODS[Tell]


def test_a_line_to_bytes(benchmark: Any) -> None:
    assert benchmark(TELL.write_request, tell(1))


def test_a_line_from_bytes(benchmark: Any) -> None:
    written = TELL.write_request(tell(1))
    assert benchmark(TELL.read_request, written, Limits()) == tell(1)


def test_64_lines_to_bytes(benchmark: Any) -> None:
    told = tell(1, BATCH)
    assert benchmark(lambda: AskWriter().write(1, told))


def test_64_lines_from_bytes(benchmark: Any) -> None:
    frame = benchmark(read_frame, AskWriter().write(1, tell(1, BATCH)), Limits())
    assert frame.asked[0].request == tell(1, BATCH)
