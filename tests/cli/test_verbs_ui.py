"""What `host` makes, and the NDS that it starts: where that listens, where others call it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from node import background
from node.cli import verbs_ui
from node.cli.output import Output
from node.cli.parser import parse
from node.cli.run import Run
from node.cli.verbs_ui import _is_at, _made, _start_nds
from node.errors import NameTaken, Usage
from node.names import own_hosts
from node.places import places
from node.words import PasswordKey
from tests.cli.fake_node import NDS, NOON_MS, FakeNode

OWN = next(iter(own_hosts()), "127.0.0.1")


@pytest.mark.parametrize(
    ("flags", "environ", "before", "asked", "told"),
    [
        ([], {}, "", ("0.0.0.0:50050", False), f"{OWN}:50050"),
        ([], {}, "10.0.0.5:4711", ("10.0.0.5:4711", False), "10.0.0.5:4711"),
        ([], {"NDS_LISTEN": "127.0.0.1:4711"}, "", ("127.0.0.1:4711", False), "127.0.0.1:4711"),
        ([], {"NDS_LISTEN": "0.0.0.0:4711"}, "", ("0.0.0.0:4711", False), f"{OWN}:4711"),
        (["--insecure"], {}, "", ("127.0.0.1:50050", True), "127.0.0.1:50050"),
        ([], {"INSECURE": "on"}, "", ("127.0.0.1:50050", True), "127.0.0.1:50050"),
        (["--listen", "127.0.0.1"], {}, "", ("127.0.0.1:50050", False), "127.0.0.1:50050"),
        (["--listen", "10.0.0.7:9"], {}, "", ("10.0.0.7:50050", False), "10.0.0.7:50050"),
        (["--listen", "10.0.0.7"], {}, "0.0.0.0:9", ("0.0.0.0:9", False), "10.0.0.7:9"),
    ],
)
def test_an_nds_of_ones_own_is_there_for_others_unless_its_connections_are_plain(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    environ: dict[str, str],
    before: str,
    asked: tuple[str, bool],
    told: str,
) -> None:
    started: list[tuple[str, bool]] = []

    def start(_: Any, at: str, *, insecure: bool) -> str:
        started.append((at, insecure))
        return at

    monkeypatch.setattr(background, "start_nds", start)
    for name in ("LISTEN", "NDS_LISTEN", "INSECURE"):
        monkeypatch.delenv(f"P2PCHAT_{name}", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(f"P2PCHAT_{name}", value)
    spot = places("default", str(tmp_path), {})
    run = Run(parse(["host", "dev", "--home", str(tmp_path), *flags]), spot, Output())
    assert _start_nds(run, before, insecure=run.config.insecure == "on") == told
    assert started == [asked]
    assert f"one was started at {asked[0]} (log" in capsys.readouterr().err


LAB, BRIDGE = "192.168.77.6", "10.7.0.1"


@pytest.mark.parametrize(
    ("hosts", "told", "said"),
    [
        ((LAB,), LAB, ""),
        ((LAB, BRIDGE), LAB, f"others are to call {LAB}; this machine has {BRIDGE}, too:"),
        ((), "127.0.0.1", "only this machine can join by that line"),
    ],
)
def test_an_address_that_others_may_not_reach_is_said_with_what_takes_another(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hosts: tuple[str, ...],
    told: str,
    said: str,
) -> None:
    monkeypatch.setattr(background, "start_nds", lambda _, at, **__: at)
    monkeypatch.setattr(verbs_ui, "own_hosts", lambda: hosts)
    spot = places("default", str(tmp_path), {})
    run = Run(parse(["host", "dev", "--home", str(tmp_path)]), spot, Output())
    assert _start_nds(run, "", insecure=False) == f"{told}:50050"
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 1 + bool(said)
    assert said in notes[-1]
    assert ("--listen HOST" in notes[-1]) is bool(said)


@pytest.mark.parametrize(
    ("address", "own", "is_own"),
    [
        (f"{OWN}:50050", "0.0.0.0:50050", True),
        ("127.0.0.1:50050", "0.0.0.0:50050", True),
        ("10.0.0.5:50050", "10.0.0.5:50050", True),
        (f"{OWN}:50051", "0.0.0.0:50050", False),
        ("198.51.100.1:50050", "0.0.0.0:50050", False),
        ("127.0.0.1:50050", "10.0.0.5:50050", False),
        ("127.0.0.1:50050", "", False),
    ],
)
def test_an_nds_of_ones_own_that_has_ended_is_known_by_what_others_call(
    address: str, own: str, is_own: bool
) -> None:
    assert _is_at(address, own) is is_own


@pytest.mark.parametrize("verb", ["host", "create"])
@pytest.mark.parametrize("flag", ["--transient", "--open", "--history none"])
def test_what_a_chat_is_to_be_is_refused_where_it_is_otherwise_already(
    tmp_path: Path, verb: str, flag: str
) -> None:
    node = FakeNode(lambda: NOON_MS)
    node.add_chat("dev", "you")
    node.answers["create"] = NameTaken(name="dev", nds=NDS)
    spot = places("default", str(tmp_path), {})
    run = Run(parse([verb, "dev", "--home", str(tmp_path), *flag.split()]), spot, Output())
    with pytest.raises(Usage, match=f"{flag} is for a new chat: you are in #dev already, and it"):
        asyncio.run(_made(run, node, "dev", PasswordKey(), ""))  # type: ignore[arg-type]
    assert not node.asked("invite"), "none is spent"


def test_a_nick_that_comes_too_late_is_said_to_whoever_hosts_again(tmp_path: Path) -> None:
    node = FakeNode(lambda: NOON_MS)
    node.set_chat(node.add_chat("dev", "you"), nick="you")
    node.answers["create"] = NameTaken(name="dev", nds=NDS)
    spot = places("default", str(tmp_path), {})
    run = Run(parse(["host", "dev", "--home", str(tmp_path), "--nick", "eve"]), spot, Output())
    answer = asyncio.run(_made(run, node, "dev", PasswordKey(), ""))  # type: ignore[arg-type]
    assert answer.notes == ("you are you there; --nick counts at its making: /nick changes it",)
