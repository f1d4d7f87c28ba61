"""The log: one event a line, whatever a value holds."""

import asyncio
import io
import json
import logging

import pytest

from nds.logs import LOG, say, start_logging


@pytest.fixture
def lines():
    root, level = logging.getLogger(), LOG.level
    before = (root.handlers[:], root.level)
    streams = {}

    def start(kind):
        streams[kind] = io.StringIO()
        start_logging(kind, streams[kind])
        return lambda: streams[kind].getvalue().splitlines()

    yield start
    root.handlers[:], root.level = before
    LOG.setLevel(level)


def test_text_is_words_and_pairs(lines):
    read = lines("text")
    say("listening", address="127.0.0.1:50050")
    (line,) = read()
    assert line.endswith(" info listening address=127.0.0.1:50050")
    assert line[10] == "T"
    assert line[23] == "Z"


def test_json_is_one_object_a_line(lines):
    read = lines("json")
    say("granted", logging.WARNING, about={"chat": "1a"}, epoch=7)
    (line,) = read()
    written = json.loads(line)
    assert written.pop("at").endswith("Z")
    assert written == {"level": "warning", "event": "granted", "chat": "1a", "epoch": 7}


@pytest.mark.parametrize("kind", ["text", "json"])
@pytest.mark.parametrize("value", ["a b", 'say "hi"', "two\nlines", "\x1b[31mred", "\u202e", ""])
def test_a_strangers_value_stays_within_its_line_and_its_quotes(lines, kind, value):
    read = lines(kind)
    say("created", name=value)
    (line,) = read()
    assert line.isprintable()
    assert line.isascii()
    assert json.dumps(value) in line


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_traceback_is_one_value(lines, kind):
    read = lines(kind)
    try:
        raise KeyError("nobody")
    except KeyError:
        say("bug", logging.ERROR, trace=True)
    (line,) = read()
    assert "KeyError" in line
    assert "error" in line


def test_a_library_is_heard_from_its_warnings_on(lines):
    read = lines("text")
    logging.getLogger("asyncio").info("never mind")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    (line,) = read()
    assert line.endswith('warning library name=asyncio text="slow callback"')


def test_a_caller_that_went_away_before_its_answer_is_no_bug(lines):
    read = lines("text")
    grpc = logging.getLogger("grpc._cython.cygrpc")
    grpc.error("ExecuteBatchError raised in core by servicer method [/NodeDiscovery/Renew]")
    grpc.error("Unexpected [RuntimeError] raised by servicer method [/NodeDiscovery/Renew]")
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        grpc.exception("Exception not handled by _handle_exceptions in servicer method [Renew]")
    (line,) = read()
    assert "Unexpected [RuntimeError] raised" in line
