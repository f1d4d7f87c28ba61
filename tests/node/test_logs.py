"""The node's log: one event a line, with chat, id and epoch; also node/host/journal.py."""

import asyncio
import logging
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node import logs
from node.core.types import Epoch
from node.errors import Unwritable

EPOCH = Epoch(5, 12)


@dataclass
class FakeGroup:
    me: int = 1_795_000_000_000_002
    epoch: Epoch = EPOCH


@dataclass
class FakeChat:
    name: str = "dev"
    group: FakeGroup = field(default_factory=FakeGroup)


def written(tmp_path: Path, level: str = "info") -> list[str]:
    file = tmp_path / "node.log"
    handler = logs.open_log(file, level)
    chat = FakeChat()
    log = logs.chat_log(chat)
    log.info("member %s joined", 4)
    log.debug("delivered")
    chat.group.me = 0
    log.info("two\nlines, \x1b[31m\x9b red")
    try:
        raise RuntimeError("bang")
    except RuntimeError:
        logging.getLogger("node.x").exception("it failed")
    logs.close_log(handler)
    return file.read_text().splitlines()


def test_an_event_is_a_line_with_instant_level_chat_id_and_epoch(tmp_path: Path) -> None:
    first, second, third = written(tmp_path)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"{stamp} info     #dev id=2 e=12 member 4 joined", first)
    assert second.endswith("#dev id=- e=12 two lines, ?[31m? red")
    assert "it failed" in third
    assert "RuntimeError: bang" in third


def test_a_silent_chat_writes_nothing_and_errors_are_told_by_kind_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs._Line, "reticent", False)
    handler = logs.open_log(tmp_path / "node.log", "debug")
    silent = logs.chat_log(FakeChat(), silent=True)
    silent.critical("a secret")
    assert "a secret" in logs.told(ValueError("a secret"))
    logs.be_reticent(True)
    try:
        raise RuntimeError("a secret")
    except RuntimeError as error:
        logging.getLogger("node.x").exception("%s failed: %r", "a chat", error)
        logging.getLogger("asyncio").error("a secret %s", error)
    assert logs.told(ValueError("a secret")) == "ValueError"
    logging.getLogger("node.x").warning("all is %s", "well")
    logs.close_log(handler)
    ours, theirs, well = (tmp_path / "node.log").read_text().splitlines()
    assert re.search(r"node\.x complains: RuntimeError < test_logs\.py:\d+$", ours)
    assert theirs.endswith("asyncio complains")
    assert well.endswith("all is well")


def test_debug_is_written_only_when_asked_for(tmp_path: Path) -> None:
    assert len(written(tmp_path, "debug")) == 4


def test_the_log_is_its_owners_alone(tmp_path: Path) -> None:
    written(tmp_path)
    assert stat.S_IMODE((tmp_path / "node.log").stat().st_mode) == 0o600


def test_a_log_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match=r"nowhere.node\.log"):
        logs.open_log(tmp_path / "nowhere" / "node.log", "info")


def test_a_caller_that_went_away_before_its_answer_is_no_bug(tmp_path: Path) -> None:
    file = tmp_path / "node.log"
    handler = logs.open_log(file, "info")
    grpc = logging.getLogger("grpc._cython.cygrpc")
    try:
        raise RuntimeError('Failed "execute_batch"')
    except RuntimeError:
        grpc.exception("ExecuteBatchError raised in core by servicer method [/Node/Sync]")
        grpc.exception("Unexpected [RuntimeError] raised by servicer method [/Node/Sync]")
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        grpc.exception("Exception not handled by _handle_exceptions in servicer method [Sync]")
    logs.close_log(handler)
    (line,) = file.read_text().splitlines()
    assert " error    Unexpected [RuntimeError] raised by servicer method [/Node/Sync] | " in line


def test_a_full_disk_costs_lines_of_the_log_and_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logs.open_log(tmp_path / "node.log", "info")
    try:
        log = logging.getLogger("node.somewhere")
        log.info("before")
        assert isinstance(handler, logging.FileHandler)
        stream = handler.stream
        with Path("/dev/full").open("w") as full:
            handler.stream = full
            log.info("one")
            log.info("two")
            handler.stream = stream
            full.buffer.raw.close()
        log.info("after")
        log.info("later")
    finally:
        logs.close_log(handler)
    lines = [line.split(maxsplit=2)[2] for line in (tmp_path / "node.log").read_text().splitlines()]
    assert lines == ["before", "after (the disk refused 2 lines before)", "later"]
    assert capsys.readouterr().err == "", "no traceback, which nobody could store either"
