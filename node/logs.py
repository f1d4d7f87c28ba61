"""The node's log: a file per node, one event a line, with chat, id and epoch.

    2026-11-20T09:29:33.002Z info     #dev id=2 e=12 2 leads epoch 12 after 310 ms

Instants are UTC, so that `p2pchat log` can merge the files of several nodes.  What people say never
stands in it, and of chats that leave nothing on disk nothing at all: neither their own lines, nor
what an exception may have quoted of them (`be_reticent`).
"""

import asyncio
import logging
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol

from .core.types import Epoch, MemberId, small
from .disk import refusal

GRPC, UNSENT = "grpc._cython.cygrpc", "ExecuteBatchError raised in core by servicer method"
SIZE_MAX = 5 * 2**20  # bytes of one file
FILES = 3


# A log is read in a terminal, and some of its words came from others.
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "?")


class Located(Protocol):
    """What a line of a chat's log names."""

    @property
    def name(self) -> str: ...

    @property
    def group(self) -> "Placed": ...


class Placed(Protocol):
    @property
    def me(self) -> MemberId: ...
    @property
    def epoch(self) -> Epoch: ...


class _Line(logging.Formatter):
    reticent = False  # as to exceptions, and to the words of other libraries

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        stamp = at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
        text = self._reticently(record) if self.reticent else self._wholly(record)
        text = " ".join(text.split()).translate(_CONTROLS)
        return f"{stamp} {record.levelname.lower():<8} {text}"

    def _wholly(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += " | " + self.formatException(record.exc_info).replace("\n", " | ")
        return text

    def _reticently(self, record: logging.LogRecord) -> str:
        """Without anything that an exception, or another library, may quote."""
        error = record.exc_info[1] if record.exc_info else None
        ours = record.name.partition(".")[0] == "node"
        text = record.getMessage() if ours and error is None else f"{record.name} complains"
        return f"{text}: {whereabouts(error)}" if error is not None else text


def whereabouts(error: BaseException) -> str:
    """What kind of error it is, and where it was raised; nothing of what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return " < ".join([type(error).__name__, *reversed(places)])


class _File(RotatingFileHandler):
    """A disk that refuses costs lines of the log, and nothing else; how many, the next one says."""

    refused = 0

    def handleError(self, record: logging.LogRecord) -> None:
        self.refused += 1

    def emit(self, record: logging.LogRecord) -> None:
        before = self.refused
        super().emit(record)
        if self.refused == before:
            self.refused = 0

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"{text} (the disk refused {self.refused} lines before)" if self.refused else text


class _Prefix(logging.LoggerAdapter[logging.Logger]):
    def __init__(self, chat: Located) -> None:
        super().__init__(logging.getLogger("node.chat"), {})
        self._chat = chat

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        group = self._chat.group
        me = small(group.me) if group.me else "-"
        return f"#{self._chat.name} id={me} e={group.epoch.n} {msg}", kwargs


class _Silent(_Prefix):
    def isEnabledFor(self, level: int) -> bool:
        return False


def chat_log(chat: Located, *, silent: bool = False) -> _Prefix:
    """A logger whose lines begin with chat, id and epoch; a silent one writes none."""
    return _Silent(chat) if silent else _Prefix(chat)


def be_reticent(on: bool) -> None:
    """From now on this process logs exceptions by their kind and place alone; or not any more."""
    _Line.reticent = on


def told(error: BaseException) -> str:
    """An error as it may be written down: whole, unless this process is reticent."""
    return whereabouts(error) if _Line.reticent else repr(error)


def is_news(record: logging.LogRecord) -> bool:
    """False for what gRPC says when a caller goes away before its answer can be sent, or when this
    process ends before a call does.

    It says so as a bug of the servicer, with a traceback; in a network that breaks it is none.
    """
    is_cut_off = record.exc_info and record.exc_info[0] is asyncio.CancelledError
    return not (record.name == GRPC and (is_cut_off or record.getMessage().startswith(UNSENT)))


def open_log(file: Path, level: str) -> logging.Handler:
    """Sends all that this process logs to `file`, in place of any handler before.

    Raises:
        Unwritable: the file cannot be made.
    """
    try:
        handler = _File(file, maxBytes=SIZE_MAX, backupCount=FILES, encoding="utf-8")
    except OSError as error:
        raise refusal(file, error) from error
    file.chmod(0o600)
    handler.setFormatter(_Line())
    handler.addFilter(is_news)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("node").setLevel(level.upper())
    return handler


def close_log(handler: logging.Handler) -> None:
    """Takes the handler away again."""
    logging.getLogger().removeHandler(handler)
    handler.close()
