"""The log: to stderr, one event a line, as text or as JSON.

    2026-11-20T09:15:00.123Z info granted chat=00f3... epoch=7 leader=1795080000000003
    {"at": "2026-11-20T09:15:00.123Z", "level": "info", "event": "granted", "epoch": 7, ...}

Values come from strangers, so whatever is not plain is quoted; a traceback is one quoted value.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

GRPC, UNSENT = "grpc._cython.cygrpc", "ExecuteBatchError raised in core by servicer method"
LOG = logging.getLogger("nds")
PLAIN = re.compile(r"[A-Za-z0-9_.:/@+\[\]-]+", re.ASCII)

Value = str | int | float | bool


def say(
    event: str,
    level: int = logging.INFO,
    *,
    about: Mapping[str, Value] | None = None,
    trace: bool = False,
    **fields: Value,
) -> None:
    """Log one event with its fields; `trace` adds the exception that is being handled."""
    LOG.log(level, event, exc_info=trace, extra={"fields": {**(about or {}), **fields}})


def start_logging(kind: str, stream: TextIO | None = None) -> None:
    """Send all log records of this process to `stream` (stderr), as "text" or as "json"."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else TextLines())
    handler.addFilter(is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)


def is_news(record: logging.LogRecord) -> bool:
    """False for what gRPC says when a caller goes away before its answer can be sent, or when this
    process ends before a call does.

    It says so as a bug of the servicer, with a traceback; in a network that breaks it is none.
    """
    is_cut_off = record.exc_info and record.exc_info[0] is asyncio.CancelledError
    return not (record.name == GRPC and (is_cut_off or record.getMessage().startswith(UNSENT)))


def _parts(record: logging.LogRecord) -> tuple[str, str, str, dict[str, Value]]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields: dict[str, Value] = dict(getattr(record, "fields", {}))
    event = record.getMessage()
    if record.name != LOG.name:  # a library speaks
        event, fields = "library", {"name": record.name, "text": event}
    if record.exc_info:
        fields["trace"] = logging.Formatter().formatException(record.exc_info)
    return at.replace("+00:00", "Z"), record.levelname.lower(), event, fields


class TextLines(logging.Formatter):
    """One line of words and `key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        at, level, event, fields = _parts(record)
        pairs = [f"{key}={self._quoted(value)}" for key, value in fields.items()]
        return " ".join([at, level, event, *pairs])

    @staticmethod
    def _quoted(value: Value) -> str:
        text = str(value)
        return text if PLAIN.fullmatch(text) else json.dumps(text)


class JsonLines(logging.Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        at, level, event, fields = _parts(record)
        return json.dumps({"at": at, "level": level, "event": event, **fields})
